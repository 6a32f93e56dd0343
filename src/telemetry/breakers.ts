// Room telemetry: the breakers of the targets, as a level by provider and model.
// Invariant: labels are bounded: a model that neither policy nor the price catalogue knows is `other`, and regions share a series.

import { type ExchangeMetrics, otherModel } from "./metrics.ts";
import type { MetricStore } from "./metric-store.ts";
import { attr, own } from "./semconv.ts";

/** One target's breaker. `key` is `provider/model`, with `/region` where the target has one. */
export interface BreakerReading {
  key: string;
  state: "closed" | "half_open" | "open";
}

/** Ascending by how bad it is, so that of several targets with the same labels the worst is shown. */
const levels: Record<BreakerReading["state"], number> = { closed: 0, half_open: 1, open: 2 };

/** Sets the metric before each collection. `isKnown`: whether a model may be a label. */
export function mirrorBreakers(
  store: MetricStore,
  { breakerState }: ExchangeMetrics["instruments"],
  isKnown: (provider: string, model: string) => boolean,
  read: () => Iterable<BreakerReading>,
): void {
  store.onCollect(() => {
    // A target that was forgotten has no state any more.
    breakerState.clear();
    for (const { key, state } of read()) {
      const { provider, models } = splitKey(key);
      const known = models.find((name) => isKnown(provider, name));
      const series = breakerState.series({ [own.provider]: provider, [attr.requestModel]: known ?? otherModel });
      series.set(Math.max(series.sum, levels[state]));
    }
  });
}

/** `models`: what may be the model, since models have slashes too; no provider's id has one. */
function splitKey(key: string): { provider: string; models: string[] } {
  const cut = key.indexOf("/");
  const model = key.slice(cut + 1);
  const last = model.lastIndexOf("/");
  return { provider: key.slice(0, cut), models: last === -1 ? [model] : [model, model.slice(0, last)] };
}

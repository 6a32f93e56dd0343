// Room telemetry: log events of a closed exchange.
// Invariant: they do not depend on sampling; content only when capture is `event` or `both`.

import { SeverityNumber, type Attributes, type SpanContext } from "@opentelemetry/api";

import type { ExchangeRecord } from "../record/index.ts";
import { type AttributeMap, fallbackAttributes, inferenceOperations, lossAttributes } from "./attributes.ts";
import { emitLog, type LogOrigin } from "./direct-log.ts";
import { attr, events, own } from "./semconv.ts";
import type { ClosedGroup } from "./span.ts";

/** Emits every log event of one exchange. */
export function emitEvents(
  origin: LogOrigin,
  record: ExchangeRecord,
  exchangeContext: SpanContext | undefined,
  groups: ClosedGroup[],
): void {
  const endMs = record.startedAtMs + (record.durationMs ?? 0);
  const operation = record.operation?.name;
  for (const { group, spanContext, values, content } of groups) {
    const epochMs = group.durationMs === undefined ? endMs : group.startedAtMs + group.durationMs;
    // The conventions' details event is for inference alone.
    if (operation !== undefined && inferenceOperations.has(operation)) {
      emitLog(origin, {
        eventName: events.inferenceDetails,
        severityNumber: SeverityNumber.DEBUG,
        severityText: "DEBUG",
        epochMs,
        spanContext,
        values: content === undefined ? values : new Map([...values, ...Object.entries(content.attributes)]),
        contentCharacters: content?.characters ?? 0,
      });
    }
    if (group.cost?.status === "missing") warn(origin, events.priceUnknown, spanContext, epochMs, writePriced(group));
    if (group.replaces !== undefined) {
      const values = toMap(fallbackAttributes(group.replaces, group));
      warn(origin, events.fallback, spanContext, group.startedAtMs, values);
    }
  }
  for (const loss of record.losses) warn(origin, events.loss, exchangeContext, endMs, toMap(lossAttributes(loss)));
}

function toMap(attributes: Attributes): AttributeMap {
  return new Map(Object.entries(attributes));
}

function warn(
  origin: LogOrigin,
  eventName: string,
  spanContext: SpanContext | undefined,
  epochMs: number,
  values: AttributeMap,
): void {
  const [severityNumber, severityText] = [SeverityNumber.WARN, "WARN"];
  emitLog(origin, { eventName, severityNumber, severityText, epochMs, spanContext, values });
}

function writePriced({ providerName, provider, requestModel, response }: ClosedGroup["group"]): AttributeMap {
  const values: AttributeMap = new Map();
  values.set(attr.providerName, providerName);
  values.set(own.provider, provider);
  if (requestModel !== undefined) values.set(attr.requestModel, requestModel);
  if (response?.model !== undefined) values.set(attr.responseModel, response.model);
  return values;
}

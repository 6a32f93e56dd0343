// A policy store for tests: its events and reloads kept, everything else real.
import { systemClock } from "../../src/clock.ts";
import { type OptionsInput, optionsSchema } from "../../src/options.ts";
import {
  createPolicyStore,
  type PolicyEvent,
  type PolicyStore,
  type PolicyStoreSettings,
  type ReloadOutcome,
} from "../../src/policy/index.ts";
import { createPricer } from "../../src/spend/index.ts";

export interface PolicyRun {
  store: PolicyStore;
  events: PolicyEvent[];
  reloads: ReloadOutcome[];
}

/** Builds a store that is not started yet; the caller stops it. */
export function createPolicyRun(
  options: OptionsInput,
  more: Partial<Pick<PolicyStoreSettings, "clock" | "instanceId" | "environment">> = {},
): PolicyRun {
  const events: PolicyEvent[] = [];
  const reloads: ReloadOutcome[] = [];
  const whole = optionsSchema.parse(options);
  // A tenth of what the schema allows at the least, so that tests need not wait.
  whole.policy.pollSeconds /= 10;
  const store = createPolicyStore({
    options: whole,
    environment: {},
    clock: systemClock,
    random: () => 0.5,
    instanceId: "instance-1",
    pricer: createPricer(whole.prices.overrides),
    onEvent: (event) => events.push(event),
    onReload: (outcome) => reloads.push(outcome),
    ...more,
  });
  return { store, events, reloads };
}

/** Polls until `condition` holds; fails with `what` after `timeoutMs`. */
export async function waitFor(condition: () => boolean, what: string, timeoutMs = 8000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

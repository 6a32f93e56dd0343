// Room routing: its only door.
export { fallbackReasons, type FallbackReason, reasonOf } from "./reasons.ts";
export {
  type AffinitySource,
  type BreakerSettings,
  type RetrySettings,
  type RoutingDocument,
  routingSchema,
  type Strategy,
} from "./options.ts";
export type {
  CallFacts,
  CallNeeds,
  Candidate,
  ModelFacts,
  Plan,
  Routing,
  RoutingFacts,
  RoutingIssue,
  Skipped,
  SkipReason,
} from "./routing.ts";
export { compileRouting } from "./compile.ts";
export { nameCandidate } from "./itinerary.ts";
export { checkGlob, compileGlob } from "./globs.ts";
export { readDurationMs } from "./durations.ts";
export type { BreakerState } from "./breaker.ts";
export { createHealth, type Health, type Lease, type Outcome, type TargetLoad } from "./health.ts";
export type { RetryBudget } from "./retry-budget.ts";
export { decideNext, type FailedAttempt, findNext, type NextStep } from "./retry.ts";
export { readRetryAfter } from "./retry-after.ts";

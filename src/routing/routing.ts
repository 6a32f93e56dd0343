// Room routing: the words between routing and the rest of the house: what it is told of a call, and what it answers.
// Invariant: a plan never holds a key twice, and only goes forward, so every exchange ends.

import type { Health } from "./health.ts";
import type { AffinitySource, BreakerSettings, RetrySettings } from "./options.ts";
import type { FallbackReason } from "./reasons.ts";

/** What is known of a model; an absent fact is unknown, and never held against it. */
export interface ModelFacts {
  /** Input and output together, in tokens. */
  contextTokens?: number;
  tools?: boolean;
  images?: boolean;
  structuredOutput?: boolean;
}

/** What routing needs to know of the rest of the house; asked while a document is compiled and at an alias's first call. */
export interface RoutingFacts {
  isProvider(id: string): boolean;
  nearestProvider(id: string): string | undefined;
  /** Undefined: nobody knows. */
  describeModel(provider: string, model: string): ModelFacts | undefined;
  /** Nano-dollars for 1,000 input and 1,000 output tokens; undefined: unknown, which lowest-cost never guesses. */
  price(provider: string, model: string): number | undefined;
}

/** What a call asks of a model. */
export interface CallNeeds {
  /** Input as estimated and the most output it may have, in tokens. */
  contextTokens: number;
  tools: boolean;
  images: boolean;
  structuredOutput: boolean;
}

/** What routing is told of a call. */
export interface CallFacts {
  /** As the client wrote it. */
  model: string | undefined;
  /** Addressed by the path. */
  provider: string;
  /** The path does not name its provider: aliases, and routes without `provider` in their match, apply only then. */
  bare: boolean;
  dialect: string;
  operation: string;
  app?: string | undefined;
  team?: string | undefined;
  tags: Record<string, string>;
  /** What the session is known by, from the first of the sources that is there; asked only where affinity is on, then perhaps for several aliases. */
  affinityKey(by: readonly AffinitySource[]): string | undefined;
  /** Asked only where a fact of a model could be held against it. */
  needs(): CallNeeds;
  /** No less than `needs().contextTokens`, and found without reading what was said. */
  mostTokens(): number;
  /** False: `x-outrider-fallback: off`. */
  allowsFallback: boolean;
}

/** One place where a call may be served. */
export interface Candidate {
  provider: string;
  model: string;
  dialect?: string;
  tier?: string;
  region?: string;
  weight: number;
  kind: "target" | "fallback";
  /** 0 for the targets, then 1, 2, … for each fallback of the alias; candidates of one step are equals. */
  step: number;
  /** Of a fallback: the failures it is for. */
  when?: ReadonlySet<FallbackReason>;
  /** `provider/model[/region]`: what breakers, cooldowns and figures are kept by. */
  key: string;
}

export type SkipReason =
  | "breaker_open"
  | "cooling_down"
  | "context_window"
  | "no_tools"
  | "no_images"
  | "no_structured_output"
  | "below_min_tier"
  | "outside_regions"
  | "price_unknown";

/** A candidate that was passed over, and why. */
export interface Skipped {
  candidate: Candidate;
  why: SkipReason;
}

/** Where one call goes. */
export interface Plan {
  alias: string | undefined;
  /** `routes.3`: the place of the route in the document. */
  route: string | undefined;
  /** In the order of trying, no key twice. Empty: every one was skipped, and nothing may be sent. */
  candidates: readonly Candidate[];
  skipped: readonly Skipped[];
  /**
   * The first candidate stands in for another that was passed over before anything was sent: the call begins with a fallback, or with
   * another than the first target of an ordered alias. To be reported like any fallback. `reason` is undefined where the other lacks
   * what the call needs or has no known price.
   */
  diverted?: { from: Candidate; why: SkipReason; reason: FallbackReason | undefined };
  hedge?: { afterMs: number };
}

/** A compiled document; immutable to look at, safe to share and to drop. */
export interface Routing {
  readonly retry: RetrySettings;
  readonly breaker: BreakerSettings;
  readonly aliases: ReadonlySet<string>;
  /** `provider/model` of every target, and of every fallback and route that names one itself. */
  readonly models: ReadonlySet<string>;
  /** Undefined: no alias and no route applies; the call goes where its path says, and `retry` and `breaker` are obeyed still. */
  plan(call: CallFacts, health: Health): Plan | undefined;
  /** Of such a call: its only candidate, the same each time as long as it is remembered. */
  planNamed(provider: string, model: string): readonly Candidate[];
}

/** One thing wrong with a document; for people, one line. */
export interface RoutingIssue {
  /** Dotted, e.g. `models.smart.targets.0.provider`. */
  path: string;
  message: string;
  nearest?: string;
}

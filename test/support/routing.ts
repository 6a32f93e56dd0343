// What routing's tests share: a clock of their own, the facts of a small world, calls, and documents that compile.
import type { Clock } from "../../src/clock.ts";
import { nearestName } from "../../src/options.ts";
import {
  type CallFacts,
  type Candidate,
  compileRouting,
  type ModelFacts,
  type Plan,
  type Routing,
  type RoutingFacts,
  type RoutingIssue,
  routingSchema,
} from "../../src/routing/index.ts";

export interface ManualClock extends Clock {
  /** Milliseconds. */
  advance(ms: number): void;
}

export function createManualClock(startMs = 1000): ManualClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    epochMs: () => 1_800_000_000_000 + nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

const providers = ["openai", "azure", "anthropic", "google", "groq", "local"];

export function createRoutingFacts({
  models = {},
  prices = {},
}: { models?: Record<string, ModelFacts>; prices?: Record<string, number> } = {}): RoutingFacts {
  return {
    isProvider: (id) => providers.includes(id),
    nearestProvider: (id) => nearestName(id, providers),
    describeModel: (provider, model) => models[`${provider}/${model}`],
    price: (provider, model) => prices[`${provider}/${model}`],
  };
}

/** Compiles what a person wrote; throws with the issues. */
export function compile(document: unknown, facts = createRoutingFacts()): Routing {
  const compiled = compileRouting(routingSchema.parse(document), facts);
  if ("issues" in compiled)
    throw new Error(compiled.issues.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  return compiled.routing;
}

export function findIssues(document: unknown, facts = createRoutingFacts()): RoutingIssue[] {
  const compiled = compileRouting(routingSchema.parse(document), facts);
  return "issues" in compiled ? compiled.issues : [];
}

export function createCall(changes: Partial<CallFacts> = {}): CallFacts {
  return {
    model: "smart",
    provider: "openai",
    bare: true,
    dialect: "openai-chat",
    operation: "chat",
    tags: {},
    affinityKey: () => undefined,
    needs: () => ({ contextTokens: 1000, tools: false, images: false, structuredOutput: false }),
    mostTokens: () => Number.POSITIVE_INFINITY,
    allowsFallback: true,
    ...changes,
  };
}

export function keysOf(plan: Plan | undefined): string[] | undefined {
  return plan?.candidates.map(({ key }) => key);
}

export function createCandidate(key: string, changes: Partial<Candidate> = {}): Candidate {
  const [provider = "", model = ""] = key.split("/");
  return { provider, model, weight: 1, kind: "target", step: 0, key, ...changes };
}

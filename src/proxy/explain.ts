// Room proxy: what policy would do with a call, without making it: what matched, who is tried in which order, who is not and why.
// Invariant: nothing changes by asking (no turn, no probe, no lease), and of a credential no more is told than whether one is held.

import { type DialectId, dialectIds, findDialect } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { PolicySnapshot } from "../policy/index.ts";
import type { Credentials, Provider } from "../providers/index.ts";
import {
  type BreakerSettings,
  type BreakerState,
  type CallFacts,
  type CallNeeds,
  type Candidate,
  type FallbackReason,
  type Health,
  nameCandidate,
  type Plan,
  type RetrySettings,
  type SkipReason,
} from "../routing/index.ts";
import { type CallDestination, readCall } from "./call.ts";
import { matchIngress } from "./ingress.ts";
import { canPay, chooseTarget } from "./placement.ts";
import { findTarget } from "./translated-call.ts";

/** A call as a person describes it. */
export interface Question {
  model: string;
  /** Path and query as a client would write them; without it the bare path of `dialect`. */
  path: string | undefined;
  /** The client's wire format; default openai-chat, or what `path` says. */
  dialect: string | undefined;
  /** `gen_ai.operation.name`, where another than the path's is meant. */
  operation: string | undefined;
  app: string | undefined;
  team: string | undefined;
  tags: Record<string, string>;
  needs: CallNeeds;
  session: string | undefined;
  /** False: as with `x-outrider-fallback: off`. */
  allowsFallback: boolean;
}

/** Whether a call to a provider could be paid for. `client`: by what the client brings, for its path addresses this provider. */
export type CredentialFact = "held" | "machine" | "not needed" | "client" | "not held";

/** One place where the call may be served. */
export interface ExplainedCandidate {
  provider: string;
  model: string;
  kind: "target" | "fallback";
  /** Of a fallback: the failures it is for. */
  when?: FallbackReason[];
  tier?: string;
  region?: string;
  weight: number;
  /** Wire format spoken there; `translated` where it is not the client's. */
  dialect: string;
  translated: boolean;
  credential: CredentialFact;
  breaker: BreakerState;
  /** USD per million tokens; absent: unknown. */
  price?: { inputUsdPerMillion: number; outputUsdPerMillion: number };
}

/** Why a candidate is not tried. */
export type PassedOver = SkipReason | "no_credential" | "no_translation";

/** What would happen. */
export interface Explanation {
  policy: { version: string; source: string };
  call: {
    model: string;
    path: string;
    /** Addressed by the path. */
    provider: string;
    /** Aliases, and routes that name no provider, apply on bare paths only. */
    bare: boolean;
    dialect: string;
    operation: string;
    app?: string;
    team?: string;
    tags: Record<string, string>;
    needs: CallNeeds;
    allowsFallback: boolean;
  };
  matched:
    | { type: "alias"; alias: string }
    | { type: "route"; route: string; match: Record<string, unknown>; use: string; alias?: string }
    | { type: "none"; why: string };
  strategy?: string;
  /** In the order of trying. For strategies that share calls this is one call's order. */
  candidates: ExplainedCandidate[];
  skipped: (ExplainedCandidate & { why: PassedOver })[];
  /** The first candidate stands in for this one. */
  diverted?: { provider: string; model: string; why: SkipReason };
  /** `to`: who is asked as well; absent: nobody, for the first has no equal that can be asked. */
  hedge?: { afterMs: number; to?: string };
  /** Candidates that each failure leads to once the targets failed. */
  fallbacksByReason: Partial<Record<FallbackReason, string[]>>;
  /** Absent without a policy: then nothing is tried again. */
  retry?: RetrySettings;
  breaker?: BreakerSettings;
  timeouts: PolicySnapshot["timeouts"];
  losses: PolicySnapshot["losses"];
}

/** What is asked about a call. */
export interface ExplainRooms {
  snapshot: PolicySnapshot;
  health: Health;
  credentials: Credentials;
  epochMs: () => number;
}

/**
 * Plans the call and says what came out.
 * @throws SidecarError operation_unsupported, request_malformed for a call that nothing serves
 */
export function explainCall(question: Question, rooms: ExplainRooms): Explanation {
  const { snapshot } = rooms;
  const { model } = question;
  const path = question.path ?? defaultPath(question.dialect, model);
  const inbound = {
    method: "POST",
    target: path,
    header: (name: string) => (name === "content-type" ? "application/json" : undefined),
  };
  const { call: operation, ...destination } = matchIngress(inbound, snapshot.providers);
  if (operation === undefined) {
    throw new SidecarError(
      "operation_unsupported",
      "no dialect knows this path: what comes there is passed on untouched",
    );
  }
  const place: CallDestination = { ...destination, call: operation };
  const facts = readFacts(question, place);
  const plan = snapshot.routing?.plan(facts, lookOnly(rooms.health));
  const common = {
    policy: { version: snapshot.version, source: snapshot.source },
    call: describeCall(question, facts, path),
    ...(snapshot.routing === undefined ? {} : { retry: snapshot.routing.retry, breaker: snapshot.routing.breaker }),
    timeouts: snapshot.timeouts,
    losses: snapshot.losses,
  };
  if (plan === undefined) {
    const body = Buffer.from(JSON.stringify({ model }));
    const target = chooseTarget(readCall(inbound, place, body, body, false), {
      providers: snapshot.providers,
      credentials: rooms.credentials,
    });
    const candidate = nameCandidate(target.provider.id, target.model ?? model);
    const why =
      snapshot.routing === undefined
        ? "no policy is in force"
        : "no alias and no route applies: the call goes where its path or its model says";
    const explained = explainCandidate(candidate, place, rooms);
    return {
      ...common,
      matched: { type: "none", why },
      candidates: explained === undefined ? [] : [explained],
      skipped: [],
      fallbacksByReason: {},
    };
  }
  return { ...common, ...explainPlan(plan, place, rooms) };
}

function defaultPath(dialect: string | undefined, model: string): string {
  const id = dialect === undefined ? "openai-chat" : dialectIds.find((each) => each === dialect);
  if (id === undefined)
    throw new SidecarError("request_malformed", `dialect: expected one of ${dialectIds.join(", ")}`);
  const path = findDialect(id).encoder?.path(model, false);
  if (path === undefined) throw new SidecarError("request_malformed", `dialect ${id} has several paths: name one`);
  return path;
}

function readFacts(question: Question, { provider, bare, call }: CallDestination): CallFacts {
  const { app, team, tags, needs, session, allowsFallback } = question;
  return {
    model: question.model,
    provider: provider.id,
    bare,
    dialect: question.dialect ?? call.dialect.id,
    operation: question.operation ?? call.operation.name ?? call.operation.kind,
    ...(app === undefined ? {} : { app }),
    ...(team === undefined ? {} : { team }),
    tags,
    allowsFallback,
    affinityKey: () => session,
    needs: () => needs,
    mostTokens: () => needs.contextTokens,
  };
}

function describeCall(question: Question, facts: CallFacts, path: string): Explanation["call"] {
  const { provider, bare, dialect, operation, app, team, tags, allowsFallback } = facts;
  return {
    model: question.model,
    path,
    provider,
    bare,
    dialect,
    operation,
    ...(app === undefined ? {} : { app }),
    ...(team === undefined ? {} : { team }),
    tags,
    needs: question.needs,
    allowsFallback,
  };
}

/** What a plan reads of the targets' health, with nothing that a look could move. */
function lookOnly(health: Health): Health {
  return {
    open: () => undefined,
    coolDown: () => undefined,
    breakerState: (key) => health.breakerState(key),
    breakers: () => health.breakers(),
    refusesNone: (keys) => health.refusesNone(keys),
    findRefusal: (key) => health.findRefusal(key),
    load: (key) => health.load(key),
    retryBudget: (key) => health.retryBudget(key),
    nextTurn: () => 0,
    random: health.random,
    nowMs: () => health.nowMs(),
  };
}

function explainPlan(
  plan: Plan,
  place: CallDestination,
  rooms: ExplainRooms,
): Pick<Explanation, "matched" | "strategy" | "candidates" | "skipped" | "diverted" | "hedge" | "fallbacksByReason"> {
  const candidates: ExplainedCandidate[] = [];
  const asked = new Set<Candidate>();
  const skipped: Explanation["skipped"] = [];
  for (const candidate of plan.candidates) {
    const explained = explainCandidate(candidate, place, rooms);
    if (explained === undefined) continue;
    if (explained.credential === "not held") skipped.push({ ...explained, why: "no_credential" });
    else if (explained.dialect === "") skipped.push({ ...explained, why: "no_translation" });
    else {
      candidates.push(explained);
      asked.add(candidate);
    }
  }
  for (const { candidate, why } of plan.skipped) {
    const explained = explainCandidate(candidate, place, rooms);
    if (explained !== undefined) skipped.push({ ...explained, why });
  }
  const fallbacksByReason: Explanation["fallbacksByReason"] = {};
  for (const { provider, model, when = [] } of candidates) {
    for (const reason of when) (fallbacksByReason[reason] ??= []).push(`${provider}/${model}`);
  }
  const strategy = plan.alias === undefined ? undefined : rooms.snapshot.document?.models[plan.alias]?.strategy;
  const { diverted, hedge } = plan;
  return {
    matched: describeMatch(plan, rooms.snapshot),
    ...(strategy === undefined ? {} : { strategy }),
    candidates,
    skipped,
    ...(diverted === undefined
      ? {}
      : { diverted: { provider: diverted.from.provider, model: diverted.from.model, why: diverted.why } }),
    ...(hedge === undefined ? {} : { hedge: { ...hedge, ...findHedge(plan, asked) } }),
    fallbacksByReason,
  };
}

/** The second in order, where both it and the first can be asked and it is the first's equal: being slow is no failure. */
function findHedge({ candidates: [first, second] }: Plan, asked: ReadonlySet<Candidate>): { to?: string } {
  if (first === undefined || second === undefined || first.step !== second.step) return {};
  return asked.has(first) && asked.has(second) ? { to: `${second.provider}/${second.model}` } : {};
}

function describeMatch({ alias, route }: Plan, { document }: PolicySnapshot): Explanation["matched"] {
  const found = route === undefined ? undefined : document?.routes[Number(route.split(".").at(-1))];
  if (route === undefined || found === undefined) return { type: "alias", alias: alias ?? "" };
  return { type: "route", route, match: found.match, use: found.use, ...(alias === undefined ? {} : { alias }) };
}

function explainCandidate(
  candidate: Candidate,
  place: CallDestination,
  { snapshot, health, credentials, epochMs }: ExplainRooms,
): ExplainedCandidate | undefined {
  const provider = snapshot.providers.get(candidate.provider);
  if (provider === undefined) return undefined;
  const { model, kind, when, tier, region, weight, key } = candidate;
  const dialect = findSpoken(provider, candidate.dialect, place);
  const price = findPrice(provider, model, snapshot, epochMs());
  return {
    provider: provider.id,
    model,
    kind,
    ...(when === undefined ? {} : { when: [...when] }),
    ...(tier === undefined ? {} : { tier }),
    ...(region === undefined ? {} : { region }),
    weight,
    dialect: dialect ?? "",
    translated: dialect !== undefined && dialect !== place.call.dialect.id,
    credential: describeCredential(provider, place, credentials),
    breaker: health.breakerState(key),
    ...(price === undefined ? {} : { price }),
  };
}

/** Undefined: the call cannot be put in any dialect of this provider's. */
function findSpoken(
  provider: Provider,
  wanted: string | undefined,
  { call: { dialect, operation } }: CallDestination,
): DialectId | undefined {
  const own = provider.dialects.find((id) => id === wanted);
  if (own !== undefined && own !== dialect.id)
    return findTarget({ ...provider, dialects: [own] }, dialect, operation)?.id;
  if (provider.dialects.includes(dialect.id)) return dialect.id;
  return findTarget(provider, dialect, operation)?.id;
}

function describeCredential(provider: Provider, place: CallDestination, credentials: Credentials): CredentialFact {
  if (credentials.for(provider) !== undefined) return "held";
  if (provider.auth.scheme === "none") return "not needed";
  if (provider.usesMachineCredentials) return "machine";
  if (provider.id === place.provider.id) return "client";
  return canPay(provider, credentials) ? "held" : "not held";
}

const pricedTokens = 1_000_000;
const nanoPerUsd = 1e9;

function findPrice(
  provider: Provider,
  model: string,
  { pricer }: PolicySnapshot,
  epochMs: number,
): ExplainedCandidate["price"] {
  const priceOf = (usage: { inputTokens: number; outputTokens: number }): number | undefined =>
    pricer.price({ provider, models: { request: model }, usage, epochMs }).nanoUsd;
  const input = priceOf({ inputTokens: pricedTokens, outputTokens: 0 });
  const output = priceOf({ inputTokens: 0, outputTokens: pricedTokens });
  if (input === undefined || output === undefined) return undefined;
  return { inputUsdPerMillion: input / nanoPerUsd, outputUsdPerMillion: output / nanoPerUsd };
}

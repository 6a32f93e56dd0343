// Room proxy: a call along the way that policy has for it: tries, waits, other targets, until an answer is the client's.
// Invariant: at most one answer reaches the client; every try is in the record, and what replaced what is told.

import { SidecarError } from "../errors.ts";
import type { AttemptGroup, Replaced } from "../record/index.ts";
import { type Candidate, decideNext, findNext, reasonOf } from "../routing/index.ts";
import type { AttemptResult, Sending } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { type Claim, type Ended, raceHedged, type Try } from "./hedge.ts";
import type { HeldResponder } from "./held-responder.ts";
import { beginTry, HeldTry, Stop } from "./held-try.ts";
import { noteFailure, noteSkipped, settleGroup } from "./recording.ts";
import { keyAt, resolveTarget, type Route } from "./route.ts";
import { placeFor, settle } from "./sending.ts";

/** A target that did not answer the client. */
interface Failure {
  error: SidecarError;
  /** What it answered, still to be had. */
  held: HeldResponder | undefined;
  /** Its attempts; undefined where there was none. */
  group: AttemptGroup | undefined;
  next: Stop | undefined;
}

/** A try under way, or why there is none. */
type Begun = HeldTry | SidecarError | Failure;

/** The try whose end counts. */
interface Outcome extends Ended {
  counts: Try;
  /** Another one beside it. */
  hedged: Try | undefined;
}

/**
 * Target after target, until one answers or policy has no further; then the client gets the first one's error. Most calls end at the
 * first try: it is waited for right here, and all else is worked out only where it failed.
 */
export async function sendAlong(exchange: Exchange, call: Call, route: Route): Promise<void> {
  let first: Failure | undefined;
  let stop: Stop | undefined = new Stop(0, route.diverted, undefined);
  while (stop !== undefined) {
    const beginning = begin(exchange, call, route, stop);
    const begun = beginning instanceof Promise ? await beginning : beginning;
    let failure: Failure | undefined;
    if (begun instanceof HeldTry) {
      stop.latest?.held.drop();
      let outcome: Outcome;
      if (begun.claim === undefined) {
        try {
          const sent = await begun.sent;
          outcome = { counts: begun, hedged: undefined, result: sent, error: begun.conclude(sent) };
        } catch (cause) {
          begun.abandon();
          throw cause;
        }
      } else outcome = await withHedge(exchange, call, route, begun, begun.claim);
      const { counts, result, error } = outcome;
      if (error === undefined) {
        counts.held.release();
        settle(exchange, counts.group, result.end);
        return;
      }
      failure = await followUp(exchange, route, stop, outcome, error);
      if (failure === undefined) continue;
    } else {
      failure = begun instanceof SidecarError ? failUnsent(exchange, route, stop, begun) : begun;
    }
    if (first !== undefined) failure.held?.drop();
    first ??= failure;
    stop = failure.next;
  }
  if (first !== undefined) answerFailure(exchange, first);
}

/** The next try at a stop. A promise only where media, an address or a credential must be waited for. */
function begin(exchange: Exchange, call: Call, route: Route, stop: Stop): Begun | Promise<Begun> {
  const placed = stop.sending ?? placeAt(exchange, call, route, stop);
  if (placed instanceof Promise) return beginLater(exchange, route, stop, placed);
  return "error" in placed ? placed : beginTry(exchange, route, stop, placed);
}

async function beginLater(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  placing: Promise<Sending | Failure>,
): Promise<Begun> {
  const placed = await placing;
  return "error" in placed ? placed : beginTry(exchange, route, stop, placed);
}

/** The call as its target is to get it; a failure where it cannot. A promise only where media must be fetched. */
function placeAt(
  exchange: Exchange,
  call: Call,
  route: Route,
  stop: Stop,
): Sending | Failure | Promise<Sending | Failure> {
  const target = resolveTarget(exchange, call, route, stop.index);
  if (target === undefined) {
    const error = new SidecarError("upstream_auth", `Outrider holds no credential for ${keyAt(route, stop.index)}`);
    return passOver(exchange, route, stop, error, "no_credential");
  }
  try {
    const placed = placeFor(exchange, call, target);
    return placed instanceof Promise ? waitForPlace(exchange, route, stop, placed) : placed;
  } catch (error) {
    return passOverUnplaced(exchange, route, stop, error);
  }
}

async function waitForPlace(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  placing: Promise<Sending>,
): Promise<Sending | Failure> {
  try {
    return await placing;
  } catch (error) {
    return passOverUnplaced(exchange, route, stop, error);
  }
}

/** @throws what is not about this one target */
function passOverUnplaced(exchange: Exchange, route: Route, stop: Stop, error: unknown): Failure {
  if (!(error instanceof SidecarError) || error.code === "client_disconnected") throw error;
  return passOver(exchange, route, stop, error);
}

/** A try that was not sent, after others at the same target or as the first. */
function failUnsent(exchange: Exchange, route: Route, stop: Stop, unsent: SidecarError): Failure {
  const { latest } = stop;
  if (latest === undefined) return passOver(exchange, route, stop, unsent);
  const { error, group, held, end } = latest;
  settleGroup(exchange, group, end, error);
  return failAt(route, stop, { error, held, group }, followAfter(exchange, route, stop.index, error));
}

/** After a try that failed: undefined where the same target is to be asked again, for which it was waited. */
async function followUp(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  { counts: { group, held }, hedged, result: { end, retryAfterMs } }: Outcome,
  error: SidecarError,
): Promise<Failure | undefined> {
  const { health, clock } = exchange.rooms;
  if (hedged !== undefined) {
    // Both failed, each at its own target.
    settleGroup(exchange, group, end, error);
    return failAt(route, stop, { error, held, group }, followAfter(exchange, route, hedged.index, error));
  }
  const step = decideNext(
    {
      plan: route.candidates,
      index: stop.index,
      // Not the group's attempts: one more on a fresh connection is no try of policy's.
      attemptsHere: stop.tries,
      code: error.code,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      remainingMs: exchange.deadlineMs - clock.nowMs(),
      allowsFallback: !exchange.fallbackOff,
      isRepeatable: true,
    },
    route.routing.retry,
    health.retryBudget(keyAt(route, stop.index)),
    health.random,
  );
  if (step.type === "retry") {
    stop.latest = { error, end, held, group, retryDelayMs: step.delayMs };
    if (await pause(exchange, step.delayMs)) return undefined;
  }
  settleGroup(exchange, group, end, error);
  if (step.type === "retry") throw new SidecarError("client_disconnected", "the client went away");
  return failAt(route, stop, { error, held, group }, step.type === "next" ? step.index : undefined);
}

/** Waits for a try, and asks another target beside it where policy hedges and the first says nothing for too long. */
async function withHedge(exchange: Exchange, call: Call, route: Route, first: Try, claim: Claim): Promise<Outcome> {
  const { own } = exchange;
  const target = resolveTarget(exchange, call, route, 1);
  // A fallback is for failures, and being slow is none.
  const isEqual = route.candidates[1]?.step === route.candidates[0]?.step;
  const isHedged = first.index === 0 && target !== undefined && isEqual && !exchange.fallbackOff;
  if (!isHedged || route.hedge === undefined || first.group.attempts.length > 1) {
    return { counts: first, hedged: undefined, ...(await first.ended) };
  }
  const startSecond = async (): Promise<Try | undefined> => {
    own.enter();
    try {
      const sending = await placeFor(exchange, call, target);
      const begun = await beginTry(exchange, route, new Stop(1, undefined, undefined, claim), sending);
      if (!(begun instanceof SidecarError)) return begun;
    } catch (error) {
      if (!(error instanceof SidecarError)) throw error;
    }
    own.leave();
    return undefined;
  };
  const settleOther = ({ group, held }: Try, { end }: AttemptResult, error: SidecarError): void => {
    held.drop();
    settleGroup(exchange, group, end, error);
  };
  const { counts, hedged } = await raceHedged(first, route.hedge.afterMs, claim, startSecond, settleOther);
  // Each of the two came back to our own time.
  if (hedged !== undefined) own.leave();
  return { counts, hedged, ...(await counts.ended) };
}

/** A target that was not tried: it cannot take the call without loss, or cannot be asked now (its breaker, its credential). */
function passOver(
  { record, fallbackOff }: Exchange,
  route: Route,
  stop: Stop,
  error: SidecarError,
  why: string = error.code,
): Failure {
  const { index, replaces } = stop;
  noteSkipped(record, keyAt(route, index), why);
  // Nothing was asked here, so any equal will do; beyond them the call goes on for what brought it here.
  const isOutOfReach = why === "no_credential";
  const reason = stop.reason ?? (isOutOfReach ? "unreachable" : reasonOf(error.code));
  const equal = route.candidates.findIndex(({ step }, at) => at > index && step === route.candidates[index]?.step);
  const later = reason === undefined ? undefined : findNext(route.candidates, index, reason);
  const found = equal === -1 ? later : equal;
  const next =
    found === undefined || fallbackOff ? undefined : new Stop(found, replaces ?? name(route, index, why), stop.reason);
  return { error, held: undefined, group: undefined, next };
}

/** Who is asked after a failure that no retry can follow; `tried`: the place in the plan up to which targets were asked. */
function followAfter(
  { fallbackOff }: Exchange,
  route: Route,
  tried: number,
  { code }: SidecarError,
): number | undefined {
  const reason = reasonOf(code);
  return reason === undefined || fallbackOff ? undefined : findNext(route.candidates, tried, reason);
}

/** `next`: the place in the plan where the call goes on. */
function failAt(route: Route, { index }: Stop, failed: Omit<Failure, "next">, next: number | undefined): Failure {
  const { code } = failed.error;
  if (next === undefined) return { ...failed, next };
  return { ...failed, next: new Stop(next, name(route, index, code), reasonOf(code)) };
}

function name(route: Route, index: number, reason: string): Replaced {
  const { provider, model } = route.candidates[index] as Candidate;
  return { provider, model, reason };
}

/** Nothing is left to try: the client gets the first error, and what was tried. */
function answerFailure({ record }: Exchange, { error, held, group }: Failure): void {
  if (group !== undefined) record.served = group;
  if (held?.isWhole !== true) throw error;
  record.http.responseBytes = group?.attempts.at(-1)?.responseBytes ?? 0;
  noteFailure(record, error);
  record.end = "error";
  held.release();
}

/** Waits; false: the client went away meanwhile. */
function pause({ inbound, own }: Exchange, delayMs: number): Promise<boolean> {
  own.leave();
  return new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(true), delayMs);
    inbound.respond.onClientGone(() => {
      clearTimeout(timer);
      resolve(false);
    });
  }).finally(() => own.enter());
}

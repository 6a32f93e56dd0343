// Room proxy: a call along the way that policy has for it: tries, waits, other targets, until an answer is the client's.
// Invariant: at most one answer reaches the client; every try is in the record, and what replaced what is told.

import { SidecarError } from "../errors.ts";
import type { AttemptGroup, Replaced } from "../record/index.ts";
import { type Candidate, decideNext, findNext, reasonOf } from "../routing/index.ts";
import type { AttemptResult, Sending } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { Claim, raceHedged, type Try } from "./hedge.ts";
import type { HeldResponder } from "./held-responder.ts";
import { beginTry, keyAt, type Stop } from "./held-try.ts";
import { noteFailure, noteSkipped, settleGroup } from "./recording.ts";
import type { RelayEnd } from "./relay.ts";
import type { Route } from "./route.ts";
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

/** Target after target, until one answers or policy has no further; then the client gets the first one's error. */
export async function sendAlong(exchange: Exchange, call: Call, route: Route): Promise<void> {
  let first: Failure | undefined;
  let stop: Stop | undefined = { index: 0, replaces: route.diverted, reason: undefined };
  while (stop !== undefined) {
    const failure = await tryTarget(exchange, call, route, stop);
    if (failure === undefined) return;
    if (first !== undefined) failure.held?.drop();
    first ??= failure;
    stop = failure.next;
  }
  if (first !== undefined) answerFailure(exchange, first);
}

/** Undefined: the client has its answer, or is gone. */
async function tryTarget(exchange: Exchange, call: Call, route: Route, stop: Stop): Promise<Failure | undefined> {
  const { rooms } = exchange;
  const { hedge } = route;
  const target = route.findTarget(stop.index);
  if (target === undefined) {
    const error = new SidecarError("upstream_auth", `Outrider holds no credential for ${keyAt(route, stop.index)}`);
    return passOver(exchange, route, stop, error, "no_credential");
  }
  let sending: Sending;
  try {
    const placed = placeFor(exchange, call, target);
    sending = placed instanceof Promise ? await placed : placed;
  } catch (error) {
    if (!(error instanceof SidecarError) || error.code === "client_disconnected") throw error;
    return passOver(exchange, route, stop, error);
  }

  let group: AttemptGroup | undefined;
  let retryDelayMs: number | undefined;
  let latest: { error: SidecarError; end: RelayEnd; held: HeldResponder } | undefined;
  for (let triesHere = 1; ; triesHere += 1) {
    const claim = hedge === undefined ? undefined : new Claim();
    const beginning = beginTry(exchange, route, stop, sending, { group, retryDelayMs, claim, reason: undefined });
    const begun = beginning instanceof Promise ? await beginning : beginning;
    if (begun instanceof SidecarError) {
      if (group === undefined) return passOver(exchange, route, stop, begun);
      const error = latest?.error ?? begun;
      settleGroup(exchange, group, latest?.end ?? failedWith(begun), error);
      return failAt(route, stop, { error, held: latest?.held, group }, followAfter(exchange, route, stop.index, error));
    }
    latest?.held.drop();
    const { counts, hedged } =
      hedge === undefined || claim === undefined
        ? { counts: begun, hedged: undefined }
        : await withHedge(exchange, call, route, begun, claim, hedge.afterMs);
    group = counts.group;
    const { result, error } = await counts.ended;
    if (error === undefined) {
      counts.held.release();
      settle(exchange, group, result.end);
      return undefined;
    }
    if (hedged !== undefined) {
      // Both failed, each at its own target.
      settleGroup(exchange, group, result.end, error);
      const { held } = counts;
      return failAt(route, stop, { error, held, group }, followAfter(exchange, route, hedged.index, error));
    }
    const { retryAfterMs } = result;
    const step = decideNext(
      {
        plan: route.candidates,
        index: stop.index,
        // Not the group's attempts: one more on a fresh connection is no try of policy's.
        attemptsHere: triesHere,
        code: error.code,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        remainingMs: exchange.deadlineMs - rooms.clock.nowMs(),
        allowsFallback: !exchange.fallbackOff,
        isRepeatable: true,
      },
      route.retry,
      rooms.health.retryBudget(keyAt(route, stop.index)),
      () => rooms.health.random(),
    );
    if (step.type !== "retry") {
      settleGroup(exchange, group, result.end, error);
      return failAt(route, stop, { error, held: counts.held, group }, step.type === "next" ? step.index : undefined);
    }
    latest = { error, end: result.end, held: counts.held };
    retryDelayMs = step.delayMs;
    if (await pause(exchange, step.delayMs)) continue;
    settleGroup(exchange, group, result.end, error);
    throw new SidecarError("client_disconnected", "the client went away");
  }
}

/** The same, and beside it another one at the next target where policy hedges and the first says nothing for too long. */
async function withHedge(
  exchange: Exchange,
  call: Call,
  route: Route,
  first: Try,
  claim: Claim,
  afterMs: number,
): Promise<{ counts: Try; hedged: Try | undefined }> {
  const { own } = exchange;
  const stop: Stop = { index: 1, replaces: undefined, reason: undefined };
  const target = route.findTarget(1);
  // A fallback is for failures, and being slow is none.
  const isEqual = route.candidates[1]?.step === route.candidates[0]?.step;
  const isHedged = first.index === 0 && target !== undefined && isEqual && !exchange.fallbackOff;
  if (!isHedged || first.group.attempts.length > 1) return { counts: first, hedged: undefined };
  const startSecond = async (): Promise<Try | undefined> => {
    own.enter();
    try {
      const sending = await placeFor(exchange, call, target);
      const begun = await beginTry(exchange, route, stop, sending, {
        group: undefined,
        retryDelayMs: undefined,
        claim,
        reason: "hedge",
      });
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
  const raced = await raceHedged(first, afterMs, claim, startSecond, settleOther);
  // Each of the two came back to our own time.
  if (raced.hedged !== undefined) own.leave();
  return raced;
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
    found === undefined || fallbackOff
      ? undefined
      : { index: found, replaces: replaces ?? name(route, index, why), reason: stop.reason };
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
  return { ...failed, next: { index: next, replaces: name(route, index, code), reason: reasonOf(code) } };
}

function failedWith(error: SidecarError): RelayEnd {
  return { kind: "failed", error, staleConnection: false };
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

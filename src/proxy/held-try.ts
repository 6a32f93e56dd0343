// Room proxy: one try at a target of a plan: its breaker asked, its request sent, its answer held until it is certain that the client has it.
// Invariant: the target's health hears of every end, once; a held answer goes out with the losses of its own request and no other's.

import type { Loss } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import type { AttemptGroup, Replaced } from "../record/index.ts";
import { type FallbackReason, type Lease, reasonOf } from "../routing/index.ts";
import { answerHeaders } from "./answer.ts";
import type { AttemptResult, Sending } from "./attempt.ts";
import type { Exchange } from "./exchange.ts";
import { Claim, type Ended, superseded, type Try } from "./hedge.ts";
import { type Gate, HeldResponder } from "./held-responder.ts";
import type { Outgoing } from "./outgoing.ts";
import { openGroup } from "./recording.ts";
import type { RelayEnd } from "./relay.ts";
import { keyAt, type Route } from "./route.ts";
import { prepare, sendWithFreshRetry } from "./sending.ts";

/** One target on the way of a call. */
export class Stop {
  readonly index: number;
  /** What it stands in for. */
  readonly replaces: Replaced | undefined;
  /** What brought the call here; undefined at the first. */
  readonly reason: FallbackReason | undefined;
  /** Of the try beside which it is asked. */
  readonly claim: Claim | undefined;
  /** As the target is to get the call; placed once. */
  sending: Sending | undefined;
  tries = 0;
  /** The try before, where it is asked again, and how long it was waited for. */
  latest:
    | { error: SidecarError; end: RelayEnd; held: HeldResponder; group: AttemptGroup; retryDelayMs: number }
    | undefined;

  constructor(index: number, replaces: Replaced | undefined, reason: FallbackReason | undefined, claim?: Claim) {
    this.index = index;
    this.replaces = replaces;
    this.reason = reason;
    this.claim = claim;
    this.sending = undefined;
    this.latest = undefined;
  }
}

/**
 * Sends once, the answer held; an error where nothing was sent: the breaker is open, or a fallback or retry cannot be signed. A promise
 * only where the address or credential must be waited for.
 * @throws SidecarError where the very first send cannot be signed, which is the client's to hear
 */
export function beginTry(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  sending: Sending,
): HeldTry | SidecarError | Promise<HeldTry | SidecarError> {
  stop.sending = sending;
  stop.tries += 1;
  if (stop.claim?.isTaken === true) return superseded();
  const key = keyAt(route, stop.index);
  const lease = exchange.rooms.health.open(key, route.routing.breaker);
  if (lease === undefined) return new SidecarError("upstream_overloaded", `the breaker of ${key} is open`);
  let prepared: Outgoing | Promise<Outgoing>;
  try {
    prepared = prepare(exchange, sending);
  } catch (error) {
    return giveUp(error, stop, lease);
  }
  if (prepared instanceof Promise) return startLater(exchange, route, stop, sending, prepared, lease);
  return start(exchange, route, stop, sending, prepared, lease);
}

async function startLater(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  sending: Sending,
  preparing: Promise<Outgoing>,
  lease: Lease,
): Promise<HeldTry | SidecarError> {
  let prepared: Outgoing;
  try {
    prepared = await preparing;
  } catch (error) {
    return giveUp(error, stop, lease);
  }
  if (stop.claim?.isTaken !== true) return start(exchange, route, stop, sending, prepared, lease);
  lease.end({ code: "superseded" });
  return superseded();
}

/** A request that could not be made ready. @throws what it was, where it is the very first */
function giveUp(error: unknown, { replaces, latest }: Stop, lease: Lease): SidecarError {
  lease.end({ code: error instanceof SidecarError ? error.code : "internal" });
  if (error instanceof SidecarError && (latest !== undefined || replaces !== undefined)) return error;
  throw error;
}

/** A try whose address and credential are at hand. */
function start(
  exchange: Exchange,
  route: Route,
  stop: Stop,
  sending: Sending,
  outgoing: Outgoing,
  lease: Lease,
): HeldTry {
  const { latest, replaces } = stop;
  const reason = stop.claim === undefined ? undefined : "hedge";
  const group = latest?.group ?? openGroup(exchange, sending.target, outgoing.address, replaces, reason);
  const one = new HeldTry(exchange, route, stop, group, sending, lease);
  one.sent = sendWithFreshRetry(exchange, {
    group,
    sending,
    outgoing,
    respond: one.held,
    resendCount: group.attempts.length,
    onStarted: one.claim === undefined ? undefined : enableOf(one),
    retryDelayMs: latest?.retryDelayMs,
    losses: one.losses,
  });
  one.claim?.enter(one);
  return one;
}

/** Not within `start`: there it would cost a scope with each try. */
function enableOf(one: HeldTry): (abort: (reason: SidecarError) => void) => void {
  return (abort) => one.enable(abort);
}

/** A try under way, and the gate before its answer. */
export class HeldTry implements Try, Gate {
  readonly index: number;
  readonly group: AttemptGroup;
  readonly held: HeldResponder;
  /** This answer's own: what another one of the same request lost is none of it. */
  readonly losses: Loss[];
  /** Undefined: nobody is asked beside it. */
  readonly claim: Claim | undefined;
  /** Set as soon as it is sent. */
  declare sent: Promise<AttemptResult>;
  readonly #exchange: Exchange;
  readonly #route: Route;
  readonly #relayMode: Sending["relayMode"];
  readonly #lease: Lease;
  #ended: Promise<Ended> | undefined;
  #abort: ((reason: SidecarError) => void) | undefined;

  constructor(
    exchange: Exchange,
    route: Route,
    stop: Stop,
    group: AttemptGroup,
    { losses, relayMode, translated }: Sending,
    lease: Lease,
  ) {
    this.index = stop.index;
    this.group = group;
    // Only an answer that is translated adds to them.
    this.losses = translated === undefined ? losses : [...losses];
    this.claim = stop.claim ?? (route.hedge === undefined ? undefined : new Claim());
    this.held = new HeldResponder(exchange.inbound.respond, this);
    this.#exchange = exchange;
    this.#route = route;
    this.#relayMode = relayMode;
    this.#lease = lease;
    exchange.record.losses = this.losses;
    exchange.record.relayMode = relayMode;
  }

  /** Its end, for those who wait beside others; the same promise each time. */
  get ended(): Promise<Ended> {
    return (this.#ended ??= this.#await());
  }

  async #await(): Promise<Ended> {
    try {
      const result = await this.sent;
      return { result, error: this.conclude(result) };
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /** It came to its end, of which the target's health hears; gives what keeps the answer from the client. Once, by who waits for `sent`. */
  conclude(result: AttemptResult): SidecarError | undefined {
    const route = this.#route;
    const { index } = this;
    const error = findError(result, this.held, route, index);
    this.#lease.end({ code: (error ?? result.end.error)?.code, latencyMs: result.attempt.firstByteMs });
    if (error !== undefined && result.retryAfterMs !== undefined && reasonOf(error.code) === "rate_limited") {
      const { health, clock } = this.#exchange.rooms;
      health.coolDown(keyAt(route, index), clock.nowMs() + result.retryAfterMs);
    }
    return error;
  }

  /** It came to no end of its own. */
  abandon(): void {
    this.#lease.end({ code: "internal" });
  }

  /** `abort` ends it before its time. */
  enable(abort: (reason: SidecarError) => void): void {
    this.#abort = abort;
  }

  cancel(reason: SidecarError): void {
    this.#abort?.(reason);
  }

  mayPass(held: HeldResponder): boolean {
    return this.claim === undefined || this.claim.take(held);
  }

  rewriteHead(rawHeaders: string[], status: number): string[] {
    const { record } = this.#exchange;
    record.losses = this.losses;
    record.relayMode = this.#relayMode;
    record.http.statusCode = status;
    record.served = this.group;
    return record.groups.length === 1 ? rawHeaders : renewHeaders(this.#exchange, rawHeaders, this.group);
  }
}

/** What keeps this answer from the client; undefined where the client has it, or is to have it. */
function findError({ end }: AttemptResult, held: HeldResponder, route: Route, index: number): SidecarError | undefined {
  if (!held.isHeld || end.kind === "client_aborted") return undefined;
  if (end.kind !== "complete") return end.error;
  const choices = end.observation?.response?.choices ?? [];
  if (choices.length === 0 || choices.some(({ finishReason }) => finishReason?.unified !== "content_filter")) {
    return undefined;
  }
  const isHelped = route.candidates.slice(index + 1).some(({ when }) => when?.has("content_filtered") === true);
  return isHelped
    ? new SidecarError("content_filtered", "the provider's filter ended the answer before any content")
    : undefined;
}

/** The head with Outrider's own headers as they are now. */
function renewHeaders({ record, trace }: Exchange, headers: string[], group: AttemptGroup | undefined): string[] {
  const theirs = headers.filter((_, at) => !isRenewed(headers[at - (at % 2)] as string));
  return [...theirs, ...answerHeaders(record, trace.traceresponse, group)];
}

/** What the attempt itself knew best stays: its cost, and its error. */
function isRenewed(name: string): boolean {
  return (
    name === "traceresponse" ||
    (name.startsWith("x-outrider-") && name !== "x-outrider-cost" && name !== "x-outrider-error")
  );
}

// Room proxy: one try at a provider: its wire attempt in the record and the trace, its request, its relay.
// Invariant: the wire attempt is closed when this resolves; the deadline ends it wherever it is.

import { type Readable, Transform } from "node:stream";
import type { Loss } from "../canonical/index.ts";
import type { Dialect, Operation } from "../dialects/index.ts";
import { createUsageFrameFilter, type Frame, type Framing, type UsageFrameFilter } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { AttemptGroup, ExchangeRecord, WireAttempt } from "../record/index.ts";
import { readRetryAfter } from "../routing/index.ts";
import { answerHeaders, formatCost, formatError } from "./answer.ts";
import { classifyAnswer } from "./classification.ts";
import type { Exchange } from "./exchange.ts";
import { findHeader, toUpstreamHeaders } from "./headers.ts";
import { HeldResponder } from "./held-responder.ts";
import type { Destination } from "./ingress.ts";
import { createObserver, type Observation, type Observer } from "./observer.ts";
import type { Outgoing } from "./outgoing.ts";
import type { OwnTime } from "./own-time.ts";
import type { Target } from "./placement.ts";
import { mayPropagate } from "./propagation.ts";
import { type Head, Relay, type RelayEnd, type RelaySettings } from "./relay.ts";
import { priceObservation, redactQuery } from "./recording.ts";
import { TranslatedAnswer } from "./translated-answer.ts";
import type { TranslatedCall } from "./translated-call.ts";
import { TranslatedRelay } from "./translated-relay.ts";
import type { UpstreamControl } from "./upstream.ts";
import type { Responder } from "./wire.ts";

/** How long a client may take nothing before it is cut. */
const slowClientTimeoutMs = 60_000;

/** One send to a target. */
export interface AttemptRequest {
  group: AttemptGroup;
  sending: Sending;
  outgoing: Outgoing;
  /** What the answer is written to. */
  respond: Responder | HeldResponder;
  /** 0 for the first send to this target. */
  resendCount: number;
  /** Given what ends it before its time. */
  onStarted: ((abort: (reason: SidecarError) => void) => void) | undefined;
  /** How long it was waited for. */
  retryDelayMs: number | undefined;
  /** Of the request; what the client does not get of the answer is added. */
  losses: Loss[];
}

/** What is sent to one provider. */
export interface Sending {
  target: Pick<Target, "provider" | "model">;
  /** With the path and query for that provider. */
  destination: Destination;
  body: Buffer | Readable | undefined;
  /** The body has no content coding any more, though the client's headers name one. */
  contentDecoded: boolean;
  usageRequested: boolean;
  /** In the provider's dialect. */
  call: { dialect: Dialect; operation: Operation } | undefined;
  translated: TranslatedCall | undefined;
  /** What of the request did not go out as it came. */
  losses: Loss[];
  relayMode: NonNullable<ExchangeRecord["relayMode"]>;
}

/** How an attempt ended. */
export interface AttemptResult {
  end: RelayEnd;
  attempt: WireAttempt;
  /** The provider's own word on when to come back, in milliseconds from now. */
  retryAfterMs: number | undefined;
}

/** Sends and relays; resolves with the end. `isFresh`: a kept-alive connection died under the send before. */
export async function sendAttempt(
  exchange: Exchange,
  request: AttemptRequest,
  isFresh: boolean,
): Promise<AttemptResult> {
  const { rooms, inbound, own } = exchange;
  const { clock, options } = rooms;
  const { timeouts } = exchange.policy;
  const { group, sending, outgoing, resendCount, retryDelayMs } = request;
  const attempt = openAttempt(exchange, {
    group,
    address: outgoing.address,
    body: sending.body,
    resendCount: resendCount + (isFresh ? 1 : 0),
    retryDelayMs,
  });
  const { traceparent, tracestate } = exchange.trace.openAttempt(group, attempt);
  const settings = new AttemptRelaySettings(exchange, request, attempt);
  const isRewritten = settings.isFiltered || sending.translated !== undefined;
  const headers = toUpstreamHeaders(outgoing.headers, isRewritten ? "identity" : undefined);
  const propagate = exchange.policy.telemetry.propagate ?? options.telemetry.propagate;
  if (mayPropagate(propagate, group.serverAddress)) {
    headers.push("traceparent", traceparent);
    if (tracestate !== undefined) headers.push("tracestate", tracestate);
  }
  const body = uploadOf(exchange, sending, attempt, headers);
  exchange.record.overheadMs ??= { request: own.spentMs(), total: 0 };

  const relay =
    settings.translation === undefined ? new Relay(settings) : new TranslatedRelay(settings, settings.translation);
  const control = rooms.upstream.send(
    {
      origin: outgoing.address.origin,
      path: outgoing.address.path,
      method: inbound.method,
      headers,
      body,
      firstByteTimeoutMs: timeouts.firstByteMs,
      idleTimeoutMs: timeouts.idleMs,
      freshConnection: isFresh,
    },
    relay,
  );
  relay.attach(control);
  settings.awaitOutput(control, timeouts.firstTokenMs);
  request.onStarted?.((reason) => control.abort(reason));
  const deadline = setTimeout(
    () => control.abort(new SidecarError("deadline_exceeded", "the exchange took longer than its deadline")),
    Math.max(exchange.deadlineMs - settings.startedMs, 0),
  );
  own.leave();
  const end = await relay.ended;
  own.enter();
  clearTimeout(deadline);
  settings.stopWaiting();
  attempt.durationMs = clock.nowMs() - settings.startedMs;
  if (end.error !== undefined) {
    attempt.failure = { code: end.error.code, source: end.error.source, message: end.error.message };
  }
  return { end, attempt, retryAfterMs: settings.readRetryAfter(end) };
}

/** The body to send; one that is streamed through is counted, and keeps the length that the client announced. */
function uploadOf(
  { inbound, record }: Exchange,
  { body }: Sending,
  attempt: WireAttempt,
  headers: string[],
): Buffer | Readable | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  const length = inbound.header("content-length");
  if (length !== undefined) headers.push("content-length", length);
  return countBytes(body, (count) => {
    attempt.requestBytes += count;
    record.http.requestBytes += count;
  });
}

/** One attempt as its relay sees it. */
class AttemptRelaySettings implements RelaySettings {
  readonly respond: Responder;
  readonly attempt: WireAttempt;
  readonly own: OwnTime;
  readonly call: Sending["call"];
  readonly streamRequested: boolean;
  readonly heldCredential: boolean;
  readonly requestId: string;
  readonly trailersWanted: boolean;
  readonly slowClientTimeoutMs = slowClientTimeoutMs;
  readonly translation: TranslatedAnswer | undefined;
  readonly clientDialect: Dialect | undefined;
  /** On the monotonic clock. */
  readonly startedMs: number;
  readonly #exchange: Exchange;
  readonly #group: AttemptGroup;
  readonly #filter: UsageFrameFilter | undefined;
  /** Holds the answer back until the model says something. */
  readonly #held: HeldResponder | undefined;
  readonly #losses: Loss[];
  /** Somebody reads the answer, and says when it has content. */
  #isRead = false;
  #firstToken: NodeJS.Timeout | undefined;
  #lastOutputMs = 0;
  #errorHeaders: string[] | undefined;

  constructor(exchange: Exchange, request: AttemptRequest, attempt: WireAttempt) {
    const { inbound, own, record, rooms } = exchange;
    const { call, translated, usageRequested } = request.sending;
    this.respond = request.respond;
    this.#held = request.respond instanceof HeldResponder ? request.respond : undefined;
    this.attempt = attempt;
    this.own = own;
    this.call = call;
    this.streamRequested = record.stream;
    this.heldCredential = request.outgoing.heldCredential;
    this.requestId = record.id;
    this.trailersWanted =
      call !== undefined && inbound.protocolVersion !== "1.0" && takesTrailers(inbound.header("te"));
    this.translation = translated === undefined ? undefined : new TranslatedAnswer(translated, record.id);
    this.clientDialect = translated?.client ?? call?.dialect;
    this.startedMs = rooms.clock.nowMs();
    this.#exchange = exchange;
    this.#group = request.group;
    this.#losses = request.losses;
    this.#filter = usageRequested ? createUsageFrameFilter() : undefined;
  }

  /** Ends the attempt where a stream says nothing for so long. */
  awaitOutput(control: UpstreamControl, firstTokenMs: number | undefined): void {
    if (firstTokenMs === undefined || !this.streamRequested || this.call === undefined) return;
    this.#firstToken = setTimeout(
      () => control.abort(new SidecarError("upstream_first_token_timeout", "the provider's stream has no content yet")),
      firstTokenMs,
    );
  }

  stopWaiting(): void {
    clearTimeout(this.#firstToken);
    this.#firstToken = undefined;
  }

  /** Somebody waits for the first output: it must be seen as soon as it is there. */
  get isAwaited(): boolean {
    return this.#firstToken !== undefined || this.#held?.isHeld === true;
  }

  noteHead(status: number, rawHeaders: string[]): void {
    if (status >= 400) this.#errorHeaders = rawHeaders;
  }

  /** The provider's own word on when to come back; undefined where it gave none. */
  readRetryAfter(end: RelayEnd): number | undefined {
    if (end.kind === "complete") return undefined;
    const rawHeaders = this.#errorHeaders ?? [];
    const hintMs = end.kind === "failed" ? undefined : end.observation?.providerError?.retryAfterMs;
    // Some tell the state of their limits with every answer, also with one that failed for another reason.
    const isLimited = this.attempt.statusCode === 429;
    const header = (name: string): string | undefined =>
      isLimited || name.startsWith("retry-after") ? findHeader(rawHeaders, name) : undefined;
    return readRetryAfter(header, this.#exchange.rooms.clock.epochMs(), hintMs);
  }

  get isFiltered(): boolean {
    return this.#filter !== undefined;
  }

  isForeignFrame(frame: Frame): boolean {
    return this.#filter?.shouldDrop(frame) === true;
  }

  mayHoldForeignFrame(bytes: Buffer): boolean {
    return this.#filter?.mayHold(bytes) === true;
  }

  sinceStartMs(): number {
    return this.#exchange.rooms.clock.nowMs() - this.startedMs;
  }

  createObserver({ status, rawHeaders, contentEncoding }: Head, framing: Framing | undefined): Observer {
    this.#isRead = true;
    const { limits } = this.#exchange.rooms.options;
    const { dialect, operation } = this.call as NonNullable<Sending["call"]>;
    return createObserver({
      dialect,
      operation,
      status,
      framing,
      header: (name) => findHeader(rawHeaders, name),
      contentEncoding,
      keepContent: this.#exchange.keepContent,
      translation: this.translation,
      isAwaited: () => this.isAwaited,
      maxBodyBytes: limits.maxBodyBytes,
      onOutput: (atMs) => this.#noteOutput(atMs),
    });
  }

  answerHeaders(status: number, observation: Observation | undefined): string[] {
    // Of an answer that is held the status is the client's only once it goes out.
    if (this.#held === undefined) this.#exchange.record.http.statusCode = status;
    return headersOf(this.#exchange, this.#group, status, observation);
  }

  costTrailer(observation: Observation): string | undefined {
    const cost = priceObservation(this.#exchange, this.#group, observation);
    return cost === undefined ? undefined : formatCost(cost);
  }

  noteLosses(losses: Loss[]): void {
    this.#losses.push(...losses);
  }

  onFirstChunk(atMs: number): void {
    if (this.streamRequested) this.#group.timeToFirstChunkMs = atMs;
    // Sound and the like: the first of it is content.
    if (!this.#isRead) this.#held?.release();
  }

  onWhole(status: number, { providerError, response }: Observation): void {
    if (this.#held?.isHeld !== true || status >= 300 || providerError !== undefined) return;
    // Another target may answer what a filter ended.
    const isFiltered =
      response?.choices.some(({ finishReason }) => finishReason?.unified === "content_filter") === true;
    if (!isFiltered) this.#held.release();
  }

  #noteOutput(atMs: number): void {
    if (this.#firstToken !== undefined) this.stopWaiting();
    if (this.#held?.isHeld === true) this.#held.release();
    if (this.#lastOutputMs > 0) (this.#group.chunkGapsMs ??= []).push(atMs - this.#lastOutputMs);
    this.#lastOutputMs = atMs;
  }
}

/** A wire attempt in the record, as it begins. */
export function openAttempt(
  exchange: Exchange,
  {
    group,
    address,
    body,
    resendCount,
    retryDelayMs,
  }: Pick<AttemptRequest, "group" | "resendCount" | "retryDelayMs"> & Pick<Sending, "body"> & Pick<Outgoing, "address">,
): WireAttempt {
  const attempt: WireAttempt = {
    reason: resendCount === 0 ? group.reason : "retry",
    resendCount,
    method: exchange.inbound.method,
    url: redactQuery(address.origin + address.path),
    serverAddress: group.serverAddress,
    serverPort: group.serverPort,
    startedAtMs: exchange.rooms.clock.epochMs(),
    requestBytes: Buffer.isBuffer(body) ? body.length : 0,
    responseBytes: 0,
  };
  if (retryDelayMs !== undefined) attempt.retryDelayMs = retryDelayMs;
  group.attempts.push(attempt);
  return attempt;
}

function headersOf(
  exchange: Exchange,
  group: AttemptGroup,
  status: number,
  observation: Observation | undefined,
): string[] {
  const { record, trace } = exchange;
  if (record.overheadMs !== undefined) record.overheadMs.firstByte = exchange.own.spentMs();
  const headers = answerHeaders(record, trace.traceresponse, group);
  if (status >= 400 || observation?.providerError !== undefined) {
    const code = classifyAnswer(status, observation?.providerError);
    headers.push("x-outrider-error", formatError({ code, source: "provider" }));
  }
  const cost = observation === undefined ? undefined : priceObservation(exchange, group, observation);
  if (cost !== undefined) headers.push("x-outrider-cost", formatCost(cost));
  return headers;
}

/** RFC 9110 §10.1.4. */
function takesTrailers(te: string | undefined): boolean {
  return te !== undefined && te.split(",").some((item) => item.trim().toLowerCase() === "trailers");
}

/** An upload on its way through. What ends the copy leaves the client's request alone, so that it can still be answered. */
function countBytes(upload: Readable, onBytes: (count: number) => void): Readable {
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  upload.on("error", (error) => counted.destroy(error));
  upload.on("close", () => {
    if (!upload.readableEnded) counted.destroy();
  });
  counted.on("error", () => undefined);
  counted.on("close", () => upload.unpipe(counted).pause());
  return upload.pipe(counted);
}

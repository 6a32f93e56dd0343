// Room proxy: one try at a provider: its wire attempt in the record and the trace, its request, its relay.
// Invariant: the wire attempt is closed when this resolves; the deadline ends it wherever it is.

import { type Readable, Transform } from "node:stream";
import type { Loss } from "../canonical/index.ts";
import type { Dialect, Operation } from "../dialects/index.ts";
import { createUsageFrameFilter, type Frame, type Framing, type UsageFrameFilter } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { UpstreamAddress } from "../providers/index.ts";
import type { AttemptGroup, WireAttempt } from "../record/index.ts";
import { answerHeaders, formatCost, formatError } from "./answer.ts";
import { classifyAnswer } from "./classification.ts";
import type { Exchange } from "./exchange.ts";
import { findHeader, toUpstreamHeaders } from "./headers.ts";
import { createObserver, type Observation, type Observer } from "./observer.ts";
import type { OwnTime } from "./own-time.ts";
import { mayPropagate } from "./propagation.ts";
import { type Head, Relay, type RelayEnd, type RelaySettings } from "./relay.ts";
import { priceObservation, redactQuery } from "./recording.ts";
import { TranslatedAnswer } from "./translated-answer.ts";
import type { TranslatedCall } from "./translated-call.ts";
import { TranslatedRelay } from "./translated-relay.ts";
import type { Responder } from "./wire.ts";

/** How long a client may take nothing before it is cut. */
const slowClientTimeoutMs = 60_000;

export interface AttemptRequest {
  group: AttemptGroup;
  address: UpstreamAddress;
  /** The client's headers with the right credential in them. */
  headers: string[];
  body: Buffer | Readable | undefined;
  heldCredential: boolean;
  usageRequested: boolean;
  /** 0 for the first send; a resend uses a fresh connection. */
  resendCount: number;
  /** In the provider's dialect. */
  call: { dialect: Dialect; operation: Operation } | undefined;
  translated: TranslatedCall | undefined;
}

/** Sends and relays; resolves with the end, never rejects. */
export async function sendAttempt(exchange: Exchange, request: AttemptRequest): Promise<RelayEnd> {
  const { rooms, inbound, own } = exchange;
  const { clock, options } = rooms;
  const { group } = request;
  const attempt = openAttempt(exchange, request);
  const { traceparent, tracestate } = exchange.trace.openAttempt(group, attempt);
  const settings = new AttemptRelaySettings(exchange, request, attempt);
  const isRewritten = settings.isFiltered || request.translated !== undefined;
  const headers = toUpstreamHeaders(request.headers, isRewritten ? "identity" : undefined);
  if (mayPropagate(options.telemetry.propagate, group.serverAddress)) {
    headers.push("traceparent", traceparent);
    if (tracestate !== undefined) headers.push("tracestate", tracestate);
  }
  const body = uploadOf(exchange, request, attempt, headers);
  exchange.record.overheadMs ??= { request: own.spentMs(), total: 0 };

  const relay =
    settings.translation === undefined ? new Relay(settings) : new TranslatedRelay(settings, settings.translation);
  const control = rooms.upstream.send(
    {
      origin: request.address.origin,
      path: request.address.path,
      method: inbound.method,
      headers,
      body,
      firstByteTimeoutMs: options.timeouts.firstByteMs,
      idleTimeoutMs: options.timeouts.idleMs,
      freshConnection: request.resendCount > 0,
    },
    relay,
  );
  relay.attach(control);
  const deadline = setTimeout(
    () => control.abort(new SidecarError("deadline_exceeded", "the exchange took longer than its deadline")),
    Math.max(exchange.deadlineMs - settings.startedMs, 0),
  );
  own.leave();
  const end = await relay.ended;
  own.enter();
  clearTimeout(deadline);
  attempt.durationMs = clock.nowMs() - settings.startedMs;
  if (end.error !== undefined) {
    attempt.failure = { code: end.error.code, source: end.error.source, message: end.error.message };
  }
  return end;
}

/** The body to send; one that is streamed through is counted, and keeps the length that the client announced. */
function uploadOf(
  { inbound, record }: Exchange,
  { body }: AttemptRequest,
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
  readonly call: AttemptRequest["call"];
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
  #lastOutputMs = 0;

  constructor(exchange: Exchange, request: AttemptRequest, attempt: WireAttempt) {
    const { inbound, own, record, rooms } = exchange;
    this.respond = inbound.respond;
    this.attempt = attempt;
    this.own = own;
    this.call = request.call;
    this.streamRequested = record.stream;
    this.heldCredential = request.heldCredential;
    this.requestId = record.id;
    this.trailersWanted =
      request.call !== undefined && inbound.protocolVersion !== "1.0" && takesTrailers(inbound.header("te"));
    this.translation =
      request.translated === undefined ? undefined : new TranslatedAnswer(request.translated, record.id);
    this.clientDialect = request.translated?.client ?? request.call?.dialect;
    this.startedMs = rooms.clock.nowMs();
    this.#exchange = exchange;
    this.#group = request.group;
    this.#filter = request.usageRequested ? createUsageFrameFilter() : undefined;
  }

  get isFiltered(): boolean {
    return this.#filter !== undefined;
  }

  isForeignFrame(frame: Frame): boolean {
    return this.#filter?.shouldDrop(frame) === true;
  }

  sinceStartMs(): number {
    return this.#exchange.rooms.clock.nowMs() - this.startedMs;
  }

  createObserver({ status, rawHeaders, contentEncoding }: Head, framing: Framing | undefined): Observer {
    const { telemetry, limits } = this.#exchange.rooms.options;
    const { dialect, operation } = this.call as NonNullable<AttemptRequest["call"]>;
    return createObserver({
      dialect,
      operation,
      status,
      framing,
      header: (name) => findHeader(rawHeaders, name),
      contentEncoding,
      keepContent: telemetry.capture !== "none",
      translation: this.translation,
      maxBodyBytes: limits.maxBodyBytes,
      onOutput: (atMs) => this.#noteOutput(atMs),
    });
  }

  answerHeaders(status: number, observation: Observation | undefined): string[] {
    return headersOf(this.#exchange, this.#group, status, observation);
  }

  costTrailer(observation: Observation): string | undefined {
    const cost = priceObservation(this.#exchange, this.#group, observation);
    return cost === undefined ? undefined : formatCost(cost);
  }

  noteLosses(losses: Loss[]): void {
    this.#exchange.record.losses.push(...losses);
  }

  onFirstChunk(atMs: number): void {
    if (this.streamRequested) this.#group.timeToFirstChunkMs = atMs;
  }

  #noteOutput(atMs: number): void {
    if (this.#lastOutputMs > 0) (this.#group.chunkGapsMs ??= []).push(atMs - this.#lastOutputMs);
    this.#lastOutputMs = atMs;
  }
}

/** A wire attempt in the record, as it begins. */
export function openAttempt(
  exchange: Exchange,
  { group, address, body, resendCount }: Pick<AttemptRequest, "group" | "address" | "body" | "resendCount">,
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
  record.http.statusCode = status;
  if (record.overheadMs !== undefined) record.overheadMs.firstByte = exchange.own.spentMs();
  const headers = answerHeaders(record, trace.traceresponse);
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

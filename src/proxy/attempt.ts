// Room proxy: one try at a provider: its wire attempt in the record and the trace, its request, its relay.
// Invariant: the wire attempt is closed when this resolves; the deadline ends it wherever it is.

import { type Readable, Transform } from "node:stream";
import type { Dialect, Operation } from "../dialects/index.ts";
import { createUsageFrameFilter } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { UpstreamAddress } from "../providers/index.ts";
import type { AttemptGroup, WireAttempt } from "../record/index.ts";
import { answerHeaders, formatCost, formatError } from "./answer.ts";
import { classifyAnswer } from "./classification.ts";
import type { Exchange } from "./exchange.ts";
import { findHeader, toUpstreamHeaders } from "./headers.ts";
import { createObserver, type Observation } from "./observer.ts";
import { mayPropagate } from "./propagation.ts";
import { Relay, type RelayEnd } from "./relay.ts";
import { priceObservation, redactQuery } from "./recording.ts";

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
  call: { dialect: Dialect; operation: Operation } | undefined;
}

/** Sends and relays; resolves with the end, never rejects. */
export async function sendAttempt(exchange: Exchange, request: AttemptRequest): Promise<RelayEnd> {
  const { rooms, inbound, record, own } = exchange;
  const { clock, options } = rooms;
  const { group } = request;
  const attempt = openAttempt(exchange, request);
  const { traceparent, tracestate } = exchange.trace.openAttempt(group, attempt);
  const startedMs = clock.nowMs();

  const filter = request.usageRequested ? createUsageFrameFilter() : undefined;
  const headers = toUpstreamHeaders(request.headers, filter === undefined ? undefined : "identity");
  if (mayPropagate(options.telemetry.propagate, group.serverAddress)) {
    headers.push("traceparent", traceparent);
    if (tracestate !== undefined) headers.push("tracestate", tracestate);
  }

  let lastOutputMs = 0;
  const relay = new Relay({
    respond: inbound.respond,
    attempt,
    own,
    sinceStartMs: () => clock.nowMs() - startedMs,
    call: request.call && {
      ...request.call,
      createObserver: (head, framing) =>
        createObserver({
          ...(request.call as { dialect: Dialect; operation: Operation }),
          status: head.status,
          framing,
          header: (name) => findHeader(head.rawHeaders, name),
          contentEncoding: head.contentEncoding,
          keepContent: options.telemetry.capture !== "none",
          maxBodyBytes: options.limits.maxBodyBytes,
        }),
    },
    isForeignFrame: filter && ((frame) => filter.shouldDrop(frame)),
    heldCredential: request.heldCredential,
    requestId: record.id,
    streamRequested: record.stream,
    trailersWanted:
      request.call !== undefined && inbound.protocolVersion === "1.1" && takesTrailers(inbound.header("te")),
    slowClientTimeoutMs,
    answerHeaders: (status, observation) => headersOf(exchange, group, status, observation),
    costTrailer: (observation) => {
      const cost = priceObservation(exchange, group, observation);
      return cost === undefined ? undefined : formatCost(cost);
    },
    onFirstChunk: (atMs) => {
      if (record.stream) group.timeToFirstChunkMs = atMs;
    },
    onOutputChunk: (atMs) => {
      if (lastOutputMs > 0) (group.chunkGapsMs ??= []).push(atMs - lastOutputMs);
      lastOutputMs = atMs;
    },
  });

  let { body } = request;
  if (body !== undefined && !Buffer.isBuffer(body)) {
    const length = inbound.header("content-length");
    if (length !== undefined) headers.push("content-length", length);
    body = countBytes(body, (count) => {
      attempt.requestBytes += count;
      record.http.requestBytes += count;
    });
  }
  record.overheadMs ??= { request: own.spentMs(), total: 0 };
  const control = rooms.upstream.send(
    {
      ...request.address,
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
    Math.max(exchange.deadlineMs - startedMs, 0),
  );
  own.leave();
  const end = await relay.ended;
  own.enter();
  clearTimeout(deadline);
  attempt.durationMs = clock.nowMs() - startedMs;
  if (end.error !== undefined) {
    attempt.failure = { code: end.error.code, source: end.error.source, message: end.error.message };
  }
  return end;
}

function openAttempt(exchange: Exchange, { group, address, body, resendCount }: AttemptRequest): WireAttempt {
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

// Room proxy: the whole life of a request, top to bottom. It holds no detail of any room: each line is somebody's job.
// Invariant: whatever happens, one answer, one record, one closed trace; the `finally` below is the only place that closes them.

import type { Readable } from "node:stream";

import type { InferenceRequest } from "../canonical/index.ts";
import type { Clock } from "../clock.ts";
import type { Dialect } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Options } from "../options.ts";
import type { Authorizers, Credentials, Provider, Providers } from "../providers/index.ts";
import type { AttemptGroup, ExchangeRecord } from "../record/index.ts";
import type { Pricer } from "../spend/index.ts";
import type { ExchangeTrace, Telemetry } from "../telemetry/index.ts";
import { answerError } from "./answer.ts";
import { type AttemptRequest, sendAttempt } from "./attempt.ts";
import { type CallDestination, readCall } from "./call.ts";
import { decodeContent, readCoding } from "./content-coding.ts";
import type { Guard } from "./guard.ts";
import { omitHeader, toTranslatedHeaders } from "./headers.ts";
import { type Destination, matchIngress } from "./ingress.ts";
import { needsWholeBody, prepareOutgoing } from "./outgoing.ts";
import { OwnTime } from "./own-time.ts";
import { chooseTarget, placeCall } from "./placement.ts";
import { closeRecord, openGroup, openRecord, settleGroup } from "./recording.ts";
import { createRequestId } from "./request-id.ts";
import { readSteering } from "./steering.ts";
import type { RelayEnd } from "./relay.ts";
import { type Tunnels, tunnelWebSocket } from "./tunnel.ts";
import type { Upstream } from "./upstream.ts";
import type { Inbound } from "./wire.ts";

/** What an exchange needs of the rest of the house. */
export interface Rooms {
  options: Options;
  app: string | undefined;
  clock: Clock;
  guard: Guard;
  providers: Providers;
  credentials: Credentials;
  authorizers: Authorizers;
  pricer: Pricer;
  telemetry: Telemetry;
  upstream: Upstream;
  tunnels: Tunnels;
  /** The process is past its drain: what still comes is refused. */
  isClosing: () => boolean;
  /** Told once of each closed record; must not throw. */
  onClosed: (record: ExchangeRecord) => void;
}

/** One exchange under way: what its steps share. */
export interface Exchange {
  readonly inbound: Inbound;
  readonly rooms: Rooms;
  readonly record: ExchangeRecord;
  readonly trace: ExchangeTrace;
  readonly own: OwnTime;
  readonly startedMs: number;
  /** Set once the path is known; errors are written in its words. */
  dialect: Dialect | undefined;
  /** On the monotonic clock. */
  deadlineMs: number;
  /** Set once a call was read. */
  readWholeRequest: (() => InferenceRequest | undefined) | undefined;
}

/** Takes one request to its end. Never rejects. */
export async function runExchange(inbound: Inbound, rooms: Rooms): Promise<void> {
  const exchange = openExchange(inbound, rooms);
  const { record, own } = exchange;
  try {
    if (rooms.isClosing()) throw new SidecarError("draining", "Outrider is shutting down");
    rooms.guard(inbound);
    const destination = matchIngress(inbound, rooms.providers);
    // A WebSocket is no call, whatever its path is to a plain request.
    if (inbound.upgrade !== undefined) delete destination.call;
    address(exchange, destination);
    steer(exchange);
    if (inbound.upgrade !== undefined) {
      await tunnelWebSocket(exchange, destination, inbound.upgrade);
    } else if (destination.call === undefined) {
      await relayUntouched(exchange, destination);
    } else {
      const body = await readBody(exchange);
      await relayCall(exchange, { ...destination, call: destination.call }, body);
    }
  } catch (error) {
    fail(exchange, error);
  } finally {
    own.leave();
    closeRecord(record, exchange.own, rooms.clock.nowMs() - exchange.startedMs);
    rooms.telemetry.close(record, exchange.trace);
    rooms.onClosed(record);
  }
}

function openExchange(inbound: Inbound, rooms: Rooms): Exchange {
  const own = new OwnTime(rooms.clock);
  own.enter();
  const startedMs = rooms.clock.nowMs();
  const record = openRecord(inbound, createRequestId(), rooms.clock.epochMs(), rooms.app);
  const traceparent = inbound.header("traceparent");
  const tracestate = inbound.header("tracestate");
  const trace = rooms.telemetry.open(record, {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
  });
  record.traceId = trace.traceId;
  const deadlineMs = startedMs + rooms.options.timeouts.totalMs;
  return { inbound, rooms, record, trace, own, startedMs, dialect: undefined, deadlineMs, readWholeRequest: undefined };
}

function address(exchange: Exchange, { provider, call, path }: Destination): void {
  const { record } = exchange;
  record.provider = provider.id;
  if (call === undefined) {
    record.relayMode = "tunnel";
    return;
  }
  exchange.dialect = call.dialect;
  const { kind, name, route } = call.operation;
  record.dialect = call.dialect.id;
  record.operation = name === undefined ? { kind, route } : { kind, name, route };
  record.http.route = path === record.http.path ? route : `/${provider.id}${route}`;
}

function steer(exchange: Exchange): void {
  const { record, inbound } = exchange;
  const { tags, session, user, timeoutMs } = readSteering(inbound);
  record.tags = tags;
  if (session !== undefined) record.session = session;
  if (user !== undefined) record.user = user;
  if (timeoutMs !== undefined) exchange.deadlineMs = Math.min(exchange.deadlineMs, exchange.startedMs + timeoutMs);
}

async function readBody({ inbound, rooms, own, record, deadlineMs }: Exchange): Promise<Buffer> {
  own.leave();
  try {
    const body = await inbound.readBody(rooms.options.limits.maxBodyBytes, deadlineMs - rooms.clock.nowMs());
    record.http.requestBytes = body.length;
    return body;
  } finally {
    own.enter();
  }
}

/** A call that a dialect understands: read, perhaps edited in place, sent, observed. */
async function relayCall(exchange: Exchange, destination: CallDestination, body: Buffer): Promise<void> {
  const { rooms, record } = exchange;
  const { telemetry, losses } = rooms.options;
  const coding = readCoding(exchange.inbound.header("content-encoding"));
  const content = coding === undefined ? body : await readContent(exchange, body, coding);
  const call = readCall(exchange.inbound, destination, body, content, telemetry.capture !== "none");
  exchange.readWholeRequest = call.readWhole;
  if (call.request !== undefined) {
    record.request = call.request;
    record.stream = call.request.stream;
  }
  const placement = placeCall(exchange.inbound, call, chooseTarget(call, rooms), {
    requestUsage: telemetry.requestUsage,
    lossRules: losses,
    exchangeId: record.id,
    epochSeconds: Math.floor(rooms.clock.epochMs() / 1000),
  });
  const { translated, target, edited } = placement;
  record.losses = placement.losses;
  record.relayMode = translated === undefined ? (edited ? "splice" : "passthrough") : "translate";

  const at =
    translated === undefined ? destination : { ...destination, path: translated.path, query: translated.query };
  await sendAndSettle(exchange, at, target.provider, target.model, {
    body: placement.body,
    contentDecoded: placement.contentDecoded,
    usageRequested: placement.usageRequested,
    call: translated === undefined ? destination.call : { dialect: translated.target, operation: translated.operation },
    translated,
  });
}

/** The body without its content coding; undefined when it cannot be read, which the record tells. */
async function readContent({ rooms, record }: Exchange, body: Buffer, coding: string): Promise<Buffer | undefined> {
  const content = await decodeContent(body, coding, rooms.options.limits.maxBodyBytes);
  if (Buffer.isBuffer(content)) return content;
  record.requestUnread = content;
  return undefined;
}

/** Anything else of a known provider: bytes both ways, nothing read. */
async function relayUntouched(exchange: Exchange, destination: Destination): Promise<void> {
  const { inbound } = exchange;
  const readUpload = (): Promise<Buffer> | Readable =>
    needsWholeBody(destination.provider) ? readBody(exchange) : inbound.body();
  await sendAndSettle(exchange, destination, destination.provider, undefined, {
    body: inbound.hasBody ? await readUpload() : undefined,
    contentDecoded: false,
    usageRequested: false,
    call: undefined,
    translated: undefined,
  });
}

/** One provider, its address and credential; sent, relayed, settled. */
async function sendAndSettle(
  exchange: Exchange,
  destination: Destination,
  provider: Provider,
  model: string | undefined,
  {
    contentDecoded,
    ...sending
  }: Pick<AttemptRequest, "body" | "usageRequested" | "call" | "translated"> & { contentDecoded: boolean },
): Promise<void> {
  const { inbound } = exchange;
  const { translated } = sending;
  const clientHeaders =
    translated === undefined ? inbound.rawHeaders : toTranslatedHeaders(inbound.rawHeaders, translated.headers);
  const received = contentDecoded ? omitHeader(clientHeaders, "content-encoding") : [...clientHeaders];
  const { body } = sending;
  const prepared = prepareOutgoing(exchange, destination, provider, {
    received,
    body: Buffer.isBuffer(body) ? body : undefined,
    dialect: sending.call?.dialect.id,
  });
  const outgoing = prepared instanceof Promise ? await prepared : prepared;
  const group = openGroup(exchange, provider, model, outgoing.address);
  const request = { ...sending, group, ...outgoing };
  settle(exchange, group, await sendWithFreshRetry(exchange, request));
}

/** DESIGN §2.3: no retry of our own, but one fresh connection for a kept-alive socket that died before any byte. */
async function sendWithFreshRetry(exchange: Exchange, request: Omit<AttemptRequest, "resendCount">): Promise<RelayEnd> {
  const first = await sendAttempt(exchange, { ...request, resendCount: 0 });
  const isRepeatable = request.body === undefined || Buffer.isBuffer(request.body);
  if (first.kind !== "failed" || !first.staleConnection || !isRepeatable) return first;
  return sendAttempt(exchange, { ...request, resendCount: 1 });
}

function settle(exchange: Exchange, group: AttemptGroup, end: RelayEnd): void {
  settleGroup(exchange, group, end);
  if (end.kind === "failed") throw end.error;
  exchange.record.end = end.kind;
  if (end.error !== undefined) {
    exchange.record.failure = { code: end.error.code, source: end.error.source, message: end.error.message };
  }
}

/** Nothing reached the client yet: it gets our error, in its own dialect. */
function fail(exchange: Exchange, thrown: unknown): void {
  const { record, inbound, trace, dialect } = exchange;
  const error =
    thrown instanceof SidecarError
      ? thrown
      : new SidecarError("internal", "an unexpected error inside Outrider", { cause: thrown });
  record.failure = { code: error.code, source: error.source, message: error.message };
  record.end = error.code === "client_disconnected" ? "client_aborted" : "error";
  if (record.end === "client_aborted" || inbound.respond.headSent) {
    inbound.respond.destroy();
    return;
  }
  const answered = answerError(inbound.respond, error, record, dialect, trace.traceresponse);
  record.http.statusCode = answered.status;
  record.http.responseBytes = answered.bytes;
}

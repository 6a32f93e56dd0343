// Room proxy: the whole life of a request, top to bottom. It holds no detail of any room: each line is somebody's job.
// Invariant: whatever happens, one answer, one record, one closed trace; the `finally` below is the only place that closes them.

import type { Readable } from "node:stream";

import type { InferenceRequest } from "../canonical/index.ts";
import type { Clock } from "../clock.ts";
import type { Dialect } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Options } from "../options.ts";
import type { PolicySnapshot, PolicyStore } from "../policy/index.ts";
import type { Authorizers, Credentials } from "../providers/index.ts";
import type { ExchangeRecord } from "../record/index.ts";
import type { Health } from "../routing/index.ts";
import type { ExchangeTrace, Telemetry } from "../telemetry/index.ts";
import { answerError } from "./answer.ts";
import { sendAlong } from "./attempts.ts";
import { type CallDestination, readCall } from "./call.ts";
import { decodeContent, readCoding } from "./content-coding.ts";
import type { DeferredWork } from "./deferred-work.ts";
import type { Guard } from "./guard.ts";
import { type Destination, matchIngress } from "./ingress.ts";
import type { MediaFetch } from "./media-fetch.ts";
import { needsWholeBody } from "./outgoing.ts";
import { OwnTime } from "./own-time.ts";
import { closeRecord, noteFailure, openRecord } from "./recording.ts";
import { createRequestId } from "./request-id.ts";
import { goWhereNamed, planRoute } from "./route.ts";
import { placeFor, sendOnce } from "./sending.ts";
import { readSteering } from "./steering.ts";
import { type Tunnels, tunnelWebSocket } from "./tunnel.ts";
import type { Upstream } from "./upstream.ts";
import type { Inbound } from "./wire.ts";

/** What an exchange needs of the rest of the house. */
export interface Rooms {
  options: Options;
  app: string | undefined;
  clock: Clock;
  guard: Guard;
  policy: PolicyStore;
  /** Of the targets, whatever the policy. */
  health: Health;
  credentials: Credentials;
  authorizers: Authorizers;
  telemetry: Telemetry;
  upstream: Upstream;
  tunnels: Tunnels;
  deferred: DeferredWork;
  /** The process is past its drain: what still comes is refused. */
  isClosing: () => boolean;
  /** Told once of each closed record; must not throw. */
  onClosed: (record: ExchangeRecord) => void;
}

/** One exchange under way: what its steps share. */
export interface Exchange {
  readonly inbound: Inbound;
  readonly rooms: Rooms;
  /** In force when the exchange began; whatever is swapped meanwhile, this one counts. */
  readonly policy: PolicySnapshot;
  readonly record: ExchangeRecord;
  readonly trace: ExchangeTrace;
  readonly own: OwnTime;
  readonly startedMs: number;
  /** Set once the path is known; errors are written in its words. */
  dialect: Dialect | undefined;
  /** On the monotonic clock. */
  deadlineMs: number;
  /** The client wants no other target than the first. */
  fallbackOff: boolean;
  /** What was said may be kept: it goes into telemetry. */
  readonly keepContent: boolean;
  /** Set once a call was read. */
  readWholeRequest: (() => InferenceRequest | undefined) | undefined;
  /** Set once a call is placed, where the options let media be fetched. */
  media?: MediaFetch;
}

/** Takes one request to its end. Never rejects. */
export async function runExchange(inbound: Inbound, rooms: Rooms): Promise<void> {
  const exchange = openExchange(inbound, rooms);
  const { record, own } = exchange;
  try {
    if (rooms.isClosing()) throw new SidecarError("draining", "Outrider is shutting down");
    rooms.guard(inbound);
    const destination = matchIngress(inbound, exchange.policy.providers);
    // A WebSocket is no call, whatever its path is to a plain request.
    if (inbound.upgrade !== undefined) delete destination.call;
    address(exchange, destination);
    requirePolicy(rooms.policy);
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
    rooms.policy.note(!isOurs(record.failure), exchange.policy.version);
    rooms.deferred.add(() => {
      rooms.telemetry.close(record, exchange.trace);
      rooms.onClosed(record);
    });
  }
}

function openExchange(inbound: Inbound, rooms: Rooms): Exchange {
  const own = new OwnTime(rooms.clock);
  own.enter();
  const startedMs = rooms.clock.nowMs();
  const record = openRecord(inbound, createRequestId(), rooms.clock.epochMs(), rooms.app);
  const policy = rooms.policy.pick();
  const capture = policy.telemetry.capture ?? rooms.options.telemetry.capture;
  const traceparent = inbound.header("traceparent");
  const tracestate = inbound.header("tracestate");
  const trace = rooms.telemetry.open(record, {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    capture,
  });
  record.traceId = trace.traceId;
  if (policy.source !== "options") record.policyVersion = policy.version;
  return {
    inbound,
    rooms,
    policy,
    record,
    trace,
    own,
    startedMs,
    dialect: undefined,
    deadlineMs: startedMs + policy.timeouts.totalMs,
    fallbackOff: false,
    keepContent: capture !== "none",
    readWholeRequest: undefined,
  };
}

function requirePolicy(policy: PolicyStore): void {
  const readiness = policy.readiness();
  if (!readiness.ready) throw new SidecarError("policy_unavailable", readiness.reason);
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
  const { tags, session, user, timeoutMs, fallbackOff } = readSteering(inbound);
  exchange.fallbackOff = fallbackOff;
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

/** A call that a dialect understands: read once, then sent along the way that policy has for it, or where its path and model say. */
async function relayCall(exchange: Exchange, destination: CallDestination, body: Buffer): Promise<void> {
  const { record } = exchange;
  const coding = readCoding(exchange.inbound.header("content-encoding"));
  const content = coding === undefined ? body : await readContent(exchange, body, coding);
  const call = readCall(exchange.inbound, destination, body, content, exchange.keepContent);
  exchange.readWholeRequest = call.readWhole;
  if (call.request !== undefined) {
    record.request = call.request;
    record.stream = call.request.stream;
  }
  const { routing } = exchange.policy;
  if (routing !== undefined) return sendAlong(exchange, call, planRoute(exchange, call, routing));
  const placed = placeFor(exchange, call, goWhereNamed(exchange, call));
  return sendOnce(exchange, placed instanceof Promise ? await placed : placed);
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
  await sendOnce(exchange, {
    target: { provider: destination.provider, model: undefined },
    destination,
    body: inbound.hasBody ? await readUpload() : undefined,
    contentDecoded: false,
    usageRequested: false,
    call: undefined,
    translated: undefined,
    losses: [],
    relayMode: "tunnel",
  });
}

/** A failure that another policy might not have had. */
function isOurs(failure: ExchangeRecord["failure"]): boolean {
  return failure?.source === "provider" || failure?.source === "sidecar";
}

/** Nothing reached the client yet: it gets our error, in its own dialect. */
function fail(exchange: Exchange, thrown: unknown): void {
  const { record, inbound, trace, dialect } = exchange;
  const error =
    thrown instanceof SidecarError
      ? thrown
      : new SidecarError("internal", "an unexpected error inside Outrider", { cause: thrown });
  noteFailure(record, error);
  record.end = error.code === "client_disconnected" ? "client_aborted" : "error";
  if (record.end === "client_aborted" || inbound.respond.headSent) {
    inbound.respond.destroy();
    return;
  }
  const answered = answerError(inbound.respond, error, record, dialect, trace.traceresponse);
  record.http.statusCode = answered.status;
  record.http.responseBytes = answered.bytes;
}

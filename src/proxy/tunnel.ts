// Room proxy: a WebSocket from its upgrade to its end. http-proxy makes the handshake at the provider; the bytes of the session pass
// untouched, and an observer reads a copy. Invariant: only a real 101 opens the tunnel; any other answer is relayed as it is, and
// before an answer a failure is Outrider's own error over HTTP. When one side is gone the other is closed.

import { SidecarError } from "../errors.ts";
import type { AttemptGroup, WireAttempt } from "../record/index.ts";
import { answerHeaders, formatError } from "./answer.ts";
import { openAttempt } from "./attempt.ts";
import { classifyAnswer } from "./classification.ts";
import type { Exchange } from "./exchange.ts";
import { findHeader, toDownstreamHeaders, toUpstreamHeaders } from "./headers.ts";
import type { Destination } from "./ingress.ts";
import { type Outgoing, prepareOutgoing } from "./outgoing.ts";
import { mayPropagate } from "./propagation.ts";
import { openGroup } from "./recording.ts";
import { refuseAlias } from "./route.ts";
import { TunnelSession, type SessionEnd } from "./tunnel-session.ts";
import type { Upgrade } from "./wire.ts";
import { SessionObserver } from "./websocket-observer.ts";

/** The sessions that are open, so that the end of the process can close them. */
export interface Tunnels {
  add(session: TunnelSession): void;
  delete(session: TunnelSession): void;
  /** Each side of each session gets a close frame with 1001 (going away), then its connection is closed. */
  closeAll(error: SidecarError): void;
}

/** One per sidecar. */
export function createTunnels(): Tunnels {
  const sessions = new Set<TunnelSession>();
  return {
    add: (session) => sessions.add(session),
    delete: (session) => sessions.delete(session),
    closeAll(error) {
      for (const session of sessions) session.closeBoth(1001, error);
    },
  };
}

/** Longest wait for the provider's answer to an upgrade; `timeouts.firstByteMs` where that is less. */
const handshakeTimeoutMs = 30_000;
/** A session may be silent for this many times `timeouts.idleMs`: a person may be thinking on the other end. */
const idleFactor = 2;
const browserKeyPrefix = "openai-insecure-api-key.";

/**
 * Takes one upgrade to its end.
 * @throws SidecarError when nothing reached the client yet
 */
export async function tunnelWebSocket(exchange: Exchange, destination: Destination, upgrade: Upgrade): Promise<void> {
  const { inbound, rooms, record, own } = exchange;
  const { provider, path } = destination;
  if (inbound.method !== "GET" || inbound.hasBody) {
    throw new SidecarError("request_malformed", "a WebSocket opens with a GET without a body");
  }
  const dialect = dialectOf(path);
  record.relayMode = "tunnel";
  if (dialect !== undefined) {
    record.dialect = dialect;
    const route = dialect === "openai-realtime" ? "/v1/realtime" : "/v1/responses";
    record.http.route = path === record.http.path ? route : `/${provider.id}${route}`;
  }
  const model = modelOf(destination.query);
  refuseAlias(exchange.policy.routing, destination, model);
  const { headers, address, heldCredential } = await chooseCredential(exchange, destination);
  const group = openGroup(exchange, { provider, model: undefined }, address);
  if (model !== undefined) group.requestModel = model;
  const attempt = openAttempt(exchange, { group, address, body: undefined, resendCount: 0, retryDelayMs: undefined });
  const { traceparent, tracestate } = exchange.trace.openAttempt(group, attempt);
  const sent = toUpstreamHeaders(headers);
  if (mayPropagate(exchange.policy.telemetry.propagate ?? rooms.options.telemetry.propagate, group.serverAddress)) {
    sent.push("traceparent", traceparent);
    if (tracestate !== undefined) sent.push("tracestate", tracestate);
  }
  record.overheadMs ??= { request: own.spentMs(), total: 0 };

  const { timeouts } = exchange.policy;
  const startedMs = rooms.clock.nowMs();
  const sinceStartMs = (): number => rooms.clock.nowMs() - startedMs;
  let observer: SessionObserver | undefined;
  const session = new TunnelSession({
    upgrade,
    target: new URL(address.origin),
    path: address.path,
    headers: sent,
    connectTimeoutMs: timeouts.connectMs,
    handshakeTimeoutMs: Math.min(handshakeTimeoutMs, timeouts.firstByteMs, exchange.deadlineMs - startedMs),
    idleTimeoutMs: timeouts.idleMs * idleFactor,
    onAnswer(status, rawHeaders) {
      noteAnswer(exchange, attempt, status, rawHeaders, sinceStartMs());
      if (heldCredential && (status === 401 || status === 403)) {
        throw new SidecarError("upstream_auth", `the provider refused the credential that Outrider holds (${status})`);
      }
      if (status !== 101) return { head: encodeHead(exchange, status, rawHeaders), observer: undefined };
      record.webSocket = { responses: 0, unreadMessages: 0 };
      record.stream = true;
      observer = new SessionObserver(exchange, {
        dialect,
        model,
        group,
        facts: record.webSocket,
        extensions: findHeader(rawHeaders, "sec-websocket-extensions"),
      });
      return { head: encodeHead(exchange, status, rawHeaders), observer };
    },
    onBytes(side, count) {
      if (side === "client") {
        record.http.requestBytes += count;
        attempt.requestBytes += count;
      } else {
        record.http.responseBytes += count;
        attempt.responseBytes += count;
      }
    },
    own,
  });
  rooms.tunnels.add(session);
  own.leave();
  const end = await session.ended;
  own.enter();
  rooms.tunnels.delete(session);
  observer?.finish(end.error);
  attempt.durationMs = sinceStartMs();
  settle(exchange, group, attempt, end);
}

function settle(exchange: Exchange, group: AttemptGroup, attempt: WireAttempt, { kind, error }: SessionEnd): void {
  const { record, rooms } = exchange;
  group.durationMs = rooms.clock.epochMs() - group.startedAtMs;
  if (error !== undefined) {
    const failure = { code: error.code, source: error.source, message: error.message };
    group.failure = failure;
    attempt.failure = failure;
    if (kind === "failed") throw error;
    record.failure = failure;
  }
  if (kind !== "failed") record.end = kind;
}

/** The two paths whose messages are understood, wherever they stand in a provider's own path. */
function dialectOf(path: string): string | undefined {
  if (path.endsWith("/realtime")) return "openai-realtime";
  return path.endsWith("/responses") ? "openai-responses" : undefined;
}

/** Realtime names its model in the address, Azure its deployment. */
function modelOf(query: string): string | undefined {
  const members = new URLSearchParams(query);
  const model = members.get("model") ?? members.get("deployment");
  return model === null || model === "" || model.length > 256 ? undefined : model;
}

/**
 * As for any request; but a browser's WebSocket can set no header, so OpenAI takes its key among the subprotocols too. That key is the
 * client's credential: it passes as it is, or Outrider's own takes its place.
 */
async function chooseCredential(exchange: Exchange, destination: Destination): Promise<Outgoing> {
  const raw = [...exchange.inbound.rawHeaders];
  const { headers, key } = takeBrowserKey(raw);
  const outgoing = await prepareOutgoing(exchange, destination, destination.provider, {
    received: key === undefined ? raw : [...headers, "authorization", key],
    body: undefined,
    dialect: undefined,
  });
  return key === undefined || outgoing.heldCredential ? outgoing : { ...outgoing, headers: raw };
}

function takeBrowserKey(rawHeaders: readonly string[]): { headers: string[]; key: string | undefined } {
  const headers: string[] = [];
  let key: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    let value = rawHeaders[index + 1] as string;
    if (name.toLowerCase() === "sec-websocket-protocol") {
      const protocols = value.split(",").map((protocol) => protocol.trim());
      const carrier = protocols.find((protocol) => protocol.startsWith(browserKeyPrefix));
      if (carrier !== undefined) {
        key = carrier.slice(browserKeyPrefix.length);
        value = protocols.filter((protocol) => !protocol.startsWith(browserKeyPrefix)).join(", ");
        if (value === "") continue;
      }
    }
    headers.push(name, value);
  }
  return { headers, key };
}

function noteAnswer(
  { record, own }: Exchange,
  attempt: WireAttempt,
  status: number,
  rawHeaders: string[],
  firstByteMs: number,
): void {
  attempt.firstByteMs = firstByteMs;
  attempt.statusCode = status;
  const upstreamId = findHeader(rawHeaders, "x-request-id");
  if (upstreamId !== undefined) attempt.upstreamRequestId = upstreamId.slice(0, 128);
  if (record.overheadMs !== undefined) record.overheadMs.firstByte = own.spentMs();
}

/** The answer's head for the client: the provider's headers as the client may see them, and Outrider's. */
function encodeHead({ record, trace }: Exchange, status: number, rawHeaders: string[]): Buffer {
  record.http.statusCode = status;
  const headers = [...toDownstreamHeaders(rawHeaders, false), ...answerHeaders(record, trace.traceresponse)];
  if (status === 101) {
    headers.push("Connection", "Upgrade", "Upgrade", "websocket");
  } else {
    headers.push("connection", "close");
    // http-proxy writes the body in chunks exactly where it came in chunks.
    if (findHeader(rawHeaders, "transfer-encoding") !== undefined) headers.push("transfer-encoding", "chunked");
    if (status >= 400) {
      headers.push("x-outrider-error", formatError({ code: classifyAnswer(status, undefined), source: "provider" }));
    }
  }
  let head = `HTTP/1.1 ${status} ${status === 101 ? "Switching Protocols" : ""}\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return Buffer.from(`${head}\r\n`, "latin1");
}

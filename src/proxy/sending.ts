// Room proxy: a request for one provider: placed, given its address and credential, sent, settled.
// Invariant: a signature or token is made anew for every send; a kept-alive connection that died unused costs no attempt of policy's.

import type { AttemptGroup } from "../record/index.ts";
import { type AttemptRequest, type AttemptResult, sendAttempt, type Sending } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { omitHeader, toTranslatedHeaders } from "./headers.ts";
import { type Outgoing, prepareOutgoing } from "./outgoing.ts";
import { type Placement, placeCall, type Target } from "./placement.ts";
import { MediaFetch } from "./media-fetch.ts";
import type { OwnTime } from "./own-time.ts";
import { noteFailure, openGroup, settleGroup } from "./recording.ts";
import type { RelayEnd } from "./relay.ts";

/** One provider, one answer, whatever it is. */
export async function sendOnce(exchange: Exchange, sending: Sending): Promise<void> {
  const { record } = exchange;
  [record.losses, record.relayMode] = [sending.losses, sending.relayMode];
  const prepared = prepare(exchange, sending);
  const outgoing = prepared instanceof Promise ? await prepared : prepared;
  const group = openGroup(exchange, sending.target, outgoing.address);
  const { end } = await sendWithFreshRetry(exchange, {
    group,
    sending,
    outgoing,
    respond: exchange.inbound.respond,
    resendCount: 0,
    onStarted: undefined,
    retryDelayMs: undefined,
    losses: sending.losses,
  });
  settle(exchange, group, end);
}

/** A call at one provider, as it is to be sent. */
export function placeFor(exchange: Exchange, call: Call, target: Target): Sending | Promise<Sending> {
  const { inbound, rooms, record, policy, own } = exchange;
  const placing = placeCall(inbound, call, target, {
    requestUsage: rooms.options.telemetry.requestUsage,
    lossRules: policy.losses,
    exchangeId: record.id,
    epochSeconds: Math.floor(rooms.clock.epochMs() / 1000),
    media: openMedia(exchange),
  });
  if (!(placing instanceof Promise)) return toSending(call, target, placing);
  return waitFor(placing, own).then((placement) => toSending(call, target, placement));
}

function toSending({ destination }: Call, target: Target, placement: Placement): Sending {
  const { translated, path, query, body, usageRequested, contentDecoded, losses } = placement;
  return {
    target,
    destination: { ...destination, path, query },
    body,
    usageRequested,
    contentDecoded,
    call: translated === undefined ? destination.call : { dialect: translated.target, operation: translated.operation },
    translated,
    losses,
    relayMode: relayModeOf(placement),
  };
}

/** The fetches of the exchange, which end when the client leaves; undefined where the options allow none. */
function openMedia(exchange: Exchange): MediaFetch | undefined {
  const { rooms, inbound, deadlineMs } = exchange;
  const { media, limits } = rooms.options;
  if (media.fetch.hosts.length + media.fetch.privateHosts.length === 0) return undefined;
  if (exchange.media !== undefined) return exchange.media;
  const leaving = new AbortController();
  inbound.respond.onClientGone(() => leaving.abort());
  exchange.media = new MediaFetch({
    settings: media.fetch,
    maxTotalBytes: limits.maxBodyBytes,
    clock: rooms.clock,
    deadlineMs,
    signal: leaving.signal,
  });
  return exchange.media;
}

/** Others' time is not ours. */
async function waitFor<T>(promise: Promise<T>, own: OwnTime): Promise<T> {
  own.leave();
  try {
    return await promise;
  } finally {
    own.enter();
  }
}

function relayModeOf({ translated, edited }: Placement): "translate" | "splice" | "passthrough" {
  if (translated !== undefined) return "translate";
  return edited ? "splice" : "passthrough";
}

/** The request made ready: its address, its headers, the right credential. A signature or token is made anew for every send. */
export function prepare(exchange: Exchange, sending: Sending): Outgoing | Promise<Outgoing> {
  const { translated, body, contentDecoded, destination, target } = sending;
  const { rawHeaders } = exchange.inbound;
  const clientHeaders = translated === undefined ? rawHeaders : toTranslatedHeaders(rawHeaders, translated.headers);
  const received = contentDecoded ? omitHeader(clientHeaders, "content-encoding") : [...clientHeaders];
  return prepareOutgoing(exchange, destination, target.provider, {
    received,
    body: Buffer.isBuffer(body) ? body : undefined,
    dialect: sending.call?.dialect.id,
  });
}

/** DESIGN §2.3: one fresh connection for a kept-alive socket that died before any byte; it is no retry of policy's. */
export async function sendWithFreshRetry(exchange: Exchange, request: AttemptRequest): Promise<AttemptResult> {
  const first = await sendAttempt(exchange, request, false);
  const { body } = request.sending;
  const isRepeatable = body === undefined || Buffer.isBuffer(body);
  if (first.end.kind !== "failed" || !first.end.staleConnection || !isRepeatable) return first;
  return sendAttempt(exchange, request, true);
}

/** The end of the exchange. @throws SidecarError where nothing reached the client */
export function settle(exchange: Exchange, group: AttemptGroup, end: RelayEnd): void {
  settleGroup(exchange, group, end, end.error);
  if (end.kind === "failed") throw end.error;
  exchange.record.end = end.kind;
  if (end.error !== undefined) noteFailure(exchange.record, end.error);
}

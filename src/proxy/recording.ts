// Room proxy: what an exchange writes down: opens, fills and closes its record. No I/O, no decisions about traffic.
// Invariant: usage and cost of a group are settled once; a price is looked up only for usage that there is.

import { estimateInputTokens, estimateTokens, type Usage } from "../canonical/index.ts";
import type { Provider, UpstreamAddress } from "../providers/index.ts";
import type { SidecarError } from "../errors.ts";
import type { AttemptGroup, AttemptReason, Cost, ExchangeRecord, Replaced } from "../record/index.ts";
import type { Exchange } from "./exchange.ts";
import type { Observation } from "./observer.ts";
import type { OwnTime } from "./own-time.ts";
import type { RelayEnd } from "./relay.ts";
import type { Inbound } from "./wire.ts";

/** Query members whose values are no secret; every other value reads REDACTED. */
const plainQueryNames = new Set(["api-version", "beta", "alt", "limit", "after", "before", "order", "stream"]);

/** The same URL or query with the values of unknown members redacted. */
export function redactQuery(url: string): string {
  const cut = url.indexOf("?");
  if (cut === -1) return url;
  const members = url.slice(cut + 1).split("&");
  const shown = members.map((member) => {
    const [name = ""] = member.split("=", 1);
    if (plainQueryNames.has(name)) return member;
    // Without a `=` the whole member may be the secret.
    return member.includes("=") ? `${name}=REDACTED` : "REDACTED";
  });
  return `${url.slice(0, cut)}?${shown.join("&")}`;
}

/** `id`: 32 hex digits. */
export function openRecord(inbound: Inbound, id: string, startedAtMs: number, app: string | undefined): ExchangeRecord {
  const { target } = inbound;
  const cut = target.indexOf("?");
  const record: ExchangeRecord = {
    id,
    startedAtMs,
    http: {
      method: inbound.method,
      // A target may be a URL with a user name and password in it; it is refused, and recorded without them.
      path: (cut === -1 ? target : target.slice(0, cut)).replace(/\/\/[^/]*@/, "//"),
      protocolVersion: inbound.protocolVersion,
      requestBytes: 0,
      responseBytes: 0,
    },
    tags: {},
    stream: false,
    groups: [],
    losses: [],
  };
  if (cut !== -1) record.http.query = redactQuery(target.slice(cut)).slice(1);
  const host = inbound.header("host");
  if (host !== undefined) record.http.host = host.slice(host.lastIndexOf("@") + 1);
  const userAgent = inbound.header("user-agent");
  if (userAgent !== undefined) record.http.userAgent = userAgent;
  if (inbound.clientAddress !== undefined) record.http.clientAddress = inbound.clientAddress;
  if (inbound.clientPort !== undefined) record.http.clientPort = inbound.clientPort;
  if (app !== undefined) record.app = app;
  return record;
}

/** A group of attempts at one provider and model, in the record and in the trace; `replaces` another one where it is a fallback. */
export function openGroup(
  exchange: Exchange,
  { provider, model }: { provider: Provider; model: string | undefined },
  { hostname, port }: UpstreamAddress,
  replaces?: Replaced,
  reason: AttemptReason = replaces === undefined ? "first" : "fallback",
): AttemptGroup {
  const group: AttemptGroup = {
    reason,
    ...(replaces === undefined ? {} : { replaces }),
    provider: provider.id,
    providerName: provider.telemetryName,
    serverAddress: hostname,
    serverPort: port,
    startedAtMs: exchange.rooms.clock.epochMs(),
    attempts: [],
    usageSource: "missing",
    unrecognizedEvents: 0,
    observerFailed: false,
  };
  if (model !== undefined) group.requestModel = model;
  exchange.record.groups.push(group);
  exchange.trace.openGroup(group);
  return group;
}

/** The price of what was observed; undefined where nothing was billed that we know of. */
export function priceObservation(exchange: Exchange, group: AttemptGroup, observation: Observation): Cost | undefined {
  if (group.cost !== undefined) return group.cost;
  if (exchange.record.operation?.name === undefined || observation.usage === undefined) return undefined;
  return priceUsage(exchange, group, observation.usage, observation.response?.model);
}

/** Prices usage and writes the price into the group. */
export function priceUsage(
  exchange: Exchange,
  group: AttemptGroup,
  usage: Usage,
  responseModel: string | undefined,
): Cost {
  const { clock } = exchange.rooms;
  const { pricer, providers } = exchange.policy;
  const provider = providers.get(group.provider) ?? { id: group.provider };
  group.cost = pricer.price({
    provider,
    models: { request: group.requestModel, response: responseModel },
    usage,
    epochMs: clock.epochMs(),
  });
  return group.cost;
}

/** Writes the end of a group: answer, usage, cost, failure. */
export function settleGroup(
  exchange: Exchange,
  group: AttemptGroup,
  end: RelayEnd,
  error: SidecarError | undefined,
): void {
  const { rooms, record } = exchange;
  group.durationMs = rooms.clock.epochMs() - group.startedAtMs;
  record.http.responseBytes = group.attempts.at(-1)?.responseBytes ?? 0;
  if (error !== undefined) group.failure = { code: error.code, source: error.source, message: error.message };
  const observation = end.kind === "failed" ? undefined : end.observation;
  if (error?.code === "superseded" && observation?.usage === undefined) {
    settleCounted(exchange, group, countSuperseded(exchange, observation));
    return;
  }
  if (observation === undefined) {
    // An answer that nobody reads, such as sound: the request alone tells what it took.
    const isAnswered = end.kind === "complete" && (group.attempts.at(-1)?.statusCode ?? 500) < 300;
    settleCounted(exchange, group, isAnswered ? countRequest(record) : undefined);
    return;
  }
  if (observation.response !== undefined) group.response = observation.response;
  if (observation.providerError !== undefined) group.providerError = observation.providerError;
  group.unrecognizedEvents = observation.unrecognizedEvents;
  group.observerFailed = observation.failed;
  if (record.operation?.name === undefined) return;
  if (observation.usage !== undefined) {
    group.usage = observation.usage;
    group.usageSource = "provider";
  } else {
    settleCounted(exchange, group, estimateUsage(exchange, observation));
    return;
  }
  // Known already when the cost went out in the head or in the trailer.
  if (group.cost === undefined) priceUsage(exchange, group, group.usage, group.response?.model);
}

/** Usage that Outrider counted itself. */
function settleCounted(exchange: Exchange, group: AttemptGroup, usage: Usage | undefined): void {
  if (usage === undefined) return;
  group.usage = usage;
  group.usageSource = "estimated";
  if (group.cost === undefined) priceUsage(exchange, group, usage, group.response?.model);
}

/** What an attempt cost that was cut off: its provider had the whole request, and wrote what it wrote. */
function countSuperseded({ readWholeRequest }: Exchange, observation: Observation | undefined): Usage | undefined {
  const request = readWholeRequest?.();
  if (request === undefined) return undefined;
  return {
    inputTokens: estimateInputTokens(request),
    outputTokens: estimateTokens(observation?.outputCharacters ?? 0),
  };
}

/** The characters that a request wants spoken; undefined for any other. */
function countRequest({ request }: ExchangeRecord): Usage | undefined {
  return request?.inputCharacters === undefined ? undefined : { inputCharacters: request.inputCharacters };
}

/** Calls whose output is sound or pictures, or whose input is: counting characters tells nothing about their tokens. */
const mediaOperations: ReadonlySet<string> = new Set(["speech", "transcription", "image_generation"]);

/** What an answer without stated usage amounts to; undefined when no output came, so that perhaps nothing was billed. */
function estimateUsage({ record, readWholeRequest }: Exchange, observation: Observation): Usage | undefined {
  if (mediaOperations.has(record.operation?.name ?? "")) {
    const isAnswered = observation.response !== undefined && observation.providerError === undefined;
    return isAnswered ? countRequest(record) : undefined;
  }
  // What is fetched was counted when it was made.
  if (observation.outputCharacters === 0 || record.operation?.name === "fetch_response") return undefined;
  const request = readWholeRequest?.();
  if (request === undefined) return undefined;
  return {
    inputTokens: estimateInputTokens(request),
    outputTokens: estimateTokens(observation.outputCharacters),
  };
}

/** The exchange ends in this error. */
export function noteFailure(record: ExchangeRecord, { code, source, message }: SidecarError): void {
  record.failure = { code, source, message };
}

/** A target of the plan that was not tried. */
export function noteSkipped(record: ExchangeRecord, target: string, why: string): void {
  (record.skippedTargets ??= []).push({ target, why });
}

/** Closes the record: its end, its duration and Outrider's own share of it. */
export function closeRecord(record: ExchangeRecord, own: OwnTime, durationMs: number): void {
  record.durationMs = durationMs;
  record.end ??= "error";
  const totalMs = own.spentMs();
  record.overheadMs = { request: totalMs, ...record.overheadMs, total: totalMs };
}

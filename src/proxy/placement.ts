// Room proxy: a call as one provider is to get it: whose it is, and what of its raw bytes, if anything, must be edited.
// Invariant: bytes change only where policy or options asked, and each change is told.

import type { Loss } from "../canonical/index.ts";
import {
  applyEdits,
  type ByteEdit,
  type Dialect,
  type DialectId,
  editMember,
  editUsageRequest,
  parseObject,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Credentials, findOutputLimit, type Provider, type Providers } from "../providers/index.ts";
import type { Call, CallDestination, ReadJson } from "./call.ts";
import type { MediaFetch } from "./media-fetch.ts";
import {
  findTarget,
  type LossRules,
  translateCall,
  type TranslatedCall,
  type UntranslatedCall,
} from "./translated-call.ts";
import type { Inbound } from "./wire.ts";

/** Who is to answer. */
export interface Target {
  provider: Provider;
  /** The model asked of it; differs from the client's when a route chose it, or the client wrote `provider/model`. */
  model: string | undefined;
  /** Not the client's own: the model must be written into the call. */
  chosen: boolean;
  /** To be spoken there, where policy says so. */
  dialect?: DialectId;
}

/** A call for one provider. */
export interface Placement {
  target: Target;
  /** Under the provider. */
  path: string;
  query: string;
  /** Bytes for the provider: the client's own, or an edited copy. */
  body: Buffer;
  edited: boolean;
  /** The edited bytes have no content coding, though the client's had. */
  contentDecoded: boolean;
  /** We asked for the usage frame: it is taken out of the answer again. */
  usageRequested: boolean;
  losses: Loss[];
  /** The provider does not speak the client's dialect: the call in its own words, `body` too. */
  translated: TranslatedCall | undefined;
}

/** What placing a call needs of the rest of the house. */
export interface PlacementRooms {
  requestUsage: boolean;
  lossRules: LossRules;
  /** Of the exchange: 32 hex digits, and seconds since 1970. */
  exchangeId: string;
  epochSeconds: number;
  media: MediaFetch | undefined;
}

/** A promise only where media must be fetched first. @throws SidecarError operation_unsupported, request_lossy, client_disconnected */
export function placeCall(
  inbound: Inbound,
  call: Call,
  target: Target,
  rooms: PlacementRooms,
): Placement | Promise<Placement> {
  const { json, destination } = call;
  if (json === undefined) return passWhole(call, target);
  const dialect = target.chosen ? findTargetAt(target, destination) : undefined;
  const placement =
    dialect === undefined
      ? editInPlace(call, json, target, rooms)
      : translate(inbound, call, json, target, dialect, rooms);
  json.fields = undefined;
  return placement;
}

function passWhole({ body, destination }: Call, target: Target): Placement {
  return {
    target,
    path: destination.path,
    query: destination.query,
    body,
    edited: false,
    contentDecoded: false,
    usageRequested: false,
    losses: [],
    translated: undefined,
  };
}

function editInPlace(
  call: Call,
  { content, scan }: ReadJson,
  target: Target,
  { requestUsage }: PlacementRooms,
): Placement {
  const { body, destination } = call;
  const { dialect, operation } = destination.call;
  const edits: ByteEdit[] = [];
  const losses: Loss[] = [];
  let { path } = destination;
  if (target.chosen && target.model !== undefined) {
    if (operation.model === undefined) edits.push(editMember(scan, "model", JSON.stringify(target.model)));
    else path = replaceModel(path, operation.model, target.model);
  }
  const usageEdit =
    requestUsage && target.provider.usageOnRequest && dialect.id === "openai-chat"
      ? editUsageRequest(content, scan)
      : undefined;
  if (usageEdit !== undefined) {
    edits.push(usageEdit);
    losses.push({
      pointer: "/stream_options/include_usage",
      reason: "injected",
      severity: "tuning",
      detail: "asked for usage; its extra frame is taken out of the answer",
    });
  }
  if (edits.length === 0) return { ...passWhole(call, target), path };
  const contentDecoded = content !== body;
  if (contentDecoded) {
    losses.push({
      pointer: "",
      reason: "moved",
      severity: "tuning",
      detail: "edited, and therefore sent without its content coding",
    });
  }
  return {
    target,
    path,
    query: destination.query,
    body: applyEdits(content, edits),
    edited: true,
    contentDecoded,
    usageRequested: usageEdit !== undefined,
    losses,
    translated: undefined,
  };
}

function translate(
  inbound: Inbound,
  { body, destination: { call } }: Call,
  { content, fields = parseObject(content) }: ReadJson,
  target: Target,
  dialect: Dialect,
  { requestUsage, lossRules, exchangeId, epochSeconds, media }: PlacementRooms,
): Placement | Promise<Placement> {
  const { model = "", provider } = target;
  const facts = {
    model,
    exchangeId,
    epochSeconds,
    maxOutputTokens: findOutputLimit(model),
    operationKind: call.operation.kind,
  };
  const told = {
    body: fields,
    request: call.dialect.decodeRequest(fields, call.operation),
    clientOperation: call.operation,
    asksForUsage: requestUsage && provider.usageOnRequest,
    header: inbound.header.bind(inbound),
  };
  const finish = (filled: UntranslatedCall): Placement => {
    const translated = translateCall(call.dialect, dialect, filled, facts, lossRules);
    const { losses, path, query } = translated;
    return {
      target,
      path,
      query,
      body: translated.body,
      edited: true,
      contentDecoded: content !== body,
      usageRequested: false,
      losses,
      translated,
    };
  };
  const fetching = media?.forTarget(call.dialect, dialect, told);
  return fetching === undefined
    ? finish(told)
    : fetching.then((fetched) => finish({ ...told, request: fetched.request, media: fetched }));
}

/**
 * A path that names the model, with another one in its place: a segment of its own, or before a `:verb` (Google's).
 * @throws SidecarError operation_unsupported where it names something else, such as a tuned model
 */
function replaceModel(path: string, from: string, to: string): string {
  const segments = path.split("/");
  for (const [index, segment] of segments.entries()) {
    if (!modelCollections.has(segments[index - 1] ?? "")) continue;
    const verb = segment.lastIndexOf(":");
    for (const cut of verb === -1 ? [segment.length] : [verb, segment.length]) {
      if (decode(segment.slice(0, cut)) !== from) continue;
      segments[index] = encodeURIComponent(to) + segment.slice(cut);
      return segments.join("/");
    }
  }
  throw new SidecarError(
    "operation_unsupported",
    "the model that this call's path names cannot be replaced by another",
  );
}

/** What stands before the model in a path: Bedrock's, Google's, Azure's. */
const modelCollections = new Set(["model", "models", "deployments"]);

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The provider that the client addressed, or the one that its model names. */
export function chooseTarget(
  { request, json, destination }: Call,
  rooms: { providers: Providers; credentials: Credentials },
): Target {
  const model = request?.model ?? destination.call.operation.model;
  const chosen = destination.bare && json !== undefined ? chooseByModel(model, destination, rooms) : undefined;
  return chosen === undefined ? { provider: destination.provider, model, chosen: false } : { ...chosen, chosen: true };
}

/** DESIGN §2.3: a model written `provider/model` on a bare path picks that provider if Outrider can pay there. */
function chooseByModel(
  model: string | undefined,
  destination: CallDestination,
  rooms: { providers: Providers; credentials: Credentials },
): { provider: Provider; model: string } | undefined {
  const slash = model?.indexOf("/") ?? -1;
  if (model === undefined || slash < 1) return undefined;
  const provider = rooms.providers.get(model.slice(0, slash));
  if (provider === undefined) return undefined;
  // A client of another shape may mean the very provider that its path belongs to.
  const isAtHome = provider.id === destination.provider.id && destination.call.operation.name !== "rerank";
  if (isAtHome) return undefined;
  if (!canPay(provider, rooms.credentials)) return undefined;
  // A model in the path stays there: only in another dialect's words does the call get another one.
  const { dialect, operation } = destination.call;
  if (operation.model !== undefined && provider.dialects.includes(dialect.id)) return undefined;
  return { provider, model: model.slice(slash + 1) };
}

/** Whether a call can be paid for there without the client's credential. What the machine's own AWS or Google credentials are worth is known only when they are asked. */
export function canPay(provider: Provider, credentials: Credentials): boolean {
  const isFree = provider.auth.scheme === "none" || provider.usesMachineCredentials;
  return isFree || credentials.for(provider) !== undefined;
}

/** The dialect to translate to; undefined where the provider speaks the client's. @throws SidecarError operation_unsupported */
function findTargetAt(
  { provider, dialect }: Target,
  { call, provider: addressed }: CallDestination,
): Dialect | undefined {
  // Embeddings of Google's name their model in the body too, one by one.
  const isNamedTwice =
    call.dialect.id === "gemini-generate-content" &&
    call.operation.name === "embeddings" &&
    call.operation.home === undefined;
  const spoken = dialect ?? (isNamedTwice ? call.dialect.id : undefined);
  if (spoken !== undefined && (spoken !== call.dialect.id || isNamedTwice) && provider.dialects.includes(spoken)) {
    return findTarget({ ...provider, dialects: [spoken] }, call.dialect, call.operation);
  }
  // A path of one cloud's own (Azure's deployments, Google Cloud's projects) leads nowhere at another: there the call is written anew.
  const isAtHome = call.operation.home === undefined || provider.telemetryName === addressed.telemetryName;
  // Those who rerank share a dialect, but not a shape.
  if (isAtHome && provider.dialects.includes(call.dialect.id) && call.operation.name !== "rerank") return undefined;
  const target = findTarget(provider, call.dialect, call.operation);
  if (target !== undefined) return target;
  throw new SidecarError(
    "operation_unsupported",
    `provider ${provider.id} does not speak ${call.dialect.id}, and this call cannot be translated`,
  );
}

// Room proxy: reads a request that a dialect understands, and decides what of it, if anything, must be edited in its raw bytes.
// Invariant: the body is scanned and parsed once; bytes change only where policy or options asked, and each change is told.

import type { InferenceRequest, Loss } from "../canonical/index.ts";
import {
  applyEdits,
  type ByteEdit,
  type Dialect,
  editMember,
  editUsageRequest,
  parseMultipart,
  parseObject,
  scanBody,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Credentials, findOutputLimit, type Provider, type Providers } from "../providers/index.ts";
import type { Destination } from "./ingress.ts";
import { findTarget, type LossRules, translateCall, type TranslatedCall } from "./translated-call.ts";
import type { Inbound } from "./wire.ts";

type ReadableDestination = Destination & { call: NonNullable<Destination["call"]> };
type Fields = Record<string, unknown>;

export interface Call {
  provider: Provider;
  /** Absent when the body's coding kept it from being read: it passes unread. Without its content unless that is captured. */
  request: InferenceRequest | undefined;
  /** The same with its content, read again; for an estimate where the provider states no usage. */
  readWhole: () => InferenceRequest | undefined;
  /** The model asked of the provider; differs from the request model when the client wrote `provider/model`. */
  model: string | undefined;
  /** Bytes for the provider: the client's own, or an edited copy. */
  body: Buffer;
  edited: boolean;
  /** We asked for the usage frame: it is taken out of the answer again. */
  usageRequested: boolean;
  losses: Loss[];
  /** The provider does not speak the client's dialect: the call in its own words, `body` too. */
  translated?: TranslatedCall;
}

/** What reading a call needs of the rest of the house. */
export interface CallRooms {
  providers: Providers;
  credentials: Credentials;
  requestUsage: boolean;
  keepContent: boolean;
  lossRules: LossRules;
  /** Of the exchange: 32 hex digits, and seconds since 1970. */
  exchangeId: string;
  epochSeconds: number;
}

/**
 * `body` as received, and `content`: the same without its content coding, the very `body` where it has none; undefined: not to be read.
 * @throws SidecarError request_malformed, operation_unsupported, request_lossy
 */
export function readCall(
  inbound: Inbound,
  destination: ReadableDestination,
  body: Buffer,
  content: Buffer | undefined,
  rooms: CallRooms,
): Call {
  const { dialect, operation } = destination.call;
  const contentType = inbound.header("content-type") ?? "";
  if (operation.requestFormat === "none") return passWhole(destination, body, rooms.keepContent, () => ({}));
  if (content === undefined) return passWhole(destination, body, rooms.keepContent, () => undefined);
  // A form that cannot be read is the provider's to judge: nothing here depends on it.
  const readForm = (): Fields | undefined => parseMultipart(content, contentType);
  const isForm = operation.requestFormat === "multipart" && !isJson(contentType);
  if (isForm) return passWhole(destination, body, rooms.keepContent, readForm);

  const scan = scanBody(content);
  const parsed = parseObject(content);
  const facts = rooms.keepContent ? parsed : withoutMembers(parsed, dialect.contentMembers);
  const request = dialect.decodeRequest(facts, operation);
  const edits: ByteEdit[] = [];
  const losses: Loss[] = [];

  const chosen = destination.bare ? chooseByModel(request.model, destination, rooms) : undefined;
  const target = chosen === undefined ? undefined : findTargetAt(chosen.provider, destination);
  if (chosen !== undefined && target !== undefined) {
    const whole = rooms.keepContent ? request : dialect.decodeRequest(parsed, operation);
    const { exchangeId, epochSeconds } = rooms;
    const { model } = chosen;
    const facts = {
      model,
      exchangeId,
      epochSeconds,
      maxOutputTokens: findOutputLimit(model),
      operationKind: operation.kind,
    };
    const asksForUsage = rooms.requestUsage && chosen.provider.usageOnRequest;
    const header = inbound.header.bind(inbound);
    const told = { body: parsed, request: whole, clientOperation: operation, asksForUsage, header };
    const translated = translateCall(dialect, target, told, facts, rooms.lossRules);
    return {
      ...chosen,
      request,
      readWhole: () => whole,
      body: translated.body,
      edited: true,
      usageRequested: false,
      losses: translated.losses,
      translated,
    };
  }
  const provider = chosen?.provider ?? destination.provider;
  if (chosen !== undefined && operation.model === undefined) {
    edits.push(editMember(scan, "model", JSON.stringify(chosen.model)));
  }

  const usageEdit =
    rooms.requestUsage && provider.usageOnRequest && dialect.id === "openai-chat"
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
  if (edits.length > 0 && content !== body) {
    losses.push({
      pointer: "",
      reason: "moved",
      severity: "tuning",
      detail: "edited, and therefore sent without its content coding",
    });
  }
  return {
    provider,
    request,
    readWhole: () => dialect.decodeRequest(parseObject(content), operation),
    model: chosen?.model ?? request.model,
    body: edits.length === 0 ? body : applyEdits(content, edits),
    edited: edits.length > 0,
    usageRequested: usageEdit !== undefined,
    losses,
  };
}

/** DESIGN §2.3: a model written `provider/model` on a bare path picks that provider if Outrider can pay there. */
function chooseByModel(
  model: string | undefined,
  destination: ReadableDestination,
  rooms: { providers: Providers; credentials: Credentials },
): { provider: Provider; model: string } | undefined {
  const slash = model?.indexOf("/") ?? -1;
  if (model === undefined || slash < 1) return undefined;
  const provider = rooms.providers.get(model.slice(0, slash));
  if (provider === undefined || provider.id === destination.provider.id) return undefined;
  if (!canPay(provider, rooms.credentials)) return undefined;
  // A model in the path stays there: only in another dialect's words does the call get another one.
  const { dialect, operation } = destination.call;
  if (operation.model !== undefined && provider.dialects.includes(dialect.id)) return undefined;
  return { provider, model: model.slice(slash + 1) };
}

/** What the machine's own AWS or Google credentials are worth is known only when they are asked. */
function canPay(provider: Provider, credentials: Credentials): boolean {
  const isFree = provider.auth.scheme === "none" || provider.usesMachineCredentials;
  return isFree || credentials.for(provider) !== undefined;
}

/** The dialect to translate to; undefined where the provider speaks the client's. @throws SidecarError operation_unsupported */
function findTargetAt(provider: Provider, { call }: ReadableDestination): Dialect | undefined {
  if (provider.dialects.includes(call.dialect.id)) return undefined;
  const target = findTarget(provider, call.dialect, call.operation);
  if (target !== undefined) return target;
  throw new SidecarError(
    "operation_unsupported",
    `provider ${provider.id} does not speak ${call.dialect.id}, and this call cannot be translated`,
  );
}

/** A call whose body is never edited: it holds no JSON, or cannot be read (`readFields` gives nothing then). */
function passWhole(
  destination: ReadableDestination,
  body: Buffer,
  keepContent: boolean,
  readFields: () => Fields | undefined,
): Call {
  const { provider, call } = destination;
  const { dialect, operation } = call;
  const decode = (withContent: boolean): InferenceRequest | undefined => {
    const fields = readFields();
    if (fields === undefined) return undefined;
    return dialect.decodeRequest(withContent ? fields : withoutMembers(fields, dialect.contentMembers), operation);
  };
  const request = decode(keepContent);
  const model = request?.model ?? operation.model;
  const readWhole = (): InferenceRequest | undefined => decode(true);
  return { provider, request, readWhole, model, body, edited: false, usageRequested: false, losses: [] };
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType);
}

/** Decoding content is most of the work of a long conversation. */
function withoutMembers(parsed: Fields, names: ReadonlySet<string>): Fields {
  const facts: Fields = {};
  for (const key in parsed) if (!names.has(key)) facts[key] = parsed[key];
  return facts;
}

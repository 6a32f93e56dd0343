// Room proxy: a call as one provider is to get it: whose it is, and what of its raw bytes, if anything, must be edited.
// Invariant: bytes change only where policy or options asked, and each change is told.

import type { Loss } from "../canonical/index.ts";
import {
  applyEdits,
  type ByteEdit,
  type Dialect,
  editMember,
  editUsageRequest,
  parseObject,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type Credentials, findOutputLimit, type Provider, type Providers } from "../providers/index.ts";
import type { Call, CallDestination, ReadJson } from "./call.ts";
import { findTarget, type LossRules, translateCall, type TranslatedCall } from "./translated-call.ts";
import type { Inbound } from "./wire.ts";

/** Who is to answer. */
export interface Target {
  provider: Provider;
  /** The model asked of it; differs from the client's when a route chose it, or the client wrote `provider/model`. */
  model: string | undefined;
  /** Not the client's own: the model must be written into the body. */
  chosen: boolean;
}

/** A call for one provider. */
export interface Placement {
  target: Target;
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
}

/** @throws SidecarError operation_unsupported, request_lossy */
export function placeCall(inbound: Inbound, call: Call, target: Target, rooms: PlacementRooms): Placement {
  const { body, json, destination } = call;
  if (json === undefined) return passWhole(target, body);
  const dialect = target.chosen ? findTargetAt(target.provider, destination) : undefined;
  const placement =
    dialect === undefined
      ? editInPlace(call, json, target, rooms)
      : translate(inbound, call, json, target, dialect, rooms);
  json.fields = undefined;
  return placement;
}

function passWhole(target: Target, body: Buffer): Placement {
  return {
    target,
    body,
    edited: false,
    contentDecoded: false,
    usageRequested: false,
    losses: [],
    translated: undefined,
  };
}

function editInPlace(
  { body, destination }: Call,
  { content, scan }: ReadJson,
  target: Target,
  { requestUsage }: PlacementRooms,
): Placement {
  const { dialect, operation } = destination.call;
  const edits: ByteEdit[] = [];
  const losses: Loss[] = [];
  if (target.chosen && operation.model === undefined) {
    edits.push(editMember(scan, "model", JSON.stringify(target.model)));
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
  if (edits.length === 0) return passWhole(target, body);
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
  { requestUsage, lossRules, exchangeId, epochSeconds }: PlacementRooms,
): Placement {
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
  const translated = translateCall(call.dialect, dialect, told, facts, lossRules);
  const { losses } = translated;
  const contentDecoded = content !== body;
  return { target, body: translated.body, edited: true, contentDecoded, usageRequested: false, losses, translated };
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
function findTargetAt(provider: Provider, { call }: CallDestination): Dialect | undefined {
  if (provider.dialects.includes(call.dialect.id)) return undefined;
  const target = findTarget(provider, call.dialect, call.operation);
  if (target !== undefined) return target;
  throw new SidecarError(
    "operation_unsupported",
    `provider ${provider.id} does not speak ${call.dialect.id}, and this call cannot be translated`,
  );
}

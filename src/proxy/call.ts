// Room proxy: reads a request that a dialect understands, and decides what of it, if anything, must be edited in its raw bytes.
// Invariant: the body is scanned and parsed once; bytes change only where policy or options asked, and each change is told.

import type { InferenceRequest, Loss } from "../canonical/index.ts";
import { applyEdits, type ByteEdit, editMember, editUsageRequest, parseObject, scanBody } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Credentials, Provider, Providers } from "../providers/index.ts";
import type { Destination } from "./ingress.ts";
import type { Inbound } from "./wire.ts";

export interface Call {
  provider: Provider;
  /** Absent when the body is encoded: it passes unread. */
  request: InferenceRequest | undefined;
  /** The model asked of the provider; differs from the request model when the client wrote `provider/model`. */
  model: string | undefined;
  /** Bytes for the provider: the client's own, or an edited copy. */
  body: Buffer;
  edited: boolean;
  /** We asked for the usage frame: it is taken out of the answer again. */
  usageRequested: boolean;
  losses: Loss[];
}

/** @throws SidecarError request_malformed, operation_unsupported */
export function readCall(
  inbound: Inbound,
  destination: Destination & { call: NonNullable<Destination["call"]> },
  body: Buffer,
  rooms: { providers: Providers; credentials: Credentials; requestUsage: boolean },
): Call {
  const { dialect, operation } = destination.call;
  const encoding = inbound.header("content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    return {
      provider: destination.provider,
      request: undefined,
      model: undefined,
      body,
      edited: false,
      usageRequested: false,
      losses: [],
    };
  }
  const scan = scanBody(body);
  const request = dialect.decodeRequest(parseObject(body), operation);
  const edits: ByteEdit[] = [];
  const losses: Loss[] = [];

  const chosen = destination.bare ? chooseByModel(request.model, destination, rooms) : undefined;
  const provider = chosen?.provider ?? destination.provider;
  if (chosen !== undefined) edits.push(editMember(scan, "model", JSON.stringify(chosen.model)));

  const usageEdit =
    rooms.requestUsage && provider.usageOnRequest && dialect.id === "openai-chat"
      ? editUsageRequest(body, scan)
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
  return {
    provider,
    request,
    model: chosen?.model ?? request.model,
    body: edits.length === 0 ? body : applyEdits(body, edits),
    edited: edits.length > 0,
    usageRequested: usageEdit !== undefined,
    losses,
  };
}

/** DESIGN §2.3: a model written `provider/model` on a bare path picks that provider if Outrider can pay there. */
function chooseByModel(
  model: string | undefined,
  destination: Destination & { call: NonNullable<Destination["call"]> },
  rooms: { providers: Providers; credentials: Credentials },
): { provider: Provider; model: string } | undefined {
  const slash = model?.indexOf("/") ?? -1;
  if (model === undefined || slash < 1) return undefined;
  const provider = rooms.providers.get(model.slice(0, slash));
  if (provider === undefined || provider.id === destination.provider.id) return undefined;
  if (provider.auth.scheme !== "none" && rooms.credentials.for(provider) === undefined) return undefined;
  const { dialect } = destination.call;
  if (!provider.dialects.includes(dialect.id)) {
    throw new SidecarError(
      "operation_unsupported",
      `provider ${provider.id} does not speak ${dialect.id}, and this version does not translate`,
    );
  }
  return { provider, model: model.slice(slash + 1) };
}

// Room dialects, realtime: what the JSON events of OpenAI's two WebSocket protocols say about model calls: Realtime (`response.done`)
// and Responses over WebSocket (`response.completed|incomplete|failed`). wire.md §1.2, §1.12.
// Invariant: facts only, never content; an event that says nothing of a call is undefined; no event throws.

import type { FinishReason, InferenceRequest, ProviderError, Usage } from "../../canonical/index.ts";
import { isJsonObject, isString, type JsonObject } from "../json/fields.ts";
import { decodeFinishReason } from "../openai-responses/schema.ts";
import { decodeUsage } from "../openai-responses/usage.ts";

/** The client asks for a response. `request` holds its parameters without content. */
export interface CallRequested {
  type: "requested";
  request: InferenceRequest;
}

/** What the provider says. `id` is the response's; absent where the event has none. */
export type ProviderSaid =
  /** The session's model, for responses that name none (Realtime). */
  | { type: "session"; model: string }
  | { type: "started"; id: string | undefined; model: string | undefined }
  | { type: "output"; id: string | undefined }
  | {
      type: "ended";
      id: string | undefined;
      model: string | undefined;
      usage: Usage | undefined;
      serviceTier: string | undefined;
      finishReason: FinishReason;
      error: ProviderError | undefined;
    }
  /** An error of its own. Whether a call ended with it, the event does not tell. */
  | { type: "refused"; error: ProviderError };

/** How much of an event is looked at to learn its type. Both protocols write `type` first (SDK schemas; recorded events of Responses). */
const peekedBytes = 256;
const leadingType = /^\s*\{\s*"type"\s*:\s*"([\w.]{1,80})"/;
const responseId = /"response_id"\s*:\s*"([\w-]{1,128})"/;
const endings = new Set(["response.done", "response.completed", "response.incomplete", "response.failed"]);
const readTypes = new Set([
  ...endings,
  "session.created",
  "session.updated",
  "response.created",
  "response.create",
  "error",
]);

/** One event, looked at: its type where it stands first, and whether it must be read whole. */
export interface PeekedEvent {
  type: string | undefined;
  /** Whether the rest can say anything about a model call. */
  isTelling: boolean;
  /** The response that it belongs to, where that stands near the front. */
  responseId: string | undefined;
}

/** Looks at the first bytes of a text message. Audio and text deltas, most of all traffic, need no more. */
export function peekEvent(text: Buffer): PeekedEvent {
  const start = text.toString("latin1", 0, peekedBytes);
  const type = leadingType.exec(start)?.[1];
  return {
    type,
    isTelling: type === undefined || readTypes.has(type),
    responseId: responseId.exec(start)?.[1],
  };
}

/** Whether the event carries output of the model. */
export function isOutputType(type: string | undefined): boolean {
  return type !== undefined && type.startsWith("response.") && type.endsWith(".delta");
}

/** Reads a client's event. */
export function readClientEvent(event: unknown): CallRequested | undefined {
  if (!isJsonObject(event) || event["type"] !== "response.create") return undefined;
  // Realtime nests the parameters, Responses has them beside `type`.
  const nested = event["response"];
  const body = isJsonObject(nested) ? nested : event;
  const request: InferenceRequest = { stream: true, messages: [] };
  const model = stringOf(body["model"]);
  if (model !== undefined) request.model = model;
  const maxTokens = body["max_output_tokens"];
  if (typeof maxTokens === "number") request.maxOutputTokens = maxTokens;
  if (typeof body["temperature"] === "number") request.temperature = body["temperature"];
  if (typeof body["top_p"] === "number") request.topP = body["top_p"];
  const previous = stringOf(body["previous_response_id"]);
  if (previous !== undefined) request.previousResponseId = previous;
  const tier = stringOf(body["service_tier"]);
  if (tier !== undefined) request.serviceTier = tier;
  const effort = stringOf(objectOf(body["reasoning"])["effort"]);
  if (effort !== undefined) request.reasoning = { effort };
  return { type: "requested", request };
}

/** Reads a provider's event. */
export function readProviderEvent(event: unknown): ProviderSaid | undefined {
  if (!isJsonObject(event)) return undefined;
  const type = stringOf(event["type"]);
  if (type === undefined) return undefined;
  if (type === "session.created" || type === "session.updated") return readSession(objectOf(event["session"]));
  if (type === "error") return { type: "refused", error: readError(objectOf(event["error"])) };
  const response = objectOf(event["response"]);
  const id = stringOf(response["id"]);
  const model = stringOf(response["model"]);
  if (type === "response.created") return { type: "started", id, model };
  if (isOutputType(type)) return { type: "output", id: stringOf(event["response_id"]) };
  if (!endings.has(type)) return undefined;
  const usage = response["usage"];
  const status = stringOf(response["status"]) ?? type.slice("response.".length);
  return {
    type: "ended",
    id,
    model,
    usage: isJsonObject(usage) ? decodeSessionUsage(usage, response["tool_usage"]) : undefined,
    serviceTier: stringOf(response["service_tier"]),
    finishReason: readFinishReason(status, response),
    error: status === "failed" ? readFailure(response) : undefined,
  };
}

function readSession(session: JsonObject): ProviderSaid | undefined {
  const model = stringOf(session["model"]);
  return model === undefined ? undefined : { type: "session", model };
}

/** Realtime spells the details `input_token_details`, Responses `input_tokens_details`. */
function decodeSessionUsage(raw: JsonObject, toolUsage: unknown): Usage {
  const { input_token_details: input, output_token_details: output } = raw;
  const spelled = {
    ...raw,
    ...(isJsonObject(input) ? { input_tokens_details: input } : {}),
    ...(isJsonObject(output) ? { output_tokens_details: output } : {}),
  };
  const usage = decodeUsage(spelled, toolUsage);
  usage.raw = raw;
  return usage;
}

/** As for Responses, but that a cancelled response is no error on Realtime: the user spoke, or the client asked for it. */
function readFinishReason(status: string, response: JsonObject): FinishReason {
  const reason =
    stringOf(objectOf(response["incomplete_details"])["reason"]) ??
    stringOf(objectOf(response["status_details"])["reason"]);
  if (status === "cancelled" && isJsonObject(response["status_details"])) {
    return { unified: "stop", raw: reason ?? status };
  }
  const output = response["output"];
  const hasCall = Array.isArray(output) && output.some((item) => isJsonObject(item) && isCall(item["type"]));
  return decodeFinishReason(status, reason, hasCall) ?? { unified: "error", raw: status };
}

function isCall(type: unknown): boolean {
  return type === "function_call" || type === "custom_tool_call";
}

function readFailure(response: JsonObject): ProviderError {
  const own = response["error"];
  return readError(isJsonObject(own) ? own : objectOf(objectOf(response["status_details"])["error"]));
}

function readError(error: JsonObject): ProviderError {
  const read: ProviderError = { message: stringOf(error["message"]) ?? "" };
  const type = stringOf(error["type"]);
  if (type !== undefined) read.type = type;
  const code = stringOf(error["code"]);
  if (code !== undefined) read.code = code;
  return read;
}

const nothing: JsonObject = {};

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : nothing;
}

/** Names and ids are kept while a response is open, so what is longer than any name counts as absent. */
function stringOf(value: unknown): string | undefined {
  return isString(value) && value !== "" && value.length <= maxNameLength ? value : undefined;
}

const maxNameLength = 1024;

// Room dialects, cohere-chat: whole answers as canonical responses. Cohere never names the model that answered.
// Invariant: every field of the body is in the canonical form or in `extensions`, except vectors, of which only the
// length is kept; nothing throws.

import type { Choice, FinishReason, InferenceResponse, Message, Part } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { measureNumbers } from "../vector-elision.ts";
import { decodeMessage } from "./message.ts";
import { optional, ownExtensions, unifyFinishReason } from "./schema.ts";
import { decodeUsage, splitMeta } from "./usage.ts";

/** Decodes an answer of any call of this dialect. */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  const fields = new FieldReader(body);
  switch (operation.kind) {
    case "embed":
      return decodeEmbed(fields);
    case "chat_v1":
      return decodeOlderChat(fields);
    case "generate":
      return decodeGenerate(fields);
    default:
      return decodeChat(fields, detail);
  }
}

function decodeChat(fields: FieldReader, detail: AnswerDetail): InferenceResponse {
  const usage = fields.object("usage");
  const id = fields.string("id");
  const wire = fields.object("message");
  const message = wire === undefined ? undefined : decodeChatMessage(wire, detail);
  const choice = message === undefined ? undefined : { index: 0, message, ...decodeFinish(fields, message.parts) };
  return {
    ...optional("id", id),
    choices: choice === undefined ? [] : [choice],
    ...optional("usage", usage === undefined ? undefined : decodeUsage(usage)),
    ...(detail === "facts" ? {} : ownExtensions(fields.rest())),
  };
}

function decodeChatMessage(wire: JsonObject, detail: AnswerDetail): Message {
  const { role = "assistant", tool_calls } = wire;
  return decodeMessage(detail === "facts" ? { role, tool_calls } : { role: "assistant", ...wire });
}

/** v1 tells a tool call by its calls alone: its finish reason stays COMPLETE. */
function decodeOlderChat(fields: FieldReader): InferenceResponse {
  const text = fields.string("text");
  const calls = fields.arrayOf("tool_calls", isJsonObject);
  const parts: Part[] = [];
  if (text !== undefined && text !== "") parts.push({ type: "text", content: text });
  for (const call of calls ?? []) parts.push(decodeOlderToolCall(call));
  const choice: Choice = { index: 0, message: { role: "assistant", parts }, ...decodeFinish(fields, parts) };
  const isAnswer = text !== undefined || calls !== undefined || choice.finishReason !== undefined;
  return {
    ...optional("id", fields.string("response_id")),
    choices: isAnswer ? [choice] : [],
    ...decodeMeta(fields),
  };
}

function decodeOlderToolCall(wire: JsonObject): Part {
  const fields = new FieldReader(wire);
  const name = fields.string("name");
  if (name === undefined) return { type: "generic", generic_type: "tool_call", ...ownExtensions(wire) };
  fields.skip("parameters");
  return { type: "tool_call", name, ...optional("arguments", wire["parameters"]), ...ownExtensions(fields.rest()) };
}

function decodeGenerate(fields: FieldReader): InferenceResponse {
  const generations = fields.arrayOf("generations", isJsonObject) ?? [];
  return {
    ...optional("id", fields.string("id")),
    choices: generations.map((wire, index): Choice => {
      const own = new FieldReader(wire);
      const content = own.string("text");
      const parts: Part[] = content === undefined || content === "" ? [] : [{ type: "text", content }];
      const finish = decodeFinish(own, parts);
      own.skip("index");
      return { index, message: { role: "assistant", parts }, ...finish, ...ownExtensions(own.rest()) };
    }),
    ...decodeMeta(fields),
  };
}

/** By type an object of lists, else one list (v1 without `embedding_types`). */
function decodeEmbed(fields: FieldReader): InferenceResponse {
  const byType = fields.object("embeddings");
  const list = fields.array("embeddings");
  const lengths =
    byType === undefined
      ? [measureVector(list)]
      : ["float", "int8", "uint8"].map((type) => measureVector(byType[type]));
  return {
    ...optional("id", fields.string("id")),
    choices: [],
    ...optional(
      "embeddingDimensions",
      lengths.find((length) => length !== undefined),
    ),
    ...decodeMeta(fields),
  };
}

/** Bits are packed eight to a number and base64 says no width, so that only plain numbers tell the length. */
function measureVector(list: unknown): number | undefined {
  return Array.isArray(list) ? measureNumbers(list[0]) : undefined;
}

function decodeFinish(fields: FieldReader, parts: readonly Part[]): { finishReason?: FinishReason } {
  const raw = fields.string("finish_reason");
  fields.skipNull("finish_reason");
  if (raw === undefined) return {};
  const unified = unifyFinishReason(raw);
  const calledTools = unified === "stop" && parts.some((part) => part.type === "tool_call");
  return { finishReason: { unified: calledTools ? "tool_call" : unified, raw } };
}

/** The last step of the calls that state their usage in `meta`: reads it, and keeps all that is left. */
function decodeMeta(fields: FieldReader): Pick<InferenceResponse, "usage" | "extensions"> {
  const meta = fields.object("meta");
  const { usage, rest } = meta === undefined ? { usage: undefined, rest: undefined } : splitMeta(meta);
  return {
    ...optional("usage", usage),
    ...ownExtensions(fields.rest(), rest === undefined ? undefined : { meta: rest }),
  };
}

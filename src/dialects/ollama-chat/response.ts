// Room dialects, ollama-chat: whole answers as canonical responses.
// Invariant: every field of the body is in the canonical form or in `extensions`, except vectors, of which only the
// length is kept; nothing throws.

import type { FinishReason, InferenceResponse, Message } from "../../canonical/index.ts";
import type { AnswerDetail, Operation } from "../dialect.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { measureNumbers } from "../vector-elision.ts";
import { decodeMessage } from "./message.ts";
import { decodeDoneReason, optional, ownExtensions } from "./schema.ts";
import { decodeUsage, usageMembers } from "./usage.ts";

/** Decodes an answer of any call of this dialect: one choice, or none where there is no text to give. */
export function decodeResponse(
  body: JsonObject,
  operation: Operation,
  detail: AnswerDetail = "whole",
): InferenceResponse {
  const fields = new FieldReader(body);
  const model = fields.string("model");
  const usage = decodeUsage(body);
  for (const key of usageMembers) if (typeof body[key] === "number") fields.skip(key);
  if (body["done"] === true) fields.skip("done");
  const answer =
    operation.kind === "chat" || operation.kind === "generate" ? decodeAnswer(fields, operation, detail) : undefined;
  const embeddingDimensions = answer === undefined ? measureVector(body, fields, operation) : undefined;
  return {
    ...optional("model", model),
    choices: answer === undefined ? [] : [{ index: 0, ...answer }],
    ...optional("usage", usage),
    ...optional("embeddingDimensions", embeddingDimensions),
    ...(detail === "facts" ? {} : ownExtensions(fields.rest())),
  };
}

function decodeAnswer(
  fields: FieldReader,
  operation: Operation,
  detail: AnswerDetail,
): { message: Message; finishReason?: FinishReason } | undefined {
  const message = operation.kind === "generate" ? decodeGenerated(fields) : decodeChatMessage(fields, detail);
  if (message === undefined) return undefined;
  const raw = fields.filledString("done_reason");
  const calledTools = message.parts.some((part) => part.type === "tool_call");
  return { message, ...optional("finishReason", raw === undefined ? undefined : decodeDoneReason(raw, calledTools)) };
}

function decodeChatMessage(fields: FieldReader, detail: AnswerDetail): Message | undefined {
  const wire = fields.object("message");
  if (wire === undefined) return undefined;
  const { role = "assistant", tool_calls } = wire;
  return decodeMessage(detail === "facts" ? { role, tool_calls } : { role: "assistant", ...wire });
}

/** Generate has the members of an answer's message at the top level, its text as `response`. */
function decodeGenerated(fields: FieldReader): Message | undefined {
  if (!fields.has("response")) return undefined;
  const content = fields.string("response");
  const thinking = fields.filledString("thinking");
  const calls = fields.array("tool_calls");
  return decodeMessage({
    role: "assistant",
    ...optional("thinking", thinking),
    ...optional("content", content),
    ...optional("tool_calls", calls),
  });
}

function measureVector(body: JsonObject, fields: FieldReader, operation: Operation): number | undefined {
  if (operation.kind !== "embed" && operation.kind !== "embeddings") return undefined;
  const vector: unknown = fields.array("embedding") ?? fields.array("embeddings")?.[0] ?? body["embedding"];
  const length = measureNumbers(vector);
  return length === 0 ? undefined : length;
}

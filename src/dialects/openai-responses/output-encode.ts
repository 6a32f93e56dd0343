// Room dialects, openai-responses: the items of an answer for a client of this dialect.
// Invariant: an item has every member that openai-node 7.55.0 types as required; a call that the provider ran is never one
// that the client would run.

import type { Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { isJsonObject, optional, type JsonObject } from "../json/fields.ts";
import { kindOf } from "./content-encode.ts";
import { takeStructure } from "../structure.ts";
import { encodeArguments } from "./item-encode.ts";
import { takeForeignSignature } from "./reasoning-encode.ts";

/** The items of an answer's parts. `logprobs` are those of its text, `citations` what its message as a whole cites. */
export function encodeOutput(
  parts: readonly Part[],
  { logprobs, citations }: { logprobs: unknown[]; citations: JsonObject[] },
  encoding: Encoding,
): JsonObject[] {
  const output: JsonObject[] = [];
  const makeId = (prefix: string): string => encoding.makeId(prefix, output.length);
  let content: JsonObject[] | undefined;
  let isFirstText = true;
  for (const [index, part] of parts.entries()) {
    const path = ["choices", 0, "message", "parts", index];
    takeStructure(encoding, part, path);
    if (part.type === "text") {
      if (part.content === "") continue;
      if (content === undefined) {
        content = [];
        output.push(messageItem(makeId("msg_"), content));
      }
      const beside = isFirstText ? { logprobs, citations } : { logprobs: [], citations: [] };
      isFirstText = false;
      const annotations = [...encodeCitations([part], part.content.length, path, encoding), ...beside.citations];
      content.push(textContent(part.content, isRefusal(part, encoding), annotations, beside.logprobs));
      continue;
    }
    const items = encodeItems(part, path, encoding, output.length);
    if (items.length === 0) continue;
    content = undefined;
    for (const item of items) output.push(item(makeId));
  }
  return output;
}

type MakeItem = (makeId: (prefix: string) => string) => JsonObject;

function encodeItems(part: Part, path: CanonicalPath, encoding: Encoding, number: number): MakeItem[] {
  const signature =
    part.type === "reasoning" || part.type === "tool_call" ? takeForeignSignature(part, encoding) : undefined;
  if (part.type === "reasoning") {
    if (part.content === "" && signature === undefined) return [];
    return [(makeId) => reasoningItem(makeId("rs_"), part.content, signature)];
  }
  if (part.type === "tool_call") {
    const isCustom = takeIsCustom(part, encoding);
    const callId = part.id ?? encoding.makeId("call_", number);
    const call: MakeItem = (makeId) =>
      callItem(makeId(isCustom ? "ctc_" : "fc_"), isCustom, callId, part.name, encodeArguments(part.arguments));
    return signature === undefined ? [call] : [(makeId) => reasoningItem(makeId("rs_"), "", signature), call];
  }
  const whole = encodeWholeItem(part, path, encoding);
  return whole === undefined ? [] : [(makeId) => ({ id: makeId(whole.prefix), ...whole.item })];
}

/** A message of the model's. `content` may still grow. */
export function messageItem(id: string, content: JsonObject[], status = "completed"): JsonObject {
  return { id, type: "message", status, role: "assistant", content };
}

/** Text, or the refusal of one. */
export function textContent(
  text: string,
  refusal: boolean,
  annotations: readonly JsonObject[],
  logprobs: readonly unknown[],
): JsonObject {
  return refusal ? { type: "refusal", refusal: text } : { type: "output_text", text, annotations, logprobs };
}

/** Reasoning; the text as its summary, which is what clients show. */
export function reasoningItem(id: string, text: string, encrypted: string | undefined): JsonObject {
  const summary = text === "" ? [] : [{ type: "summary_text", text }];
  return { id, type: "reasoning", summary, ...optional("encrypted_content", encrypted) };
}

/** A call for the client to run; `text` is the arguments, or a custom tool's input. */
export function callItem(
  id: string,
  isCustom: boolean,
  callId: string,
  name: string,
  text: string,
  status = "completed",
): JsonObject {
  if (isCustom) return { id, type: "custom_tool_call", status, call_id: callId, name, input: text };
  return { id, type: "function_call", status, call_id: callId, name, arguments: text };
}

/** Items that only come whole: images, and searches that the provider made. Undefined: told as a loss. */
export function encodeWholeItem(
  part: Part,
  path: CanonicalPath,
  encoding: Encoding,
): { prefix: string; item: JsonObject } | undefined {
  if (part.type === "blob" && part.modality === "image") {
    const format = part.mime_type?.slice("image/".length);
    const item = {
      type: "image_generation_call",
      status: "completed",
      result: part.content,
      ...optional("output_format", format),
    };
    return { prefix: "ig_", item };
  }
  if (part.type === "server_tool_call" && part.server_tool_call.type === "web_search") {
    const { input } = part.server_tool_call;
    const query = isJsonObject(input) && typeof input["query"] === "string" ? input["query"] : undefined;
    const action = { type: "search", ...optional("query", query) };
    return { prefix: "ws_", item: { type: "web_search_call", status: "completed", action } };
  }
  encoding.lose(path, "unsupported", `the Responses API has no item for this ${kindOf(part)}`);
  return undefined;
}

/** Whether a call is of a custom tool, as chat completions mark it. */
export function takeIsCustom(part: Part, encoding: Encoding): boolean {
  return encoding.take(part, "openai-chat", "type") === "custom";
}

/** Whether a text is a refusal, as chat completions mark it. */
export function isRefusal(part: Part, encoding: Encoding): boolean {
  if (part.extensions?.["openai-chat"]?.["type"] !== "refusal") return false;
  encoding.take(part, "openai-chat", "type");
  return true;
}

/**
 * Sources of one text, of `length` characters, as annotations. Only those with an address have a form here: of Anthropic's
 * five kinds the search results'. They cite the whole block, so the annotation spans it.
 */
export function encodeCitations(
  nodes: readonly Pick<Part, "extensions">[],
  length: number,
  path: CanonicalPath,
  encoding: Encoding,
): JsonObject[] {
  const annotations: JsonObject[] = [];
  for (const node of nodes) {
    const citations = encoding.take(node, "anthropic-messages", "citations");
    for (const citation of Array.isArray(citations) ? (citations as unknown[]) : []) {
      if (!isJsonObject(citation) || typeof citation["url"] !== "string") {
        encoding.lose([...path, "citations"], "unsupported", "a citation without an address has no form here");
        continue;
      }
      const { url, title } = citation;
      annotations.push({
        type: "url_citation",
        start_index: 0,
        end_index: length,
        url,
        title: typeof title === "string" ? title : "",
      });
    }
  }
  return annotations;
}

/** The annotations of a chat completion's message, flattened. */
export function encodeChatAnnotations(annotations: unknown): JsonObject[] {
  if (!Array.isArray(annotations)) return [];
  return (annotations as unknown[]).filter(isJsonObject).map((annotation) => {
    const { type, [String(type)]: nested, ...rest } = annotation;
    return { type, ...rest, ...(isJsonObject(nested) ? nested : {}) };
  });
}

/** Log probabilities of a chat completion's choice; each token is written the same in both dialects. */
export function readChatLogprobs(held: unknown): unknown[] {
  const content = isJsonObject(held) ? held["content"] : undefined;
  return Array.isArray(content) ? (content as unknown[]) : [];
}

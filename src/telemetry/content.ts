// Room telemetry: message content in the shape of the GenAI JSON schemas, for capture that the operator turned on.
// Invariant: called only when capture is not `none`; cutting shortens single contents and never breaks the structure around them.

import type { InferenceRequest, InferenceResponse, Message, Part, ToolDefinition } from "../canonical/index.ts";
import { attr } from "./semconv.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Content attributes by name, structured; `truncated` when anything was cut. */
export interface CapturedContent {
  attributes: Record<string, Json>;
  truncated: boolean;
  /** Characters that were kept. */
  characters: number;
}

/** Takes the content of one model call. */
export function captureContent(
  request: InferenceRequest | undefined,
  response: InferenceResponse | undefined,
  maxCharacters: number,
): CapturedContent {
  const scissors = new Scissors(maxCharacters);
  const attributes: Record<string, Json> = {};
  if (request !== undefined && request.messages.length > 0) {
    attributes[attr.inputMessages] = request.messages.map((message) => toMessage(message, scissors));
  }
  if (request?.systemInstructions !== undefined) {
    attributes[attr.systemInstructions] = request.systemInstructions.map((part) => toPart(part, scissors));
  }
  if (request?.tools !== undefined) {
    attributes[attr.toolDefinitions] = request.tools.map((tool) => toTool(tool, scissors));
  }
  if (response !== undefined && response.choices.length > 0) {
    attributes[attr.outputMessages] = response.choices.map(({ message, finishReason }) => ({
      ...toMessage(message, scissors),
      ...(finishReason === undefined ? {} : { finish_reason: finishReason.unified }),
    }));
  }
  return { attributes, truncated: scissors.used, characters: scissors.kept };
}

/** For spans: JSON strings, which is the form most trace viewers can show. */
export function toSpanAttributes({ attributes }: CapturedContent): Record<string, string> {
  const strings: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) strings[name] = JSON.stringify(value);
  return strings;
}

class Scissors {
  used = false;
  kept = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  text(value: string): string {
    this.kept += Math.min(value.length, this.#max);
    if (value.length <= this.#max) return value;
    this.used = true;
    const cut = value.slice(0, this.#max);
    // A surrogate pair is one character to the reader: never half of it.
    return cut.isWellFormed() || !value.isWellFormed() ? cut : cut.slice(0, -1);
  }

  /** Base64 stays decodable. */
  base64(value: string): string {
    const cut = this.text(value);
    return cut === value ? value : cut.slice(0, cut.length - (cut.length % 4));
  }

  /** Free JSON (tool arguments and results): whole, or its text cut short. */
  json(value: unknown): Json {
    if (typeof value === "string") return this.text(value);
    const text = stringifySafely(value);
    const kept = this.text(text);
    return kept === text ? (JSON.parse(text) as Json) : kept;
  }
}

function toMessage(message: Message, scissors: Scissors): Record<string, Json> {
  const parts = message.parts.map((part) => toPart(part, scissors));
  return message.name === undefined ? { role: message.role, parts } : { role: message.role, parts, name: message.name };
}

function toTool({ type, name, description, parameters }: ToolDefinition, scissors: Scissors): Json {
  return {
    type,
    name,
    ...(description === undefined ? {} : { description: scissors.text(description) }),
    ...(parameters === undefined ? {} : { parameters: scissors.json(parameters) }),
  };
}

function toPart(part: Part, scissors: Scissors): Json {
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, content: scissors.text(part.content) };
    case "tool_call":
      return {
        type: part.type,
        ...optional("id", part.id),
        name: part.name,
        ...(part.arguments === undefined ? {} : { arguments: scissors.json(part.arguments) }),
      };
    case "tool_call_response":
      return { type: part.type, ...optional("id", part.id), response: scissors.json(part.response) };
    case "server_tool_call":
      return {
        type: part.type,
        ...optional("id", part.id),
        name: part.name,
        server_tool_call: toServerTool(part.server_tool_call, scissors),
      };
    case "server_tool_call_response":
      return {
        type: part.type,
        ...optional("id", part.id),
        server_tool_call_response: toServerTool(part.server_tool_call_response, scissors),
      };
    case "blob":
      return {
        type: part.type,
        ...optional("mime_type", part.mime_type),
        modality: part.modality,
        content: scissors.base64(part.content),
      };
    case "file":
      return {
        type: part.type,
        ...optional("mime_type", part.mime_type),
        modality: part.modality,
        file_id: part.file_id,
      };
    case "uri":
      return {
        type: part.type,
        ...optional("mime_type", part.mime_type),
        modality: part.modality,
        uri: scissors.text(part.uri),
      };
    case "compaction":
      return {
        type: part.type,
        ...optional("id", part.id),
        ...(part.content === undefined ? {} : { content: scissors.text(part.content) }),
      };
    case "generic":
      return { type: part.type, generic_type: part.generic_type };
  }
}

function toServerTool(call: { type: string; [key: string]: unknown }, scissors: Scissors): Json {
  const result: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(call)) if (value !== undefined) result[key] = scissors.json(value);
  result["type"] = call.type;
  return result;
}

function optional(name: string, value: string | undefined): { [key: string]: string } {
  return value === undefined ? {} : { [name]: value };
}

/** JSON text; of a value that nests deeper than the stack only that it does. */
function stringifySafely(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return '"[nested too deeply]"';
  }
}

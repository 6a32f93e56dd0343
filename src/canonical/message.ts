// Room canonical: the message model of OpenTelemetry's GenAI conventions, which is also what Outrider translates through.
// Field names inside parts are those of the GenAI JSON schemas (snake_case), so that a captured message is reported as it is.
// Invariant: nothing a dialect decodes is thrown away; what has no canonical place stays in `extensions` at its node.

/** Fields of one node that the canonical form has no place for, by the dialect they came from; values are plain JSON. */
export type Extensions = Record<string, Record<string, unknown>>;

/** Media kinds of the GenAI conventions. */
export type Modality = "image" | "video" | "audio" | "document";

export interface TextPart {
  type: "text";
  content: string;
  extensions?: Extensions;
}

/** Model reasoning; `content` is empty when the provider only hands out a signature (kept in `extensions`). */
export interface ReasoningPart {
  type: "reasoning";
  content: string;
  extensions?: Extensions;
}

/** A call the client must run. `arguments` is parsed JSON where the wire text parses, else the raw text. */
export interface ToolCallPart {
  type: "tool_call";
  id?: string;
  name: string;
  arguments?: unknown;
  extensions?: Extensions;
}

export interface ToolCallResponsePart {
  type: "tool_call_response";
  id?: string;
  response: unknown;
  extensions?: Extensions;
}

/** A call the provider runs itself (web search, code execution …); never handed to the client as a tool call. */
export interface ServerToolCallPart {
  type: "server_tool_call";
  id?: string;
  name: string;
  server_tool_call: { type: string; [key: string]: unknown };
  extensions?: Extensions;
}

export interface ServerToolCallResponsePart {
  type: "server_tool_call_response";
  id?: string;
  server_tool_call_response: { type: string; [key: string]: unknown };
  extensions?: Extensions;
}

/** Inline media; `content` is base64 as it was on the wire. */
export interface BlobPart {
  type: "blob";
  mime_type?: string;
  modality: Modality;
  content: string;
  extensions?: Extensions;
}

/** Media stored at the provider. */
export interface FilePart {
  type: "file";
  mime_type?: string;
  modality: Modality;
  file_id: string;
  extensions?: Extensions;
}

/** Media at an address. */
export interface UriPart {
  type: "uri";
  mime_type?: string;
  modality: Modality;
  uri: string;
  extensions?: Extensions;
}

export interface CompactionPart {
  type: "compaction";
  id?: string;
  content?: string;
  extensions?: Extensions;
}

/** A part the canonical form has no kind for; the whole wire object is in `extensions`. */
export interface GenericPart {
  type: "generic";
  generic_type: string;
  extensions?: Extensions;
}

export type Part =
  | TextPart
  | ReasoningPart
  | ToolCallPart
  | ToolCallResponsePart
  | ServerToolCallPart
  | ServerToolCallResponsePart
  | BlobPart
  | FilePart
  | UriPart
  | CompactionPart
  | GenericPart;

export type Role = "system" | "developer" | "user" | "assistant" | "tool" | (string & {});

export interface Message {
  role: Role;
  parts: Part[];
  name?: string;
  extensions?: Extensions;
}

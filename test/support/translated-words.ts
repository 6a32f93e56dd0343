// One dialect's words in, another's out, for tests that write both by hand: a request, a whole answer, a stream.
// Nothing here knows what is right; tests say.
import type { InferenceRequest, InferenceResponse, Loss, StreamEvent } from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  type DialectId,
  findDialect,
  matchDialect,
  type Operation,
  translateRequest,
  translateResponse,
  translateStream,
  type TranslationFacts,
} from "../../src/dialects/index.ts";
import { readEvents } from "./bedrock-reading.ts";
import { foldEvents } from "./stream-decoding.ts";

export type Json = Record<string, unknown>;

/** What stands at a path in a tree of JSON; undefined where there is no such place. A negative index counts from the end. */
export function at(tree: unknown, ...path: (string | number)[]): unknown {
  let node = tree;
  for (const step of path) {
    if (Array.isArray(node)) node = (node as unknown[]).at(Number(step));
    else if (typeof node === "object" && node !== null) node = (node as Json)[String(step)];
    else return undefined;
  }
  return node;
}

/** Where each dialect's conversations go, streamed where the path says so. */
const paths = {
  "openai-chat": ["/v1/chat/completions"],
  "openai-responses": ["/v1/responses"],
  "anthropic-messages": ["/v1/messages"],
  "gemini-generate-content": ["/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent"],
  "bedrock-converse": ["/model/m/converse", "/model/m/converse-stream"],
  "cohere-chat": ["/v2/chat"],
  "ollama-chat": ["/api/chat"],
} as const;

/** Dialects that can be translated. */
export type ChatDialect = keyof typeof paths;

const facts: TranslationFacts = {
  model: "target-model",
  maxOutputTokens: 1000,
  exchangeId: "0123456789abcdef0123456789abcdef",
  epochSeconds: 1_700_000_000,
};

function operationOf(dialect: ChatDialect, streams: boolean): { dialect: Dialect; operation: Operation } {
  const [whole, stream = whole] = paths[dialect];
  const path = streams ? stream : whole;
  const call = matchDialect("POST", path);
  if (call === undefined) throw new Error(`no call at ${path}`);
  return call;
}

/** A request as its dialect reads it. */
export function readRequest(from: ChatDialect, body: Json, streams = false): InferenceRequest {
  const { dialect, operation } = operationOf(from, streams);
  return dialect.decodeRequest(body, operation);
}

/** A client's request as a provider of another dialect gets it. */
export function askIn(from: ChatDialect, to: ChatDialect, body: Json, model = facts.model) {
  const told = { body, request: readRequest(from, body) };
  return translateRequest(findDialect(from), findDialect(to), told, { ...facts, model });
}

/** A whole answer as its dialect reads it. */
export function readAnswer(from: ChatDialect, body: Json): InferenceResponse {
  const { dialect, operation } = operationOf(from, false);
  return dialect.decodeResponse(body, operation);
}

/** A provider's whole answer as a client of another dialect gets it. */
export function answerIn(from: ChatDialect, to: ChatDialect, body: Json): { body: Json; losses: Loss[] } {
  return translateResponse(findDialect(from), findDialect(to), readAnswer(from, body), facts);
}

/** The events of a stream whose bytes come in these chunks. */
export function readStream(from: ChatDialect, chunks: readonly Buffer[]): StreamEvent[] {
  const { dialect, operation } = operationOf(from, true);
  const frames = createFrameDecoder(dialect.framings[0] ?? "sse");
  const decoder = dialect.eventDecoder(operation);
  const cut = [...chunks.flatMap((chunk) => frames.push(chunk)), ...frames.end()];
  return [...cut.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

/** What a stream amounts to. */
export function foldStream(from: ChatDialect, stream: string | Buffer): InferenceResponse {
  return foldEvents(readStream(from, [Buffer.from(stream)]));
}

/** One event of a stream as its client reads it; `name` where the framing has names. */
export interface ReadEvent {
  name?: string;
  data: Json | string;
}

/** A provider's stream as a client of another dialect gets it. */
export function streamIn(from: ChatDialect, to: ChatDialect, stream: string | Buffer | readonly Buffer[]) {
  const chunks = Array.isArray(stream) ? (stream as Buffer[]) : [Buffer.from(stream as string)];
  const { encoder, losses } = translateStream(findDialect(from), findDialect(to), true, facts);
  const pieces = readStream(from, chunks).flatMap((event) => encoder.push(event));
  const bytes = Buffer.concat([...pieces, ...encoder.end()].map((piece) => Buffer.from(piece)));
  return { bytes, events: readEventsOf(to, bytes), losses: losses() };
}

function readEventsOf(dialect: DialectId, bytes: Buffer): ReadEvent[] {
  if (dialect === "bedrock-converse") return readEvents(bytes).map(({ name, body }) => ({ name, data: body }));
  const [separator, prefix] = dialect === "ollama-chat" ? ["\n", ""] : ["\n\n", "data: "];
  return bytes
    .toString()
    .split(separator)
    .filter((text) => text !== "")
    .map((text) => {
      const lines = text.split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith(prefix))?.slice(prefix.length) ?? "";
      const parsed = data.startsWith("{") ? (JSON.parse(data) as Json) : data;
      return name === undefined ? { data: parsed } : { name, data: parsed };
    });
}

/** Server-sent events of these data; each that has a `type` is named by it, as Anthropic, Cohere and OpenAI's Responses name theirs. */
export function sse(...events: (Json | string)[]): string {
  return events
    .map((event) => {
      const name = typeof event === "object" && typeof event["type"] === "string" ? `event: ${event["type"]}\n` : "";
      return `${name}data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`;
    })
    .join("");
}

/** One chunk of a chat stream. */
export function chatChunk(delta: Json, finish: string | null = null): Json {
  return { id: "chatcmpl-1", created: 1, model: "gpt-test", choices: [{ index: 0, delta, finish_reason: finish }] };
}

/** A chat stream's usage-only chunk. */
export const chatUsage: Json = {
  id: "chatcmpl-1",
  created: 1,
  model: "gpt-test",
  choices: [],
  usage: { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 },
};

/** A Messages stream around these events. */
export function messagesStream(events: Json[], stopReason = "end_turn", usage: Json = { output_tokens: 9 }): string {
  const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-test", content: [] };
  const start = { ...message, stop_reason: null, stop_sequence: null, usage: { input_tokens: 20, output_tokens: 1 } };
  return sse(
    { type: "message_start", message: start },
    ...events,
    { type: "message_delta", delta: { stop_reason: stopReason, stop_sequence: null }, usage },
    { type: "message_stop" },
  );
}

/** One content block of a Messages stream. */
export function streamedBlock(index: number, block: Json, ...deltas: Json[]): Json[] {
  return [
    { type: "content_block_start", index, content_block: block },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

/** The function tool `look` in Chat's words. */
export const chatTool: Json = {
  type: "function",
  function: { name: "look", parameters: { type: "object", properties: { at: { type: "string" } } } },
};

/** All `tool_calls` entries of a chat stream, and its finish reasons. */
export function readChatStream(events: readonly ReadEvent[]): { calls: Json[]; text: string; finish: unknown[] } {
  const choices = events.flatMap(({ data }) => (typeof data === "object" ? ((data["choices"] ?? []) as Json[]) : []));
  const deltas = choices.map((choice) => choice["delta"] as Json);
  return {
    calls: deltas.flatMap((delta) => (delta["tool_calls"] ?? []) as Json[]),
    text: deltas.map((delta) => delta["content"] ?? "").join(""),
    finish: choices
      .map((choice) => choice["finish_reason"])
      .filter((reason) => reason !== null && reason !== undefined),
  };
}

/** A streamed chat answer's calls put together by index, as a client does. */
export function joinCalls(calls: readonly Json[]): { index: unknown; id: unknown; name: unknown; arguments: string }[] {
  const joined = new Map<unknown, { index: unknown; id: unknown; name: unknown; arguments: string }>();
  for (const { index, id, function: called } of calls) {
    const { name, arguments: text } = (called ?? {}) as { name?: unknown; arguments?: string };
    const one = joined.get(index) ?? { index, id, name, arguments: "" };
    one.arguments += text ?? "";
    joined.set(index, one);
  }
  return [...joined.values()];
}

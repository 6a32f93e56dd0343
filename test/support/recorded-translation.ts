// Recorded traffic of every dialect as canonical requests, answers and events, to be put through one encode half, and the facts of an
// answer that must survive it.
import {
  createFold,
  type InferenceRequest,
  type InferenceResponse,
  type StreamEvent,
} from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  findFraming,
  matchDialect,
  type Operation,
} from "../../src/dialects/index.ts";
import { Encoding, type EncodingFacts } from "../../src/dialects/encoding.ts";
import { loadRecordings, type Recording, responseBytes } from "./recordings.ts";

const folders = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "cohere-v2",
  "ollama",
  "mistral",
];
const conversations = new Set(["chat", "generate_content"]);

export interface RecordedCall {
  id: string;
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
}

/** Recorded conversations of all dialects. */
export const calls: RecordedCall[] = loadRecordings(...folders).flatMap((recording) => {
  const call = matchDialect(recording.request.method, new URL(recording.request.url).pathname);
  if (call === undefined || !conversations.has(call.operation.name ?? "")) return [];
  return [{ id: recording.id, recording, ...call }];
});

/** An encoding as the translation opens it; results of tools are read by the source's own encode half, or as text. */
export function openEncoding(source: Dialect, target: Dialect, more: Partial<EncodingFacts> = {}): Encoding {
  return new Encoding({
    source: source.id,
    target: target.id,
    model: "target-model",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    toolResultParts: (response) =>
      source.encoder?.toolResultParts(response) ?? [{ type: "text", content: JSON.stringify(response) }],
    ...more,
  });
}

/** The parsed request and its canonical form; undefined where the recording has none. */
export function readRequest({
  recording,
  dialect,
  operation,
}: RecordedCall): { body: Record<string, unknown>; request: InferenceRequest } | undefined {
  const { body } = recording.request;
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  return {
    body: body as Record<string, unknown>,
    request: dialect.decodeRequest(body as Record<string, unknown>, operation),
  };
}

/** The canonical answer of a call that was not streamed. */
export function readAnswer({ recording, dialect, operation }: RecordedCall): InferenceResponse | undefined {
  if (recording.framing !== "json" || recording.response.status !== 200) return undefined;
  const body = JSON.parse(responseBytes(recording).toString()) as unknown;
  // Gemini's streams without server-sent events are lists.
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  return dialect.decodeResponse(body as Record<string, unknown>, operation);
}

/** The canonical events of a streamed call. */
export function readStream({ recording, dialect, operation }: RecordedCall): StreamEvent[] | undefined {
  if (recording.response.status !== 200) return undefined;
  const framing = findFraming(recording.response.headers["content-type"] ?? "", dialect, operation);
  if (framing === undefined) return undefined;
  return decodeBytes(responseBytes(recording), dialect, operation, framing);
}

/** The events of a stream's bytes. */
export function decodeBytes(
  bytes: Buffer,
  dialect: Dialect,
  operation: Operation,
  framing: Dialect["framings"][number],
): StreamEvent[] {
  const [frames, decoder] = [createFrameDecoder(framing), dialect.eventDecoder(operation)];
  const events = [...frames.push(bytes), ...frames.end()].flatMap((frame) => decoder.push(frame));
  return [...events, ...decoder.end()];
}

/** What the events amount to. */
export function foldAll(events: readonly StreamEvent[]): { answer: InferenceResponse; ended: boolean; error: unknown } {
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return { answer: fold.result(), ended: fold.ended, error: fold.error };
}

/** Calls whose arguments are a text (of custom tools, or cut short) with that text in an object, as most dialects have to write it. */
export function inObjects(calls: readonly unknown[][]): unknown[][] {
  return calls.map(([name, given]) => [name, typeof given === "string" ? { input: given } : given]);
}

/** Facts of an answer's first choice that every dialect can say. */
export function factsOf({ choices, usage }: InferenceResponse) {
  const parts = choices[0]?.message.parts ?? [];
  const textOf = (type: "text" | "reasoning"): string =>
    parts.flatMap((part) => (part.type === type ? [part.content] : [])).join("");
  return {
    text: textOf("text"),
    reasoning: textOf("reasoning"),
    calls: parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, part.arguments ?? {}]] : [])),
    finish: choices[0]?.finishReason?.unified,
    input: usage?.inputTokens,
    output: usage?.outputTokens,
  };
}

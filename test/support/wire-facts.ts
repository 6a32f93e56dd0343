// What a plain reading of recorded traffic finds: model, id, finish reasons, usage. Shares no code with src/; the rules are those of
// wire.md §1.13 and §1.14, written down once more.
import { type Recording, responseBytes } from "./recordings.ts";

type Raw = Record<string, unknown>;

/** By canonical name; undefined where the wire does not say. */
export type WireUsage = Record<UsageName, number | undefined>;

export type UsageName = "input" | "output" | "cacheRead" | "cacheWrite" | "reasoning";

/** The JSON documents of an answer, whatever its framing; what is no JSON is left out. */
export function readDocuments(recording: Recording): Raw[] {
  const bytes = responseBytes(recording);
  switch (recording.framing) {
    case "sse":
      return bytes
        .toString("utf8")
        .split(/\r\n|\n|\r/)
        .filter((line) => line.startsWith("data:"))
        .flatMap((line) => parse(line.slice(5)));
    case "ndjson":
      return bytes.toString("utf8").split("\n").flatMap(parse);
    case "eventstream":
      return readEventStream(bytes);
    default:
      return parse(bytes.toString("utf8"));
  }
}

function parse(text: string): Raw[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as Raw[]) : isRaw(value) ? [value] : [];
  } catch {
    return [];
  }
}

/** AWS messages: total and header lengths, a checksum, headers, payload, a checksum. Checksums are not looked at here. */
function readEventStream(bytes: Buffer): Raw[] {
  const documents: Raw[] = [];
  for (let at = 0; at + 16 <= bytes.length;) {
    const total = bytes.readUInt32BE(at);
    const headers = bytes.readUInt32BE(at + 4);
    for (const document of parse(bytes.toString("utf8", at + 12 + headers, at + total - 4))) {
      const inner = document["bytes"];
      if (typeof inner === "string") documents.push(...parse(Buffer.from(inner, "base64").toString("utf8")));
      else documents.push(document);
    }
    at += total;
  }
  return documents;
}

export function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const child = (value: unknown, key: string): Raw | undefined => {
  const found = isRaw(value) ? value[key] : undefined;
  return isRaw(found) ? found : undefined;
};
const children = (value: unknown, key: string): Raw[] => {
  const found = isRaw(value) ? value[key] : undefined;
  return Array.isArray(found) ? found.filter(isRaw) : [];
};
const sum = (...values: (number | undefined)[]): number | undefined =>
  values.every((value) => value === undefined) ? undefined : values.reduce<number>((all, one) => all + (one ?? 0), 0);

const nothing: WireUsage = {
  input: undefined,
  output: undefined,
  cacheRead: undefined,
  cacheWrite: undefined,
  reasoning: undefined,
};

/** The recording's own usage object in canonical counts; undefined where the recording has none. */
export function readUsage({ usage, operation, request }: Recording): WireUsage | undefined {
  if (usage === undefined) return undefined;
  // What is fetched was counted when it was made.
  if (request.method === "GET") return nothing;
  const none = { cacheRead: undefined, cacheWrite: undefined, reasoning: undefined };
  const metrics = child(usage, "amazon-bedrock-invocationMetrics");
  if ("promptTokenCount" in usage || "totalTokenCount" in usage || "thoughtsTokenCount" in usage) {
    const thoughts = number(usage["thoughtsTokenCount"]);
    return {
      ...none,
      input: sum(number(usage["promptTokenCount"]), number(usage["toolUsePromptTokenCount"])),
      output: sum(number(usage["candidatesTokenCount"]), thoughts),
      cacheRead: number(usage["cachedContentTokenCount"]),
      reasoning: thoughts,
    };
  }
  if ("inputTokens" in usage) {
    const cacheRead = number(usage["cacheReadInputTokens"]) ?? number(usage["cacheReadInputTokenCount"]);
    const cacheWrite = number(usage["cacheWriteInputTokens"]) ?? number(usage["cacheWriteInputTokenCount"]);
    const input = sum(number(usage["inputTokens"]), cacheRead, cacheWrite);
    return { ...none, input, output: number(usage["outputTokens"]), cacheRead, cacheWrite };
  }
  if ("billed_units" in usage || "tokens" in usage) {
    const tokens = child(usage, "tokens") ?? child(usage, "billed_units");
    return {
      ...none,
      // Images stand beside the text (recorded: 34 and 259 of 267 billed).
      input: sum(number(tokens?.["input_tokens"]), number(tokens?.["image_tokens"])),
      output: number(tokens?.["output_tokens"]),
      cacheRead: number(usage["cached_tokens"]),
      reasoning: number(child(usage, "tokens")?.["reasoning_tokens"]),
    };
  }
  if ("prompt_eval_count" in usage || "eval_count" in usage) {
    return { ...none, input: number(usage["prompt_eval_count"]), output: number(usage["eval_count"]) };
  }
  if (!("prompt_tokens" in usage) && ("cache_read_input_tokens" in usage || "cache_creation_input_tokens" in usage)) {
    const cacheRead = number(usage["cache_read_input_tokens"]);
    const cacheWrite = number(usage["cache_creation_input_tokens"]);
    const input = sum(number(usage["input_tokens"]), cacheRead, cacheWrite);
    const output = number(usage["output_tokens"]);
    const reasoning = number(child(usage, "output_tokens_details")?.["thinking_tokens"]);
    return { ...none, input, output, cacheRead, cacheWrite, reasoning };
  }
  if ("input_tokens" in usage) {
    const details = child(usage, "input_tokens_details");
    return {
      input: number(usage["input_tokens"]),
      output: number(usage["output_tokens"]),
      cacheRead: number(details?.["cached_tokens"]),
      cacheWrite: number(details?.["cache_write_tokens"]),
      reasoning: number(child(usage, "output_tokens_details")?.["reasoning_tokens"]),
    };
  }
  if ("prompt_tokens" in usage || "total_tokens" in usage) {
    // An embedding has no output, whatever count of it is stated (Mistral, Azure: 0).
    return operation === "embeddings" ? { ...readChatUsage(usage), output: undefined } : readChatUsage(usage);
  }
  if (metrics !== undefined) {
    const cacheRead = number(metrics["cacheReadInputTokenCount"]);
    const cacheWrite = number(metrics["cacheWriteInputTokenCount"]);
    const input = sum(number(metrics["inputTokenCount"]), cacheRead, cacheWrite);
    return { ...none, input, output: number(metrics["outputTokenCount"]), cacheRead, cacheWrite };
  }
  return undefined;
}

function readChatUsage(usage: Raw): WireUsage {
  const prompt = number(usage["prompt_tokens"]) ?? number(usage["total_tokens"]);
  const completion = number(usage["completion_tokens"]);
  const reasoning =
    number(child(usage, "completion_tokens_details")?.["reasoning_tokens"]) ??
    // Writer spells it without its s; GitHub Copilot puts it at the top.
    number(child(usage, "completion_token_details")?.["reasoning_tokens"]) ??
    number(usage["reasoning_tokens"]);
  const total = number(usage["total_tokens"]);
  // xAI states reasoning beside the completion, which its total shows.
  const apart = reasoning !== undefined && reasoning > 0 && total === (prompt ?? 0) + (completion ?? 0) + reasoning;
  const audio = number(child(usage, "prompt_tokens_details")?.["audio_tokens"]);
  // Mistral counts audio beside the prompt, which its total shows (recorded: 11 + 15 + 375 = 401).
  const audioApart = audio !== undefined && audio > 0 && total === (prompt ?? 0) + (completion ?? 0) + audio;
  return {
    input: audioApart ? (prompt ?? 0) + audio : prompt,
    output: completion === undefined ? undefined : completion + (apart ? reasoning : 0),
    cacheRead:
      number(child(usage, "prompt_tokens_details")?.["cached_tokens"]) ??
      number(usage["prompt_cache_hit_tokens"]) ??
      number(usage["cached_tokens"]) ??
      number(usage["num_cached_tokens"]) ??
      // Writer.
      number(child(usage, "prompt_token_details")?.["cached_tokens"]) ??
      // Databricks' Claude.
      number(usage["cache_read_input_tokens"]),
    cacheWrite:
      number(child(usage, "prompt_tokens_details")?.["cache_write_tokens"]) ??
      number(usage["cache_creation_input_tokens"]),
    reasoning,
  };
}

const unified: Record<string, string> = {
  stop: "stop",
  eos: "stop",
  eos_token: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  STOP: "stop",
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop",
  length: "length",
  max_tokens: "length",
  MAX_TOKENS: "length",
  model_length: "length",
  model_context_window_exceeded: "length",
  tool_calls: "tool_call",
  function_call: "tool_call",
  tool_use: "tool_call",
  TOOL_CALL: "tool_call",
  content_filter: "content_filter",
  refusal: "content_filter",
  content_filtered: "content_filter",
  guardrail_intervened: "content_filter",
  SAFETY: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  BLOCKLIST: "content_filter",
  RECITATION: "content_filter",
  SPII: "content_filter",
  compaction: "compaction",
};

/** The finish reasons of a chat answer, in order of choice; empty where the wire names none. */
export function readFinishReasons(recording: Recording): string[] {
  const reasons = new Map<number, string>();
  let toolCalled = false;
  for (const document of readDocuments(recording)) {
    const stop =
      document["stop_reason"] ??
      child(document, "delta")?.["stop_reason"] ??
      document["stopReason"] ??
      child(document, "messageStop")?.["stopReason"] ??
      (recording.dialect.startsWith("cohere") ? document["finish_reason"] : undefined) ??
      child(document, "delta")?.["finish_reason"] ??
      child(document, "response")?.["finish_reason"] ??
      document["done_reason"];
    if (typeof stop === "string" && stop !== "") reasons.set(0, stop);
    if (children(child(document, "message"), "tool_calls").length > 0) toolCalled = true;
    for (const choice of [...children(document, "choices"), ...children(document, "candidates")]) {
      const reason = choice["finish_reason"] ?? choice["finishReason"];
      if (typeof reason === "string" && reason !== "") reasons.set(number(choice["index"]) ?? 0, reason);
      if (children(child(choice, "content"), "parts").some((part) => "functionCall" in part)) toolCalled = true;
    }
  }
  const promoted = recording.dialect === "gemini" || recording.dialect === "ollama";
  return [...reasons]
    .sort(([a], [b]) => a - b)
    .map(([, reason]) => unified[reason] ?? "error")
    .map((reason) => (promoted && toolCalled && reason === "stop" ? "tool_call" : reason));
}

/** The first model and id that an answer names; a Responses event carries them in its `response`, a Messages event in its `message`. */
export function readIdentity(recording: Recording): { model: string | undefined; id: string | undefined } {
  const filled = (value: unknown): string | undefined =>
    typeof value === "string" && value !== "" ? value : undefined;
  let model: string | undefined;
  let id: string | undefined;
  for (const document of readDocuments(recording)) {
    for (const head of [child(document, "message"), child(document, "response"), document]) {
      model ??= filled(head?.["model"]) ?? filled(head?.["modelVersion"]);
      id ??= filled(head?.["id"]) ?? filled(head?.["responseId"]) ?? filled(head?.["response_id"]);
    }
  }
  return { model, id };
}

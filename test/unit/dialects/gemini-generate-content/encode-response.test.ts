// Answers and streams of other dialects as a Gemini client reads them. Numbers are those of wire.md §5.
import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import type { Choice, InferenceResponse, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import type { DialectId } from "../../../../src/dialects/index.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/gemini-generate-content/encoder.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";
import { decodeEvents, foldEvents } from "../../../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

const exchangeId = "0123456789abcdef0123456789abcdef";

function open(source: DialectId): Encoding {
  return new Encoding({
    source,
    target: "gemini-generate-content",
    model: "served",
    exchangeId,
    epochSeconds: 1_795_000_000,
    toolResultParts: () => [],
  });
}

function encode(response: InferenceResponse, source: DialectId = "openai-chat") {
  const encoding = open(source);
  const body = encoder.encodeResponse(response, encoding);
  encoding.loseLeftovers(response);
  return { body, losses: encoding.losses.map(({ path, reason }) => `${path.join("/")} ${reason}`) };
}

const choice = (unified: NonNullable<Choice["finishReason"]>["unified"], ...parts: Part[]): Choice => ({
  index: 0,
  message: { role: "assistant", parts },
  finishReason: { unified, raw: "raw" },
});
const text = (content: string): Part => ({ type: "text", content });
const candidates = (...choices: Choice[]) => encode({ choices }).body["candidates"];

/** The mark of a foreign signature, in the base64 of this wire, written without the code under test. */
const marked = (format: string, value: string) => Buffer.from(`outrider:${format}:${value}`).toString("base64");

describe("an answer", () => {
  it("has candidates, model and id, made where the provider gave none", () => {
    expect(encode({ id: "chatcmpl-1", model: "m", choices: [choice("stop", text("hi"))] }).body).toEqual({
      candidates: [{ content: { parts: [{ text: "hi" }], role: "model" }, finishReason: "STOP", index: 0 }],
      modelVersion: "m",
      responseId: "chatcmpl-1",
    });
    expect(encode({ choices: [] }).body).toEqual({ candidates: [], modelVersion: "served", responseId: exchangeId });
  });

  it("counts thoughts apart from candidates, and both in the total (23)", () => {
    const usage = { inputTokens: 10, outputTokens: 196, reasoningTokens: 190, cacheReadTokens: 4, cacheWriteTokens: 2 };
    const { body, losses } = encode({ choices: [], usage, serviceTier: "default" });
    expect(body["usageMetadata"]).toEqual({
      promptTokenCount: 10,
      candidatesTokenCount: 6,
      totalTokenCount: 206,
      cachedContentTokenCount: 4,
      thoughtsTokenCount: 190,
      serviceTier: "standard",
    });
    expect(losses).toEqual(["usage/cacheWriteTokens unsupported"]);
  });

  it("states no count that the provider did not state", () => {
    expect(encode({ choices: [], usage: { outputTokens: 3 } }).body["usageMetadata"]).toEqual({
      candidatesTokenCount: 3,
    });
  });

  it.each([
    ["stop", "STOP"],
    ["tool_call", "STOP"],
    ["length", "MAX_TOKENS"],
    ["content_filter", "SAFETY"],
    ["error", "OTHER"],
  ] as const)("ends by %s with %s", (unified, word) => {
    expect(candidates(choice(unified, text("a")))).toMatchObject([{ finishReason: word }]);
  });

  it("cut in a call ends by its length (16), and with nothing but thought has its content all the same (17)", () => {
    const call: Part = { type: "tool_call", id: "a", name: "f", arguments: '{"a"' };
    expect(candidates(choice("length", call))).toEqual([
      {
        content: { parts: [{ functionCall: { id: "a", name: "f", args: { input: '{"a"' } } }], role: "model" },
        finishReason: "MAX_TOKENS",
        index: 0,
      },
    ]);
    expect(candidates(choice("length"))).toEqual([
      { content: { parts: [], role: "model" }, finishReason: "MAX_TOKENS", index: 0 },
    ]);
  });

  it("filtered before a word is a refused prompt; filtered later it is a candidate", () => {
    const { body } = encode({ choices: [choice("content_filter")] });
    expect(body).toMatchObject({ promptFeedback: { blockReason: "SAFETY" } });
    expect(body["candidates"]).toBeUndefined();
  });

  it("never hands out a call that the provider ran itself", () => {
    const ran: Part = { type: "server_tool_call", name: "web_search", server_tool_call: { type: "web_search" } };
    const { body, losses } = encode({ choices: [choice("stop", ran, text("found"))] });
    expect(body["candidates"]).toMatchObject([{ content: { parts: [{ text: "found" }] } }]);
    expect(losses).toEqual(["choices/0/message/parts/0 unsupported"]);
  });

  it("keeps every family's signature, in base64 and with its mark", () => {
    const reasoning = (dialect: string, bag: Wire): Part => ({
      type: "reasoning",
      content: "hm",
      extensions: { [dialect]: bag },
    });
    const signatureOf = (dialect: DialectId, bag: Wire) => {
      const { body, losses } = encode({ choices: [choice("stop", reasoning(dialect, bag))] }, dialect);
      expect(losses).toEqual([]);
      const [wire] = body["candidates"] as [{ content: { parts: Wire[] } }];
      return wire.content.parts.map((part) => part["thoughtSignature"]);
    };
    expect(signatureOf("anthropic-messages", { signature: "c2ln" })).toEqual([marked("anthropic-claude-v1", "c2ln")]);
    expect(signatureOf("bedrock-converse", { reasoningText: { signature: "c2ln" } })).toEqual([
      marked("amazon-bedrock-v1", "c2ln"),
    ]);
    expect(signatureOf("openai-responses", { item: { type: "reasoning", encrypted_content: "ZW5j" } })).toEqual([
      marked("openai-responses-v1", "ZW5j"),
    ]);
    const details = [
      { type: "reasoning.text", text: "hm", signature: "Z29v", format: "google-gemini-v1" },
      { type: "reasoning.encrypted", data: "ZW5j", format: "openai-responses-v1" },
    ];
    expect(signatureOf("openai-chat", { reasoning_details: details })).toEqual([
      "Z29v",
      marked("openai-responses-v1", "ZW5j"),
    ]);
  });

  it("has log probabilities in Google's shape", () => {
    const token = { token: "a", logprob: -0.5, bytes: [97], top_logprobs: [{ token: "b", logprob: -1, bytes: null }] };
    const told: Choice = { ...choice("stop"), extensions: { "openai-chat": { logprobs: { content: [token] } } } };
    expect(candidates(told)).toMatchObject([
      {
        logprobsResult: {
          chosenCandidates: [{ token: "a", logProbability: -0.5 }],
          topCandidates: [{ candidates: [{ token: "b", logProbability: -1 }] }],
        },
      },
    ]);
  });
});

const at = (part: number) => ({ choice: 0, part });
const ended = (unified: NonNullable<Choice["finishReason"]>["unified"]): StreamEvent[] => [
  { type: "choice_end", choice: 0, finishReason: { unified } },
  { type: "usage", usage: { inputTokens: 5, outputTokens: 7, reasoningTokens: 3 } },
  { type: "response_end" },
];

function write(events: readonly StreamEvent[], source: DialectId = "openai-chat") {
  const encoding = open(source);
  const events_ = encoder.eventEncoder(encoding, false);
  const frames = [...events.flatMap((event) => events_.push(event)), ...events_.end()].map(String);
  for (const frame of frames) expect(frame).toMatch(/^data: [^\r\n]+\r\n\r\n$/);
  return { frames, chunks: frames.map((frame) => JSON.parse(frame.slice(5)) as Wire), losses: encoding.losses };
}

function readParts(chunks: readonly Wire[]): unknown[] {
  return chunks.flatMap((chunk) => {
    const list = (chunk["candidates"] ?? []) as { content?: { parts?: unknown[] } }[];
    return list.flatMap(({ content }) => content?.parts ?? []);
  });
}

describe("a stream", () => {
  const events: StreamEvent[] = [
    { type: "response_start", id: "r", model: "m" },
    { type: "choice_start", choice: 0, role: "assistant" },
    { type: "part_start", ...at(0), value: { type: "reasoning", content: "" } },
    { type: "part_delta", ...at(0), text: "hm" },
    { type: "part_extend", ...at(0), extensions: { "anthropic-messages": { signature: "c2ln" } } },
    { type: "part_end", ...at(0) },
    { type: "keepalive" },
    { type: "part_start", ...at(1), value: text("") },
    { type: "part_delta", ...at(1), text: "li\nne" },
    { type: "part_delta", ...at(1), text: "" },
    { type: "part_start", ...at(2), value: { type: "tool_call", id: "a", name: "f" } },
    { type: "part_start", ...at(3), value: { type: "tool_call", id: "b", name: "g" } },
    { type: "part_delta", ...at(3), text: "" },
    { type: "part_delta", ...at(2), text: '{"x":' },
    { type: "part_delta", ...at(2), text: "1}" },
    { type: "unrecognized", name: "other" },
    ...ended("tool_call"),
  ];

  it("tells text as it comes and calls whole, with a last chunk for reason and usage (1, 3, 5)", () => {
    const { chunks, frames } = write(events, "anthropic-messages");
    const signature = marked("anthropic-claude-v1", "c2ln");
    expect(readParts(chunks)).toEqual([
      { text: "hm", thought: true },
      { text: "", thought: true, thoughtSignature: signature },
      { text: "li\nne" },
      { functionCall: { id: "a", name: "f", args: { x: 1 } } },
      { functionCall: { id: "b", name: "g", args: {} } },
    ]);
    expect(chunks.at(-1)).toEqual({
      candidates: [{ content: { parts: [], role: "model" }, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 4, totalTokenCount: 12, thoughtsTokenCount: 3 },
      modelVersion: "m",
      responseId: "r",
    });
    expect(chunks.every((chunk) => chunk["responseId"] === "r" && chunk["modelVersion"] === "m")).toBe(true);
    expect(frames.join("")).not.toContain("[DONE]");
  });

  it("reads as the whole answer does (50)", () => {
    const operation = geminiGenerateContent.match("POST", "/v1beta/models/m:streamGenerateContent");
    if (operation === undefined) throw new Error("no call");
    const { frames } = write(events, "anthropic-messages");
    const decoder = geminiGenerateContent.eventDecoder(operation);
    const streamed = foldEvents(decodeEvents(decoder, [Buffer.from(frames.join(""))]));
    const whole = encoder.encodeResponse(foldEvents(events), open("anthropic-messages"));
    expect(streamed).toEqual(geminiGenerateContent.decodeResponse(whole, operation));
  });

  it("keeps id and model as it first said them", () => {
    const { chunks } = write([
      { type: "part_start", ...at(0), value: text("a") },
      { type: "response_start", id: "late", model: "late" },
      ...ended("stop"),
    ]);
    expect(new Set(chunks.map((chunk) => chunk["responseId"]))).toEqual(new Set([exchangeId]));
    expect(new Set(chunks.map((chunk) => chunk["modelVersion"]))).toEqual(new Set(["served"]));
  });

  it("without its end is an error after what came, never a clean end (33, 49)", () => {
    const { chunks } = write([{ type: "part_start", ...at(0), value: text("half") }]);
    expect(readParts(chunks)).toEqual([{ text: "half" }]);
    expect(chunks.at(-1)).toMatchObject({ error: { code: 502, status: "INTERNAL" } });
    expect(write([]).chunks).toMatchObject([{ error: { code: 502 } }]);
  });

  it("tells a provider's error and nothing after it (34)", () => {
    const { chunks } = write([
      { type: "part_start", ...at(0), value: text("half") },
      { type: "error", error: { type: "overloaded_error", message: "busy" } },
      { type: "part_delta", ...at(0), text: "more" },
      ...ended("stop"),
    ]);
    expect(chunks).toHaveLength(2);
    expect(chunks[1]).toMatchObject({ error: { message: "busy" } });
  });

  it("refused before a word has no candidates", () => {
    const { chunks } = write([{ type: "choice_start", choice: 0, role: "assistant" }, ...ended("content_filter")]);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toMatchObject({ promptFeedback: { blockReason: "SAFETY" } });
    expect(chunks[0]?.["candidates"]).toBeUndefined();
  });

  it("has several choices side by side, ended in one chunk", () => {
    const { chunks } = write([
      { type: "part_start", choice: 1, part: 0, value: text("b") },
      { type: "part_start", choice: 0, part: 0, value: text("a") },
      { type: "choice_end", choice: 1, finishReason: { unified: "length" } },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop" } },
    ]);
    expect(chunks.at(-1)?.["candidates"]).toEqual([
      { content: { parts: [{ text: "" }], role: "model" }, finishReason: "STOP", index: 0 },
      { content: { parts: [{ text: "" }], role: "model" }, finishReason: "MAX_TOKENS", index: 1 },
    ]);
  });

  it("tells each fact that it has no place for once", () => {
    const cited: StreamEvent = {
      type: "message_extend",
      choice: 0,
      extensions: { "openai-chat": { annotations: [1] } },
    };
    const { losses } = write([{ type: "part_start", ...at(0), value: text("a") }, cited, cited, ...ended("stop")]);
    expect(losses.map(({ path }) => path.at(-1))).toEqual(["annotations"]);
  });
});

// Answers of other dialects for Converse's clients, whole and streamed. Numbers in brackets: wire.md §5.

import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { InferenceResponse, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import { encoder } from "../../../../src/dialects/bedrock-converse/encoder.ts";
import type { DialectId } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { wrapSignature } from "../../../../src/dialects/signatures.ts";

function openEncoding(source: DialectId): Encoding {
  return new Encoding({
    source,
    target: "bedrock-converse",
    model: "m",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 0,
    toolResultParts: () => [],
  });
}

function encode(response: InferenceResponse, source: DialectId = "openai-chat") {
  const encoding = openEncoding(source);
  const body = encoder.encodeResponse(response, encoding);
  encoding.loseLeftovers(response);
  return { body, losses: encoding.losses.map(({ path, reason }) => `${path.join("/")} ${reason}`) };
}

const answer = (parts: Part[], rest: Partial<InferenceResponse["choices"][0]> = {}): InferenceResponse => ({
  choices: [{ index: 0, message: { role: "assistant", parts }, finishReason: { unified: "stop" }, ...rest }],
});
const text = (content: string): Part => ({ type: "text", content });

describe("a whole answer", () => {
  it("has the members that the SDK's type requires", () => {
    const { body, losses } = encode({
      ...answer([text("Hi")]),
      id: "chatcmpl-1",
      model: "gpt",
      usage: { inputTokens: 100, outputTokens: 7, cacheReadTokens: 60, cacheWriteTokens: 30, cacheWrite1hTokens: 30 },
    });
    expect(body).toEqual({
      output: { message: { role: "assistant", content: [{ text: "Hi" }] } },
      stopReason: "end_turn",
      usage: {
        inputTokens: 10,
        outputTokens: 7,
        totalTokens: 107,
        cacheReadInputTokens: 60,
        cacheWriteInputTokens: 30,
        cacheDetails: [{ ttl: "1h", inputTokens: 30 }],
      },
      metrics: { latencyMs: 0 },
    });
    expect(losses).toEqual([]);
  });

  it.each([
    { usage: undefined, counts: [0, 0, 0] },
    { usage: { inputTokens: 9 }, counts: [9, 0, 9] },
    { usage: { outputTokens: 4 }, counts: [0, 4, 4] },
  ])("has the counts that the SDK's type requires when the provider gave $usage", ({ usage, counts }) => {
    const { body } = encode({ ...answer([text("Hi")]), ...(usage === undefined ? {} : { usage }) });
    const [inputTokens, outputTokens, totalTokens] = counts;
    expect(body["usage"]).toEqual({ inputTokens, outputTokens, totalTokens });
  });

  it.each([
    { finishReason: { unified: "stop", raw: "stop" } as const, word: "end_turn" },
    { finishReason: { unified: "stop", raw: "stop_sequence" } as const, word: "stop_sequence" },
    { finishReason: { unified: "length", raw: "MAX_TOKENS" } as const, word: "max_tokens" },
    {
      finishReason: { unified: "length", raw: "model_context_window_exceeded" } as const,
      word: "model_context_window_exceeded",
    },
    { finishReason: { unified: "content_filter", raw: "SAFETY" } as const, word: "content_filtered" },
    { finishReason: { unified: "tool_call" } as const, word: "tool_use" },
    { finishReason: { unified: "error", raw: "tool_use" } as const, word: "malformed_model_output" },
  ])("ends for $finishReason with $word", ({ finishReason, word }) => {
    expect(encode(answer([text("Hi")], { finishReason })).body["stopReason"]).toBe(word);
  });

  it("tells calls by its reason only where it ended cleanly", () => {
    const call: Part = { type: "tool_call", name: "f", arguments: { a: 1 } };
    const { body } = encode(answer([call]), "gemini-generate-content");
    expect(body).toMatchObject({
      output: {
        message: { content: [{ toolUse: { toolUseId: "tooluse_0123456789abcdef00", name: "f", input: { a: 1 } } }] },
      },
      stopReason: "tool_use",
    });
    expect(encode(answer([call], { finishReason: { unified: "length" } })).body["stopReason"]).toBe("max_tokens");
  });

  it("never hands out a call that the provider ran itself", () => {
    const { body, losses } = encode(
      answer([{ type: "server_tool_call", name: "web_search", server_tool_call: { type: "web_search" } }, text("Hi")]),
      "anthropic-messages",
    );
    expect(body["output"]).toEqual({ message: { role: "assistant", content: [{ text: "Hi" }] } });
    expect(losses).toEqual(["choices/0/message/parts/0 unsupported"]);
  });

  it("marks foreign signatures, in front of a call too, and leaves Bedrock's own bare", () => {
    const signed = (bag: Part["extensions"]): Part => ({ type: "reasoning", content: "hm", extensions: bag }) as Part;
    const blocks = (parts: Part[], source: DialectId) =>
      (encode(answer(parts), source).body["output"] as { message: { content: unknown[] } }).message.content;
    expect(blocks([signed({ "anthropic-messages": { signature: "S" } })], "anthropic-messages")).toEqual([
      { reasoningContent: { reasoningText: { text: "hm", signature: wrapSignature("anthropic-claude-v1", "S") } } },
    ]);
    const redacted: Part = {
      type: "reasoning",
      content: "",
      extensions: { "anthropic-messages": { type: "redacted_thinking", data: "D" } },
    };
    expect(blocks([redacted], "anthropic-messages")).toEqual([
      {
        reasoningContent: {
          redactedContent: Buffer.from(wrapSignature("anthropic-claude-v1", "D")).toString("base64"),
        },
      },
    ]);
    const call: Part = {
      type: "tool_call",
      id: "c",
      name: "f",
      extensions: { "gemini-generate-content": { thoughtSignature: "AAAA" } },
    };
    expect(blocks([call], "gemini-generate-content")).toEqual([
      { reasoningContent: { reasoningText: { text: "", signature: wrapSignature("google-gemini-v1", "AAAA") } } },
      { toolUse: { toolUseId: "c", name: "f", input: {} } },
    ]);
    expect(blocks([signed({ "bedrock-converse": { reasoningText: { signature: "S" } } })], "bedrock-invoke")).toEqual([
      { reasoningContent: { reasoningText: { text: "hm", signature: "S" } } },
    ]);
  });

  it("has one choice, and tells of others and of what has no place", () => {
    const response = answer([text("Hi")]);
    response.choices.push({ index: 1, message: { role: "assistant", parts: [text("Ho")] } });
    const { losses } = encode({ ...response, systemFingerprint: "fp" });
    expect(losses).toEqual(["choices/1 unsupported", "systemFingerprint unsupported"]);
  });
});

interface WireEvent {
  name: string;
  type: string;
  body: Record<string, unknown>;
}

/** Reads frames by hand: lengths, both checksums, headers. */
function readFrames(bytes: Buffer): WireEvent[] {
  const events: WireEvent[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const total = bytes.readUInt32BE(at);
    expect(bytes.readUInt32BE(at + 8)).toBe(crc32(bytes.subarray(at, at + 8)));
    expect(bytes.readUInt32BE(at + total - 4)).toBe(crc32(bytes.subarray(at, at + total - 4)));
    const headersEnd = at + 12 + bytes.readUInt32BE(at + 4);
    const headers = new Map<string, string>();
    for (let header = at + 12; header < headersEnd;) {
      const nameEnd = header + 1 + (bytes[header] as number);
      expect(bytes[nameEnd]).toBe(7);
      const valueEnd = nameEnd + 3 + bytes.readUInt16BE(nameEnd + 1);
      headers.set(bytes.toString("utf8", header + 1, nameEnd), bytes.toString("utf8", nameEnd + 3, valueEnd));
      header = valueEnd;
    }
    expect(headers.get(":content-type")).toBe("application/json");
    events.push({
      name: headers.get(":event-type") ?? headers.get(":exception-type") ?? "",
      type: headers.get(":message-type") ?? "",
      body: JSON.parse(bytes.toString("utf8", headersEnd, at + total - 4)) as Record<string, unknown>,
    });
  }
  return events;
}

function stream(events: StreamEvent[], source: DialectId = "openai-chat") {
  const encoding = openEncoding(source);
  const made = encoder.eventEncoder(encoding, true);
  const chunks = [...events.flatMap((event) => made.push(event)), ...made.end()];
  const wire = readFrames(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))));
  return { wire, losses: encoding.losses.map(({ path, reason }) => `${path.join("/")} ${reason}`) };
}

const begin: StreamEvent[] = [
  { type: "response_start", id: "x", model: "m" },
  { type: "choice_start", choice: 0, role: "assistant" },
];
const start = (part: number, value: Part): StreamEvent => ({ type: "part_start", choice: 0, part, value });
const delta = (part: number, value: string): StreamEvent => ({ type: "part_delta", choice: 0, part, text: value });
const stop = (part: number): StreamEvent => ({ type: "part_end", choice: 0, part });
const finish = (unified: "stop" | "length" = "stop"): StreamEvent => ({
  type: "choice_end",
  choice: 0,
  finishReason: { unified },
});
const usage: StreamEvent = { type: "usage", usage: { inputTokens: 3, outputTokens: 2 } };
const call = (id: string): Part => ({ type: "tool_call", id, name: "f" });

const wireStart = { name: "messageStart", type: "event", body: { role: "assistant" } };
const wireDelta = (index: number, value: unknown) => ({
  name: "contentBlockDelta",
  type: "event",
  body: { contentBlockIndex: index, delta: value },
});
const wireStop = (index: number) => ({ name: "contentBlockStop", type: "event", body: { contentBlockIndex: index } });
const wireCall = (index: number, id: string) => ({
  name: "contentBlockStart",
  type: "event",
  body: { contentBlockIndex: index, start: { toolUse: { toolUseId: id, name: "f" } } },
});
const wireEnd = (stopReason: string) => [
  { name: "messageStop", type: "event", body: { stopReason } },
  {
    name: "metadata",
    type: "event",
    body: { usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 }, metrics: { latencyMs: 0 } },
  },
];

describe("a streamed answer", () => {
  it("announces tools only, and puts the usage after the end of the message", () => {
    const { wire, losses } = stream([
      ...begin,
      start(0, { type: "reasoning", content: "" }),
      delta(0, "hm"),
      { type: "part_extend", choice: 0, part: 0, extensions: { "anthropic-messages": { signature: "S" } } },
      stop(0),
      start(1, text("")),
      delta(1, "Hi"),
      { type: "keepalive" },
      delta(1, " you"),
      stop(1),
      start(2, call("c")),
      delta(2, '{"a"'),
      delta(2, ":1}"),
      stop(2),
      usage,
      finish(),
      { type: "response_end" },
    ]);
    expect(wire).toEqual([
      wireStart,
      wireDelta(0, { reasoningContent: { text: "hm" } }),
      wireDelta(0, { reasoningContent: { signature: wrapSignature("anthropic-claude-v1", "S") } }),
      wireStop(0),
      wireDelta(1, { text: "Hi" }),
      wireDelta(1, { text: " you" }),
      wireStop(1),
      wireCall(2, "c"),
      wireDelta(2, { toolUse: { input: '{"a"' } }),
      wireDelta(2, { toolUse: { input: ":1}" } }),
      wireStop(2),
      ...wireEnd("tool_use"),
    ]);
    expect(losses).toEqual([]);
  });

  it("waits for usage that comes after the finish reason", () => {
    expect(stream([...begin, start(0, text("Hi")), finish("length"), usage]).wire).toEqual([
      wireStart,
      wireDelta(0, { text: "Hi" }),
      wireStop(0),
      ...wireEnd("max_tokens"),
    ]);
  });

  it("keeps one block open at a time when parts interleave, and loses nothing", () => {
    const { wire } = stream([
      ...begin,
      start(0, text("")),
      delta(0, "A"),
      start(1, call("a")),
      delta(1, "{"),
      start(2, call("b")),
      delta(2, '{"b":'),
      delta(1, "}"),
      delta(0, "B"),
      delta(2, "2}"),
      stop(1),
      stop(2),
      finish(),
      usage,
    ]);
    expect(wire).toEqual([
      wireStart,
      wireDelta(0, { text: "A" }),
      wireStop(0),
      wireCall(1, "a"),
      wireDelta(1, { toolUse: { input: "{" } }),
      wireDelta(1, { toolUse: { input: "}" } }),
      wireStop(1),
      wireDelta(2, { text: "B" }),
      wireStop(2),
      wireCall(3, "b"),
      wireDelta(3, { toolUse: { input: '{"b":2}' } }),
      wireStop(3),
      ...wireEnd("tool_use"),
    ]);
  });

  it("gives a call without arguments text that parses, and one that came whole its JSON (3)", () => {
    const whole: Part = { ...call("w"), arguments: { q: "ü" } } as Part;
    const { wire } = stream([...begin, start(0, call("z")), stop(0), start(1, whole), finish(), usage]);
    expect(wire.slice(1, -2)).toEqual([
      wireCall(0, "z"),
      wireDelta(0, { toolUse: { input: "{}" } }),
      wireStop(0),
      wireCall(1, "w"),
      wireDelta(1, { toolUse: { input: '{"q":"ü"}' } }),
      wireStop(1),
    ]);
  });

  it("writes a signature that comes after its block in a block of its own", () => {
    const { wire } = stream(
      [
        ...begin,
        start(0, { type: "reasoning", content: "hm" }),
        stop(0),
        start(1, text("Hi")),
        {
          type: "part_extend",
          choice: 0,
          part: 0,
          extensions: { "gemini-generate-content": { thoughtSignature: "AAAA" } },
        },
        stop(1),
        finish(),
        usage,
      ],
      "gemini-generate-content",
    );
    expect(wire.slice(1, -2)).toEqual([
      wireDelta(0, { reasoningContent: { text: "hm" } }),
      wireStop(0),
      wireDelta(1, { text: "Hi" }),
      wireStop(1),
      wireDelta(2, { reasoningContent: { signature: wrapSignature("google-gemini-v1", "AAAA") } }),
      wireStop(2),
    ]);
  });

  it("ends a stream that broke with an exception, without a stop reason or usage made up (33)", () => {
    const { wire } = stream([...begin, start(0, text("Hi")), usage]);
    expect(wire.map(({ name, type }) => `${type} ${name}`)).toEqual([
      "event messageStart",
      "event contentBlockDelta",
      "exception modelStreamErrorException",
    ]);
  });

  it.each([
    { type: "overloaded_error", name: "serviceUnavailableException" },
    { type: "rate_limit_error", name: "throttlingException" },
    { type: "api_error", name: "modelStreamErrorException" },
  ])("tells a provider's $type as $name, and nothing after it", ({ type, name }) => {
    const error: StreamEvent = { type: "error", error: { type, message: "no" } };
    const { wire } = stream([...begin, error, start(0, text("Hi")), finish()]);
    expect(wire.map((event) => event.name)).toEqual(["messageStart", name]);
    expect(wire[1]?.body["message"]).toBe("no");
  });

  it("tells other choices and what it has no place for once", () => {
    const { wire, losses } = stream([
      ...begin,
      start(0, { type: "server_tool_call", name: "s", server_tool_call: { type: "s" } }),
      delta(0, "{}"),
      stop(0),
      { type: "part_start", choice: 1, part: 0, value: text("Ho") },
      { type: "part_delta", choice: 1, part: 0, text: "x" },
      start(1, text("Hi")),
      { type: "part_extend", choice: 0, part: 1, extensions: { "openai-chat": { annotations: [1] } } },
      finish(),
      usage,
    ]);
    expect(wire.slice(1, -2)).toEqual([wireDelta(0, { text: "Hi" }), wireStop(0)]);
    expect(losses.filter((loss) => loss === "choices/1 unsupported")).toHaveLength(1);
    expect(losses).toContain("choices/0/message/parts/0 unsupported");
    expect(losses.some((loss) => loss.endsWith("/annotations unsupported"))).toBe(true);
    expect(losses).toHaveLength(3);
  });
});

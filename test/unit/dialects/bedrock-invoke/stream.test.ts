import { describe, expect, it } from "vitest";
import { bedrockInvoke } from "../../../../src/dialects/bedrock-invoke/index.ts";
import type { Frame, Operation } from "../../../../src/dialects/dialect.ts";
import { encodeAwsMessage } from "../../../../src/dialects/framing/aws-eventstream.ts";
import { readRepeated } from "../../../support/repeated-frame.ts";
import { foldEvents } from "../../../support/stream-decoding.ts";

const operation: Operation = { kind: "chat", name: "chat", route: "/", path: "", stream: true };

const chunk = (event: unknown): Frame => ({
  event: "chunk",
  data: JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64"), p: "abc" }),
  raw: Buffer.alloc(0),
});

function decode(...frames: Frame[]) {
  const decoder = bedrockInvoke.eventDecoder(operation);
  return [...frames.flatMap((item) => decoder.push(item)), ...decoder.end()];
}

const metrics = { inputTokenCount: 5, outputTokenCount: 6, invocationLatency: 7 };
const metricsKey = "amazon-bedrock-invocationMetrics";

describe("bedrock-invoke stream", () => {
  it("prefers the family's own counts to the metrics, and keeps both", () => {
    const events = decode(
      chunk({
        type: "message_start",
        message: { id: "i", role: "assistant", content: [], usage: { input_tokens: 1 } },
      }),
      chunk({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } }),
      chunk({ type: "message_stop", [metricsKey]: metrics }),
    );
    expect(events.at(-1)).toEqual({ type: "response_end" });
    expect(foldEvents(events).usage).toEqual({
      inputTokens: 1,
      outputTokens: 2,
      raw: { input_tokens: 1, output_tokens: 2, [metricsKey]: metrics },
    });
  });

  it("takes the metrics where the family states nothing, the cache added", () => {
    const cached = { ...metrics, cacheReadInputTokenCount: 10, cacheWriteInputTokenCount: 100 };
    const events = decode(chunk({ outputs: [{ text: "a", stop_reason: "stop" }], [metricsKey]: cached }));
    expect(foldEvents(events).usage).toEqual({
      inputTokens: 115,
      outputTokens: 6,
      cacheReadTokens: 10,
      cacheWriteTokens: 100,
      raw: { [metricsKey]: cached },
    });
    expect(events.filter(({ type }) => type === "response_end")).toHaveLength(1);
  });

  it("ends a prompt family's stream without metrics once its reason was told, and not before", () => {
    const open = chunk({ generation: "a", stop_reason: null });
    expect(decode(open).at(-1)?.type).toBe("part_delta");
    expect(decode(open, chunk({ generation: "b", stop_reason: "length" })).at(-1)?.type).toBe("response_end");
  });

  it("ends all of Cohere's generations with one chunk", () => {
    const events = decode(
      chunk({ index: 0, is_finished: false, text: "a" }),
      chunk({ index: 1, is_finished: false, text: "b" }),
      chunk({ index: 0, is_finished: false, text: "c" }),
      chunk({ is_finished: true, finish_reason: "COMPLETE" }),
    );
    expect(foldEvents(events).choices).toEqual(
      ["ac", "b"].map((content, index) => ({
        index,
        message: { role: "assistant", parts: [{ type: "text", content }] },
        finishReason: { unified: "stop", raw: "COMPLETE" },
      })),
    );
  });

  it("reads chat chunks that write stop_reason", () => {
    const events = decode(
      chunk({ choices: [{ index: 0, message: { role: "assistant", content: "hi" }, stop_reason: null }] }),
      chunk({ choices: [{ index: 0, delta: { content: "" }, stop_reason: "stop" }], [metricsKey]: metrics }),
    );
    const response = foldEvents(events);
    expect(response.choices[0]?.finishReason).toEqual({ unified: "stop", raw: "stop" });
    expect(response.usage?.inputTokens).toBe(5);
    expect(events.at(-1)).toEqual({ type: "response_end" });
  });

  it("gives an exception as the provider's error", () => {
    const frame = {
      event: "modelTimeoutException",
      data: '{"message":"late"}',
      raw: Buffer.alloc(0),
      exception: true,
    } as const;
    expect(decode(frame)).toEqual([{ type: "error", error: { type: "ModelTimeoutException", message: "late" } }]);
  });

  it.each(["type", "choices", "messageStop", "outputs"])("throws nothing at a %s that nests without end", (key) => {
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const event = key === "type" ? `{"type":"x","a":${deep}}` : `{"${key}":[${deep}]}`;
    const data = JSON.stringify({ bytes: Buffer.from(event).toString("base64") });
    expect(decode({ event: "chunk", data, raw: Buffer.alloc(0) }).map(({ type }) => type)).toEqual(["unrecognized"]);
  });

  it.each([
    { event: "chunk", data: "" },
    { event: "chunk", data: "[]" },
    { event: "chunk", data: '{"bytes":"!!"}' },
    { event: "chunk", data: '{"bytes":"bnVsbA=="}' },
    { event: "chunk", data: '{"unknown":1}' },
  ])("counts what it cannot read: $data", ({ event, data }) => {
    expect(decode({ event, data, raw: Buffer.alloc(0) })).toEqual([{ type: "unrecognized", name: "chunk" }]);
  });
});

describe("a chunk that repeats the one before", () => {
  const toMessage = (event: unknown): Frame => {
    const { data } = chunk(event);
    return { event: "chunk", data, raw: encodeAwsMessage({ ":event-type": "chunk", ":message-type": "event" }, data) };
  };
  const read = (detail: "facts" | "whole", events: readonly unknown[]) => {
    const decoder = bedrockInvoke.eventDecoder(operation, detail);
    let repeated = 0;
    const told = events.map(toMessage).flatMap((frame) => {
      const again = readRepeated(decoder, frame.raw);
      if (again !== undefined) repeated += 1;
      return again ?? decoder.push(frame);
    });
    return { repeated, folded: foldEvents([...told, ...decoder.end()]) };
  };
  const llama = (generation: string, count: number, stop: string | null = null, more = {}) => ({
    generation,
    prompt_token_count: count === 1 ? 5 : null,
    generation_token_count: count,
    stop_reason: stop,
    ...more,
  });

  it.each([
    {
      family: "Llama, whose count grows",
      events: [llama("a", 1), llama("b", 2), llama("c", 3), llama("d", 4)],
      end: llama("e", 5, "stop", { [metricsKey]: metrics }),
      repeated: 2,
    },
    {
      family: "Llama, broken off",
      events: [llama("a", 1), llama("b", 2), llama("c", 3)],
      end: llama("d", 4),
      repeated: 2,
    },
    {
      family: "Mistral",
      events: ["a", "b", "c"].map((text) => ({ outputs: [{ text, stop_reason: null }] })),
      end: { outputs: [{ text: "", stop_reason: "stop" }], [metricsKey]: metrics },
      repeated: 2,
    },
    {
      family: "Nova",
      events: ["a", "b", "c"].map((text) => ({ contentBlockDelta: { delta: { text }, contentBlockIndex: 0 } })),
      end: { messageStop: { stopReason: "end_turn" } },
      repeated: 2,
    },
    {
      family: "Nova, learned once two texts in a row were in one block",
      events: [
        { messageStart: { role: "assistant" } },
        ...["a", "b", "c", "d"].map((text) => ({ contentBlockDelta: { delta: { text }, contentBlockIndex: 0 } })),
      ],
      end: { messageStop: { stopReason: "end_turn" } },
      repeated: 2,
    },
    {
      family: "Nova, each text in a block of its own",
      events: ["a", "b", "c"].flatMap((text, contentBlockIndex) => [
        { contentBlockDelta: { delta: { text }, contentBlockIndex } },
        { contentBlockStop: { contentBlockIndex } },
      ]),
      end: { messageStop: { stopReason: "end_turn" } },
      repeated: 0,
    },
  ])("is told as it would be parsed: $family", ({ events, end, repeated }) => {
    const facts = read("facts", [...events, end]);
    const whole = [...events, end].map(chunk);
    expect(facts).toEqual({ repeated, folded: foldEvents(decode(...whole)) });
  });

  it("is none where a chunk has several choices or several events", () => {
    const two = { outputs: [{ text: "a" }, { text: "b" }] };
    const pair = {
      contentBlockStop: { contentBlockIndex: 0 },
      contentBlockDelta: { contentBlockIndex: 1, delta: { text: "a" } },
    };
    for (const event of [two, pair]) expect(read("facts", [event, event, event]).repeated).toBe(0);
  });
});

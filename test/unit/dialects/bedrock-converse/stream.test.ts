import { describe, expect, it } from "vitest";
import { bedrockConverse } from "../../../../src/dialects/bedrock-converse/index.ts";
import type { Frame, Operation } from "../../../../src/dialects/dialect.ts";
import { converseEvent } from "../../../support/converse-stream.ts";
import { readRepeated } from "../../../support/repeated-frame.ts";
import { foldEvents } from "../../../support/stream-decoding.ts";

const operation: Operation = { kind: "chat", route: "/", path: "", stream: true };

const frame = (event: string, body: unknown, exception?: true): Frame => ({
  event,
  data: typeof body === "string" ? body : JSON.stringify(body),
  raw: Buffer.alloc(0),
  ...(exception === undefined ? {} : { exception }),
});

function decode(...frames: Frame[]) {
  const decoder = bedrockConverse.eventDecoder(operation);
  return [...frames.flatMap((item) => decoder.push(item)), ...decoder.end()];
}

const start = frame("messageStart", { role: "assistant", p: "abc" });
const delta = (index: number, value: unknown) => frame("contentBlockDelta", { contentBlockIndex: index, delta: value });

describe("bedrock-converse stream", () => {
  it("opens text and reasoning blocks with their first delta and ends with metadata", () => {
    const events = decode(
      start,
      delta(0, { reasoningContent: { text: "hm" } }),
      delta(0, { reasoningContent: { signature: "s" } }),
      frame("contentBlockStop", { contentBlockIndex: 0 }),
      delta(1, { text: "Hi" }),
      delta(1, { text: "" }),
      frame("contentBlockStop", { contentBlockIndex: 1 }),
      frame("messageStop", { stopReason: "end_turn", additionalModelResponseFields: { a: 1 } }),
      frame("metadata", {
        usage: { inputTokens: 1, outputTokens: 2 },
        metrics: { latencyMs: 3 },
        serviceTier: { type: "flex" },
        p: "x",
      }),
    );
    expect(events.map(({ type }) => type)).toEqual([
      "choice_start",
      "part_start",
      "part_delta",
      "part_extend",
      "part_end",
      "part_start",
      "part_delta",
      "part_end",
      "choice_end",
      "response_start",
      "response_start",
      "usage",
      "response_end",
    ]);
    expect(foldEvents(events)).toEqual(
      bedrockConverse.decodeResponse(
        {
          output: {
            message: {
              role: "assistant",
              content: [{ reasoningContent: { reasoningText: { text: "hm", signature: "s" } } }, { text: "Hi" }],
            },
          },
          stopReason: "end_turn",
          additionalModelResponseFields: { a: 1 },
          usage: { inputTokens: 1, outputTokens: 2 },
          metrics: { latencyMs: 3 },
          serviceTier: { type: "flex" },
        },
        operation,
      ),
    );
  });

  it("gives a call without input an empty object, and interleaved calls their own", () => {
    const toolStart = (index: number, name: string) =>
      frame("contentBlockStart", { contentBlockIndex: index, start: { toolUse: { toolUseId: `t${index}`, name } } });
    const events = decode(
      start,
      toolStart(0, "f"),
      toolStart(1, "g"),
      toolStart(2, "none"),
      delta(0, { toolUse: { input: '{"a":' } }),
      delta(1, { toolUse: { input: '{"b":2}' } }),
      delta(0, { toolUse: { input: "1}" } }),
    );
    expect(foldEvents(events).choices[0]?.message.parts).toEqual([
      { type: "tool_call", id: "t0", name: "f", arguments: { a: 1 } },
      { type: "tool_call", id: "t1", name: "g", arguments: { b: 2 } },
      { type: "tool_call", id: "t2", name: "none", arguments: {} },
    ]);
  });

  it("holds tool results and images until they are whole, also when the stream breaks off", () => {
    const events = decode(
      start,
      frame("contentBlockStart", {
        contentBlockIndex: 0,
        start: { toolResult: { toolUseId: "t", status: "success", type: "x_result" } },
      }),
      delta(0, { toolResult: [{ text: "a" }] }),
      delta(0, { toolResult: [{ json: { b: 1 } }] }),
      frame("contentBlockStop", { contentBlockIndex: 0 }),
      frame("contentBlockStart", { contentBlockIndex: 1, start: { image: { format: "png" } } }),
      delta(1, { image: { source: { bytes: "AAA" } } }),
      delta(1, { image: { source: { bytes: "BBB" } } }),
    );
    expect(foldEvents(events).choices[0]?.message.parts).toEqual([
      {
        type: "server_tool_call_response",
        id: "t",
        server_tool_call_response: { type: "x", content: [{ text: "a" }, { json: { b: 1 } }] },
        extensions: { "bedrock-converse": { status: "success" } },
      },
      { type: "blob", modality: "image", mime_type: "image/png", content: "AAABBB" },
    ]);
  });

  it("gives an exception as the provider's error, also as the only message (Portkey-AI/gateway#1047)", () => {
    expect(decode(frame("throttlingException", { message: "slow down" }, true))).toEqual([
      { type: "error", error: { type: "ThrottlingException", message: "slow down" } },
    ]);
    expect(decode(frame("InternalError", "it broke", true))).toEqual([
      { type: "error", error: { type: "InternalError", message: "it broke" } },
    ]);
    expect(decode(frame("modelStreamErrorException", { originalStatusCode: 424 }, true))).toMatchObject([
      { error: { type: "ModelStreamErrorException", extensions: { "bedrock-converse": { originalStatusCode: 424 } } } },
    ]);
  });

  it("invents no end for a stream that stops without one (BerriAI/litellm#32686)", () => {
    const types = decode(start, delta(0, { text: "a" })).map(({ type }) => type);
    expect(types).toEqual(["choice_start", "part_start", "part_delta"]);
  });

  it.each([
    frame("somethingNew", {}),
    frame("contentBlockDelta", "no json"),
    frame("contentBlockDelta", null),
    frame("contentBlockDelta", { contentBlockIndex: 0 }),
    delta(0, { somethingNew: 1 }),
    delta(0, { toolUse: { input: "orphan" } }),
    frame("contentBlockStart", { contentBlockIndex: 0, start: [] }),
  ])("counts what it cannot read: $event $data", (item) => {
    expect(decode(item)).toEqual([{ type: "unrecognized", name: item.event }]);
  });
});

describe("a delta that repeats the one before", () => {
  const message = (name: string, body: Record<string, unknown>): Frame => ({
    event: name,
    data: JSON.stringify(body),
    raw: converseEvent(name, body),
  });
  const text = (value: string, p = "ab", contentBlockIndex = 0): Frame =>
    message("contentBlockDelta", { contentBlockIndex, delta: { text: value }, p });
  const begin = (...frames: Frame[]) => {
    const decoder = bedrockConverse.eventDecoder(operation);
    for (const item of frames) decoder.push(item);
    return decoder;
  };

  it("is told from its bytes, whatever its padding", () => {
    const decoder = begin(text("a"));
    expect(readRepeated(decoder, text('"b" ż', "abcdef").raw)).toEqual([
      { type: "part_delta", choice: 0, part: 0, text: '"b" ż' },
    ]);
    expect(readRepeated(decoder, text("").raw)).toEqual([]);
  });

  it("is told of a call's arguments too, from the first and empty one on", () => {
    const input = (value: string): Frame =>
      message("contentBlockDelta", { contentBlockIndex: 0, delta: { toolUse: { input: value } } });
    const decoder = begin(
      message("contentBlockStart", { contentBlockIndex: 0, start: { toolUse: { toolUseId: "t", name: "f" } } }),
      input(""),
    );
    expect(readRepeated(decoder, input('{"a":').raw)).toEqual([
      { type: "part_delta", choice: 0, part: 0, text: '{"a":' },
    ]);
  });

  it("is none as another event, in another block, after another event, and with a wrong checksum", () => {
    const wrong = Buffer.from(text("b").raw);
    wrong.writeUInt8((wrong.at(-1) as number) ^ 1, wrong.length - 1);
    const another = converseEvent("contentBlockStart", { contentBlockIndex: 0, delta: { text: "b" }, p: "ab" });
    for (const raw of [wrong, another, text("b", "ab", 1).raw, Buffer.concat([text("b").raw, text("c").raw])]) {
      expect(readRepeated(begin(text("a")), raw)).toBeUndefined();
    }
    const stopped = begin(text("a"), message("contentBlockStop", { contentBlockIndex: 0 }));
    expect(readRepeated(stopped, text("b").raw)).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { cohereChat } from "../../../../src/dialects/cohere-chat/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { framesOf, decodeFrames } from "../../../support/stream-decoding.ts";

const call = (path: string): Operation => {
  const operation = cohereChat.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return operation;
};
const chat = call("/v2/chat");
const bag = (facts: Record<string, unknown>) => ({ "cohere-chat": facts });
const usageOf = (usage: Record<string, unknown>) => cohereChat.decodeResponse({ usage }, chat).usage;

describe("Cohere v2 chat response", () => {
  it("is one choice, and keeps what it does not know", () => {
    expect(
      cohereChat.decodeResponse(
        {
          id: "i",
          finish_reason: "COMPLETE",
          message: { role: "assistant", content: [{ type: "text", text: "hi" }] },
          logprobs: [{ token_ids: [1] }],
        },
        chat,
      ),
    ).toEqual({
      id: "i",
      choices: [
        {
          index: 0,
          message: { role: "assistant", parts: [{ type: "text", content: "hi" }] },
          finishReason: { unified: "stop", raw: "COMPLETE" },
        },
      ],
      extensions: bag({ logprobs: [{ token_ids: [1] }] }),
    });
  });

  it.each([
    ["COMPLETE", "stop"],
    ["STOP_SEQUENCE", "stop"],
    ["MAX_TOKENS", "length"],
    ["TOOL_CALL", "tool_call"],
    ["ERROR", "error"],
    ["TIMEOUT", "error"],
    ["ERROR_LIMIT", "length"],
    ["ERROR_TOXIC", "content_filter"],
    ["SURPRISE", "error"],
  ])("ended by %s means %s", (raw, unified) => {
    const { choices } = cohereChat.decodeResponse({ finish_reason: raw, message: {} }, chat);
    expect(choices[0]?.finishReason).toEqual({ unified, raw });
  });
});

describe("Cohere usage", () => {
  it("counts tokens, not billed units, with cached and reasoning tokens inside", () => {
    const raw = {
      billed_units: { input_tokens: 84, output_tokens: 314 },
      tokens: { input_tokens: 1501, output_tokens: 346, reasoning_tokens: 304 },
      cached_tokens: 1008,
    };
    expect(usageOf(raw)).toEqual({
      inputTokens: 1501,
      outputTokens: 346,
      reasoningTokens: 304,
      cacheReadTokens: 1008,
      raw,
    });
  });

  it("adds image tokens, which stand beside those of the text", () => {
    expect(usageOf({ tokens: { input_tokens: 34, image_tokens: 259 } })).toMatchObject({
      inputTokens: 293,
      inputImageTokens: 259,
    });
  });

  it.each([
    { usage: { billed_units: { input_tokens: 3 } }, expected: { inputTokens: 3 } },
    { usage: { billed_units: { search_units: 2 } }, expected: { searchUnits: 2 } },
    { usage: { tokens: null, billed_units: { input_tokens: 3 } }, expected: { inputTokens: 3 } },
    { usage: { tokens: { input_tokens: null, output_tokens: -1 }, cached_tokens: 1.5 }, expected: {} },
    { usage: {}, expected: {} },
  ])("of $usage is $expected: what is not stated stays unknown", ({ usage, expected }) => {
    expect(usageOf(usage)).toEqual({ ...expected, raw: usage });
  });
});

describe("Cohere v1 responses", () => {
  it("of chat call tools without a word of their own for it", () => {
    const response = cohereChat.decodeResponse(
      {
        response_id: "r",
        generation_id: "g",
        text: "",
        finish_reason: "COMPLETE",
        tool_calls: [{ name: "add", parameters: { a: 1 } }],
        meta: {
          api_version: { version: "1" },
          billed_units: { input_tokens: 1 },
          tokens: { input_tokens: 5, output_tokens: 2 },
        },
      },
      call("/v1/chat"),
    );
    expect(response).toEqual({
      id: "r",
      choices: [
        {
          index: 0,
          message: { role: "assistant", parts: [{ type: "tool_call", name: "add", arguments: { a: 1 } }] },
          finishReason: { unified: "tool_call", raw: "COMPLETE" },
        },
      ],
      usage: {
        inputTokens: 5,
        outputTokens: 2,
        raw: { billed_units: { input_tokens: 1 }, tokens: { input_tokens: 5, output_tokens: 2 } },
      },
      extensions: bag({ generation_id: "g", meta: { api_version: { version: "1" } } }),
    });
  });

  it("of generate have a choice for each generation", () => {
    const { choices } = cohereChat.decodeResponse(
      {
        id: "i",
        generations: [
          { id: "a", text: "x", finish_reason: "MAX_TOKENS" },
          { id: "b", text: "y" },
        ],
      },
      call("/v1/generate"),
    );
    expect(choices).toEqual([
      {
        index: 0,
        message: { role: "assistant", parts: [{ type: "text", content: "x" }] },
        finishReason: { unified: "length", raw: "MAX_TOKENS" },
        extensions: bag({ id: "a" }),
      },
      {
        index: 1,
        message: { role: "assistant", parts: [{ type: "text", content: "y" }] },
        extensions: bag({ id: "b" }),
      },
    ]);
  });
});

describe("Cohere embed response", () => {
  it.each([
    { name: "a list", embeddings: [[1, 2, 3]], dimensions: 3 },
    { name: "floats by type", embeddings: { float: [[1, 2]] }, dimensions: 2 },
    { name: "whole numbers by type", embeddings: { int8: [[1, 2, 3, 4]] }, dimensions: 4 },
    { name: "packed bits", embeddings: { binary: [[1]] }, dimensions: undefined },
    { name: "nothing", embeddings: [], dimensions: undefined },
  ])("of $name tells the length and keeps no vector", ({ embeddings, dimensions }) => {
    const response = cohereChat.decodeResponse({ id: "i", embeddings, response_type: "t" }, call("/v2/embed"));
    expect(response.embeddingDimensions).toBe(dimensions);
    expect(response).toMatchObject({ id: "i", choices: [] });
    expect(response.extensions).toEqual(bag({ response_type: "t" }));
  });
});

describe("any Cohere response", () => {
  it("never throws, whatever the types", () => {
    const keys = ["id", "message", "usage", "finish_reason", "text", "tool_calls", "generations", "meta", "embeddings"];
    for (const value of [null, 7, "x", true, [], {}, [null], [[]], { content: 7, tool_calls: [null], tokens: 7 }]) {
      for (const path of ["/v2/chat", "/v1/chat", "/v1/generate", "/v2/embed"]) {
        expect(() =>
          cohereChat.decodeResponse(Object.fromEntries(keys.map((key) => [key, value])), call(path)),
        ).not.toThrow();
      }
    }
  });
});

describe("Cohere errors", () => {
  it.each([
    {
      body: { id: "i", message: "no such model" },
      expected: { message: "no such model", extensions: bag({ id: "i" }) },
    },
    { body: { message: "bad" }, expected: { message: "bad" } },
    { body: { message: { role: "assistant" } }, expected: undefined },
    { body: { text: "an answer of v1" }, expected: undefined },
    { body: [{ message: "bad" }], expected: undefined },
    { body: null, expected: undefined },
  ])("$body reads as $expected", ({ body, expected }) => {
    expect(cohereChat.decodeError(body)).toEqual(expected);
  });

  it("are written as the API writes them", () => {
    const error = new SidecarError("overloaded", "too much", { details: { limit: 3 } });
    expect(cohereChat.encodeError(error, "r1")).toEqual({
      id: "r1",
      message: "too much",
      code: "overloaded",
      details: { limit: 3 },
    });
  });

  it("in a stream are a message-end of the reason ERROR, which the decoder reads as an error and no end", () => {
    const frame = cohereChat.encodeStreamError(new SidecarError("stream_idle", "nothing came"), "r1");
    const frames = decodeFrames([Buffer.from(frame)]);
    expect(frames.map(({ event }) => event)).toEqual(["message-end"]);
    const events = frames.flatMap((one) => cohereChat.eventDecoder(chat).push(one));
    expect(events).toContainEqual({ type: "error", error: { type: "ERROR", message: "nothing came" } });
    expect(events.some(({ type }) => type === "response_end")).toBe(false);
    expect(framesOf({ message: "gone" }).flatMap((one) => cohereChat.eventDecoder(chat).push(one))).toEqual([
      { type: "error", error: { message: "gone" } },
    ]);
  });
});

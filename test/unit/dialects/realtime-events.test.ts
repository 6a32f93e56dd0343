// What the events of OpenAI's two WebSocket protocols say, and that no event throws.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOutputType, peekEvent, readClientEvent, readProviderEvent } from "../../../src/dialects/realtime/events.ts";

describe("peekEvent", () => {
  it.each<[string, ReturnType<typeof peekEvent>]>([
    [
      '{"type":"response.output_audio.delta","event_id":"e","response_id":"resp_1","delta":"AAAA"}',
      { type: "response.output_audio.delta", isTelling: false, responseId: "resp_1" },
    ],
    [
      '{ "type" : "response.done" , "response" : {} }',
      { type: "response.done", isTelling: true, responseId: undefined },
    ],
    ['{"type":"response.create"}', { type: "response.create", isTelling: true, responseId: undefined }],
    [
      '{"type":"input_audio_buffer.append"}',
      { type: "input_audio_buffer.append", isTelling: false, responseId: undefined },
    ],
    // The type may stand anywhere, or be written with escapes: then the whole event tells.
    ['{"event_id":"e","type":"response.done"}', { type: undefined, isTelling: true, responseId: undefined }],
    ['{"type":"response\\u002edone"}', { type: undefined, isTelling: true, responseId: undefined }],
    ["", { type: undefined, isTelling: true, responseId: undefined }],
  ])("reads the start of %s", (text, peeked) => {
    expect(peekEvent(Buffer.from(text))).toEqual(peeked);
  });

  it("tells output from other events", () => {
    expect(isOutputType("response.output_text.delta")).toBe(true);
    expect(isOutputType("response.output_item.done")).toBe(false);
    expect(isOutputType("conversation.item.input_audio_transcription.delta")).toBe(false);
  });
});

describe("readClientEvent", () => {
  it("reads the parameters of a response, nested for Realtime and flat for Responses, without its content", () => {
    const parameters = { model: "gpt-5.1", max_output_tokens: 9, temperature: 0.5, top_p: 0.9, service_tier: "flex" };
    const expected = {
      type: "requested",
      request: {
        stream: true,
        messages: [],
        model: "gpt-5.1",
        maxOutputTokens: 9,
        temperature: 0.5,
        topP: 0.9,
        serviceTier: "flex",
      },
    };
    const content = { input: "planted", instructions: "planted", tools: ["planted"] };
    expect(readClientEvent({ type: "response.create", ...parameters, ...content })).toEqual(expected);
    expect(readClientEvent({ type: "response.create", response: { ...parameters, ...content } })).toEqual(expected);
    expect(readClientEvent({ type: "session.update", session: {} })).toBeUndefined();
  });
});

describe("readProviderEvent", () => {
  it("reads the usage of both spellings", () => {
    const details = { cached_tokens: 4, text_tokens: 6, audio_tokens: 3, image_tokens: 1 };
    for (const [input, output] of [
      ["input_token_details", "output_token_details"],
      ["input_tokens_details", "output_tokens_details"],
    ] as const) {
      const usage = {
        input_tokens: 10,
        output_tokens: 5,
        [input]: details,
        [output]: { text_tokens: 2, audio_tokens: 3 },
      };
      expect(
        readProviderEvent({ type: "response.done", response: { id: "r", status: "completed", usage } }),
      ).toMatchObject({
        type: "ended",
        usage: {
          inputTokens: 10,
          outputTokens: 5,
          cacheReadTokens: 4,
          inputTextTokens: 6,
          inputAudioTokens: 3,
          inputImageTokens: 1,
          outputTextTokens: 2,
          outputAudioTokens: 3,
          raw: usage,
        },
      });
    }
  });

  it("leaves usage away that nobody stated", () => {
    const said = readProviderEvent({ type: "response.done", response: { status: "completed", usage: null } });
    expect(said).toMatchObject({ type: "ended", usage: undefined });
  });

  it.each([
    [{ status: "completed", output: [] }, "stop", "completed"],
    [{ status: "completed", output: [{ type: "function_call" }] }, "tool_call", "completed"],
    [{ status: "cancelled", status_details: { reason: "turn_detected" } }, "stop", "turn_detected"],
    [{ status: "incomplete", status_details: { reason: "max_output_tokens" } }, "length", "max_output_tokens"],
    [{ status: "incomplete", incomplete_details: { reason: "content_filter" } }, "content_filter", "content_filter"],
    [{ status: "failed", status_details: { error: { type: "server_error", code: "x" } } }, "error", "failed"],
    [{ status: "something new" }, "error", "something new"],
  ])("reads the finish reason of %j", (response, unified, raw) => {
    expect(readProviderEvent({ type: "response.done", response })).toMatchObject({ finishReason: { unified, raw } });
  });

  it("reads the error of a failed response from where each protocol puts it", () => {
    const error = { type: "server_error", code: "rate_limit_exceeded", message: "m" };
    expect(
      readProviderEvent({ type: "response.done", response: { status: "failed", status_details: { error } } }),
    ).toMatchObject({ error });
    expect(readProviderEvent({ type: "response.failed", response: { status: "failed", error } })).toMatchObject({
      error,
    });
    expect(readProviderEvent({ type: "error", error })).toEqual({ type: "refused", error });
  });

  it("throws on no event", () => {
    const type = fc.constantFrom(
      "session.created",
      "response.created",
      "response.done",
      "response.failed",
      "error",
      "response.create",
    );
    const body = fc.record({ type, session: fc.jsonValue(), response: fc.jsonValue(), error: fc.jsonValue() });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), body), (event) => {
        readProviderEvent(event);
        readClientEvent(event);
      }),
      { numRuns: 2000 },
    );
  });
});

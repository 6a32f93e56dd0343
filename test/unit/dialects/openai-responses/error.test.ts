// Errors of the Responses API: read from bodies and streams, and written.
import { describe, expect, it } from "vitest";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";
import { decodeStreamError } from "../../../../src/dialects/openai-responses/error.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { decodeEvents, decodeFrames } from "../../../support/stream-decoding.ts";

const operation = openaiResponses.match("POST", "/v1/responses");
if (operation === undefined) throw new Error("no operation");

describe("errors inside a stream", () => {
  it("reads the flat form and the nested one", () => {
    expect(
      decodeStreamError({ type: "error", sequence_number: 4, code: "slow_down", message: "wait", param: null }),
    ).toEqual({ code: "slow_down", message: "wait" });
    const nested = { type: "error", error: { type: "server_error", code: "x", message: "broke", param: "input" } };
    expect(decodeStreamError(nested)).toEqual({
      type: "server_error",
      code: "x",
      message: "broke",
      extensions: { "openai-chat": { param: "input" } },
    });
  });

  it("is an error also when it says nothing", () => {
    for (const body of [undefined, {}, { error: null }, { message: 3 }]) {
      expect(decodeStreamError(body).message).toContain("did not describe");
    }
  });
});

describe("errors of Outrider", () => {
  const error = new SidecarError("upstream_invalid", "The provider was too slow.");

  it("are one `error` event that reads as it was written, with no end after it", () => {
    const frame = openaiResponses.encodeStreamError(error, "req-1").toString();
    const frames = decodeFrames([Buffer.from(frame)]);
    expect(frames).toHaveLength(1);
    expect(frames[0]?.event).toBe("error");
    const events = decodeEvents(openaiResponses.eventDecoder(operation), [Buffer.from(frame)]);
    expect(events).toEqual([
      {
        type: "error",
        error: {
          code: "upstream_invalid",
          message: "The provider was too slow.",
          extensions: { "openai-responses": { request_id: "req-1" } },
        },
      },
    ]);
  });

  it("are OpenAI's error body outside of one", () => {
    expect(openaiResponses.decodeError(openaiResponses.encodeError(error, "req-1"))).toMatchObject({
      code: "upstream_invalid",
      message: "The provider was too slow.",
    });
  });
});

import { describe, expect, it } from "vitest";
import { moderations } from "../../../../src/dialects/moderations/index.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

const operation = moderations.match("POST", "/v1/moderations");
if (operation === undefined) throw new Error("no operation");

describe("moderations request", () => {
  const text = (content: string) => ({ role: "user", parts: [{ type: "text", content }] });

  it.each([
    ["a text", "a", [text("a")]],
    ["texts", ["a", "b"], [text("a"), text("b")]],
    [
      "parts of one input",
      [
        { type: "text", text: "a" },
        { type: "image_url", image_url: { url: "https://a/b.png" } },
      ],
      [
        {
          role: "user",
          parts: [
            { type: "text", content: "a" },
            { type: "uri", modality: "image", uri: "https://a/b.png" },
          ],
        },
      ],
    ],
    ["nothing", [], []],
  ])("reads %s", (_, input, messages) => {
    expect(moderations.decodeRequest({ model: "m", input }, operation)).toEqual({
      model: "m",
      stream: false,
      messages,
    });
  });

  it("keeps what it cannot read", () => {
    expect(moderations.decodeRequest({ model: 1, input: 2, x: 3 }, operation)).toEqual({
      stream: false,
      messages: [],
      extensions: { moderations: { model: 1, input: 2, x: 3 } },
    });
  });
});

describe("moderations response", () => {
  it("has no choices, keeps the verdicts, and usage only where there is one", () => {
    const results = [{ flagged: true, categories: { violence: true } }];
    expect(moderations.decodeResponse({ id: "i", model: "m", results }, operation)).toEqual({
      id: "i",
      model: "m",
      choices: [],
      extensions: { moderations: { results } },
    });
    const usage = { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 };
    expect(moderations.decodeResponse({ results, usage }, operation).usage).toEqual({
      inputTokens: 3,
      outputTokens: 0,
      raw: usage,
    });
  });
});

describe("moderations stream", () => {
  it("is unrecognized and never throws", () => {
    const decoder = moderations.eventDecoder(operation);
    expect(framesOf({ a: 1 }).flatMap((frame) => decoder.push(frame))).toEqual([
      { type: "unrecognized", name: "moderation" },
    ]);
    expect(decoder.end()).toEqual([]);
  });
});

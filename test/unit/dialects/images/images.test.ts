import { describe, expect, it } from "vitest";
import { images } from "../../../../src/dialects/images/index.ts";
import { foldEvents, framesOf } from "../../../support/stream-decoding.ts";

const operation = images.match("POST", "/v1/images/generations");
if (operation === undefined) throw new Error("no operation");

function decodeStream(...data: Record<string, unknown>[]) {
  const decoder = images.eventDecoder(operation as NonNullable<typeof operation>);
  return [...framesOf(...data).flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

const usage = {
  input_tokens: 50,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 },
  output_tokens: 272,
  output_tokens_details: { image_tokens: 272, text_tokens: 0 },
  total_tokens: 322,
};

describe("images request", () => {
  it("takes the prompt for the message and keeps what it does not know", () => {
    const body = { model: "m", prompt: "a cat", n: 2, stream: true, user: "u", size: "1x1", partial_images: 2 };
    expect(images.decodeRequest(body, operation)).toEqual({
      model: "m",
      stream: true,
      user: "u",
      choiceCount: 2,
      messages: [{ role: "user", parts: [{ type: "text", content: "a cat" }] }],
      extensions: { images: { size: "1x1", partial_images: 2 } },
    });
  });

  it("reads the text values of a form", () => {
    const image = { filename: "a.png", content_type: "image/png", bytes: 3 };
    const request = images.decodeRequest({ n: "3", stream: "true", prompt: "p", "image[]": [image, image] }, operation);
    expect(request).toMatchObject({ choiceCount: 3, stream: true });
    expect(request.extensions).toEqual({ images: { "image[]": [image, image] } });
  });

  it("keeps wrongly typed members and throws at nothing", () => {
    const body = { model: 1, prompt: [], n: "x", stream: "maybe", user: null };
    expect(images.decodeRequest(body, operation)).toEqual({
      stream: false,
      messages: [],
      extensions: { images: body },
    });
  });

  it("says nothing of content in what is left when content is withheld", () => {
    expect([...images.contentMembers].sort()).toEqual(["image", "image[]", "images", "mask", "prompt"]);
  });
});

describe("images response", () => {
  it("has a choice for each image, and counts them beside the tokens", () => {
    const response = images.decodeResponse(
      {
        created: 1,
        output_format: "webp",
        data: [{ b64_json: "QQ==" }, { url: "https://a/b", revised_prompt: "r" }],
        usage,
      },
      operation,
    );
    expect(response.choices).toEqual([
      {
        index: 0,
        message: {
          role: "assistant",
          parts: [{ type: "blob", modality: "image", mime_type: "image/webp", content: "QQ==" }],
        },
      },
      {
        index: 1,
        message: {
          role: "assistant",
          parts: [{ type: "uri", modality: "image", mime_type: "image/webp", uri: "https://a/b" }],
          extensions: { images: { revised_prompt: "r" } },
        },
      },
    ]);
    expect(response.usage).toEqual({
      inputTokens: 50,
      inputTextTokens: 10,
      inputImageTokens: 40,
      outputTokens: 272,
      outputImageTokens: 272,
      outputTextTokens: 0,
      outputImages: 2,
      raw: usage,
    });
    expect(response.extensions).toEqual({ images: { created: 1, output_format: "webp" } });
  });

  it("counts images where the provider states no usage, and states nothing where none are told", () => {
    expect(images.decodeResponse({ created: 1, data: [{ url: "u" }] }, operation).usage).toEqual({ outputImages: 1 });
    expect(images.decodeResponse({ created: 1 }, operation).usage).toBeUndefined();
  });

  it.each([{ data: null }, { data: [null] }, { data: {} }, { data: [{ b64_json: 7, url: {} }], usage: [] }])(
    "throws at nothing: %j",
    (body) => {
      expect(() => images.decodeResponse(body, operation)).not.toThrow();
    },
  );
});

describe("images stream", () => {
  const preview = (index: number) => ({
    type: "image_generation.partial_image",
    b64_json: "cHJldmlldw==",
    partial_image_index: index,
    output_format: "png",
    created_at: 5,
  });
  const completed = {
    type: "image_generation.completed",
    b64_json: "ZmluYWw=",
    created_at: 5,
    size: "1x1",
    output_format: "png",
    usage,
  };

  it("folds into what the same answer given whole decodes to; previews are not kept", () => {
    const whole = { created: 5, size: "1x1", output_format: "png", data: [{ b64_json: "ZmluYWw=" }], usage };
    const events = decodeStream(preview(0), preview(1), completed);
    expect(foldEvents(events)).toEqual(images.decodeResponse(whole, operation));
    expect(events.filter((event) => event.type === "part_start")).toHaveLength(1);
    expect(events.at(-1)).toEqual({ type: "response_end" });
    expect(JSON.stringify(events)).not.toContain("cHJldmlldw");
  });

  it("makes a choice of each completed image and counts them", () => {
    const { usage: _usage, ...second } = { ...completed, type: "image_edit.completed" };
    const folded = foldEvents(
      decodeStream(preview(0), completed, { ...preview(0), type: "image_edit.partial_image" }, second),
    );
    expect(folded.choices.map(({ index }) => index)).toEqual([0, 1]);
    expect(folded.usage?.outputImages).toBe(2);
  });

  it("tells errors, and counts what it does not know", () => {
    expect(decodeStream({ type: "error", error: { message: "no", code: "moderation_blocked" } })).toEqual([
      { type: "error", error: { message: "no", code: "moderation_blocked" } },
    ]);
    expect(decodeStream({ type: "image_generation.new_thing" })).toEqual([
      { type: "unrecognized", name: "image_generation.new_thing" },
    ]);
    expect(decodeStream({})).toEqual([{ type: "unrecognized", name: "message" }]);
  });

  it("ends without an end when the image never came", () => {
    expect(decodeStream(preview(0)).some((event) => event.type === "response_end")).toBe(false);
  });
});

// Histories of other dialects as input items of the Responses API: order, calls and their results, media, reasoning.
// Numbers in names are those of the list of real bugs that the project keeps.
import { describe, expect, it } from "vitest";
import type { Part } from "../../../../src/canonical/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import { assistant, call, encodeForResponses as encode, text, user } from "../../../support/responses-encoding.ts";

type Json = Record<string, unknown>;

const result = (id: string | undefined, response: unknown, extensions?: Json) =>
  ({
    role: "tool",
    parts: [
      {
        type: "tool_call_response",
        ...(id === undefined ? {} : { id }),
        response,
        ...(extensions === undefined ? {} : { extensions }),
      },
    ],
  }) as { role: string; parts: Part[] };

describe("the history", () => {
  it("begins with the system's words as instructions; later ones stay where they are", () => {
    const { body } = encode({
      messages: [
        { role: "system", parts: [text("A")] },
        { role: "developer", parts: [text("B")] },
        user(text("C")),
        { role: "system", parts: [text("D")] },
      ],
    });
    expect(body["instructions"]).toBe("A");
    expect(body["input"]).toEqual([
      { role: "developer", content: "B" },
      { role: "user", content: "C" },
      { role: "system", content: "D" },
    ]);
  });

  it("keeps several blocks of instructions apart", () => {
    const { body } = encode(
      { systemInstructions: [text("A"), text("B")], messages: [user(text("C"))] },
      "anthropic-messages",
    );
    expect(body["instructions"]).toBeUndefined();
    expect((body["input"] as Json[])[0]).toEqual({
      role: "system",
      content: [
        { type: "input_text", text: "A" },
        { type: "input_text", text: "B" },
      ],
    });
  });

  it("has calls and results as items, in order, matched by call_id", () => {
    const { body, losses } = encode({
      messages: [
        assistant(text("Look:"), call("call_1", "f", { a: 1 }), call("call_2", "g", {})),
        result("call_2", "two"),
        result("call_1", null),
      ],
    });
    expect(body["input"]).toEqual([
      { role: "assistant", content: "Look:" },
      { type: "function_call", call_id: "call_1", name: "f", arguments: '{"a":1}' },
      { type: "function_call", call_id: "call_2", name: "g", arguments: "{}" },
      { type: "function_call_output", call_id: "call_2", output: "two" },
      { type: "function_call_output", call_id: "call_1", output: "" },
    ]);
    expect(losses).toEqual([]);
  });

  it("accepts a call without arguments as one of none (3)", () => {
    const { body } = encode({ messages: [assistant(call("1", "f", undefined))] });
    expect(body["input"]).toMatchObject([{ arguments: "{}" }]);
  });

  it("hands on arguments that are no JSON as they are", () => {
    expect(encode({ messages: [assistant(call("1", "f", '{"a'))] }).body["input"]).toMatchObject([
      { arguments: '{"a' },
    ]);
  });

  it("makes ids where there are none, and matches results by name", () => {
    const named = (name: string) => ({ "gemini-generate-content": { functionResponse: { name } } });
    const { body, losses } = encode(
      {
        messages: [
          assistant(call(undefined, "f", {}), call(undefined, "g", {})),
          result(undefined, "G", named("g")),
          result(undefined, "F", named("f")),
        ],
      },
      "gemini-generate-content",
    );
    const [f, g, ofG, ofF] = (body["input"] as Json[]).map((item) => item["call_id"]);
    expect([ofG, ofF]).toEqual([g, f]);
    expect(f).not.toBe(g);
    expect(losses).toEqual([]);
  });

  it("refuses a result that answers no call, and names its place", () => {
    let thrown: unknown;
    try {
      encode({ messages: [user(text("Hi")), result("call_9", "x")] });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SidecarError);
    expect((thrown as SidecarError).code).toBe("request_lossy");
    expect((thrown as SidecarError).message).toContain("/messages/1/parts/0");
  });

  it("keeps images and files in tool results (45)", () => {
    const image: Part = { type: "blob", modality: "image", mime_type: "image/png", content: "iVBORw0" };
    const { body, losses } = encode({
      messages: [assistant(call("1", "f", {})), result("1", [text("see"), image])],
    });
    expect((body["input"] as Json[])[1]?.["output"]).toEqual([
      { type: "input_text", text: "see" },
      { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBORw0" },
    ]);
    expect(losses).toEqual([]);
  });

  it("has media by data URL, address and id, with what chat says of it", () => {
    const { body, losses } = encode({
      messages: [
        user(
          {
            type: "uri",
            modality: "image",
            uri: "https://a/b.png",
            extensions: { "openai-chat": { image_url: { detail: "low" } } },
          },
          {
            type: "blob",
            modality: "document",
            mime_type: "application/pdf",
            content: "JVBE",
            extensions: { "openai-chat": { file: { filename: "a.pdf" } } },
          },
          { type: "file", modality: "document", file_id: "file-1" },
        ),
      ],
    });
    expect((body["input"] as Json[])[0]?.["content"]).toEqual([
      { type: "input_image", detail: "low", image_url: "https://a/b.png" },
      { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" },
      { type: "input_file", file_id: "file-1" },
    ]);
    expect(losses).toEqual([]);
  });

  it("leaves out media that the provider does not take, and tells each", () => {
    const { body, losses } = encode(
      {
        messages: [
          user(
            { type: "blob", modality: "audio", content: "UklG" },
            { type: "file", modality: "image", file_id: "f1" },
            { type: "uri", modality: "image", uri: "gs://a/b" },
          ),
        ],
      },
      "gemini-generate-content",
    );
    expect(body["input"]).toEqual([]);
    expect(losses).toEqual([0, 1, 2].map((index) => [`messages/0/parts/${index}`, "unsupported"]));
  });

  it("writes an assistant's refusal as one", () => {
    const refusal = { ...text("No."), extensions: { "openai-chat": { type: "refusal" } } };
    const { body, losses } = encode({ messages: [assistant(refusal)] });
    expect(body["input"]).toEqual([{ role: "assistant", content: [{ type: "refusal", refusal: "No." }] }]);
    expect(losses).toEqual([]);
  });
});

describe("reasoning in the history", () => {
  const reasoning = (content: string, extensions: Json): Part => ({ type: "reasoning", content, extensions }) as Part;
  const item = (summary: string[], encrypted: string) => ({
    type: "reasoning",
    summary: summary.map((words) => ({ type: "summary_text", text: words })),
    encrypted_content: encrypted,
  });

  it("that this provider encrypted comes back from a chat client (47)", () => {
    const details = [
      { type: "reasoning.summary", summary: "A", format: "openai-responses-v1", index: 0 },
      { type: "reasoning.encrypted", data: "gAAA=", format: "openai-responses-v1", index: 0 },
      { type: "reasoning.encrypted", data: "gBBB=", format: "openai-responses-v1", index: 1 },
    ];
    const part = reasoning("A", { "openai-chat": { reasoning_details: details } });
    const { body, losses } = encode({ messages: [assistant(part)] });
    expect(body["input"]).toEqual([item(["A"], "gAAA="), item([], "gBBB=")]);
    expect(losses).toEqual([]);
  });

  it.each([
    ["anthropic-messages", { signature: "outrider:openai-responses-v1:gAAA=" }],
    ["bedrock-converse", { reasoningText: { signature: "outrider:openai-responses-v1:gAAA=" } }],
    [
      "gemini-generate-content",
      { thoughtSignature: Buffer.from("outrider:openai-responses-v1:gAAA=").toString("base64") },
    ],
  ] as const)("comes back from a client of %s byte by byte", (source, bag) => {
    const { body, losses } = encode({ messages: [assistant(reasoning("A", { [source]: bag }))] }, source);
    expect(body["input"]).toEqual([item(["A"], "gAAA=")]);
    expect(losses).toEqual([]);
  });

  it("of another family is left out and told (47)", () => {
    const { body, losses } = encode(
      { messages: [assistant(reasoning("A", { "anthropic-messages": { signature: "c2ln" } }), text("B"))] },
      "anthropic-messages",
    );
    expect(body["input"]).toEqual([{ role: "assistant", content: "B" }]);
    expect(losses.map(([path]) => path)).toContain("messages/0/parts/0");
  });
});

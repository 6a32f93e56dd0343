// Conversations of other dialects in Converse's words: what Bedrock refuses is repaired and told. Numbers in brackets: wire.md §5.

import { describe, expect, it } from "vitest";
import type { Message, Part } from "../../../../src/canonical/index.ts";
import type { DialectId } from "../../../../src/dialects/dialect.ts";
import { wrapSignature } from "../../../../src/dialects/signatures.ts";
import {
  call,
  claude,
  encodeForConverse as encode,
  f,
  result,
  said,
  text,
  toolResult,
  toolUse,
} from "../../../support/converse-encoding.ts";

describe("a conversation", () => {
  it("has leading instructions as system, later ones in the user's words", () => {
    const { body, losses } = encode({
      messages: [said("system", "A"), said("developer", "B"), said("user", "hi"), said("system", "C")],
    });
    expect(body["system"]).toEqual([{ text: "A" }, { text: "B" }]);
    expect(body["messages"]).toEqual([{ role: "user", content: [{ text: "hi" }, { text: "C" }] }]);
    expect(losses).toEqual(["messages/3/role approximated semantic"]);
  });

  it("merges neighbours of one role and begins with the user", () => {
    const { body, losses } = encode({
      messages: [said("assistant", "A"), said("assistant", "B"), said("user", "C"), said("user", "D")],
    });
    expect(body["messages"]).toEqual([
      { role: "user", content: [{ text: "(the conversation begins)" }] },
      { role: "assistant", content: [{ text: "A" }, { text: "B" }] },
      { role: "user", content: [{ text: "C" }, { text: "D" }] },
    ]);
    expect(losses).toEqual([
      "messages/1 approximated tuning",
      "messages/3 approximated tuning",
      "messages injected tuning",
    ]);
  });

  it("has no empty text, no text of blanks and no empty message", () => {
    const { body, losses } = encode({
      messages: [{ role: "user", parts: [text(""), text("hi")] }, said("assistant", ""), said("user", " \n")],
    });
    expect(body["messages"]).toEqual([{ role: "user", content: [{ text: "hi" }] }]);
    expect(losses).toEqual([
      "messages/1 approximated tuning",
      "messages/2/parts/0 approximated tuning",
      "messages/2 approximated tuning",
    ]);
  });

  it("answers several calls in one message, results first", () => {
    const { body, losses } = encode({
      tools: [f],
      messages: [
        said("user", "hi"),
        { role: "assistant", parts: [call("a"), call("b")] },
        result("a"),
        result("b"),
        said("user", "go on"),
      ],
    });
    expect(body["messages"]).toEqual([
      { role: "user", content: [{ text: "hi" }] },
      { role: "assistant", content: [toolUse("a"), toolUse("b")] },
      { role: "user", content: [toolResult("a"), toolResult("b"), { text: "go on" }] },
    ]);
    expect(losses).toEqual([]);
  });

  it("puts a placeholder in an empty tool result, and tells it (40)", () => {
    const { body, losses } = encode({
      tools: [f],
      messages: [said("user", "hi"), { role: "assistant", parts: [call("a")] }, result("a", "")],
    });
    expect(body["messages"]).toContainEqual({ role: "user", content: [toolResult("a", "(no output)")] });
    expect(losses).toEqual(["messages/2/parts/0 injected tuning"]);
  });

  it("takes the empty arguments of a call as none (3)", () => {
    const { body } = encode({
      tools: [f],
      messages: [
        said("user", "hi"),
        { role: "assistant", parts: [{ type: "tool_call", id: "a", name: "f", arguments: "" }] },
      ],
    });
    expect(JSON.stringify(body["messages"])).toContain('"input":{}');
  });

  it("refuses a result that answers no call", () => {
    expect(() => encode({ messages: [said("user", "hi"), result("zzz")] })).toThrow("/messages/1/parts/0");
  });

  it("makes ids and names that Bedrock takes, alike for call and result", () => {
    const { body, losses } = encode({
      tools: [{ ...f, name: "get.it" }],
      toolChoice: { type: "tool", name: "get.it" },
      messages: [said("user", "hi"), { role: "assistant", parts: [call("x:1", "get.it")] }, result("x:1")],
    });
    const wire = JSON.stringify(body);
    const ids = [...wire.matchAll(/"toolUseId":"(x_1_[0-9a-f]{8})"/g)].map(([, id]) => id);
    const names = [...wire.matchAll(/"name":"(get_it_[0-9a-f]{8})"/g)].map(([, name]) => name);
    expect([ids.length, new Set(ids).size, names.length, new Set(names).size]).toEqual([2, 1, 3, 1]);
    expect(losses).toContain("messages/1/parts/0/id approximated tuning");
  });

  it("matches results without ids by the tool's name (Gemini)", () => {
    const functionResponse = (name: string, value: number): Part => ({
      type: "tool_call_response",
      response: { value },
      extensions: { "gemini-generate-content": { functionResponse: { name } } },
    });
    const { body, losses } = encode(
      {
        tools: [f, { ...f, name: "g" }],
        messages: [
          said("user", "hi"),
          {
            role: "assistant",
            parts: [
              { type: "tool_call", name: "f", arguments: {} },
              { type: "tool_call", name: "g", arguments: {} },
            ],
          },
          { role: "user", parts: [functionResponse("g", 2), functionResponse("f", 1)] },
        ],
      },
      { source: "gemini-generate-content" },
    );
    expect((body["messages"] as unknown[])[2]).toEqual({
      role: "user",
      content: [
        { toolResult: { toolUseId: "tooluse_0123456789abcdef01", content: [{ json: { value: 2 } }] } },
        { toolResult: { toolUseId: "tooluse_0123456789abcdef00", content: [{ json: { value: 1 } }] } },
      ],
    });
    expect(losses).toEqual([]);
  });

  it("tells a failed tool by its status, and guesses no failure", () => {
    const failed = { ...result("a").parts[0], extensions: { "anthropic-messages": { is_error: true } } } as Part;
    const { body } = encode(
      {
        tools: [f],
        messages: [said("user", "hi"), { role: "assistant", parts: [call("a")] }, { role: "user", parts: [failed] }],
      },
      { source: "anthropic-messages" },
    );
    expect(JSON.stringify(body)).toContain('"status":"error"');
    const told = encode({
      tools: [f],
      messages: [said("user", "hi"), { role: "assistant", parts: [call("a")] }, result("a", '{"error":1}')],
    });
    expect(JSON.stringify(told.body)).not.toContain("status");
  });
});

describe("media", () => {
  const image: Part = { type: "blob", modality: "image", mime_type: "image/jpg", content: "/9j/AA==" };
  const pdf: Part = {
    type: "blob",
    modality: "document",
    mime_type: "application/pdf",
    content: "JVBERi0=",
    extensions: { "openai-chat": { file: { filename: "my_file.pdf" } } },
  };

  it("is written as base64 once, its type guessed where the source names none", () => {
    const bare: Part = { type: "blob", modality: "image", content: "iVBORw0KGgoAAA==" };
    const { body, losses } = encode({ messages: [{ role: "user", parts: [image, bare] }] });
    expect(body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { image: { format: "jpeg", source: { bytes: "/9j/AA==" } } },
          { image: { format: "png", source: { bytes: "iVBORw0KGgoAAA==" } } },
        ],
      },
    ]);
    expect(losses).toEqual([]);
  });

  it("gives documents different names, and words beside them", () => {
    const { body } = encode({ messages: [{ role: "user", parts: [pdf, pdf] }] });
    expect(body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { document: { format: "pdf", source: { bytes: "JVBERi0=" }, name: "my-file-pdf" } },
          { document: { format: "pdf", source: { bytes: "JVBERi0=" }, name: "my-file-pdf-2" } },
          { text: "Document:" },
        ],
      },
    ]);
  });

  it("tells addresses, stored files and unknown types, and does not leave the message empty", () => {
    const { body, losses } = encode({
      messages: [
        {
          role: "user",
          parts: [
            { type: "uri", modality: "image", uri: "https://example.com/a.png" },
            { type: "file", modality: "document", file_id: "f1" },
            { type: "blob", modality: "image", mime_type: "image/tiff", content: "AA==" },
          ],
        },
      ],
    });
    expect(body["messages"]).toEqual([{ role: "user", content: [{ text: "(content that could not be passed on)" }] }]);
    expect(losses).toEqual([
      "messages/0/parts/0 unsupported semantic",
      "messages/0/parts/1 unsupported semantic",
      "messages/0/parts/2 unsupported semantic",
      "messages/0 injected tuning",
    ]);
  });

  it("may stand in a tool's result", () => {
    const { body } = encode({
      tools: [f],
      messages: [said("user", "hi"), { role: "assistant", parts: [call("a")] }, result("a", [text("see"), image])],
    });
    expect(JSON.stringify(body)).toContain('"content":[{"text":"see"},{"image":{"format":"jpeg"');
  });
});

describe("what is sealed", () => {
  const thought = (extensions: Part["extensions"]): Message => ({
    role: "assistant",
    parts: [{ type: "reasoning", content: "hm", extensions }, text("A")] as Part[],
  });
  const blocks = (message: Message, source: DialectId, model = claude) => {
    const { body, losses } = encode({ messages: [said("user", "hi"), message] }, { source, model });
    return { content: (body["messages"] as { content: unknown[] }[])[1]?.content, losses };
  };
  const signed = (signature: string) => [
    { reasoningContent: { reasoningText: { text: "hm", signature } } },
    { text: "A" },
  ];

  it("comes back from every dialect that carried it", () => {
    const marked = wrapSignature("amazon-bedrock-v1", "S+/=");
    const detail = { type: "reasoning.text", text: "hm", signature: "S+/=", format: "amazon-bedrock-v1" };
    const carriers: [DialectId, Record<string, unknown>][] = [
      ["openai-chat", { reasoning_details: [detail] }],
      ["anthropic-messages", { signature: marked }],
      ["openai-responses", { item: { encrypted_content: marked } }],
      ["gemini-generate-content", { thoughtSignature: Buffer.from(marked).toString("base64") }],
    ];
    for (const [source, bag] of carriers) {
      const { content, losses } = blocks(thought({ [source]: bag }), source, "amazon.nova-2-lite-v1:0");
      expect(content, source).toEqual(signed("S+/="));
      expect(losses, source).toEqual([]);
    }
  });

  it("by Anthropic goes to Claude and to no other model", () => {
    const message = thought({ "anthropic-messages": { signature: "abc" } });
    expect(blocks(message, "anthropic-messages").content).toEqual(signed("abc"));
    const other = blocks(message, "anthropic-messages", "amazon.nova-2-lite-v1:0");
    expect(other.content).toEqual([{ text: "A" }]);
    expect(other.losses).toEqual(["messages/1/parts/0 unsupported tuning"]);
  });

  it("in place of a text is not encoded twice", () => {
    const message = thought({ "anthropic-messages": { type: "redacted_thinking", data: "RW5j" } });
    expect(blocks(message, "anthropic-messages").content).toEqual([
      { reasoningContent: { redactedContent: "RW5j" } },
      { text: "A" },
    ]);
  });
});

describe("cache marks", () => {
  const marked: Part = {
    ...text("hi"),
    extensions: { "anthropic-messages": { cache_control: { type: "ephemeral", ttl: "1h" } } },
  };

  it("stand after what is to be cached, for models that cache", () => {
    const { body, losses } = encode(
      { messages: [{ role: "user", parts: [marked] }] },
      { source: "anthropic-messages" },
    );
    expect(body["messages"]).toEqual([
      { role: "user", content: [{ text: "hi" }, { cachePoint: { type: "default", ttl: "1h" } }] },
    ]);
    expect(losses).toEqual([]);
  });

  it("are told for others", () => {
    const options = { source: "anthropic-messages", model: "meta.llama3" } as const;
    const { losses } = encode({ messages: [{ role: "user", parts: [marked] }] }, options);
    expect(losses).toEqual(["messages/0/parts/0/cache_control unsupported tuning"]);
  });
});

// Request bodies as canonical requests: every field has its place, and what has none is kept.
import { describe, expect, it } from "vitest";
import { decodeRequest } from "../../../../src/dialects/openai-responses/request.ts";

const own = (bag: Record<string, unknown>) => ({ "openai-responses": bag });

describe("requests to the Responses API", () => {
  it("reads the settings into their canonical fields", () => {
    expect(
      decodeRequest({
        model: "gpt-5",
        input: "Hi",
        instructions: "Be brief.",
        stream: true,
        max_output_tokens: 50,
        temperature: 0.5,
        top_p: 0.9,
        top_logprobs: 2,
        include: ["message.output_text.logprobs", "reasoning.encrypted_content"],
        parallel_tool_calls: false,
        previous_response_id: "resp_0",
        conversation: { id: "conv_1" },
        metadata: { team: "a" },
        service_tier: "flex",
        user: "u1",
        reasoning: { effort: "low", summary: "auto" },
        text: {
          verbosity: "low",
          format: { type: "json_schema", name: "n", strict: true, schema: { type: "object" } },
        },
        truncation: "auto",
        background: true,
        prompt_cache_key: "k",
        store: false,
      }),
    ).toEqual({
      model: "gpt-5",
      stream: true,
      systemInstructions: [{ type: "text", content: "Be brief." }],
      messages: [{ role: "user", parts: [{ type: "text", content: "Hi" }] }],
      parallelToolCalls: false,
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      logprobs: true,
      topLogprobs: 2,
      outputFormat: { type: "json_schema", name: "n", strict: true, schema: { type: "object" } },
      reasoning: { effort: "low" },
      serviceTier: "flex",
      user: "u1",
      metadata: { team: "a" },
      previousResponseId: "resp_0",
      conversationId: "conv_1",
      extensions: own({
        include: ["message.output_text.logprobs", "reasoning.encrypted_content"],
        reasoning: { summary: "auto" },
        text: { verbosity: "low" },
        truncation: "auto",
        background: true,
        prompt_cache_key: "k",
        store: false,
      }),
    });
  });

  it("reads one message for each item, whatever its kind", () => {
    const { messages } = decodeRequest({
      input: [
        { role: "developer", content: "Rules" },
        {
          type: "message",
          role: "user",
          content: [
            { type: "input_text", text: "Look" },
            { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" },
            { type: "input_image", file_id: "file_1" },
            { type: "input_file", file_url: "https://example.com/a.pdf" },
            { type: "input_file", filename: "b.pdf", file_data: "data:application/pdf;base64,BBBB" },
          ],
        },
        { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "enc" },
        { type: "function_call", call_id: "call_1", name: "f", arguments: '{"a":1}' },
        { type: "function_call_output", call_id: "call_1", output: [{ type: "input_text", text: "42" }] },
        { type: "item_reference", id: "msg_9" },
      ],
    });
    expect(messages).toEqual([
      { role: "developer", parts: [{ type: "text", content: "Rules" }] },
      {
        role: "user",
        parts: [
          { type: "text", content: "Look", extensions: own({ type: "input_text" }) },
          {
            type: "blob",
            modality: "image",
            mime_type: "image/png",
            content: "AAAA",
            extensions: own({ type: "input_image", detail: "low" }),
          },
          { type: "file", modality: "image", file_id: "file_1", extensions: own({ type: "input_image" }) },
          {
            type: "uri",
            modality: "document",
            uri: "https://example.com/a.pdf",
            extensions: own({ type: "input_file" }),
          },
          {
            type: "blob",
            modality: "document",
            mime_type: "application/pdf",
            content: "BBBB",
            extensions: own({ type: "input_file", filename: "b.pdf" }),
          },
        ],
        extensions: own({ type: "message" }),
      },
      {
        role: "assistant",
        parts: [
          {
            type: "reasoning",
            content: "",
            extensions: own({ item: { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "enc" } }),
          },
        ],
      },
      {
        role: "assistant",
        parts: [
          {
            type: "tool_call",
            id: "call_1",
            name: "f",
            arguments: { a: 1 },
            extensions: own({ item: { type: "function_call" } }),
          },
        ],
      },
      {
        role: "tool",
        parts: [
          {
            type: "tool_call_response",
            id: "call_1",
            response: [{ type: "text", content: "42", extensions: own({ type: "input_text" }) }],
            extensions: own({ item: { type: "function_call_output" } }),
          },
        ],
      },
      {
        role: "assistant",
        parts: [
          {
            type: "generic",
            generic_type: "item_reference",
            extensions: own({ item: { type: "item_reference", id: "msg_9" } }),
          },
        ],
      },
    ]);
  });

  it("reads functions, custom tools and the provider's own", () => {
    const { tools } = decodeRequest({
      tools: [
        { type: "function", name: "f", description: "d", parameters: { type: "object" }, strict: true },
        { type: "custom", name: "c", format: { type: "text" } },
        { type: "web_search", search_context_size: "low" },
        { type: "mcp", server_label: "docs", server_url: "https://example.com" },
      ],
    });
    expect(tools).toEqual([
      {
        type: "function",
        name: "f",
        description: "d",
        parameters: { type: "object" },
        extensions: own({ strict: true }),
      },
      { type: "custom", name: "c", extensions: own({ format: { type: "text" } }) },
      { type: "web_search", name: "web_search", extensions: own({ search_context_size: "low" }) },
      { type: "mcp", name: "mcp", extensions: own({ server_label: "docs", server_url: "https://example.com" }) },
    ]);
  });

  const functionsAllowed = { type: "allowed_tools", mode: "auto", tools: [{ type: "function", name: "f" }] };
  const othersAllowed = { type: "allowed_tools", mode: "required", tools: [{ type: "mcp", server_label: "docs" }] };
  it.each([
    ["required", { type: "required" }, false],
    [{ type: "function", name: "f" }, { type: "tool", name: "f" }, false],
    [{ type: "web_search" }, { type: "tool", name: "web_search" }, true],
    [{ type: "custom", name: "c" }, { type: "tool", name: "c" }, true],
    [functionsAllowed, { type: "allowed", mode: "auto", names: ["f"] }, false],
    [othersAllowed, { type: "allowed", mode: "required", names: ["mcp"] }, true],
    ["sometimes", undefined, true],
    [7, undefined, true],
  ])("reads the tool choice %j, and keeps it where it says more", (wire, expected, isKept) => {
    const request = decodeRequest({ tool_choice: wire });
    expect(request.toolChoice).toEqual(expected);
    expect(request.extensions).toEqual(isKept ? own({ tool_choice: wire }) : undefined);
  });

  it("keeps what is of the wrong type", () => {
    const wrong = { model: 1, input: { a: 1 }, tools: "x", text: { format: "json" }, reasoning: [], metadata: null };
    expect(decodeRequest(wrong)).toEqual({ stream: false, messages: [], extensions: own(wrong) });
    expect(decodeRequest({ input: [null, 3, { type: 5 }] }).messages).toHaveLength(3);
  });
});

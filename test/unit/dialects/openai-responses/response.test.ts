// Whole answers as canonical responses: every kind of item, every way to end.
import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";

function operation(method: string, path: string): Operation {
  const found = openaiResponses.match(method, path);
  if (found === undefined) throw new Error(`no operation for ${path}`);
  return found;
}

const create = operation("POST", "/v1/responses");
const own = (bag: Record<string, unknown>) => ({ "openai-responses": bag });
const decode = (body: Record<string, unknown>) => openaiResponses.decodeResponse(body, create);
const partsOf = (...output: unknown[]) => decode({ status: "completed", output }).choices[0]?.message.parts;
const finishOf = (body: Record<string, unknown>) => decode(body).choices[0]?.finishReason;

const text = { type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text: "Hi" }] };
const call = { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "{}" };

describe("answers of the Responses API", () => {
  it("reads the head, the usage and the searches beside it", () => {
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 5 },
      total_tokens: 120,
    };
    const toolUsage = { web_search: { num_requests: 2 } };
    expect(
      decode({
        id: "resp_1",
        object: "response",
        model: "gpt-5-2",
        service_tier: "default",
        status: "completed",
        output: [text],
        usage,
        tool_usage: toolUsage,
        store: true,
      }),
    ).toEqual({
      id: "resp_1",
      model: "gpt-5-2",
      serviceTier: "default",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            parts: [{ type: "text", content: "Hi", extensions: own({ item: { type: "message", id: "msg_1" } }) }],
          },
          finishReason: { unified: "stop", raw: "completed" },
        },
      ],
      usage: {
        inputTokens: 100,
        outputTokens: 20,
        cacheReadTokens: 60,
        cacheWriteTokens: 10,
        reasoningTokens: 5,
        webSearchRequests: 2,
        raw: usage,
      },
      extensions: own({ status: "completed", tool_usage: toolUsage, store: true }),
    });
  });

  it("reads xAI's count of searches from its usage", () => {
    const usage = { input_tokens: 1, output_tokens: 1, server_side_tool_usage_details: { web_search_calls: 3 } };
    expect(decode({ usage }).usage?.webSearchRequests).toBe(3);
  });

  it.each([
    [
      { status: "completed", output: [text] },
      { unified: "stop", raw: "completed" },
    ],
    [
      { status: "completed", output: [text, call] },
      { unified: "tool_call", raw: "completed" },
    ],
    [
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, output: [call] },
      { unified: "length", raw: "max_output_tokens" },
    ],
    [
      { status: "incomplete", incomplete_details: { reason: "content_filter" }, output: [] },
      { unified: "content_filter", raw: "content_filter" },
    ],
    [
      { status: "incomplete", incomplete_details: { reason: "steered" }, output: [] },
      { unified: "stop", raw: "steered" },
    ],
    [
      { status: "incomplete", incomplete_details: { reason: "new_word" } },
      { unified: "error", raw: "new_word" },
    ],
    [
      { status: "cancelled", output: [] },
      { unified: "error", raw: "cancelled" },
    ],
    [
      { status: "failed", output: [text] },
      { unified: "error", raw: "failed" },
    ],
    [{ object: "response.compaction", output: [text] }, { unified: "compaction" }],
    [{ status: "in_progress", output: [text] }, undefined],
  ])("finishes %j", (body, expected) => {
    expect(finishOf(body)).toEqual(expected);
  });

  it("has no choice before it begins, nor when it failed with nothing", () => {
    expect(decode({ status: "queued", output: [] }).choices).toEqual([]);
    const failed = { status: "failed", output: [], error: { code: "server_error", message: "broke" } };
    expect(decode(failed).choices).toEqual([]);
    expect(openaiResponses.decodeError(failed)).toEqual({ code: "server_error", message: "broke" });
  });

  it("leaves out the usage of a response that is fetched or cancelled, and keeps it aside", () => {
    const body = {
      status: "completed",
      background: true,
      output: [text],
      usage: { input_tokens: 3, output_tokens: 4 },
    };
    for (const call of [operation("GET", "/v1/responses/r"), operation("POST", "/responses/r/cancel")]) {
      const response = openaiResponses.decodeResponse(body, call);
      expect(response.usage).toBeUndefined();
      expect(response.extensions?.["openai-responses"]?.["usage"]).toEqual(body.usage);
      expect(response.choices).toHaveLength(1);
    }
  });

  it("takes a count of tokens for no usage", () => {
    const counted = openaiResponses.decodeResponse(
      { object: "response.input_tokens", input_tokens: 12 },
      operation("POST", "/v1/responses/input_tokens"),
    );
    expect(counted.usage).toBeUndefined();
    expect(counted.choices).toEqual([]);
  });

  it("reads text, refusals and annotations of a message, its facts with the first part", () => {
    const annotations = [{ type: "url_citation", url: "https://example.com" }];
    expect(
      partsOf({
        type: "message",
        id: "msg_1",
        status: "completed",
        role: "assistant",
        phase: "final_answer",
        content: [
          { type: "output_text", text: "A", annotations, logprobs: [] },
          { type: "refusal", refusal: "No." },
        ],
      }),
    ).toEqual([
      {
        type: "text",
        content: "A",
        extensions: own({
          annotations,
          logprobs: [],
          item: { type: "message", id: "msg_1", status: "completed", phase: "final_answer" },
        }),
      },
      { type: "text", content: "No.", extensions: own({ type: "refusal", item: { id: "msg_1" } }) },
    ]);
  });

  it("reads reasoning: its summary, then its text, and what is encrypted untouched", () => {
    const item = {
      type: "reasoning",
      id: "rs_1",
      encrypted_content: "enc",
      summary: [{ type: "summary_text", text: "S" }],
      content: [{ type: "reasoning_text", text: "R" }],
    };
    expect(partsOf(item)).toEqual([
      {
        type: "reasoning",
        content: "S",
        extensions: own({
          type: "summary_text",
          item: { type: "reasoning", id: "rs_1", encrypted_content: "enc" },
        }),
      },
      { type: "reasoning", content: "R", extensions: own({ type: "reasoning_text", item: { id: "rs_1" } }) },
    ]);
  });

  it.each([
    [call, "call_1", "f", {}],
    [{ ...call, arguments: "" }, "call_1", "f", {}],
    [{ ...call, arguments: '{"a":' }, "call_1", "f", '{"a":'],
    [{ ...call, call_id: "" }, "fc_1", "f", {}],
    [{ type: "custom_tool_call", call_id: "c", name: "sql", input: "{}" }, "c", "sql", "{}"],
    [
      { type: "computer_call", call_id: "c", action: { type: "click" } },
      "c",
      "computer",
      { action: { type: "click" } },
    ],
    [{ type: "local_shell_call", call_id: "c", action: { x: 1 } }, "c", "local_shell", { action: { x: 1 } }],
    [{ type: "apply_patch_call", call_id: "c", operation: { x: 1 } }, "c", "apply_patch", { operation: { x: 1 } }],
    [
      { type: "tool_search_call", execution: "client", call_id: "c", arguments: { q: 1 } },
      "c",
      "tool_search",
      { q: 1 },
    ],
  ])("hands %j to the client", (item, id, name, args) => {
    const parts = partsOf(item);
    expect(parts).toHaveLength(1);
    expect(parts?.[0]).toMatchObject({ type: "tool_call", id, name, arguments: args });
    expect(finishOf({ status: "completed", output: [item] })?.unified).toBe("tool_call");
  });

  it("sees no open call where the answer holds its output (a hosted shell)", () => {
    const output = [
      { type: "shell_call", call_id: "c", action: { commands: ["ls"] } },
      { type: "shell_call_output", call_id: "c", output: [{ stdout: "a" }] },
    ];
    expect(finishOf({ status: "completed", output })?.unified).toBe("stop");
  });

  it.each([
    [
      { type: "web_search_call", id: "ws", status: "completed", action: { type: "search", query: "q" } },
      { type: "web_search", action: { type: "search", query: "q" } },
      undefined,
    ],
    [
      { type: "file_search_call", id: "fs", queries: ["q"], results: [{ score: 1 }] },
      { type: "file_search", queries: ["q"] },
      { type: "file_search", results: [{ score: 1 }] },
    ],
    [
      { type: "code_interpreter_call", id: "ci", code: "1", container_id: "k", outputs: null },
      { type: "code_interpreter", code: "1", container_id: "k", outputs: null },
      undefined,
    ],
    [
      { type: "mcp_call", id: "m", name: "ask", server_label: "docs", arguments: "{}", output: "yes", error: null },
      { type: "mcp", server_label: "docs", arguments: "{}", error: null },
      { type: "mcp", output: "yes" },
    ],
  ])("reads %j as the provider's own call", (item, called, result) => {
    const parts = partsOf(item) ?? [];
    expect(parts[0]).toMatchObject({ type: "server_tool_call", id: item.id });
    expect(parts[0]).toHaveProperty("server_tool_call", called);
    expect(parts).toHaveLength(result === undefined ? 1 : 2);
    if (result !== undefined) expect(parts[1]).toHaveProperty("server_tool_call_response", result);
    expect(finishOf({ status: "completed", output: [item] })?.unified).toBe("stop");
  });

  it("reads a made image as media", () => {
    const item = {
      type: "image_generation_call",
      id: "ig",
      status: "completed",
      output_format: "webp",
      result: "AAAA",
    };
    expect(partsOf(item)?.[1]).toEqual({
      type: "blob",
      modality: "image",
      mime_type: "image/webp",
      content: "AAAA",
      extensions: own({ item: { id: "ig" } }),
    });
  });

  it("reads a compaction, its content untouched", () => {
    expect(partsOf({ type: "compaction", id: "cmp", encrypted_content: "enc" })).toEqual([
      {
        type: "compaction",
        id: "cmp",
        extensions: own({ item: { type: "compaction", id: "cmp", encrypted_content: "enc" } }),
      },
    ]);
  });

  it("keeps items it does not know whole", () => {
    const item = { type: "dream_call", id: "d", vision: { deep: true } };
    expect(partsOf(item)).toEqual([{ type: "generic", generic_type: "dream_call", extensions: own({ item }) }]);
    const broken = [null, 7, [], {}, { type: "message" }, { type: "message", content: [3] }, { type: "function_call" }];
    expect(partsOf(...broken)).toHaveLength(broken.length);
  });
});

describe("an answer whose content nobody keeps", () => {
  const output = { type: "function_call_output", call_id: "call_1", output: "done" };
  const found = { type: "tool_search_call", id: "ts_1", execution: "client", arguments: {} };
  it.each([
    { name: "a text", items: [text], unified: "stop" },
    { name: "a call", items: [text, call], unified: "tool_call" },
    { name: "a call without a name", items: [{ ...call, name: undefined }], unified: "stop" },
    { name: "a call without ids", items: [{ type: "custom_tool_call", name: "f" }], unified: "tool_call" },
    { name: "a call that is answered", items: [call, output], unified: "stop" },
    {
      name: "a call whose item is answered",
      items: [
        { ...call, call_id: "" },
        { ...output, call_id: "fc_1" },
      ],
      unified: "stop",
    },
    {
      name: "one call of two that is answered",
      items: [call, { ...call, call_id: "call_2" }, output],
      unified: "tool_call",
    },
    { name: "a search of the client's", items: [found], unified: "tool_call" },
    { name: "a search of the provider's", items: [{ type: "web_search_call", id: "ws_1" }], unified: "stop" },
    { name: "what is no item", items: [null, "text", { type: 5 }], unified: "stop" },
    { name: "nothing", items: [], unified: "stop" },
  ])("ends as when it is kept: $name", ({ items, unified }) => {
    const body = { status: "completed", output: items };
    const [facts, whole] = (["facts", "whole"] as const).map((detail) =>
      openaiResponses.decodeResponse(body, create, detail).choices.map(({ finishReason }) => finishReason),
    );
    expect(facts).toEqual(whole);
    expect(facts).toEqual([{ unified, raw: "completed" }]);
  });

  it("has an answer where it failed with one", () => {
    for (const items of [[], [text], [call]]) {
      const body = { status: "failed", output: items };
      expect(openaiResponses.decodeResponse(body, create, "facts").choices).toHaveLength(Math.min(items.length, 1));
    }
  });
});

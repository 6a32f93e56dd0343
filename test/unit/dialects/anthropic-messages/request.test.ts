// Requests: every field of the API in its place, whatever else in the extensions of its node.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { decodeRequest } from "../../../../src/dialects/anthropic-messages/request.ts";

const bag = (facts: Record<string, unknown>) => ({ "anthropic-messages": facts });

describe("decoding a request", () => {
  it("reads every plain field and keeps the beta ones as they are", () => {
    const betas = {
      cache_control: { type: "ephemeral", ttl: "1h" },
      container: "container_1",
      context_management: { edits: [{ type: "clear_tool_uses_20250919" }] },
      mcp_servers: [{ type: "url", url: "https://mcp.example", name: "m" }],
      fallbacks: { models: [] },
      inference_geo: "eu",
      speed: "fast",
      betas_of_tomorrow: { deep: [1, null] },
    };
    expect(
      decodeRequest({
        model: "claude-x",
        max_tokens: 10,
        stream: true,
        system: "be brief",
        messages: [{ role: "user", content: "hi" }],
        temperature: 1,
        top_p: 0.99,
        top_k: 5,
        stop_sequences: ["END"],
        service_tier: "auto",
        metadata: { user_id: "u1" },
        ...betas,
      }),
    ).toEqual({
      model: "claude-x",
      stream: true,
      systemInstructions: [{ type: "text", content: "be brief" }],
      messages: [{ role: "user", parts: [{ type: "text", content: "hi" }] }],
      maxOutputTokens: 10,
      temperature: 1,
      topP: 0.99,
      topK: 5,
      stopSequences: ["END"],
      serviceTier: "auto",
      user: "u1",
      extensions: bag(betas),
    });
  });

  it("leaves fields of the wrong type in the extensions instead of throwing", () => {
    const wrong = {
      model: 4,
      max_tokens: "10",
      stream: "yes",
      system: 3,
      messages: { role: "user" },
      tools: [1],
      tool_choice: "auto",
      thinking: [],
      output_config: null,
      stop_sequences: ["a", 1],
      metadata: { user_id: null },
    };
    expect(decodeRequest(wrong)).toEqual({ stream: false, messages: [], extensions: bag(wrong) });
    expect(decodeRequest({})).toEqual({ stream: false, messages: [] });
  });

  it("keeps an item that is no message, and a message without a role or content, at its place", () => {
    const { messages } = decodeRequest({ messages: ["hi", { content: 3 }, { role: "user", content: [], extra: 1 }] });
    expect(messages).toEqual([
      { role: "unknown", parts: [], extensions: bag({ value: "hi" }) },
      { role: "unknown", parts: [], extensions: bag({ content: 3 }) },
      { role: "user", parts: [], extensions: bag({ extra: 1 }) },
    ]);
  });

  it("keeps cache marks on system blocks", () => {
    const cache_control = { type: "ephemeral" };
    expect(decodeRequest({ system: [{ type: "text", text: "a", cache_control }] }).systemInstructions).toEqual([
      { type: "text", content: "a", extensions: bag({ cache_control }) },
    ]);
  });

  it("tells client tools from server tools", () => {
    const schema = { type: "object", properties: {} };
    expect(
      decodeRequest({
        tools: [
          { name: "f", description: "d", input_schema: schema, strict: true },
          { type: "custom", name: "g", input_schema: schema },
          { type: "web_search_20250305", name: "web_search", max_uses: 2 },
          { type: "mcp_toolset", mcp_server_name: "m" },
        ],
      }).tools,
    ).toEqual([
      { type: "function", name: "f", description: "d", parameters: schema, extensions: bag({ strict: true }) },
      { type: "function", name: "g", parameters: schema, extensions: bag({ type: "custom" }) },
      { type: "web_search_20250305", name: "web_search", extensions: bag({ max_uses: 2 }) },
      { type: "mcp_toolset", name: "", extensions: bag({ mcp_server_name: "m" }) },
    ]);
  });

  it.each([
    [{ type: "auto" }, { toolChoice: { type: "auto" } }],
    [
      { type: "any", disable_parallel_tool_use: true },
      { toolChoice: { type: "required" }, parallelToolCalls: false },
    ],
    [
      { type: "tool", name: "f", disable_parallel_tool_use: false },
      { toolChoice: { type: "tool", name: "f" }, parallelToolCalls: true },
    ],
    [{ type: "none" }, { toolChoice: { type: "none" } }],
    [{ type: "tool" }, { extensions: bag({ tool_choice: { type: "tool" } }) }],
    [{ type: "later", name: "f" }, { extensions: bag({ tool_choice: { type: "later", name: "f" } }) }],
    [
      { type: "auto", extra: 1 },
      { toolChoice: { type: "auto" }, extensions: bag({ tool_choice: { extra: 1 } }) },
    ],
  ])("reads tool choice %j", (tool_choice, expected) => {
    expect(decodeRequest({ tool_choice })).toEqual({ stream: false, messages: [], ...expected });
  });

  it.each([
    [{ type: "enabled", budget_tokens: 2048 }, { reasoning: { enabled: true, budgetTokens: 2048 } }],
    [{ type: "disabled" }, { reasoning: { enabled: false } }],
    [
      { type: "adaptive", display: "omitted" },
      { reasoning: { enabled: true }, extensions: bag({ thinking: { type: "adaptive", display: "omitted" } }) },
    ],
    [
      { type: "between_tools" },
      { reasoning: { enabled: true }, extensions: bag({ thinking: { type: "between_tools" } }) },
    ],
    [{ type: "later" }, { extensions: bag({ thinking: { type: "later" } }) }],
    [{}, { extensions: bag({ thinking: {} }) }],
  ])("reads thinking %j", (thinking, expected) => {
    expect(decodeRequest({ thinking })).toEqual({ stream: false, messages: [], ...expected });
  });

  it("reads effort and output format, and keeps what else the output config says", () => {
    const schema = { type: "object" };
    expect(
      decodeRequest({
        output_config: { effort: "high", format: { type: "json_schema", schema, later: 1 }, task_budget: { total: 5 } },
      }),
    ).toEqual({
      stream: false,
      messages: [],
      reasoning: { effort: "high" },
      outputFormat: { type: "json_schema", schema },
      extensions: bag({ output_config: { format: { later: 1 }, task_budget: { total: 5 } } }),
    });
  });

  it("reads the beta's older output format and keeps the mark that tells it apart", () => {
    const output_format = { type: "json_schema", schema: { type: "object" } };
    const older = decodeRequest({ output_format });
    expect(older.outputFormat).toEqual(output_format);
    expect(older.extensions).toEqual(bag({ output_format: { type: "json_schema" } }));
    const both = decodeRequest({ output_config: { format: { type: "json_schema", schema: { a: 1 } } }, output_format });
    expect(both.outputFormat).toEqual({ type: "json_schema", schema: { a: 1 } });
    expect(both.extensions).toEqual(bag({ output_format }));
  });

  it("keeps an output format it does not know whole", () => {
    const output_config = { format: { type: "grammar", rules: "x" } };
    expect(decodeRequest({ output_config })).toEqual({
      stream: false,
      messages: [],
      extensions: bag({ output_config }),
    });
  });

  it("does not write to the body", () => {
    const body = {
      model: "m",
      output_config: { effort: "low" },
      messages: [{ role: "user", content: [{ type: "text", text: "a" }] }],
    };
    const before = structuredClone(body);
    decodeRequest(body);
    expect(body).toEqual(before);
  });

  it("never throws, whatever the fields hold", () => {
    const names = [
      "model",
      "messages",
      "system",
      "tools",
      "tool_choice",
      "thinking",
      "output_config",
      "output_format",
      "metadata",
      "stream",
    ];
    const odd = fc.jsonValue({ maxDepth: 3 });
    const body = fc.dictionary(
      fc.constantFrom(...names),
      fc.oneof(odd, fc.array(fc.record({ role: odd, content: odd, type: odd, name: odd }))),
    );
    const decodes = fc.property(body, (wire) => Array.isArray(decodeRequest(wire).messages));
    expect(() => fc.assert(decodes, { numRuns: 500 })).not.toThrow();
  });
});

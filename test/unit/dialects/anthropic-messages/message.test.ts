// Content blocks: one canonical part each; opaque things untouched.
import { describe, expect, it } from "vitest";

import type { Part } from "../../../../src/canonical/index.ts";
import { decodeBlock } from "../../../../src/dialects/anthropic-messages/message.ts";

const bag = (facts: Record<string, unknown>) => ({ "anthropic-messages": facts });
const cache_control = { type: "ephemeral", ttl: "5m" };
const citations = [{ type: "char_location", cited_text: "é\u0000 ", start_char_index: 0 }];

const cases: [string, Record<string, unknown>, Part][] = [
  [
    "text with citations and a cache mark",
    { type: "text", text: "a", citations, cache_control },
    { type: "text", content: "a", extensions: bag({ citations, cache_control }) },
  ],
  [
    "thinking with its signature",
    { type: "thinking", thinking: "hm", signature: "c2ln+/==" },
    { type: "reasoning", content: "hm", extensions: bag({ signature: "c2ln+/==" }) },
  ],
  [
    "signed thinking with empty text",
    { type: "thinking", thinking: "", signature: "s" },
    { type: "reasoning", content: "", extensions: bag({ signature: "s" }) },
  ],
  [
    "redacted thinking",
    { type: "redacted_thinking", data: "ZGF0YQ==" },
    { type: "reasoning", content: "", extensions: bag({ type: "redacted_thinking", data: "ZGF0YQ==" }) },
  ],
  [
    "tool use",
    { type: "tool_use", id: "t1", name: "f", input: { a: 1 }, caller: { type: "direct" } },
    { type: "tool_call", id: "t1", name: "f", arguments: { a: 1 }, extensions: bag({ caller: { type: "direct" } }) },
  ],
  [
    "tool result with text",
    { type: "tool_result", tool_use_id: "t1", content: "ok", is_error: true },
    { type: "tool_call_response", id: "t1", response: "ok", extensions: bag({ is_error: true }) },
  ],
  [
    "tool result with blocks",
    { type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "ok" }] },
    { type: "tool_call_response", id: "t1", response: [{ type: "text", text: "ok" }] },
  ],
  [
    "tool result without content",
    { type: "tool_result", tool_use_id: "t1" },
    { type: "tool_call_response", id: "t1", response: null },
  ],
  [
    "server tool use",
    { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "q" } },
    {
      type: "server_tool_call",
      id: "s1",
      name: "web_search",
      server_tool_call: { type: "web_search", input: { query: "q" } },
    },
  ],
  [
    "web search result",
    { type: "web_search_tool_result", tool_use_id: "s1", content: [{ encrypted_content: "x" }] },
    {
      type: "server_tool_call_response",
      id: "s1",
      server_tool_call_response: { type: "web_search", content: [{ encrypted_content: "x" }] },
    },
  ],
  [
    "MCP tool use",
    { type: "mcp_tool_use", id: "m1", name: "f", server_name: "srv", input: {} },
    {
      type: "server_tool_call",
      id: "m1",
      name: "f",
      server_tool_call: { type: "mcp", input: {} },
      extensions: bag({ type: "mcp_tool_use", server_name: "srv" }),
    },
  ],
  [
    "MCP tool result",
    { type: "mcp_tool_result", tool_use_id: "m1", is_error: false, content: [] },
    {
      type: "server_tool_call_response",
      id: "m1",
      server_tool_call_response: { type: "mcp", content: [] },
      extensions: bag({ is_error: false }),
    },
  ],
  [
    "inline image",
    { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" }, cache_control },
    { type: "blob", modality: "image", mime_type: "image/png", content: "AAAA", extensions: bag({ cache_control }) },
  ],
  [
    "image at an address, with a field of tomorrow",
    { type: "image", source: { type: "url", url: "https://x.example/a.png", later: 1 } },
    { type: "uri", modality: "image", uri: "https://x.example/a.png", extensions: bag({ source: { later: 1 } }) },
  ],
  [
    "stored document",
    { type: "document", source: { type: "file", file_id: "f1" }, title: "T" },
    { type: "file", modality: "document", file_id: "f1", extensions: bag({ title: "T" }) },
  ],
  [
    "plain-text document",
    { type: "document", source: { type: "text", media_type: "text/plain", data: "a,b" } },
    {
      type: "text",
      content: "a,b",
      extensions: bag({ type: "document", source: { type: "text", media_type: "text/plain" } }),
    },
  ],
  [
    "compaction",
    { type: "compaction", content: "sum", encrypted_content: "e" },
    { type: "compaction", content: "sum", extensions: bag({ encrypted_content: "e" }) },
  ],
];

describe("decoding content blocks", () => {
  it.each(cases)("reads %s", (_name, wire, part) => {
    expect(decodeBlock(wire)).toEqual(part);
  });

  it.each([
    ["search_result", { type: "search_result", source: "s", title: "t", content: [] }],
    ["container_upload", { type: "container_upload", file_id: "f" }],
    ["a document of content blocks", { type: "document", source: { type: "content", content: "x" } }],
    ["tool_addition", { type: "tool_addition", tool: { type: "tool_reference", name: "f" } }],
    ["a kind of tomorrow", { type: "hologram", beams: [1] }],
    ["text that is no string", { type: "text", text: 1 }],
    ["a tool use without a name", { type: "tool_use", id: "t" }],
    ["an image without a source", { type: "image" }],
  ])("keeps %s whole", (_name, wire) => {
    expect(decodeBlock(wire)).toEqual({ type: "generic", generic_type: wire.type, extensions: bag(wire) });
  });

  it.each([[null], ["text"], [3], [[]]])("keeps the non-block %j", (value) => {
    expect(decodeBlock(value)).toEqual({ type: "generic", generic_type: "unknown", extensions: bag({ value }) });
  });
});

// The stream decoder: pitfalls of reference streams, one by one.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import { decodeResponse } from "../../../../src/dialects/anthropic-messages/response.ts";
import { createEventDecoder } from "../../../../src/dialects/anthropic-messages/stream.ts";
import type { Operation, Frame } from "../../../../src/dialects/dialect.ts";

const bag = (facts: Record<string, unknown>) => ({ "anthropic-messages": facts });
const chat: Operation = { kind: "chat", name: "chat", route: "/v1/messages", path: "v1/messages" };

type Wire = Record<string, unknown> & { type: string };

const frame = (data: string, event?: string): Frame => ({
  data,
  raw: Buffer.from(data),
  ...(event === undefined ? {} : { event }),
});
const frameOf = (wire: Wire): Frame => frame(JSON.stringify(wire), wire.type);

function decode(...frames: (Frame | Wire)[]): StreamEvent[] {
  const decoder = createEventDecoder(chat);
  const events = frames.flatMap((item) => decoder.push("raw" in item ? (item as Frame) : frameOf(item as Wire)));
  return [...events, ...decoder.end()];
}

function fold(events: StreamEvent[]) {
  const folded = createFold({ keepContent: true });
  for (const event of events) folded.push(event);
  return folded;
}

const start = (
  usage: Record<string, unknown> = { input_tokens: 5, output_tokens: 1 },
  more: Record<string, unknown> = {},
): Wire => ({
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
    ...more,
  },
});
const open = (index: number, content_block: Record<string, unknown>): Wire => ({
  type: "content_block_start",
  index,
  content_block,
});
const delta = (index: number, type: string, fields: Record<string, unknown>): Wire => ({
  type: "content_block_delta",
  index,
  delta: { type, ...fields },
});
const close = (index: number): Wire => ({ type: "content_block_stop", index });
const stopped = (
  stop_reason: string,
  usage: Record<string, unknown> = { output_tokens: 9 },
  more: Record<string, unknown> = {},
): Wire => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: null, ...more },
  usage,
});
const end: Wire = { type: "message_stop" };

const parts = (...frames: Wire[]) => fold(decode(start(), ...frames)).result().choices[0]?.message.parts;

describe("decoding a stream", () => {
  it("gives the events of a plain answer in order", () => {
    const events = decode(
      start(),
      { type: "ping" },
      open(0, { type: "text", text: "" }),
      delta(0, "text_delta", { text: "hé" }),
      close(0),
      stopped("end_turn"),
      end,
    );
    expect(events).toEqual([
      { type: "response_start", id: "msg_1", model: "claude-x" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "usage", usage: { inputTokens: 5, outputTokens: 1, raw: { input_tokens: 5, output_tokens: 1 } } },
      { type: "keepalive" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
      { type: "part_delta", choice: 0, part: 0, text: "hé" },
      { type: "part_end", choice: 0, part: 0 },
      { type: "usage", usage: { inputTokens: 5, outputTokens: 9, raw: { input_tokens: 5, output_tokens: 9 } } },
      {
        type: "choice_end",
        choice: 0,
        finishReason: { unified: "stop", raw: "end_turn" },
        extensions: bag({ stop_sequence: null }),
      },
      { type: "response_end" },
    ]);
  });

  it("folds to what the same message decodes to when it comes whole", () => {
    const usage = { input_tokens: 5, cache_read_input_tokens: 7, output_tokens: 9, service_tier: "priority" };
    const streamed = decode(
      start(
        { input_tokens: 5, cache_read_input_tokens: 7, output_tokens: 1, service_tier: "priority" },
        { container: null },
      ),
      open(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, "thinking_delta", { thinking: "h", estimated_tokens: 3 }),
      delta(0, "thinking_delta", { thinking: "m" }),
      delta(0, "signature_delta", { signature: "sig" }),
      close(0),
      open(1, { type: "text", text: "", citations: [] }),
      delta(1, "citations_delta", { citation: { n: 1 } }),
      delta(1, "text_delta", { text: "yes" }),
      delta(1, "citations_delta", { citation: { n: 2 } }),
      close(1),
      open(2, { type: "tool_use", id: "t", name: "f", input: {} }),
      delta(2, "input_json_delta", { partial_json: '{"a":' }),
      delta(2, "input_json_delta", { partial_json: "1}" }),
      close(2),
      open(3, { type: "server_tool_use", id: "s", name: "web_search", input: {} }),
      delta(3, "input_json_delta", { partial_json: '{"query":"q"}' }),
      close(3),
      open(4, { type: "compaction", content: null, encrypted_content: null }),
      delta(4, "compaction_delta", { content: "sum", encrypted_content: "e" }),
      close(4),
      {
        ...stopped("tool_use", { output_tokens: 9 }, { container: { id: "c" } }),
        context_management: { applied_edits: [1] },
      },
      end,
    );
    const whole = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-x",
      content: [
        { type: "thinking", thinking: "hm", signature: "sig" },
        { type: "text", text: "yes", citations: [{ n: 1 }, { n: 2 }] },
        { type: "tool_use", id: "t", name: "f", input: { a: 1 } },
        { type: "server_tool_use", id: "s", name: "web_search", input: { query: "q" } },
        { type: "compaction", content: "sum", encrypted_content: "e" },
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      container: { id: "c" },
      context_management: { applied_edits: [1] },
      usage,
    };
    expect(fold(streamed).result()).toEqual(decodeResponse(whole, chat));
  });

  it.each([
    ["as one empty text", [delta(0, "input_json_delta", { partial_json: "" })]],
    ["as nothing", []],
  ])("reads tool input that streamed %s as {}", (_how, deltas) => {
    const streamed = parts(open(0, { type: "tool_use", id: "t", name: "f", input: {} }), ...deltas, close(0));
    expect(streamed).toEqual([{ type: "tool_call", id: "t", name: "f", arguments: {} }]);
  });

  it("keeps tool input that came whole with the block's start", () => {
    const streamed = parts(open(0, { type: "tool_use", id: "t", name: "f", input: { a: 1 } }), close(0));
    expect(streamed).toEqual([{ type: "tool_call", id: "t", name: "f", arguments: { a: 1 } }]);
  });

  it("keeps two tool calls apart, also when their deltas interleave", () => {
    const streamed = parts(
      open(3, { type: "tool_use", id: "a", name: "f", input: {} }),
      open(7, { type: "tool_use", id: "b", name: "g", input: {} }),
      delta(7, "input_json_delta", { partial_json: '{"b":2}' }),
      delta(3, "input_json_delta", { partial_json: '{"a":1}' }),
      close(3),
      close(7),
    );
    expect(streamed).toEqual([
      { type: "tool_call", id: "a", name: "f", arguments: { a: 1 } },
      { type: "tool_call", id: "b", name: "g", arguments: { b: 2 } },
    ]);
  });

  it("takes an empty text delta for nothing, not for an unknown event", () => {
    const events = decode(start(), open(0, { type: "text", text: "" }), delta(0, "text_delta", { text: "" }));
    expect(events.filter(({ type }) => type === "unrecognized" || type === "part_delta")).toEqual([]);
  });

  it("keeps signed thinking whose text was left out", () => {
    const streamed = parts(
      open(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, "signature_delta", { signature: "s+/=" }),
      close(0),
    );
    expect(streamed).toEqual([{ type: "reasoning", content: "", extensions: bag({ signature: "s+/=" }) }]);
  });

  it("keeps redacted thinking between thinking", () => {
    const streamed = parts(
      open(0, { type: "thinking", thinking: "", signature: "1" }),
      open(1, { type: "redacted_thinking", data: "2" }),
      open(2, { type: "thinking", thinking: "", signature: "3" }),
    );
    expect(streamed?.map((part) => part.extensions)).toEqual([
      bag({ signature: "1" }),
      bag({ type: "redacted_thinking", data: "2" }),
      bag({ signature: "3" }),
    ]);
  });

  it("lets restated usage replace and never adds it; null does not replace", () => {
    const events = decode(
      start({ input_tokens: 9, cache_creation_input_tokens: 100, output_tokens: 1 }),
      stopped("end_turn", { input_tokens: 26, cache_creation_input_tokens: null, output_tokens: 40 }),
      end,
    );
    expect(fold(events).usage).toEqual({
      inputTokens: 126,
      cacheWriteTokens: 100,
      outputTokens: 40,
      raw: { input_tokens: 26, cache_creation_input_tokens: 100, output_tokens: 40 },
    });
  });

  it("tells usage only when it changed", () => {
    const usage = { input_tokens: 5, output_tokens: 1 };
    const events = decode(start(usage), stopped("end_turn", usage), end);
    expect(events.filter(({ type }) => type === "usage")).toHaveLength(1);
  });

  it("tells the stop once when several message_delta restate it, lists not doubled", () => {
    const events = decode(
      start(),
      stopped("end_turn", {}, { stop_details: { list: [1] } }),
      stopped("refusal", {}, { stop_details: { list: [1] } }),
      end,
    );
    expect(fold(events).result().choices[0]).toMatchObject({
      finishReason: { unified: "content_filter", raw: "refusal" },
      extensions: bag({ stop_sequence: null, stop_details: { list: [1] } }),
    });
    expect(events.filter(({ type }) => type === "choice_end")).toHaveLength(1);
  });

  it("does not let a later null take back a fact of the message", () => {
    const events = decode(
      start({}, { container: { id: "c" } }),
      stopped("stop_sequence", {}, { stop_sequence: "END" }),
      { type: "message_delta", delta: { stop_reason: null, stop_sequence: null, container: null } },
      end,
    );
    const { choices, extensions } = fold(events).result();
    expect(choices[0]?.finishReason).toEqual({ unified: "stop", raw: "stop_sequence" });
    expect(choices[0]?.extensions).toEqual(bag({ stop_sequence: "END" }));
    expect(extensions).toEqual(bag({ container: { id: "c" } }));
  });

  it("has an overloaded error mid-stream as an error, without finish reason or end", () => {
    const folded = fold(
      decode(start(), open(0, { type: "text", text: "" }), {
        type: "error",
        error: { type: "overloaded_error", message: "Overloaded" },
      }),
    );
    expect(folded.error).toEqual({ type: "overloaded_error", message: "Overloaded" });
    expect(folded.ended).toBe(false);
    expect(folded.result().choices[0]?.finishReason).toBeUndefined();
  });

  it.each([
    ["an error event with an unreadable body", frame("upstream gone", "error")],
    ["an error event whose body has its own type", frame('{"type":"overloaded_error","message":"m"}', "error")],
    ["an error event without a body", frame("", "error")],
  ])("takes %s for an error", (_name, wire) => {
    expect(fold(decode(wire)).error).toBeDefined();
  });

  it("is not ended when the wire ends before message_stop, but tells the stop reason it has seen", () => {
    const folded = fold(decode(start(), stopped("max_tokens")));
    expect(folded.ended).toBe(false);
    expect(folded.result().choices[0]?.finishReason).toEqual({ unified: "length", raw: "max_tokens" });
  });

  it("goes by the type in the body where the event line is missing or says message", () => {
    const bare = [start(), open(0, { type: "text", text: "a" }), close(0), stopped("end_turn"), end];
    const named = decode(...bare);
    expect(decode(...bare.map((wire) => frame(JSON.stringify(wire))))).toEqual(named);
    expect(decode(...bare.map((wire) => frame(JSON.stringify(wire), "message")))).toEqual(named);
  });

  it("goes by the event line where the body has no type", () => {
    expect(decode(frame("", "ping"), frame("{}", "message_stop"))).toEqual([
      { type: "keepalive" },
      { type: "response_end" },
    ]);
  });

  it("takes comments and pings, also one after the end, for keep-alives", () => {
    const comment: Frame = { data: "", raw: Buffer.from(": hi\n\n"), commentOnly: true };
    const events = decode(comment, start(), end, { type: "ping", cost: "0" });
    expect(events.filter(({ type }) => type === "keepalive")).toHaveLength(2);
  });

  it("follows a fallback block to the model that serves from there on", () => {
    const block = { type: "fallback", from: { model: "claude-x" }, to: { model: "claude-y" }, trigger: {} };
    const response = fold(decode(start(), open(0, block), close(0), stopped("end_turn"), end)).result();
    expect(response.model).toBe("claude-y");
    expect(response.choices[0]?.message.parts).toEqual([
      { type: "generic", generic_type: "fallback", extensions: bag(block) },
    ]);
  });

  it("puts blocks that message_start already has before the streamed ones", () => {
    const content = [{ type: "text", text: "a" }];
    const events = decode(start({}, { content }), open(0, { type: "text", text: "b" }), close(0), end);
    expect(fold(events).result().choices[0]?.message.parts).toEqual([
      { type: "text", content: "a" },
      { type: "text", content: "b" },
    ]);
  });

  it("learns the service tier from a later usage", () => {
    const events = decode(start(), stopped("end_turn", { service_tier: "batch" }), end);
    expect(fold(events).result().serviceTier).toBe("batch");
  });

  it.each<[string, Frame | Wire, string]>([
    ["a new event", { type: "message_pause" }, "message_pause"],
    ["an old API's event", { type: "completion", completion: "secret" }, "completion"],
    ["an event without JSON", frame("secret text", "message_start"), "message_start"],
    ["nothing readable", frame("[DONE]"), "unreadable"],
    ["JSON that is no object", frame("[1]"), "unreadable"],
    ["a message_start without a message", { type: "message_start" }, "message_start"],
    ["a block start without a block", { type: "content_block_start", index: 0 }, "content_block_start"],
    ["the stop of no block", close(4), "content_block_stop"],
    ["a delta of no block", delta(4, "text_delta", { text: "secret" }), "content_block_delta/text_delta"],
    ["a delta without a delta", { type: "content_block_delta", index: 4 }, "content_block_delta"],
    ["a long name", { type: "x".repeat(500) }, "x".repeat(64)],
  ])("counts %s as unrecognized, by name alone", (_name, wire, name) => {
    expect(decode(wire)).toEqual([{ type: "unrecognized", name }]);
  });

  it("counts a delta that does not fit its block as unrecognized and leaves the block alone", () => {
    const events = decode(
      start(),
      open(0, { type: "text", text: "a" }),
      delta(0, "thinking_delta", { thinking: "no" }),
      delta(0, "hologram_delta", {}),
    );
    expect(events.flatMap((event) => (event.type === "unrecognized" ? [event.name] : []))).toEqual([
      "content_block_delta/thinking_delta",
      "content_block_delta/hologram_delta",
    ]);
    expect(fold(events).result().choices[0]?.message.parts).toEqual([{ type: "text", content: "a" }]);
  });

  it("never throws, whatever the fields hold", () => {
    const words = [
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "error",
      "later",
    ];
    const kinds = [
      "text",
      "thinking",
      "tool_use",
      "tool_result",
      "image",
      "compaction",
      "fallback",
      "web_search_tool_result",
    ];
    const deltas = ["text_delta", "input_json_delta", "signature_delta", "citations_delta", "compaction_delta"];
    const odd = fc.jsonValue({ maxDepth: 2 });
    const block = fc.record(
      { type: fc.constantFrom(...kinds), text: odd, name: odd, source: odd, content: odd, to: odd },
      { requiredKeys: [] },
    );
    const wire = fc.record(
      {
        type: fc.constantFrom(...words),
        index: fc.oneof(fc.constantFrom(0, 1), odd),
        message: fc.oneof(
          odd,
          fc.record({ content: fc.oneof(odd, fc.array(fc.oneof(block, odd))), usage: odd, model: odd, role: odd }),
        ),
        content_block: fc.oneof(block, odd),
        delta: fc.oneof(
          odd,
          fc.record({ type: fc.constantFrom(...deltas), text: odd, partial_json: odd, content: odd, stop_reason: odd }),
        ),
        usage: odd,
        error: odd,
      },
      { requiredKeys: ["type"] },
    );
    const decodes = fc.property(fc.array(wire, { maxLength: 8 }), (wires) => {
      fold(decode(...(wires as Wire[]), end)).result();
    });
    expect(() => fc.assert(decodes, { numRuns: 500 })).not.toThrow();
  });
});

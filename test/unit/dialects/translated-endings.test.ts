// Answers whose provider does not say why they ended, and calls of custom tools: what every client must be told all the same.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../src/canonical/index.ts";
import type { DialectId } from "../../../src/dialects/dialect.ts";
import { findDialect, translateResponse, translateStream } from "../../../src/dialects/index.ts";

const facts = { model: "m", exchangeId: "0123456789abcdef0123456789abcdef", epochSeconds: 1_700_000_000 };
const openai = findDialect("openai-chat");

const events = (end: StreamEvent["type"][]): StreamEvent[] => [
  { type: "response_start", id: "chatcmpl-1", model: "m" },
  { type: "choice_start", choice: 0, role: "assistant" },
  { type: "part_start", choice: 0, part: 0, value: { type: "tool_call", id: "c1", name: "f", arguments: { a: 1 } } },
  { type: "part_end", choice: 0, part: 0 },
  ...end.map((type) => ({ type }) as StreamEvent),
];

function translate(target: DialectId, given: StreamEvent[]): { text: string; losses: unknown[] } {
  const { encoder, losses } = translateStream(openai, findDialect(target), true, facts);
  const pieces = [...given.flatMap((event) => encoder.push(event)), ...encoder.end()];
  return { text: Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString("latin1"), losses: losses() };
}

const endings: [DialectId, string][] = [
  ["anthropic-messages", '"stop_reason":"tool_use"'],
  ["bedrock-converse", '"stopReason":"tool_use"'],
  ["cohere-chat", '"finish_reason":"TOOL_CALL"'],
  ["gemini-generate-content", '"finishReason":"STOP"'],
  ["ollama-chat", '"done_reason":"stop"'],
  ["openai-responses", String.raw`"completed_at":1700000000`],
];
const injected = { pointer: "response:/choices/0/finishReason", reason: "injected", severity: "tuning" };

describe.each(endings)("an answer without a finish reason, for a client of %s", (target, word) => {
  it("ends well where the provider ended the stream, and is told as injected (recorded of Snowflake)", () => {
    const { text, losses } = translate(target, events(["response_end"]));
    expect(text).toContain(word);
    expect(losses).toContainEqual(expect.objectContaining(injected));
  });

  it("does not end well where the stream broke off", () => {
    expect(translate(target, events([])).text).not.toContain(word);
  });

  it("has an end as a body", () => {
    const message = {
      role: "assistant",
      parts: [{ type: "tool_call" as const, id: "c1", name: "f", arguments: { a: 1 } }],
    };
    const { body, losses } = translateResponse(
      openai,
      findDialect(target),
      { choices: [{ index: 0, message }] },
      facts,
    );
    expect(JSON.stringify(body)).toContain(word);
    expect(losses).toContainEqual(expect.objectContaining(injected));
  });
});

describe.each(["bedrock-converse", "cohere-chat", "anthropic-messages"] as const)(
  "a custom tool's text for %s",
  (target) => {
    const extensions = { "openai-chat": { type: "custom" } };
    // The text in an object, as JSON in a string of JSON.
    const wrapped = String.raw`{\"input\":\"4 + 4\"}`;

    it("stands in an object, streamed as whole JSON", () => {
      const { text } = translate(target, [
        { type: "choice_start", choice: 0, role: "assistant" },
        { type: "part_start", choice: 0, part: 0, value: { type: "tool_call", id: "c1", name: "f", arguments: "" } },
        { type: "part_delta", choice: 0, part: 0, text: "4 +" },
        { type: "part_delta", choice: 0, part: 0, text: " 4" },
        { type: "part_end", choice: 0, part: 0 },
        { type: "part_extend", choice: 0, part: 0, extensions },
        { type: "choice_end", choice: 0, finishReason: { unified: "tool_call" } },
        { type: "response_end" },
      ]);
      expect(text.split(wrapped)).toHaveLength(2);
      expect(text).not.toContain('"4 +"');
    });

    it("stands in an object in a body", () => {
      const parts = [{ type: "tool_call" as const, id: "c1", name: "f", arguments: "4 + 4", extensions }];
      const choice = {
        index: 0,
        message: { role: "assistant", parts },
        finishReason: { unified: "tool_call" as const },
      };
      const { body } = translateResponse(openai, findDialect(target), { choices: [choice] }, facts);
      expect([wrapped, '{"input":"4 + 4"}'].some((text) => JSON.stringify(body).includes(text))).toBe(true);
    });
  },
);

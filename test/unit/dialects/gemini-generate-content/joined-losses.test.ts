// What is lost of a text that came in pieces is told at each of them, and calls that end out of turn are told in theirs.
import { expect, it } from "vitest";
import type { StreamEvent } from "../../../../src/canonical/index.ts";
import { findDialect, translateRequest, translateStream } from "../../../../src/dialects/index.ts";

const gemini = findDialect("gemini-generate-content");
const facts = { model: "m", exchangeId: "ab".repeat(16), epochSeconds: 0, maxOutputTokens: 4096 };

it("tells the loss of thoughts at every piece of them", () => {
  const thought = (text: string) => ({ role: "model", parts: [{ text, thought: true }] });
  const body = { contents: [{ role: "user", parts: [{ text: "hi" }] }, thought("first "), thought("second")] };
  const operation = gemini.match("POST", "/v1beta/models/m:generateContent");
  if (operation === undefined) throw new Error("no operation");
  const request = gemini.decodeRequest(body, operation);
  const { losses } = translateRequest(gemini, findDialect("anthropic-messages"), { body, request }, facts);
  const pointers = losses.map(({ pointer }) => pointer);
  expect(pointers).toContain("/contents/1/parts/0");
  expect(pointers).toContain("/contents/2/parts/0");
});

it("tells calls in the order in which they began", () => {
  const { encoder } = translateStream(findDialect("openai-chat"), gemini, true, facts);
  const start = (part: number, name: string): StreamEvent => ({
    type: "part_start",
    choice: 0,
    part,
    value: { type: "tool_call", id: `call_${part}`, name, arguments: {} },
  });
  const events: StreamEvent[] = [
    { type: "choice_start", choice: 0, role: "assistant" },
    start(0, "first"),
    start(1, "second"),
    { type: "part_end", choice: 0, part: 1 },
    { type: "part_end", choice: 0, part: 0 },
    { type: "choice_end", choice: 0, finishReason: { unified: "tool_call" } },
  ];
  const text = [...events.flatMap((event) => encoder.push(event)), ...encoder.end()].join("");
  expect([...text.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)).toEqual(["first", "second"]);
});

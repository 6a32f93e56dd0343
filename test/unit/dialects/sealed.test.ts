// Opaque reasoning is found wherever a dialect keeps it, with its family's name, and is taken only when asked.

import { describe, expect, it } from "vitest";
import type { Extensions } from "../../../src/canonical/index.ts";
import { findDialect } from "../../../src/dialects/index.ts";
import { findSeals, listSealing, takeCallSignature, takeDetails, takeSeals } from "../../../src/dialects/sealed.ts";
import { openEncoding } from "../../support/recorded-translation.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const encoding = () => openEncoding(findDialect("openai-chat"), findDialect("cohere-chat"));
const everywhere = listSealing();

describe("an opaque value", () => {
  it.each<[Extensions, string, string, boolean]>([
    [{ "anthropic-messages": { signature: "s" } }, "anthropic-claude-v1", "s", false],
    [{ "anthropic-messages": { type: "redacted_thinking", data: "d" } }, "anthropic-claude-v1", "d", true],
    [{ "gemini-generate-content": { thoughtSignature: "Zw==" } }, "google-gemini-v1", "Zw==", false],
    [{ "bedrock-converse": { reasoningText: { signature: "b" } } }, "amazon-bedrock-v1", "b", false],
    [{ "bedrock-converse": { redactedContent: "cg==" } }, "amazon-bedrock-v1", "cg==", true],
    [{ "openai-responses": { item: { encrypted_content: "e" } } }, "openai-responses-v1", "e", false],
    [{ "anthropic-messages": { signature: "outrider:google-gemini-v1:Zw==" } }, "google-gemini-v1", "Zw==", false],
    [
      { "gemini-generate-content": { thoughtSignature: base64("outrider:anthropic-claude-v1:redacted:d") } },
      "anthropic-claude-v1",
      "d",
      true,
    ],
    [
      { "bedrock-converse": { redactedContent: base64("outrider:anthropic-claude-v1:d") } },
      "anthropic-claude-v1",
      "d",
      true,
    ],
  ])("of %j is its family's", (extensions, format, value, isRedacted) => {
    expect(findSeals({ extensions }, everywhere)).toMatchObject([{ format, value, isRedacted }]);
  });

  it("is carried once it is taken, with what only says its kind", () => {
    const redacted = { "anthropic-messages": { type: "redacted_thinking", data: "d" } };
    const root = { stream: false, messages: [{ role: "assistant", parts: [], extensions: redacted }] };
    const [found, taken] = [encoding(), encoding()];
    findSeals({ extensions: redacted }, everywhere);
    found.loseLeftovers(root);
    expect(found.losses.map(({ path }) => path.at(-1))).toEqual(["type", "data"]);
    takeSeals({ extensions: redacted }, everywhere, taken);
    taken.loseLeftovers(root);
    expect(taken.losses).toEqual([]);
  });

  it("of one's own dialect, or an empty one, is not looked for", () => {
    const extensions = { "anthropic-messages": { signature: "s" }, "openai-responses": { item: { id: "rs_1" } } };
    expect(findSeals({ extensions }, listSealing("anthropic-messages"))).toEqual([]);
    expect(findSeals({ extensions: { "anthropic-messages": { signature: "" } } }, everywhere)).toEqual([]);
  });

  it("of a call is Google's, also where chat clients keep it", () => {
    const signed = { format: "google-gemini-v1", value: "Zw==", isRedacted: false };
    const chat = { "openai-chat": { extra_content: { google: { thought_signature: "Zw==" } } } };
    const own = { "gemini-generate-content": { thought_signature: "Zw==" } };
    expect(takeCallSignature({ extensions: chat }, encoding())).toEqual([signed]);
    expect(takeCallSignature({ extensions: own }, encoding())).toMatchObject([signed]);
    expect(takeCallSignature({ extensions: { "openai-chat": { extra_content: {} } } }, encoding())).toEqual([]);
  });

  it("of a chat client's details names its family only where it is known", () => {
    const details = [
      { type: "reasoning.text", text: "why", signature: "s", format: "anthropic-claude-v1" },
      { type: "reasoning.encrypted", data: "d", format: "nobody-v1" },
      { type: "reasoning.summary", summary: "in short" },
    ];
    expect(takeDetails({ extensions: { "openai-chat": { reasoning_details: details } } }, encoding())).toEqual([
      { format: "anthropic-claude-v1", value: "s", isRedacted: false, text: "why" },
      { value: "d", isRedacted: true },
      { value: "", isRedacted: false, text: "in short" },
    ]);
  });
});

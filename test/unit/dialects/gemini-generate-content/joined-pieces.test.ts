// A streamed answer that a Gemini client hands back in pieces, as another dialect's encoder is given it.
import { describe, expect, it } from "vitest";
import type { Message } from "../../../../src/canonical/index.ts";
import { encoder } from "../../../../src/dialects/gemini-generate-content/encoder.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";

type Wire = Record<string, unknown>;

function read(...contents: Wire[]): Message[] {
  const operation = geminiGenerateContent.match("POST", "/v1beta/models/m:generateContent");
  if (operation === undefined || encoder.forOthers === undefined) throw new Error("the dialect lacks a half");
  return encoder.forOthers(geminiGenerateContent.decodeRequest({ contents }, operation)).messages;
}

const texts = (messages: Message[]) =>
  messages.map(({ parts }) => parts.map((part) => ("content" in part ? [part.type, part.content] : part.type)));

const thought = (text: string, signature?: string): Wire => ({
  text,
  thought: true,
  ...(signature === undefined ? {} : { thoughtSignature: signature }),
});

describe("pieces of a stream in the history", () => {
  it("are one text beside the signature that follows them, each at its place", () => {
    const parts = [thought("One "), thought("thought."), thought("", "c2ln"), thought("", "c2ln"), { text: "Hi" }];
    const messages = read({ role: "model", parts });
    expect(texts(messages)).toEqual([
      [
        ["reasoning", ""],
        ["reasoning", ""],
        ["reasoning", "One thought."],
        ["reasoning", ""],
        ["text", "Hi"],
      ],
    ]);
    expect(messages[0]?.parts[2]?.extensions).toEqual({
      "gemini-generate-content": { thoughtSignature: "c2ln" },
    });
  });

  it("may stand in turns of their own, as the SDK's chats keep them", () => {
    const messages = read(
      { role: "model", parts: [{ text: "a" }] },
      { role: "model", parts: [{ text: "\n\n" }] },
      { role: "model", parts: [{ text: "b" }] },
    );
    expect(texts(messages)).toEqual([[["text", ""]], [["text", ""]], [["text", "a\n\nb"]]]);
  });

  it("are not joined over a call, a turn of the user's, or what is signed already", () => {
    const call = { functionCall: { name: "f", args: {} } };
    const messages = read(
      { role: "model", parts: [thought("a", "c2ln"), thought("b"), call, thought("c")] },
      { role: "user", parts: [{ text: "d" }, { text: "e" }] },
      { role: "model", parts: [thought("f")] },
    );
    expect(texts(messages)).toEqual([
      [["reasoning", "a"], ["reasoning", "b"], "tool_call", ["reasoning", "c"]],
      [
        ["text", "d"],
        ["text", "e"],
      ],
      [["reasoning", "f"]],
    ]);
  });
});

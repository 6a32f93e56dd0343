import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../../src/canonical/index.ts";
import { cohereChat } from "../../../../src/dialects/cohere-chat/index.ts";
import type { Dialect } from "../../../../src/dialects/dialect.ts";
import { findDialect } from "../../../../src/dialects/index.ts";
import {
  calls,
  decodeBytes,
  factsOf,
  foldAll,
  inObjects,
  openEncoding,
  readStream,
} from "../../../support/recorded-translation.ts";

const { encoder } = cohereChat;
if (encoder === undefined) throw new Error("Cohere has no encode half");
const chat = cohereChat.match("POST", encoder.path("m", true));
if (chat === undefined) throw new Error("the path is not Cohere's own");
const openaiChat = findDialect("openai-chat");
const anthropic = findDialect("anthropic-messages");

function stream(events: readonly StreamEvent[], source: Dialect = openaiChat) {
  const encoding = openEncoding(source, cohereChat);
  const writer = encoder?.eventEncoder(encoding, true);
  const bytes = events.flatMap((event) => writer?.push(event) ?? []);
  return { text: [...bytes, ...(writer?.end() ?? [])].join(""), losses: encoding.losses };
}

const read = (text: string): StreamEvent[] => decodeBytes(Buffer.from(text), cohereChat, chat, "sse");

describe("Cohere's streams", () => {
  it("made of any recorded stream read the same", () => {
    let made = 0;
    for (const one of calls) {
      const events = readStream(one);
      if (events === undefined || one.operation.kind === "chat_v1") continue;
      const source = foldAll(events);
      if (source.error !== undefined || source.answer.choices[0]?.finishReason === undefined) continue;
      made += 1;
      const { text } = stream(events, one.dialect);
      const target = foldAll(read(text));
      const isFiltered = ["content_filter", "error"].includes(source.answer.choices[0].finishReason.unified);
      expect(target.ended, one.id).toBe(!isFiltered);
      const [facts, expected] = [factsOf(target.answer), factsOf(source.answer)];
      const finish = isFiltered ? expected.finish : facts.finish;
      expect({ ...facts, finish, calls: inObjects(facts.calls) }, one.id).toEqual({
        ...expected,
        calls: inObjects(expected.calls),
      });
    }
    expect(made).toBeGreaterThan(5);
  });

  const start = (part: number, value: (StreamEvent & { type: "part_start" })["value"]): StreamEvent => ({
    type: "part_start",
    choice: 0,
    part,
    value,
  });
  const delta = (part: number, text: string): StreamEvent => ({ type: "part_delta", choice: 0, part, text });
  const stop: StreamEvent = { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } };

  it("have one call open at a time, however their arguments come", () => {
    const { text } = stream([
      start(0, { type: "tool_call", id: "a", name: "f" }),
      start(1, { type: "tool_call", id: "b", name: "g" }),
      delta(1, '{"y":'),
      delta(0, '{"x":1'),
      delta(1, "2}"),
      delta(0, "}"),
      { type: "choice_end", choice: 0, finishReason: { unified: "tool_call" } },
    ]);
    const names = [...text.matchAll(/^event: (.+)$/gm)].map(([, name]) => name);
    expect(names.filter((name) => name !== "tool-call-delta")).toEqual([
      "message-start",
      "tool-call-start",
      "tool-call-end",
      "tool-call-start",
      "tool-call-end",
      "message-end",
    ]);
    expect(factsOf(foldAll(read(text)).answer).calls).toEqual([
      ["f", { x: 1 }],
      ["g", { y: 2 }],
    ]);
  });

  it("send the first delta of each kind, and close one block before the next", () => {
    const { text } = stream([
      start(0, { type: "reasoning", content: "" }),
      delta(0, "hm"),
      start(1, { type: "text", content: "A" }),
      delta(1, "B"),
      stop,
    ]);
    expect(
      [...text.matchAll(/"type":"(content-[a-z]+)","index":(\d)/g)].map(([, name, index]) => `${name} ${index}`),
    ).toEqual([
      "content-start 0",
      "content-delta 0",
      "content-end 0",
      "content-start 1",
      "content-delta 1",
      "content-delta 1",
      "content-end 1",
    ]);
    expect(factsOf(foldAll(read(text)).answer)).toMatchObject({ text: "AB", reasoning: "hm" });
  });

  it("give a call that got no arguments `{}`, and what its start told", () => {
    const { text } = stream([
      start(0, { type: "tool_call", name: "f" }),
      start(1, { type: "tool_call", name: "g", arguments: { z: 1 } }),
      stop,
    ]);
    expect(factsOf(foldAll(read(text)).answer).calls).toEqual([
      ["f", {}],
      ["g", { z: 1 }],
    ]);
    expect(text).toContain('"arguments":"{}"');
  });

  it("end in an error when nothing said that the answer ended", () => {
    const { text } = stream([start(0, { type: "text", content: "half" })]);
    expect(foldAll(read(text)).error).toBeDefined();
    expect(text).not.toContain("[DONE]");
  });

  it("say nothing after an error", () => {
    const { text } = stream([
      start(0, { type: "text", content: "half" }),
      { type: "error", error: { message: "overloaded" } },
      delta(0, "late"),
      stop,
    ]);
    const last = read(text).at(-1);
    expect(last).toMatchObject({ type: "error", error: { message: "overloaded" } });
    expect(text).not.toMatch(/late|\[DONE\]/);
  });

  it("tell once what has no place", () => {
    const signed = { "anthropic-messages": { signature: "s" } };
    const { losses } = stream(
      [
        start(0, { type: "reasoning", content: "a" }),
        { type: "part_extend", choice: 0, part: 0, extensions: signed },
        { type: "part_extend", choice: 0, part: 0, extensions: signed },
        { type: "part_start", choice: 1, part: 0, value: { type: "text", content: "b" } },
        stop,
      ],
      anthropic,
    );
    expect(losses.map(({ path }) => path.join("/"))).toEqual(["choices/0/message/parts/0/signature", "choices/1"]);
  });
});

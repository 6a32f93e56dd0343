// Frames that are told from their bytes: only in the very spelling of Anthropic, and as the parser would tell them.
import { describe, expect, it } from "vitest";
import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import { createEventDecoder } from "../../../../src/dialects/anthropic-messages/stream.ts";
import type { ObjectDecoder } from "../../../../src/dialects/dialect.ts";
import { notRepeated, toldLater } from "../../../../src/dialects/framing/repetition.ts";
import { createSseDecoder } from "../../../../src/dialects/framing/sse.ts";

const operation = { kind: "chat", name: "chat", route: "/v1/messages", path: "v1/messages" } as const;

const frame = (type: string, rest = "", pad = ""): string =>
  `event: ${type}\ndata: {"type":"${type}"${rest}${pad}}\n\n`;
const start = (index: number, block: string): string =>
  frame("content_block_start", `,"index":${index},"content_block":${block}`);
const delta = (index: number | string, words: string, pad = ""): string =>
  frame("content_block_delta", `,"index":${index},"delta":${words}`, pad);
const textDelta = (text: string): string => `{"type":"text_delta","text":${JSON.stringify(text)}}`;
const text = '{"type":"text","text":""}';
const thinking = '{"type":"thinking","thinking":"","signature":""}';
const call = '{"type":"tool_use","id":"toolu_1","name":"look_up","input":{}}';
const opening = frame(
  "message_start",
  ',"message":{"id":"m","model":"c","usage":{"input_tokens":3,"output_tokens":1}}',
);
const closing = [
  frame("message_delta", ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}'),
  frame("message_stop"),
];

function parse(decoder: ObjectDecoder, wire: string): StreamEvent[] {
  const sse = createSseDecoder();
  return sse.push(Buffer.from(wire)).flatMap((each) => decoder.push(each));
}

/** A decoder of facts or of the whole that has seen these frames. */
function openStream(detail: "facts" | "whole", ...wires: string[]): ObjectDecoder {
  const decoder = createEventDecoder(operation, detail);
  for (const wire of [opening, ...wires]) parse(decoder, wire);
  return decoder;
}

const tell = (decoder: ObjectDecoder, wire: string): number => decoder.pushRepeated(Buffer.from(wire));

describe("a plain frame", () => {
  it.each([
    { name: "a text", block: text, wire: delta(0, textDelta("abc")), units: 3 },
    { name: "an empty text", block: text, wire: delta(0, textDelta("")), units: 0 },
    { name: "a padded text", block: text, wire: delta(0, textDelta("abc"), "      "), units: 3 },
    { name: "escapes", block: text, wire: delta(0, textDelta('a"\\\n')), units: 4 },
    { name: "UTF-16 units, not bytes", block: text, wire: delta(0, textDelta("é😀")), units: 3 },
    { name: "thinking", block: thinking, wire: delta(0, '{"type":"thinking_delta","thinking":"hm"}'), units: 2 },
    { name: "arguments", block: call, wire: delta(0, '{"type":"input_json_delta","partial_json":"{}"}'), units: 2 },
  ])("says without a frame before it: $name", ({ block, wire, units }) => {
    for (const detail of ["facts", "whole"] as const) {
      const decoder = openStream(detail, start(0, block));
      expect(tell(decoder, wire)).toBe(units);
      if (units > 0) expect([decoder.tellRepeated()]).toEqual(parse(openStream(detail, start(0, block)), wire));
    }
  });

  it("is told by its own block, also when the frame before it was of another", () => {
    const decoder = openStream("whole", start(0, thinking), start(1, text));
    expect(tell(decoder, delta(0, '{"type":"thinking_delta","thinking":"hm"}'))).toBe(2);
    expect(decoder.tellRepeated()).toEqual({ type: "part_delta", choice: 0, part: 0, text: "hm" });
    expect(tell(decoder, delta(1, textDelta("abc")))).toBe(3);
    expect(tell(decoder, delta(1, textDelta("defg")))).toBe(4);
    expect(decoder.tellRepeated()).toEqual({ type: "part_delta", choice: 0, part: 1, text: "defg" });
  });

  it("is told from bytes that are written over by the next frame's", () => {
    const decoder = openStream("whole", start(0, text), start(1, text));
    const bytes = Buffer.from(delta(0, textDelta("a")));
    expect(decoder.pushRepeated(bytes)).toBe(1);
    bytes.write(delta(1, textDelta("b")));
    expect(decoder.pushRepeated(bytes)).toBe(1);
    expect(decoder.tellRepeated()).toEqual({ type: "part_delta", choice: 0, part: 1, text: "b" });
  });

  it("says nothing to who keeps no content, and goes to the parser for who does", () => {
    const seal = delta(0, '{"type":"signature_delta","signature":"Ep=="}');
    const wires = [seal, frame("content_block_stop", ',"index":0', "   "), 'event: ping\ndata: {"type": "ping"}\n\n'];
    for (const wire of wires) {
      expect(tell(openStream("facts", start(0, thinking)), wire), wire).toBe(0);
      expect(parse(openStream("facts", start(0, thinking)), wire), wire).toEqual([]);
      expect(tell(openStream("whole", start(0, thinking)), wire), wire).toBe(notRepeated);
    }
    expect(tell(openStream("whole"), start(0, text))).toBe(notRepeated);
  });

  it.each([
    { name: "a block that never began", wire: delta(1, textDelta("a")) },
    { name: "a block of another kind", wire: delta(0, '{"type":"thinking_delta","thinking":"a"}') },
    { name: "a seal on a text", wire: delta(0, '{"type":"signature_delta","signature":"a"}') },
    { name: "an index with a zero before it", wire: delta("00", textDelta("a")) },
    { name: "no index", wire: delta("", textDelta("a")) },
    { name: "a member more in the delta", wire: delta(0, '{"type":"text_delta","text":"a","x":1}') },
    { name: "a member more beside the delta", wire: delta(0, textDelta("a"), ',"x":1') },
    { name: "an escape that is none", wire: delta(0, '{"type":"text_delta","text":"\\x"}') },
    { name: "a line end in the text", wire: delta(0, '{"type":"text_delta","text":"a\nb"}') },
    {
      name: "an event line that says otherwise",
      wire: delta(0, textDelta("a")).replace("event: content", "event: error"),
    },
    { name: "half a frame", wire: delta(0, textDelta("a")).slice(0, -1) },
    { name: "half a text", wire: delta(0, textDelta("a")).slice(0, -5) },
    { name: "two frames", wire: delta(0, textDelta("a")).repeat(2) },
    { name: "bare JSON", wire: delta(0, textDelta("a")).slice("event: content_block_delta\ndata: ".length, -2) },
    { name: "a stop of a block that never began", wire: frame("content_block_stop", ',"index":7') },
    { name: "a ping that says more", wire: 'event: ping\ndata: {"type":"ping","cost":"0"}\n\n' },
    { name: "a block that has a text", wire: start(1, '{"type":"text","text":"a"}') },
    { name: "a call that has arguments", wire: start(1, call.replace("{}", '{"a":1}')) },
    { name: "a name with an escape", wire: start(1, call.replace("look_up", "a\\u0041")) },
  ])("is not one of $name", ({ wire }) => {
    expect(tell(openStream("facts", start(0, text)), wire)).toBe(notRepeated);
  });

  it("is bare JSON inside another stream, where nothing is told later", () => {
    const decoder = createEventDecoder(operation, "facts");
    decoder.pushObject({ type: "message_start", message: {} }, undefined);
    decoder.pushObject({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }, undefined);
    const bare = `{"type":"content_block_delta","index":0,"delta":${textDelta("abc")}}`;
    expect(tell(decoder, bare)).toBe(3);
    expect(tell(decoder, `${bare}\n\n`)).toBe(notRepeated);
    expect(tell(decoder, delta(0, textDelta("abc")))).toBe(notRepeated);
    expect(tell(decoder, `{"type":"content_block_start","index":1,"content_block":${text}}`)).toBe(notRepeated);
  });
});

describe("the beginning of an empty block", () => {
  it.each([text, thinking, call])("is output at once and told at the end: %s", (block) => {
    const told = openStream("facts");
    const parsed = openStream("facts");
    expect(tell(told, start(0, block))).toBe(toldLater);
    expect(parse(parsed, start(0, block))).toEqual([{ type: "output" }]);
    const end = [...told.end()];
    expect(end).toMatchObject([
      { type: "part_start", part: 0 },
      { type: "usage", usage: { inputTokens: 3 } },
    ]);
    expect(end).toEqual(parsed.end());
    expect(told.end()).toEqual([]);
  });

  it("folds to what the whole folds to, with usage told once", () => {
    const wires = [start(0, thinking), start(1, text), delta(1, textDelta("abc")), start(2, call), ...closing];
    const [facts, whole] = (["facts", "whole"] as const).map((detail) => {
      const decoder = openStream(detail);
      const fold = createFold({ keepContent: false });
      const events = [...wires.flatMap((wire) => parse(decoder, wire)), ...decoder.end()];
      for (const event of events) fold.push(event);
      if (detail === "facts") expect(events.filter(({ type }) => type === "usage")).toHaveLength(1);
      return { response: fold.result(), characters: fold.outputCharacters, ended: fold.ended };
    });
    expect(facts).toEqual(whole);
    expect(facts?.response.usage).toMatchObject({ inputTokens: 3, outputTokens: 9 });
  });
});

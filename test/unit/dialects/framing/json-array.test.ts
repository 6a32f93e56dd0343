import { describe, expect, it } from "vitest";
import type { Frame } from "../../../../src/dialects/dialect.ts";
import { createJsonArrayDecoder } from "../../../../src/dialects/framing/json-array.ts";

function decode(chunks: readonly Buffer[], maxEventBytes?: number) {
  const decoder = createJsonArrayDecoder(maxEventBytes === undefined ? {} : { maxEventBytes });
  const frames = chunks.flatMap((chunk) => decoder.push(chunk));
  frames.push(...decoder.end());
  return { decoder, frames };
}

const elementsOf = (frames: readonly Frame[]): string[] =>
  frames.filter(({ commentOnly }) => commentOnly !== true).map(({ data }) => data);
const rawOf = (frames: readonly Frame[]): string => Buffer.concat(frames.map(({ raw }) => raw)).toString("utf8");

/** As Google prints it: an element over many lines, the comma on a line of its own. */
const pretty = '[{\n  "a": 1\n}\n,\r\n{\n  "b": "}],[{\\"\\\\"\n}\n]\n';

describe("the frames of a JSON array", () => {
  it("are its elements, each with the separators before it, then the closing bracket", () => {
    const { frames, decoder } = decode([Buffer.from(pretty)]);
    expect(frames.map(({ raw }) => raw.toString())).toEqual([
      '[{\n  "a": 1\n}',
      '\n,\r\n{\n  "b": "}],[{\\"\\\\"\n}',
      "\n]",
      "\n",
    ]);
    expect(frames.map(({ data }) => data)).toEqual(['{\n  "a": 1\n}', '{\n  "b": "}],[{\\"\\\\"\n}', "", ""]);
    expect(frames.map(({ commentOnly }) => commentOnly)).toEqual([undefined, undefined, true, true]);
    expect([decoder.corrupt, decoder.overflowed, decoder.midFrame]).toEqual([false, false, false]);
  });

  it.each([
    pretty,
    "[]",
    " [ ] ",
    '[{"text":"Grüße 😀 \\u005d \\\\\\" ]"},{"x":[[[{}]],"\\\\"]}]',
    '[1, true,null , "a,]", -2.5e3,"\\\\"]',
    '[[1,[2]],"",{}]',
    '{"error":{"message":"no"}}\n',
    '\uFEFF[{"a":"b"}]',
  ])("are the same wherever %j is cut, and lose no byte", (text) => {
    const bytes = Buffer.from(text);
    const whole = decode([bytes]);
    expect(whole.decoder.corrupt).toBe(false);
    expect(rawOf(whole.frames)).toBe(text);
    const parsed: unknown = JSON.parse(text.replace("\uFEFF", ""));
    expect(elementsOf(whole.frames).map((element): unknown => JSON.parse(element))).toEqual(
      Array.isArray(parsed) ? parsed : [parsed],
    );
    const single = decode(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)));
    expect(single.frames).toEqual(whole.frames);
    for (let at = 1; at < bytes.length; at++) {
      expect(decode([bytes.subarray(0, at), bytes.subarray(at)]).frames, `cut at ${at}`).toEqual(whole.frames);
    }
  });

  it("come as soon as the element is whole", () => {
    const decoder = createJsonArrayDecoder();
    expect(decoder.push(Buffer.from('[{"a":'))).toEqual([]);
    expect(decoder.midFrame).toBe(true);
    expect(decoder.push(Buffer.from("1}")).map(({ data }) => data)).toEqual(['{"a":1}']);
    expect(decoder.midFrame).toBe(false);
  });

  it.each(["data: {}\n\n", '"text"', "{}{}", "[] []", "[{} {}]", "[,{}]", "[{},]", "<html>", "[}"])(
    "stop at %j, which is no array",
    (text) => {
      const bytes = Buffer.from(`${text}      `);
      const { decoder, frames } = decode([bytes, Buffer.from("[{}]")]);
      expect([decoder.corrupt, decoder.overflowed, decoder.midFrame]).toEqual([true, false, false]);
      expect(decoder.push(bytes)).toEqual([]);
      expect(frames.length).toBeLessThan(2);
    },
  );

  it("stop for good at the cap, which counts one frame alone", () => {
    const element = `{"a":"${"x".repeat(20)}"}`;
    const fits = decode([Buffer.from(`[${element},${element}]`)], element.length + 1);
    expect(fits.decoder.overflowed).toBe(false);
    expect(elementsOf(fits.frames)).toEqual([element, element]);
    for (const chunks of [[`[${element}`], ["[", element.slice(0, 9), element.slice(9)]]) {
      const { decoder, frames } = decode(
        chunks.map((chunk) => Buffer.from(chunk)),
        element.length,
      );
      expect([decoder.overflowed, decoder.midFrame, frames.length]).toEqual([true, false, 0]);
    }
  });

  it("of a stream that breaks off end with the unfinished element, so that no byte is lost", () => {
    const { decoder, frames } = decode([Buffer.from('[{"a":1},{"b":"x')]);
    expect(elementsOf(frames)).toEqual(['{"a":1}', '{"b":"x']);
    expect(rawOf(frames)).toBe('[{"a":1},{"b":"x');
    expect(decoder.corrupt).toBe(false);
    expect(decode([Buffer.from("[{},\n")]).frames.at(-1)).toMatchObject({ data: "", commentOnly: true });
  });
});

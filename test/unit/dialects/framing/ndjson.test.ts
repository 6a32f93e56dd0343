import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../../support/random.ts";
import type { Frame } from "../../../../src/dialects/dialect.ts";
import { createNdjsonDecoder } from "../../../../src/dialects/framing/ndjson.ts";
import { cutAt } from "../../../support/stream-decoding.ts";

function decode(chunks: readonly Buffer[]): Frame[] {
  const decoder = createNdjsonDecoder();
  const frames = chunks.flatMap((chunk) => decoder.push(chunk));
  return [...frames, ...decoder.end()];
}

const plain = (text: string) => decode([Buffer.from(text)]).map(({ data, commentOnly }) => ({ data, commentOnly }));
const seed = 20_261_123;

describe("NDJSON decoder", () => {
  it.each([
    { name: "LF", text: '{"a":1}\n{"b":2}\n', data: ['{"a":1}', '{"b":2}'] },
    { name: "CRLF", text: "1\r\n2\r\n", data: ["1", "2"] },
    { name: "a last line without its LF", text: "1\n2", data: ["1", "2"] },
    { name: "blanks around a line", text: " 1 \n", data: ["1"] },
    { name: "a CR inside a line", text: '"a\rb"\n', data: ['"a\rb"'] },
    { name: "nothing at all", text: "", data: [] },
  ])("reads $name", ({ text, data }) => {
    expect(plain(text).map((frame) => frame.data)).toEqual(data);
  });

  it("marks blank lines, so that no byte is lost and none is an event", () => {
    expect(plain("\n1\n \r\n")).toEqual([
      { data: "", commentOnly: true },
      { data: "1", commentOnly: undefined },
      { data: "", commentOnly: true },
    ]);
  });

  it("gives a line as soon as its LF is there, and says when it is inside one", () => {
    const decoder = createNdjsonDecoder();
    expect(decoder.push(Buffer.from("1"))).toEqual([]);
    expect(decoder.midFrame).toBe(true);
    expect(decoder.push(Buffer.from("2\n")).map((frame) => frame.data)).toEqual(["12"]);
    expect(decoder.midFrame).toBe(false);
    expect(decoder.end()).toEqual([]);
  });

  it("gives the same frames for every two-way split and for single bytes, and raw adds up to the input", () => {
    const bytes = Buffer.from('{"text":"żó😀"}\n\n\r\n{"b":"\\n"}\r\n  \nlast');
    const whole = decode([bytes]);
    expect(Buffer.concat(whole.map((frame) => frame.raw))).toEqual(bytes);
    for (let offset = 1; offset < bytes.length; offset++) {
      expect(decode(cutAt(bytes, [offset])), `split at ${offset}`).toEqual(whole);
    }
    expect(decode(cutAt(bytes, [...bytes.keys()]))).toEqual(whole);
  });

  it("gives the lines that a split at LF gives, for any bytes in any chunks", () => {
    const random = createSeededRandom(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let round = 0; round < 2_000; round++) {
      // LF, CR and blanks often; any other byte, also such as make no UTF-8.
      const bytes = Buffer.from(
        Array.from({ length: below(60) }, () => [10, 13, 32, below(256), below(256)][below(5)] ?? 0),
      );
      const cuts = Array.from({ length: below(6) }, () => below(bytes.length + 1));
      const frames = decode(cutAt(bytes, cuts));
      const lines = bytes
        .toString("latin1")
        .split(/(?<=\n)/)
        .filter((line) => line !== "");
      const told = `seed ${seed}, round ${round}, ${bytes.toString("hex")} cut at ${cuts.join()}`;
      expect(
        frames.map((frame) => frame.raw.toString("latin1")),
        told,
      ).toEqual(lines);
      for (const { raw, data, commentOnly } of frames) {
        expect(data, told).toBe(raw.toString("utf8").trim());
        expect(commentOnly === true, told).toBe(data === "");
      }
    }
  });

  it("copies nothing when a line lies whole in one chunk", () => {
    const chunk = Buffer.from("1\n2\n");
    expect(
      createNdjsonDecoder()
        .push(chunk)
        .map((frame) => frame.raw.buffer === chunk.buffer),
    ).toEqual([true, true]);
  });

  it.each([1, 7, 1_000])("stops for good when a line grows past the cap, in chunks of %i", (step) => {
    const decoder = createNdjsonDecoder({ maxEventBytes: 50 });
    const bytes = Buffer.from(`1\n${"x".repeat(100)}\n2\n`);
    const seen: string[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      seen.push(...decoder.push(bytes.subarray(at, at + step)).map((frame) => frame.data));
    }
    expect(seen).toEqual(["1"]);
    expect(decoder.overflowed).toBe(true);
    expect(decoder.end()).toEqual([]);
    expect(decoder.push(Buffer.from("3\n"))).toEqual([]);
  });

  it("takes a line of exactly the cap, its LF included", () => {
    const decoder = createNdjsonDecoder({ maxEventBytes: 5 });
    expect(decoder.push(Buffer.from("1234\n5678\n")).map((frame) => frame.data)).toEqual(["1234", "5678"]);
    expect(decoder.overflowed).toBe(false);
    decoder.push(Buffer.from("12345\n"));
    expect(decoder.overflowed).toBe(true);
  });

  it("never calls its bytes corrupt", () => {
    const decoder = createNdjsonDecoder();
    decoder.push(Buffer.from([0xff, 0, 10]));
    expect(decoder.corrupt).toBe(false);
  });
});

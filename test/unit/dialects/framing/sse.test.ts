import { describe, expect, it } from "vitest";
import { createSseDecoder } from "../../../../src/dialects/framing/sse.ts";
import { cutAt, decodeFrames } from "../../../support/stream-decoding.ts";

const plain = (text: string) =>
  decodeFrames([Buffer.from(text)]).map(({ event, data, commentOnly }) => ({ event, data, commentOnly }));

describe("SSE decoder", () => {
  it.each([
    { name: "LF", text: "data: a\n\ndata: b\n\n", data: ["a", "b"] },
    { name: "CRLF", text: "data: a\r\n\r\ndata: b\r\n\r\n", data: ["a", "b"] },
    { name: "CR", text: "data: a\r\rdata: b\r\r", data: ["a", "b"] },
    { name: "a mixture", text: "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", data: ["a", "b", "c"] },
    { name: "no space after the colon", text: "data:a\n\ndata:  b\n\n", data: ["a", " b"] },
    { name: "several data lines", text: "data: a\ndata\ndata: b\n\n", data: ["a\n\nb"] },
    { name: "a byte order mark", text: "\uFEFFdata: a\n\n", data: ["a"] },
    { name: "a last event without its blank line", text: "data: a\n\ndata: b", data: ["a", "b"] },
    { name: "id and retry lines", text: "id: 7\nretry: 10\ndata: a\n\n", data: ["a"] },
    { name: "names that only begin like data", text: "database: a\ndata: b\n\n", data: ["b"] },
    { name: "further blank lines", text: "\n\ndata: a\n\n\n\ndata: b\n\n", data: ["a", "b"] },
  ])("reads $name", ({ text, data }) => {
    expect(plain(text).map((frame) => frame.data)).toEqual(data);
  });

  it("gives the event name, also of an event without data", () => {
    expect(plain("event: ping\n\nevent: x\ndata: y\n\n")).toEqual([
      { event: "ping", data: "", commentOnly: undefined },
      { event: "x", data: "y", commentOnly: undefined },
    ]);
  });

  it("gives blocks of comments as frames of their own, so that no byte is lost", () => {
    expect(plain(": hi\n\ndata: a\n\n:bye")).toEqual([
      { event: undefined, data: "", commentOnly: true },
      { event: undefined, data: "a", commentOnly: undefined },
      { event: undefined, data: "", commentOnly: true },
    ]);
  });

  it("gives the same frames for every two-way split and for single bytes, and raw adds up to the input", () => {
    const bytes = Buffer.from(
      '\uFEFF: c\r\n\r\ndata: żó😀\r\ndata:\r\n\revent: é\ndata: {"a":1}\n\n\n\r\n: x\n\nid: 1\n\ndata: last',
    );
    const whole = decodeFrames([bytes]);
    expect(Buffer.concat(whole.map((frame) => frame.raw))).toEqual(bytes);
    for (let offset = 1; offset < bytes.length; offset++) {
      expect(decodeFrames(cutAt(bytes, [offset])), `split at ${offset}`).toEqual(whole);
    }
    expect(decodeFrames(cutAt(bytes, [...bytes.keys()]))).toEqual(whole);
  });

  it("gives of one chunk what it gives of single bytes, whatever its lines are", () => {
    const words = ["data:", "event:", " ", "\n", "\r", "\r\n", "x"];
    let texts = [""];
    for (let length = 0; length < 5; length++) texts = texts.flatMap((text) => words.map((word) => text + word));
    for (const text of texts) {
      for (const ending of ["\n\n", "\r\n\r\n"]) {
        const bytes = Buffer.from(text + ending);
        const single = [...bytes].map((byte) => Buffer.from([byte]));
        const [whole, cut] = [decodeFrames([bytes]), decodeFrames(single)];
        if (JSON.stringify(whole) !== JSON.stringify(cut)) expect(whole, JSON.stringify(text + ending)).toEqual(cut);
      }
    }
    expect(texts).toHaveLength(words.length ** 5);
  });

  it("gives a frame as soon as its blank line is there", () => {
    const decoder = createSseDecoder();
    expect(decoder.push(Buffer.from("data: a\n")).length).toBe(0);
    expect(decoder.push(Buffer.from("\n")).map((frame) => frame.data)).toEqual(["a"]);
    expect(decoder.push(Buffer.from("data: b\r\n\r\n")).map((frame) => frame.data)).toEqual(["b"]);
  });

  it("copies nothing when a frame lies whole in one chunk", () => {
    const chunk = Buffer.from("data: a\n\ndata: b\n\n");
    const frames = createSseDecoder().push(chunk);
    expect(frames.map((frame) => frame.raw.buffer === chunk.buffer)).toEqual([true, true]);
  });

  it("stops for good when a frame grows past the cap, whether in one chunk or in many", () => {
    for (const step of [5, 1000]) {
      const decoder = createSseDecoder({ maxEventBytes: 50 });
      const bytes = Buffer.from(`data: a\n\ndata: ${"x".repeat(100)}\n\ndata: b\n\n`);
      const seen: string[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        seen.push(...decoder.push(bytes.subarray(at, at + step)).map((frame) => frame.data));
      }
      expect(seen).toEqual(["a"]);
      expect(decoder.overflowed).toBe(true);
      expect(decoder.end()).toEqual([]);
    }
  });

  it("takes a frame of exactly the cap", () => {
    const decoder = createSseDecoder({ maxEventBytes: 9 });
    expect(decoder.push(Buffer.from("data: a\n\n")).length).toBe(1);
    expect(decoder.overflowed).toBe(false);
  });
});

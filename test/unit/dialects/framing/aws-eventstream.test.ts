import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  createAwsEventStreamDecoder,
  encodeAwsMessage,
  findPayload,
  readMessage,
} from "../../../../src/dialects/framing/aws-eventstream.ts";
import { cutAt } from "../../../support/stream-decoding.ts";

/** A message built by hand: headers as bytes, checksums right unless told. */
function message(headers: Buffer, payload: string, lengths: { total?: number; headers?: number } = {}): Buffer {
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(lengths.total ?? 16 + headers.length + body.length, 0);
  prelude.writeUInt32BE(lengths.headers ?? headers.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const front = Buffer.concat([prelude, headers, body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(front));
  return Buffer.concat([front, checksum]);
}

function header(name: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([type]), value]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
}

const nothing = Buffer.alloc(0);
const eventHeaders = Buffer.concat([
  header(":event-type", 7, text("messageStart")),
  header(":content-type", 7, text("application/json")),
  header(":message-type", 7, text("event")),
]);
const sample = message(eventHeaders, '{"role":"żó😀"}');

function decode(chunks: readonly Buffer[], maxEventBytes?: number) {
  const decoder = createAwsEventStreamDecoder(maxEventBytes === undefined ? {} : { maxEventBytes });
  const frames = chunks.flatMap((chunk) => decoder.push(chunk));
  frames.push(...decoder.end());
  return { frames, decoder };
}

describe("AWS event-stream decoder", () => {
  it("gives event type and payload", () => {
    const { frames, decoder } = decode([sample]);
    expect(frames).toEqual([{ event: "messageStart", data: '{"role":"żó😀"}', raw: sample }]);
    expect(decoder.midFrame).toBe(false);
  });

  it("reads the first message of the Smithy test vectors", () => {
    // "payload_one_str_header": one string header, and the payload {'foo':'bar'}.
    const hex =
      "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1";
    const { frames } = decode([Buffer.from(hex, "hex")]);
    expect(frames.map(({ data }) => data)).toEqual(["{'foo':'bar'}"]);
    expect(encodeAwsMessage({ "content-type": "application/json" }, "{'foo':'bar'}").toString("hex")).toBe(hex);
  });

  it("steps over headers of all ten types", () => {
    const headers = Buffer.concat([
      header("a", 0, nothing),
      header("b", 1, nothing),
      header("c", 2, Buffer.alloc(1)),
      header("d", 3, Buffer.alloc(2)),
      header("e", 4, Buffer.alloc(4)),
      header("f", 5, Buffer.alloc(8)),
      header("g", 6, text("bytes")),
      header("h", 7, text("text")),
      header("i", 8, Buffer.alloc(8)),
      header("j", 9, Buffer.alloc(16)),
      eventHeaders,
    ]);
    expect(decode([message(headers, "{}")]).frames.map(({ event }) => event)).toEqual(["messageStart"]);
  });

  it.each([
    { type: "exception", name: ":exception-type", word: "throttlingException" },
    { type: "error", name: ":error-code", word: "InternalError" },
  ])("marks a message of the type $type", ({ type, name, word }) => {
    const headers = Buffer.concat([header(name, 7, text(word)), header(":message-type", 7, text(type))]);
    expect(decode([message(headers, "{}")]).frames).toMatchObject([{ event: word, data: "{}", exception: true }]);
  });

  it("gives the text of an error without payload", () => {
    const raw = encodeAwsMessage({ ":message-type": "error", ":error-code": "E", ":error-message": "it broke" }, "");
    expect(decode([raw]).frames).toMatchObject([{ event: "E", data: "it broke", exception: true }]);
  });

  it("gives the same frames for every two-way split and for single bytes, and raw adds up to the input", () => {
    const bytes = Buffer.concat([sample, message(nothing, ""), message(eventHeaders, "x".repeat(300)), sample]);
    const whole = decode([bytes]).frames;
    expect(whole).toHaveLength(4);
    expect(Buffer.concat(whole.map(({ raw }) => raw)).equals(bytes)).toBe(true);
    for (let offset = 1; offset < bytes.length; offset++) {
      expect(decode(cutAt(bytes, [offset])).frames, `split at ${offset}`).toEqual(whole);
    }
    expect(decode(cutAt(bytes, [...bytes.keys()])).frames).toEqual(whole);
  });

  it("copies nothing when a message lies whole in one chunk", () => {
    const [frame] = decode([sample]).frames;
    expect(frame?.raw.buffer).toBe(sample.buffer);
  });

  it("says where the middle of a message is, and gives no frame of an unfinished one", () => {
    for (const length of [1, 11, 12, 13, sample.length - 1]) {
      const { frames, decoder } = decode([sample.subarray(0, length)]);
      expect(frames).toEqual([]);
      expect(decoder).toMatchObject({ midFrame: true, corrupt: false, overflowed: false });
    }
  });

  it.each([
    { name: "a total below the least", bytes: message(nothing, "", { total: 15 }) },
    { name: "headers longer than the message", bytes: message(nothing, "", { headers: 1 }) },
    { name: "headers of four gigabytes", bytes: message(nothing, "", { headers: 0xff_ff_ff_ff }) },
    { name: "a header of an unknown type", bytes: message(header("a", 10, nothing), "{}") },
    { name: "a header value that runs over", bytes: message(header("a", 7, Buffer.from([0, 9, 1])), "{}") },
    { name: "a header name that runs over", bytes: message(Buffer.from([200, 97]), "{}") },
    { name: "a string without its length", bytes: message(header("a", 7, Buffer.from([0])), "{}") },
    { name: "text that is no event stream", bytes: Buffer.from('data: {"a":1}\n\ndata: [DONE]\n\n') },
  ])("is corrupt by $name, and stays so", ({ bytes }) => {
    const { frames, decoder } = decode([sample, bytes, sample]);
    expect(frames).toHaveLength(1);
    expect(decoder).toMatchObject({ corrupt: true, overflowed: false, midFrame: true });
  });

  it("overflows by a length above the cap before its bytes come", () => {
    const { frames, decoder } = decode([message(nothing, "", { total: 17_000_000 }), sample]);
    expect(frames).toEqual([]);
    expect(decoder).toMatchObject({ corrupt: false, overflowed: true });
    expect(decode([sample], sample.length).frames).toHaveLength(1);
    expect(decode([sample], sample.length - 1).decoder.overflowed).toBe(true);
  });

  it("finds every flip of a single bit", () => {
    const bytes = Buffer.concat([sample, sample]);
    const missed: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8((flipped[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3);
      const { frames, decoder } = decode([flipped]);
      const expected = bit >> 3 < sample.length ? 0 : 1;
      if (!decoder.corrupt || frames.length !== expected) missed.push(bit);
    }
    expect(missed).toEqual([]);
  });

  it("never throws and never gives more than came, whatever comes", () => {
    const seed = 20_261_121;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.concat([sample, message(eventHeaders, "y".repeat(random(200))), sample]);
      for (let flip = random(4); flip > 0; flip--) bytes.writeUInt8(random(256), random(bytes.length));
      const cut = bytes.subarray(
        random(30) === 0 ? random(40) : 0,
        random(3) === 0 ? random(bytes.length) : bytes.length,
      );
      const { frames, decoder } = decode(cutAt(cut, [random(cut.length + 1), random(cut.length + 1)]), 400);
      const given = Buffer.concat(frames.map(({ raw }) => raw));
      expect(given.equals(cut.subarray(0, given.length)), `seed ${seed} round ${round}`).toBe(true);
      const isWhole = given.length === cut.length;
      expect(isWhole || decoder.midFrame, `seed ${seed} round ${round}`).toBe(true);
    }
  });
});

describe("one message read by itself", () => {
  const body = sample.subarray(12, -4);

  it("gives its headers and payload, and where the payload of the event asked for begins", () => {
    expect(readMessage(sample)).toEqual(body);
    expect(readMessage(sample, eventHeaders.length)).toEqual(body);
    expect(findPayload(sample, "messageStart")).toBe(12 + eventHeaders.length);
  });

  it("is refused with other headers, as another event and as an exception", () => {
    expect(readMessage(sample, eventHeaders.length - 1)).toBeUndefined();
    expect(findPayload(sample, "messageStop")).toBe(-1);
    const exception = encodeAwsMessage({ ":message-type": "exception", ":exception-type": "messageStart" }, "{}");
    expect(findPayload(exception, "messageStart")).toBe(-1);
  });

  it("is refused with anything before or behind it, and with any bit flipped", () => {
    for (const bytes of [nothing, sample.subarray(1), sample.subarray(0, -1), Buffer.concat([sample, sample])]) {
      expect(readMessage(bytes)).toBeUndefined();
      expect(findPayload(bytes, "messageStart")).toBe(-1);
    }
    const read: number[] = [];
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const flipped = Buffer.from(sample);
      flipped.writeUInt8((flipped[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3);
      if (readMessage(flipped) !== undefined || findPayload(flipped, "messageStart") !== -1) read.push(bit);
    }
    expect(read).toEqual([]);
  });
});

describe("headers that came before", () => {
  it("are told apart by their bytes, however many came since", () => {
    const names = Array.from({ length: 200 }, (_none, index) => `event${index % 100}`);
    const { frames } = decode(names.map((name) => encodeAwsMessage({ ":event-type": name }, "{}")));
    expect(frames.map(({ event }) => event)).toEqual(names);
  });

  it("do not lend an error its text", () => {
    const failing = (text: string): Buffer =>
      encodeAwsMessage({ ":message-type": "error", ":error-code": "E", ":error-message": text }, "");
    expect(decode([failing("one"), failing("two")]).frames.map(({ data }) => data)).toEqual(["one", "two"]);
  });
});

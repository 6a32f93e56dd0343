// Frames of RFC 6455: the same messages however the bytes are cut, bounded memory, and no throw on any bytes.
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../support/random.ts";
import { ReadingBudget } from "../../../src/proxy/reading-budget.ts";
import { Inflation, readDeflateTerms } from "../../../src/proxy/websocket-deflate.ts";
import { encodeClose, FrameReader, type WebSocketMessage } from "../../../src/proxy/websocket-frames.ts";
import { decodeFrames, encodeFrame } from "../../support/websocket-upstream.ts";

const maxMessageBytes = 200_000;
const mask = Buffer.from([1, 200, 3, 77]);

function createReader(
  options: { deflate?: { keepsContext: boolean }; readsText?: boolean; nowMs?: () => number } = {},
) {
  const budget = new ReadingBudget({ nowMs: options.nowMs ?? ((): number => 0) });
  const inflation = options.deflate && new Inflation(options.deflate.keepsContext, maxMessageBytes, budget);
  return new FrameReader({ maxMessageBytes, inflation, readsText: options.readsText ?? true });
}

/** Readable forms: `text:…`, `close:1000`, `ping`. */
function show(messages: WebSocketMessage[]): string[] {
  return messages.map((message) => {
    if (message.kind === "text") return `text:${message.data.toString()}`;
    return message.kind === "close" ? `close:${message.code}` : message.kind;
  });
}

const long = "x".repeat(70_000);
const session = Buffer.concat([
  encodeFrame(1, "hello", { mask }),
  encodeFrame(1, "", {}),
  encodeFrame(9, "ping"),
  encodeFrame(1, "first ", { mask, final: false }),
  encodeFrame(10, ""),
  encodeFrame(0, "second ", { final: false }),
  encodeFrame(0, "third", { mask }),
  encodeFrame(1, "y".repeat(126)),
  encodeFrame(1, "z".repeat(65_535), { mask }),
  encodeFrame(2, "binary"),
  encodeFrame(1, long, { mask }),
  encodeFrame(8, Buffer.from([0x03, 0xe8]), { mask }),
]);
const said = [
  "text:hello",
  "text:",
  "ping",
  "pong",
  "text:first second third",
  `text:${"y".repeat(126)}`,
  `text:${"z".repeat(65_535)}`,
  "binary",
  `text:${long}`,
  "close:1000",
];

describe("FrameReader", () => {
  it("reads masks, fragments with control frames between them, and all three lengths", () => {
    const reader = createReader();
    expect(show(reader.push(session))).toEqual(said);
    expect([reader.atBoundary, reader.corrupt, reader.lastBoundary]).toEqual([true, false, session.length]);
  });

  it("reads the same messages however the bytes are cut, and leaves them as they were", () => {
    const seed = Date.now() % 1_000_000;
    const random = createSeededRandom(seed);
    for (let round = 0; round < 200; round++) {
      const copy = Buffer.from(session);
      const reader = createReader();
      const seen: string[] = [];
      for (let at = 0; at < copy.length;) {
        const size = random() < 0.7 ? 1 + Math.floor(random() * 12) : 1 + Math.floor(random() * 60_000);
        seen.push(...show(reader.push(copy.subarray(at, at + size))));
        at += size;
      }
      expect(seen, `seed ${seed}, round ${round}`).toEqual(said);
      expect(copy.equals(session), `seed ${seed}, round ${round}`).toBe(true);
    }
  });

  it("reads byte by byte", () => {
    const reader = createReader();
    const bytes = session.subarray(0, 100);
    const seen: string[] = [];
    for (const byte of bytes) seen.push(...show(reader.push(Buffer.from([byte]))));
    expect(seen).toEqual(said.slice(0, 5));
  });

  it("knows where a frame ends", () => {
    const reader = createReader();
    const frame = encodeFrame(1, "hello");
    reader.push(frame.subarray(0, 1));
    expect([reader.atBoundary, reader.lastBoundary]).toEqual([false, -1]);
    reader.push(Buffer.concat([frame.subarray(1), frame, frame.subarray(0, 3)]));
    expect([reader.atBoundary, reader.lastBoundary]).toEqual([false, frame.length * 2 - 1]);
    reader.push(frame.subarray(3));
    expect([reader.atBoundary, reader.lastBoundary]).toEqual([true, frame.length - 3]);
  });

  it("passes over a message beyond the cap and reads on, fragmented or not", () => {
    const tooLong = "x".repeat(maxMessageBytes + 1);
    const half = "x".repeat(maxMessageBytes / 2 + 1);
    const reader = createReader();
    expect(
      show(
        reader.push(
          Buffer.concat([
            encodeFrame(1, tooLong, { mask }),
            encodeFrame(1, half, { final: false }),
            encodeFrame(0, half),
            encodeFrame(1, "x".repeat(maxMessageBytes)),
            encodeFrame(1, "after"),
          ]),
        ),
      ),
    ).toEqual(["unread", "unread", `text:${"x".repeat(maxMessageBytes)}`, "text:after"]);
  });

  it("holds no memory for what is only announced", () => {
    const reader = createReader();
    const before = process.memoryUsage().arrayBuffers;
    reader.push(Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]));
    reader.push(Buffer.from("only a little"));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64_000);
  });

  it("reads a message of a hundred thousand fragments", () => {
    const reader = createReader();
    const fragment = encodeFrame(0, "a", { final: false });
    reader.push(encodeFrame(1, "", { final: false }));
    for (let index = 0; index < 100; index++) reader.push(Buffer.concat(Array.from({ length: 1000 }, () => fragment)));
    expect(show(reader.push(encodeFrame(0, "!")))).toEqual([`text:${"a".repeat(100_000)}!`]);
  });

  it.each<[string, Buffer]>([
    ["a reserved opcode", encodeFrame(3, "x")],
    ["a reserved control opcode", encodeFrame(11, "x")],
    ["a continuation of nothing", encodeFrame(0, "x")],
    ["a message inside a message", Buffer.concat([encodeFrame(1, "a", { final: false }), encodeFrame(1, "b")])],
    ["a fragmented control frame", encodeFrame(9, "x", { final: false })],
    ["a control frame of 126 bytes", encodeFrame(9, "x".repeat(126))],
    ["compression that was not negotiated", encodeFrame(1, "x", { compressed: true })],
    ["a length beyond all numbers", Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255])],
    ["HTTP", Buffer.from("HTTP/1.1 200 OK\r\n\r\n")],
  ])("stops reading for good at %s", (_name, bytes) => {
    const reader = createReader();
    reader.push(bytes);
    expect([reader.corrupt, reader.atBoundary]).toEqual([true, false]);
    expect(reader.push(encodeFrame(1, "never read"))).toEqual([]);
  });

  it("throws on no bytes, and gives no message larger than its cap", () => {
    const seed = Date.now() % 1_000_000;
    const random = createSeededRandom(seed);
    for (let round = 0; round < 3000; round++) {
      const reader = createReader({ deflate: { keepsContext: random() < 0.5 } });
      const bytes = Buffer.from(
        Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256)),
      );
      // Most random first bytes are no frame; begin with one that is.
      bytes[0] = random() < 0.5 ? 0x81 : 0xc1;
      for (const message of reader.push(bytes)) {
        if (message.kind === "text") expect(message.data.length, `seed ${seed}`).toBeLessThanOrEqual(maxMessageBytes);
      }
    }
  });

  it("skips text that nobody wants, and still sees the close", () => {
    const reader = createReader({ readsText: false });
    expect(show(reader.push(session)).filter((message) => message.startsWith("text"))).toEqual([]);
    expect(show(createReader({ readsText: false }).push(session)).at(-1)).toBe("close:1000");
  });

  it("reads a close frame without a code as 1005", () => {
    expect(show(createReader().push(encodeFrame(8, "")))).toEqual(["close:1005"]);
  });
});

/** What a sender does: one stream for all messages, the last four bytes taken off. */
function deflateMessages(messages: string[], keepsContext: boolean): Buffer[] {
  const window: string[] = [];
  return messages.map((message) => {
    const dictionary = Buffer.from(window.join("")).subarray(-32_768);
    const deflated = zlib.deflateRawSync(message, {
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      ...(keepsContext && dictionary.length > 0 ? { dictionary } : {}),
    });
    window.push(message);
    return deflated.subarray(0, -4);
  });
}

describe("permessage-deflate", () => {
  const messages = Array.from(
    { length: 60 },
    (_, index) => `{"type":"response.done","n":${index},"pad":"${"ab".repeat(900)}"}`,
  );

  it.each([true, false])("reads compressed messages, context kept: %s", (keepsContext) => {
    const reader = createReader({ deflate: { keepsContext } });
    const frames = deflateMessages(messages, keepsContext).map((payload) =>
      encodeFrame(1, payload, { compressed: true, mask }),
    );
    expect(show(reader.push(Buffer.concat(frames)))).toEqual(messages.map((message) => `text:${message}`));
  });

  it("reads what a compressor wrote that kept its state, and fragments of it", async () => {
    const deflater = zlib.createDeflateRaw();
    const chunks: Buffer[] = [];
    deflater.on("data", (chunk: Buffer) => chunks.push(chunk));
    const reader = createReader({ deflate: { keepsContext: true } });
    for (const message of messages) {
      await new Promise<void>((resolve) => {
        deflater.write(message);
        deflater.flush(zlib.constants.Z_SYNC_FLUSH, resolve);
      });
      const payload = Buffer.concat(chunks.splice(0)).subarray(0, -4);
      const half = payload.length >> 1;
      const seen = [
        ...reader.push(encodeFrame(1, payload.subarray(0, half), { compressed: true, final: false })),
        ...reader.push(encodeFrame(9, "between")),
        ...reader.push(encodeFrame(0, payload.subarray(half))),
      ];
      expect(show(seen)).toEqual(["ping", `text:${message}`]);
    }
  });

  it("does not decompress a bomb, and reads no more where the context is lost", () => {
    const bomb = deflateMessages(["0".repeat(maxMessageBytes * 50)], false)[0] as Buffer;
    const small = deflateMessages(["small"], false)[0] as Buffer;
    const kept = createReader({ deflate: { keepsContext: true } });
    const fresh = createReader({ deflate: { keepsContext: false } });
    const frames = Buffer.concat([
      encodeFrame(1, bomb, { compressed: true }),
      encodeFrame(1, small, { compressed: true }),
      encodeFrame(1, "plain"),
    ]);
    expect(show(kept.push(frames))).toEqual(["unread", "unread", "text:plain"]);
    expect(show(fresh.push(frames))).toEqual(["unread", "text:small", "text:plain"]);
  });

  it("stops decompressing at its budget", () => {
    const reader = createReader({ deflate: { keepsContext: false } });
    const payload = deflateMessages(["x"], false)[0] as Buffer;
    const frame = encodeFrame(1, payload, { compressed: true });
    const seen = show(reader.push(Buffer.concat(Array.from({ length: 5000 }, () => frame))));
    expect(seen.filter((message) => message === "text:x")).toHaveLength(4000);
    expect(seen.filter((message) => message === "unread")).toHaveLength(1000);
  });

  it.each([
    ["permessage-deflate", { clientKeepsContext: true, providerKeepsContext: true }],
    [
      "x-webkit-frame, permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
      { clientKeepsContext: true, providerKeepsContext: false },
    ],
    ["Permessage-Deflate;client_no_context_takeover", { clientKeepsContext: false, providerKeepsContext: true }],
    [undefined, undefined],
    ["x-other", undefined],
  ])("reads the terms of %s", (extensions, terms) => {
    expect(readDeflateTerms(extensions)).toEqual(terms);
  });
});

describe("ReadingBudget", () => {
  it("fills again with time", () => {
    let nowMs = 0;
    const budget = new ReadingBudget({ nowMs: () => nowMs });
    const readAll = (): number => {
      let read = 0;
      while (budget.allows()) {
        budget.charge(10);
        read += 1;
      }
      return read;
    };
    expect(readAll()).toBe(4000);
    nowMs = 500;
    expect(readAll()).toBe(1000);
    nowMs = 3_600_000;
    expect(readAll()).toBe(4000);
  });

  it("counts bytes too", () => {
    const budget = new ReadingBudget({ nowMs: () => 0 });
    budget.charge(64 * 1024 * 1024);
    expect(budget.allows()).toBe(false);
  });
});

describe("encodeClose", () => {
  it("writes the code plain for clients and masked for providers", () => {
    expect(encodeClose(1001, undefined)).toEqual(Buffer.from([0x88, 2, 0x03, 0xe9]));
    const masked = encodeClose(1001, mask);
    expect(masked[1]).toBe(0x82);
    expect(decodeFrames(masked)).toEqual([{ opcode: 8, compressed: false, payload: Buffer.from([0x03, 0xe9]) }]);
  });
});

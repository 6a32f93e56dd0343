// Every two-way split of every streamed recording gives the same events (law 1 on real bytes).
// Events depend on frames alone (a decoder sees nothing else), so frames are compared at every offset and events once.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSseDecoder, matchDialect, type Frame } from "../../src/dialects/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { cutAt, decodeEvents, decodeFrames } from "../support/stream-decoding.ts";

const streams = loadRecordings("openai-chat", "openai-completions", "mistral", "anthropic-messages").filter(
  (recording) => recording.framing === "sse",
);

/** Streams up to this size are decoded anew, whole, at every offset. */
const exhaustiveBytes = 3000;

/** Frames on either side of the split one that are decoded with it. */
const neighbours = 1;

function digest(frames: readonly Frame[]): string {
  let text = "";
  for (const { event, data, commentOnly, raw } of frames) text += `${event}|${data}|${commentOnly}|${raw.length};`;
  return text;
}

function decodeInTwo(bytes: Buffer, offset: number): Frame[] {
  const decoder = createSseDecoder();
  const frames = decoder.push(bytes.subarray(0, offset));
  frames.push(...decoder.push(bytes.subarray(offset)), ...decoder.end());
  return frames;
}

/**
 * The first offset whose split changes the frames; -1 when there is none. Long streams: after a frame's end the decoder is
 * as new, which the window (frames before and after the split one) itself shows, so the window stands for the stream.
 */
function findBadSplit(bytes: Buffer): number {
  const frames = decodeFrames([bytes]);
  if (bytes.length <= exhaustiveBytes) {
    const whole = digest(frames);
    for (let offset = 1; offset < bytes.length; offset++)
      if (digest(decodeInTwo(bytes, offset)) !== whole) return offset;
    return -1;
  }
  const starts: number[] = [];
  let end = 0;
  for (const frame of frames) {
    starts.push(end);
    end += frame.raw.length;
  }
  for (let index = 0; index < frames.length; index++) {
    const from = Math.max(0, index - neighbours);
    const to = Math.min(frames.length, index + neighbours + 1);
    const windowStart = starts[from] ?? 0;
    const window = bytes.subarray(windowStart, starts[to] ?? bytes.length);
    const expected = digest(frames.slice(from, to));
    const frameStart = (starts[index] ?? 0) - windowStart;
    const frameEnd = frameStart + (frames[index]?.raw.length ?? 0);
    for (let offset = Math.max(1, frameStart); offset < frameEnd; offset++) {
      if (digest(decodeInTwo(window, offset)) !== expected) return windowStart + offset;
    }
  }
  return -1;
}

function eventDigest(recording: Recording, chunks: Buffer[]): string {
  const path = recording.dialect === "anthropic-messages" ? "/v1/messages" : "/v1/chat/completions";
  const call = matchDialect("POST", path);
  if (call === undefined) throw new Error(`no call at ${path}`);
  const events = decodeEvents(call.dialect.eventDecoder(call.operation), chunks);
  return createHash("sha1").update(JSON.stringify(events)).digest("hex");
}

describe("streamed recordings", () => {
  it("give the same frames at every two-way split", () => {
    let bytesSplit = 0;
    for (const recording of streams) {
      const bytes = responseBytes(recording);
      bytesSplit += bytes.length;
      expect(findBadSplit(bytes), recording.id).toBe(-1);
    }
    console.log(`${streams.length} streams, ${bytesSplit} split offsets`);
    expect(streams.length).toBeGreaterThan(0);
  });

  it("give the same events whole, byte by byte, and in chunks of 7 and 1460 bytes", () => {
    for (const recording of streams) {
      const bytes = responseBytes(recording);
      const whole = eventDigest(recording, [bytes]);
      for (const size of [1, 7, 1460]) {
        const offsets = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => index * size);
        expect(eventDigest(recording, cutAt(bytes, offsets)), `${recording.id} in chunks of ${size}`).toBe(whole);
      }
    }
  });

  it("lose no byte: raw adds up to the body", () => {
    for (const recording of streams) {
      const bytes = responseBytes(recording);
      const raw = Buffer.concat(decodeFrames([bytes]).map((frame) => frame.raw));
      expect(raw.equals(bytes), recording.id).toBe(true);
    }
  });
});

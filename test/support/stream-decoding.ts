// Runs a stream's bytes through framing and a dialect's event decoder, in whatever chunks a test wants.
import { createFold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import type { EventDecoder, Frame } from "../../src/dialects/dialect.ts";
import { createSseDecoder } from "../../src/dialects/framing/sse.ts";

/** All frames of a stream that arrives in these chunks. */
export function decodeFrames(chunks: readonly Buffer[]): Frame[] {
  const decoder = createSseDecoder();
  const frames = chunks.flatMap((chunk) => decoder.push(chunk));
  frames.push(...decoder.end());
  return frames;
}

/** All events of a stream that arrives in these chunks and then ends. */
export function decodeEvents(decoder: EventDecoder, chunks: readonly Buffer[]): StreamEvent[] {
  const events = decodeFrames(chunks).flatMap((frame) => decoder.push(frame));
  events.push(...decoder.end());
  return events;
}

/** Frames with these texts as data, as a decoder would see them. */
export function framesOf(...data: (string | Record<string, unknown>)[]): Frame[] {
  const text = data.map((item) => `data: ${typeof item === "string" ? item : JSON.stringify(item)}\n\n`).join("");
  return decodeFrames([Buffer.from(text)]);
}

/** What the events amount to. */
export function foldEvents(events: readonly StreamEvent[]): InferenceResponse {
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return fold.result();
}

/** Cuts bytes at the given offsets. */
export function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const cuts = [
    0,
    ...offsets.filter((offset) => offset > 0 && offset < bytes.length).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

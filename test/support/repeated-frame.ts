// Test support: a frame that is told from its bytes, as an observer takes it.
import { expect } from "vitest";
import type { StreamEvent } from "../../src/canonical/index.ts";
import type { EventDecoder } from "../../src/dialects/index.ts";
import { notRepeated, toldLater } from "../../src/dialects/framing/repetition.ts";

/** The events that the bytes stand for; undefined where they are to be cut and pushed. Its units are those of its text. */
export function readRepeated(decoder: EventDecoder, raw: Buffer): StreamEvent[] | undefined {
  const units = decoder.pushRepeated?.(raw) ?? notRepeated;
  if (units === notRepeated) return undefined;
  if (units === toldLater) return [{ type: "output" }];
  if (units === 0) return [];
  const event = decoder.tellRepeated?.();
  if (event?.type !== "part_delta") throw new Error(`a frame of ${units} units says no text`);
  expect(event.text).toHaveLength(units);
  return [event];
}

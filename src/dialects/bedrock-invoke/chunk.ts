// Room dialects, bedrock-invoke: a provider's event out of a message, whose payload has it in base64: `{"bytes": base64}`.
// Invariant: what comes out is good until the next one is read: they share their room, as a stream has one for every few letters.

import { findPayload } from "../framing/aws-eventstream.ts";
import { readObject } from "../json/parse.ts";

const opening = '{"bytes":"';
const openingBytes = Buffer.from(opening);
const room = Buffer.allocUnsafeSlow(16_384);

/** The event out of a message's payload; any other payload as it is. */
export function readChunk(data: string): Buffer {
  // The payload is as long again as what it holds: its one text is taken as it stands.
  const end = data.startsWith(opening) ? data.indexOf('"', opening.length) : -1;
  const text = end === -1 ? undefined : data.slice(opening.length, end);
  if (text !== undefined && !text.includes("\\")) {
    return text.length > room.length ? Buffer.from(text, "base64") : room.subarray(0, room.write(text, "base64"));
  }
  const bytes = readObject(data)?.["bytes"];
  return Buffer.from(typeof bytes === "string" ? bytes : data, typeof bytes === "string" ? "base64" : "utf8");
}

/** The event out of what is one whole and sound message with a chunk; undefined for anything else. */
export function readChunkMessage(raw: Buffer): Buffer | undefined {
  const start = findPayload(raw, "chunk");
  if (start === -1) return undefined;
  const size = raw.length < room.length ? decodeShort(raw, start) : -1;
  return size === -1 ? readChunk(raw.toString("utf8", start, raw.length - checksumBytes)) : room.subarray(0, size);
}

const checksumBytes = 4;
const quote = 0x22;
const equals = 0x3d;

/** The six bits that each letter of base64 stands for; negative for any other byte. */
const bitsOf = new Int8Array(256).fill(-1);
for (let byte = 0; byte < 256; byte++) {
  const letter = String.fromCharCode(byte);
  if (/[A-Za-z0-9+/]/.test(letter)) bitsOf[byte] = (Buffer.from(`${letter}AAA`, "base64")[0] as number) >> 2;
}

/** How many bytes it put into the room; -1 where the text is written in any other way than usual. A few letters cost less so than native calls. */
function decodeShort(raw: Buffer, start: number): number {
  for (let index = 0; index < openingBytes.length; index++) if (raw[start + index] !== openingBytes[index]) return -1;
  let at = start + openingBytes.length;
  let size = 0;
  const end = raw.length - checksumBytes;
  // The checksum's bytes stand behind the payload: there are four to read in any case.
  for (; at < end; at += 4) {
    const bits =
      ((bitsOf[raw[at] as number] as number) << 18) |
      ((bitsOf[raw[at + 1] as number] as number) << 12) |
      ((bitsOf[raw[at + 2] as number] as number) << 6) |
      (bitsOf[raw[at + 3] as number] as number);
    if (bits < 0) break;
    room[size++] = bits >> 16;
    room[size++] = bits >> 8;
    room[size++] = bits;
  }
  if (at < end && raw[at] === quote) return size;
  const isTwo = raw[at + 2] !== equals;
  const bits =
    ((bitsOf[raw[at] as number] as number) << 12) |
    ((bitsOf[raw[at + 1] as number] as number) << 6) |
    (isTwo ? (bitsOf[raw[at + 2] as number] as number) : 0);
  if (bits < 0 || at + 4 >= end || raw[at + 3] !== equals || raw[at + 4] !== quote) return -1;
  room[size++] = bits >> 10;
  if (isTwo) room[size++] = bits >> 2;
  return size;
}

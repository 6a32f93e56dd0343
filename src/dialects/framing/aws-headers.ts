// Room dialects, framing: the headers of AWS event-stream messages, of which this reads what says what a message is.
// A stream has a handful of different blocks of headers and every stream the same ones, so those that came last stay read.
// Invariant: what stays is bounded, and told apart by its bytes.

/** What kind of message it is. */
export interface MessageHead {
  /** `:event-type`; of an exception its type, of an error its code. */
  readonly event: string | undefined;
  readonly isException: boolean;
  /** Of a message of the type `error`, which has no payload; else empty. */
  readonly errorMessage: string;
}

interface KnownBlock {
  readonly bytes: Buffer;
  readonly head: MessageHead;
}

/** Enough for every event of every API, several times over. */
const maxKnown = 64;
const maxKnownBytes = 256;
const known: KnownBlock[] = [];
let oldest = 0;

/** Reads the headers between these places; undefined when a type is unknown or a length runs over. */
export function readHead(raw: Buffer, start: number, end: number): MessageHead | undefined {
  const length = end - start;
  for (let index = 0; index < known.length; index++) {
    const { bytes, head } = known[index] as KnownBlock;
    if (bytes.length === length && isAt(raw, start, bytes)) return head;
  }
  const headers = readStringHeaders(raw, start, end);
  if (headers === undefined) return undefined;
  const head = toHead(headers);
  // What an error says is another each time.
  if (length > maxKnownBytes || head.isException) return head;
  // A copy: the chunk that they are part of may be large.
  known[oldest] = { bytes: Buffer.from(raw.subarray(start, end)), head };
  oldest = (oldest + 1) % maxKnown;
  return head;
}

/** Byte by byte: blocks of one length differ in their first few, and a native comparison costs more than the rest of them. */
function isAt(raw: Buffer, start: number, bytes: Buffer): boolean {
  for (let offset = 0; offset < bytes.length; offset++) if (raw[start + offset] !== bytes[offset]) return false;
  return true;
}

function toHead(headers: ReadonlyMap<string, string>): MessageHead {
  const messageType = headers.get(":message-type");
  const isException = messageType === "exception" || messageType === "error";
  const event = isException
    ? (headers.get(":exception-type") ?? headers.get(":error-code"))
    : headers.get(":event-type");
  return { event, isException, errorMessage: headers.get(":error-message") ?? "" };
}

const bytesType = 6;
/** Type of a header whose value is a string, as all of AWS's own are. */
export const stringType = 7;

/** Bytes of the value by its type: true, false, byte, short, int, long, bytes, string, timestamp, uuid. -1: two bytes of length first. */
const valueBytesByType = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];

/** The headers that are strings. */
function readStringHeaders(raw: Buffer, start: number, end: number): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  let position = start;
  while (position < end) {
    const nameStart = position + 1;
    const typeAt = nameStart + (raw[position] as number);
    if (typeAt >= end) return undefined;
    const type = raw[typeAt] as number;
    let valueStart = typeAt + 1;
    let valueBytes = valueBytesByType[type];
    if (type === bytesType || type === stringType) {
      if (valueStart + 2 > end) return undefined;
      valueBytes = raw.readUInt16BE(valueStart);
      valueStart += 2;
    }
    if (valueBytes === undefined || valueStart + valueBytes > end) return undefined;
    if (type === stringType) {
      headers.set(raw.toString("utf8", nameStart, typeAt), raw.toString("utf8", valueStart, valueStart + valueBytes));
    }
    position = valueStart + valueBytes;
  }
  return headers;
}

// Room dialects, framing: which framing an answer has, and the decoder for it. A new framing is one line in each table.

import type { Dialect, FrameDecoder, Framing, Operation } from "../dialect.ts";
import { createAwsEventStreamDecoder } from "./aws-eventstream.ts";
import { createJsonArrayDecoder } from "./json-array.ts";
import { createNdjsonDecoder } from "./ndjson.ts";
import { createSseDecoder } from "./sse.ts";

const decoders: Partial<Record<Framing, () => FrameDecoder>> = {
  sse: createSseDecoder,
  ndjson: createNdjsonDecoder,
  "json-array": createJsonArrayDecoder,
  "aws-eventstream": createAwsEventStreamDecoder,
};

const framingByMediaType: ReadonlyMap<string, Framing> = new Map([
  ["text/event-stream", "sse"],
  ["application/x-ndjson", "ndjson"],
  ["application/ndjson", "ndjson"],
  ["application/jsonl", "ndjson"],
  // Cohere's v1.
  ["application/stream+json", "ndjson"],
  ["application/vnd.amazon.eventstream", "aws-eventstream"],
]);

/** A decoder for one stream. */
export function createFrameDecoder(framing: Framing): FrameDecoder {
  const create = decoders[framing];
  if (create === undefined) throw new Error(`no decoder for ${framing}`);
  return create();
}

/**
 * How an answer of this media type (lower case, no parameters) is framed; undefined when it is no stream. Any dialect may be
 * answered with server-sent events; JSON is a stream only where the dialect streams arrays and the path asked for one.
 */
export function findFraming(mediaType: string, dialect: Dialect, operation: Operation): Framing | undefined {
  const framing = framingByMediaType.get(mediaType);
  if (framing !== undefined) return framing === "sse" || dialect.framings.includes(framing) ? framing : undefined;
  const isArray = mediaType === "application/json" && operation.stream === true;
  return isArray && dialect.framings.includes("json-array") ? "json-array" : undefined;
}

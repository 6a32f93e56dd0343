// Room dialects: what a wire format is. Pure synchronous code and small state objects: no promises, no clock, no I/O.
// Each dialect is one folder with the same six files (schema request response stream error index) and one line in registry.ts.

import type { InferenceRequest, InferenceResponse, ProviderError, StreamEvent, Usage } from "../canonical/index.ts";
import type { SidecarError } from "../errors.ts";
import type { EmbeddingCodec } from "./embedding-codec.ts";
import type { DialectEncoder } from "./encoding.ts";
import type { RerankShape } from "./rerank-shapes.ts";

/** Every dialect's id, in the order of the documentation. */
export const dialectIds = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini-generate-content",
  "bedrock-converse",
  "bedrock-invoke",
  "cohere-chat",
  "ollama-chat",
  "embeddings",
  "rerank",
  "images",
  "audio",
  "moderations",
] as const;

export type DialectId = (typeof dialectIds)[number];

/**
 * `gen_ai.operation.name`. The conventions have no word for the last five; those are Outrider's own (docs/telemetry.md).
 */
export type OperationName =
  | "chat"
  | "generate_content"
  | "text_completion"
  | "embeddings"
  | "fetch_response"
  | "rerank"
  | "image_generation"
  | "speech"
  | "transcription"
  | "moderation";

/** One call that a dialect knows, as told by method and path alone. */
export interface Operation {
  /** What the codec dispatches on inside the dialect; each dialect has its own few words. */
  kind: string;
  /** `gen_ai.operation.name`; absent for calls that get HTTP telemetry only (token counting, compaction). */
  name?: OperationName;
  /** `http.route`: low-cardinality, with a leading slash; what varies stands in braces (`/v1beta/models/{model}:generateContent`). */
  route: string;
  /** Path under the provider's base, without version and query, no leading slash: `chat/completions`. */
  path: string;
  /** The model where the path names it, percent-decoded. */
  model?: string;
  /** The path says that a stream is asked for. */
  stream?: true;
  /** Id of the provider that a bare path of this shape belongs to, where it is not the dialect's own (`vertex`, `azure`). */
  home?: string;
  /** How the request's body is written; `json` unless told. `none`: there is no body to read. */
  requestFormat?: "multipart" | "none";
  /** An answer need not be JSON (spoken audio, plain transcripts); what is not is passed and not read. */
  anyAnswer?: true;
}

/** How a stream is cut into frames. */
export type Framing = "sse" | "ndjson" | "json-array" | "aws-eventstream";

/**
 * One frame of a stream: a server-sent event, a line of NDJSON, an element of a JSON array, or an AWS event-stream message.
 * `data` is its text (the joined data lines of an SSE event); `raw` the bytes on the wire, separators included.
 */
export interface Frame {
  /** SSE: its `event` line. AWS: `:event-type`, or `:exception-type` where `exception` is set. */
  event?: string;
  data: string;
  raw: Buffer;
  /** Nothing but comments, blanks or separators: no event, only bytes to pass on (`data` is "" and `event` absent). */
  commentOnly?: true;
  /** AWS: a message of the type `exception` or `error`. */
  exception?: true;
}

/** Cuts one stream into frames; never throws. A chunk may end anywhere and gives the same frames. */
export interface FrameDecoder {
  /** The frames that this chunk completes. Their `raw` may share the chunk's memory, so the chunk must not be written to again. */
  push(chunk: Buffer): Frame[];
  /** The wire ended: what is left is the last frame, where the framing allows that. */
  end(): Frame[];
  /** A frame grew past the cap: decoding has stopped for good and nothing is kept. */
  readonly overflowed: boolean;
  /** The bytes are not in this framing (a checksum or a length is wrong): decoding has stopped for good. */
  readonly corrupt: boolean;
  /** Bytes of an unfinished frame have come. */
  readonly midFrame: boolean;
  /** What comes next begins a frame as any other: bytes that were a whole frame before are one now. */
  readonly isFresh: boolean;
}

/** Reads frames by their bytes alone, because each is the one before it but for its text, or a later one will say all of it. */
export interface FrameRepeater {
  /**
   * What a frame says: so many UTF-16 units of a text (never of a blob), 0 where it says nothing, or `toldLater`. `notRepeated` where
   * the bytes are to be cut and pushed, as any that are not one whole frame.
   */
  pushRepeated(raw: Buffer): number;
  /** The event of the frame that was read just now, where it said some units. */
  tellRepeated(): StreamEvent;
}

/** Turns one stream's frames into canonical events; one object per stream. Never throws: what it cannot read becomes `unrecognized`. */
export interface EventDecoder extends Partial<FrameRepeater> {
  push(frame: Frame): StreamEvent[];
  /** The wire ended; gives the events that were held back. */
  end(): StreamEvent[];
}

/** A decoder of frames that mostly repeat the one before. */
export type RepeatingDecoder = EventDecoder & FrameRepeater;

/** A decoder whose events also come inside those of another stream, where they are parsed already. */
export interface ObjectDecoder extends RepeatingDecoder {
  /** `name`: of the event, where the wire says it beside the object; `raw`: the object's bytes, where `pushRepeated` will be asked. */
  pushObject(object: Record<string, unknown>, name: string | undefined, raw?: Buffer): StreamEvent[];
}

/** Looks up a header of the answer by its lower-case name. */
export type HeaderLookup = (name: string) => string | undefined;

/** `facts`: nobody will look at content and extensions of the answer, so they may be left out where that changes nothing else. */
export type AnswerDetail = "whole" | "facts";

export interface Dialect {
  id: DialectId;
  /** How its streamed answers are framed; the answer's media type decides where there are several. */
  framings: readonly Framing[];
  /** Members of a request body that are content and say nothing else; left undecoded unless content is captured. */
  contentMembers: ReadonlySet<string>;
  /** `path` is without query string and provider prefix, with a leading slash; undefined when this dialect has no such call. */
  match(method: string, path: string): Operation | undefined;
  /** `body` is the parsed JSON object of the request. Wrongly typed fields are left to the provider to refuse: they stay in extensions. */
  decodeRequest(body: Record<string, unknown>, operation: Operation): InferenceRequest;
  /** `detail` is `whole` unless told. */
  decodeResponse(body: Record<string, unknown>, operation: Operation, detail?: AnswerDetail): InferenceResponse;
  eventDecoder(operation: Operation, detail?: AnswerDetail): EventDecoder;
  /** A provider's error body; undefined when the body has none of the dialect's error shapes. Bedrock names the type in a header. */
  decodeError(body: unknown, header?: HeaderLookup): ProviderError | undefined;
  /** Usage that only the answer's headers state (Bedrock); asked when the body stated none. */
  decodeUsageHeaders?(header: HeaderLookup, operation: Operation): Usage | undefined;
  /** Outrider's own error as this dialect's body (without the HTTP status, which is `error.httpStatus`). */
  encodeError(error: SidecarError, requestId: string): Record<string, unknown>;
  /** The same inside a stream that already began: complete frames, without the dialect's success terminator. */
  encodeStreamError(error: SidecarError, requestId: string): string | Buffer;
  /** Absent where nothing is translated to or from it. */
  encoder?: DialectEncoder;
  /** Absent where no embeddings are translated to or from it. */
  embeddingCodec?: EmbeddingCodec;
  /** In which shape a rerank call of this dialect is; absent where it has none. */
  rerankShape?: (operation: Operation, body: Record<string, unknown>) => RerankShape;
}

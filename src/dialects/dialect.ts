// Room dialects: what a wire format is. Pure synchronous code and small state objects: no promises, no clock, no I/O.
// Each dialect is one folder with the same six files (schema request response stream error index) and one line in registry.ts.

import type { InferenceRequest, InferenceResponse, ProviderError, StreamEvent } from "../canonical/index.ts";
import type { SidecarError } from "../errors.ts";

export type DialectId = "openai-chat" | "anthropic-messages" | "embeddings";

/** `gen_ai.operation.name`. */
export type OperationName = "chat" | "text_completion" | "embeddings";

/** One call that a dialect knows, as told by method and path alone. */
export interface Operation {
  /** What the codec dispatches on inside the dialect. */
  kind: "chat" | "text_completion" | "embeddings" | "count_tokens";
  /** `gen_ai.operation.name`; absent for calls that get HTTP telemetry only (token counting). */
  name?: OperationName;
  /** `http.route`: low-cardinality, with a leading slash. */
  route: string;
  /** Path under the provider's base, without version and query, no leading slash: `chat/completions`. */
  path: string;
}

/** One server-sent event. `data` is the joined data lines; `raw` the bytes on the wire, terminator included. */
export interface SseFrame {
  event?: string;
  data: string;
  raw: Buffer;
  /** Nothing but comments and blank lines: no event, only bytes to pass on (`data` is "" and `event` absent). */
  commentOnly?: true;
}

/** Turns one stream's frames into canonical events; one object per stream. Never throws: what it cannot read becomes `unrecognized`. */
export interface EventDecoder {
  push(frame: SseFrame): StreamEvent[];
  /** The wire ended; gives the events that were held back. */
  end(): StreamEvent[];
}

export interface Dialect {
  id: DialectId;
  /** How a streamed answer is framed. */
  framing: "sse";
  /** `path` is without query string and provider prefix, with a leading slash; undefined when this dialect has no such call. */
  match(method: string, path: string): Operation | undefined;
  /** `body` is the parsed JSON object of the request. Wrongly typed fields are left to the provider to refuse: they stay in extensions. */
  decodeRequest(body: Record<string, unknown>, operation: Operation): InferenceRequest;
  decodeResponse(body: Record<string, unknown>, operation: Operation): InferenceResponse;
  eventDecoder(operation: Operation): EventDecoder;
  /** A provider's error body; undefined when the body has none of the dialect's error shapes. */
  decodeError(body: unknown): ProviderError | undefined;
  /** Outrider's own error as this dialect's body (without the HTTP status, which is `error.httpStatus`). */
  encodeError(error: SidecarError, requestId: string): Record<string, unknown>;
  /** The same inside a stream that already began: complete frames, without the dialect's success terminator. */
  encodeStreamError(error: SidecarError, requestId: string): string;
}

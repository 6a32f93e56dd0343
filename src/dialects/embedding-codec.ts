// Room dialects: what a dialect must know for its embeddings to be translated: a small contract beside `DialectEncoder`.
// Invariant: vectors are read and written here alone; the canonical answer, and with it records and telemetry, never has them.

import type { InferenceRequest, InferenceResponse } from "../canonical/index.ts";
import type { Operation } from "./dialect.ts";
import type { CanonicalPath, Encoding, FieldFate } from "./encoding.ts";
import type { JsonObject } from "./json/fields.ts";

/** One number list per input, in the order of the inputs. */
export type Vectors = readonly (readonly number[])[];

/** Ends the translation: what stands at the path cannot be put in the target's words. */
export type Refuse = (path: CanonicalPath, detail: string) => never;

/** The client's own call, which the form of its answer depends on. */
export interface AskedEmbeddings {
  operation: Operation;
  request: InferenceRequest;
}

/** What becomes of each fact of a request for embeddings; the source of the second table of docs/losses.md. */
export interface EmbeddingFates {
  dimensions: FieldFate;
  encodingFormats: FieldFate;
  taskType: FieldFate;
  truncation: FieldFate;
  user: FieldFate;
}

/** The half of a dialect that translates embeddings. */
export interface EmbeddingCodec {
  fates: EmbeddingFates;
  /** Whether a client's call of this dialect can be answered by another's vectors; older calls may have forms of their own. */
  canAnswer(operation: Operation): boolean;
  /** Path of the call, as `joinUrl` takes a client's. */
  path(model: string, inputCount: number): string;
  /** @throws SidecarError request_lossy, by `refuse` */
  encodeRequest(request: InferenceRequest, encoding: Encoding, refuse: Refuse): JsonObject;
  /** `response` has everything but the vectors. */
  encodeResponse(response: InferenceResponse, vectors: Vectors, asked: AskedEmbeddings, encoding: Encoding): JsonObject;
  /** The vectors of an answer of this dialect; undefined where they cannot be read as such. */
  decodeVectors(body: JsonObject): Vectors | undefined;
  /** JSON pointer of a canonical path in a request body of this dialect; of its nearest ancestor where it has none of its own. */
  locate(path: CanonicalPath, body: JsonObject): string;
}

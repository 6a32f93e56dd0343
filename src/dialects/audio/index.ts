// Room dialects, audio: puts the dialect together. POST /v1/audio/speech, /transcriptions and /translations, with and
// without /v1, and below an Azure deployment. Answers may be sound or plain text, which nobody reads.

import type { Dialect } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI's audio calls, as spoken by OpenAI and every compatible provider. */
export const audio: Dialect = {
  id: dialectId,
  framings: ["sse"],
  // Not `input`: speech is billed by its characters, which are counted here.
  contentMembers: new Set(["file", "input_audio", "prompt", "instructions", "keywords", "keywords[]"]),
  match: (method, path) => match(method, path),
  decodeRequest,
  decodeResponse,
  eventDecoder: (operation) => createStreamDecoder(operation),
  decodeError,
  encodeError,
  encodeStreamError,
};

const match = createPathMatcher([
  { kind: "speech", name: "speech", path: "audio/speech", anyAnswer: true, deployable: true },
  ...["transcription", "translation"].map((kind) => ({
    kind,
    name: "transcription" as const,
    path: `audio/${kind}s`,
    requestFormat: "multipart" as const,
    anyAnswer: true as const,
    deployable: true as const,
  })),
]);

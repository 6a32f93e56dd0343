// Room dialects, audio: whole JSON answers as canonical responses. Sound and plain transcripts never get here.
// Invariant: a transcript is one text part, JSON speech one blob; all else that is said stays in `extensions`.

import type { InferenceResponse, Part } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { ownExtensions } from "./schema.ts";
import { decodeAudioUsage } from "./usage.ts";

/** Decodes a parsed answer. The wire has no finish reasons. */
export function decodeResponse(body: JsonObject, operation: Operation): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  const parts = operation.kind === "speech" ? decodeSpeech(fields) : decodeTranscript(fields);
  const usage = decodeAudioUsage(body);
  if (fields.object("usage") === undefined) fields.skipNull("usage");
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices: parts === undefined ? [] : [{ index: 0, message: { role: "assistant", parts } }],
    ...(usage === undefined ? {} : { usage }),
    ...ownExtensions(fields.rest()),
  };
}

/** Silence has a transcript too: the empty one, which is no part. */
function decodeTranscript(fields: FieldReader): Part[] | undefined {
  const content = fields.string("text");
  if (content === undefined) return undefined;
  return content === "" ? [] : [{ type: "text", content }];
}

/** Mistral answers with JSON (recorded). */
function decodeSpeech(fields: FieldReader): Part[] | undefined {
  const content = fields.string("audio_data");
  return content === undefined ? undefined : [{ type: "blob", modality: "audio", content }];
}

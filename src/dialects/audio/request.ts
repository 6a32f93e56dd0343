// Room dialects, audio: request bodies as canonical requests, from JSON or from a form.
// Invariant: what is not understood is kept in `extensions`; a form's numbers and booleans are text there.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import type { Operation } from "../dialect.ts";
import { FieldReader, type JsonObject } from "../json/fields.ts";
import { isFileField, readFormBoolean, readFormNumber } from "../multipart.ts";
import { dialectId, ownExtensions } from "./schema.ts";

/**
 * Decodes a parsed body. Speech: `input` is the message and its characters are counted; instructions are instructions.
 * Transcription: the recording is the message (its name, type and size), and the prompt, if there is one, its text.
 */
export function decodeRequest(body: JsonObject, operation: Operation): InferenceRequest {
  const fields = new FieldReader(body);
  const model = fields.string("model") ?? operation.model;
  const temperature = readFormNumber(fields, "temperature");
  const streamed = readFormBoolean(fields, "stream") ?? body["stream_format"] === "sse";
  const request: InferenceRequest = {
    stream: streamed,
    messages: [],
    ...(model === undefined ? {} : { model }),
    ...(temperature === undefined ? {} : { temperature }),
  };
  if (operation.kind === "speech") decodeSpeech(fields, request);
  else request.messages = decodeRecording(fields);
  return { ...request, ...ownExtensions(fields.rest()) };
}

function decodeSpeech(fields: FieldReader, request: InferenceRequest): void {
  const input = fields.string("input");
  const instructions = fields.string("instructions");
  if (instructions !== undefined) request.systemInstructions = [{ type: "text", content: instructions }];
  if (input === undefined) return;
  request.messages = [{ role: "user", parts: [{ type: "text", content: input }] }];
  request.inputCharacters = countCharacters(input);
}

/** Code points: what people call characters, where UTF-16 counts an emoji as two. */
function countCharacters(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return count;
}

function decodeRecording(fields: FieldReader): Message[] {
  const parts: Part[] = [];
  const file = fields.object("file");
  if (isFileField(file)) parts.push({ type: "generic", generic_type: "file", extensions: { [dialectId]: file } });
  else if (file !== undefined) fields.putBack("file");
  const prompt = fields.string("prompt");
  if (prompt !== undefined) parts.push({ type: "text", content: prompt });
  return parts.length === 0 ? [] : [{ role: "user", parts }];
}

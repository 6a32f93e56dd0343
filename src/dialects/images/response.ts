// Room dialects, images: answers as canonical responses.
// Invariant: each image is a choice of its own, so that images are counted even where the provider states no usage.

import { mergeRawUsage, type Choice, type InferenceResponse, type Part, type Usage } from "../../canonical/index.ts";
import { FieldReader, isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeUsage } from "../openai-chat/usage.ts";
import { imageMimeType, ownExtensions } from "./schema.ts";

/** Decodes a parsed answer. The wire has no finish reasons. */
export function decodeResponse(body: JsonObject): InferenceResponse {
  const fields = new FieldReader(body);
  const id = fields.filledString("id");
  const model = fields.filledString("model");
  const format = typeof body["output_format"] === "string" ? body["output_format"] : undefined;
  const data = fields.arrayOf("data", isJsonObject);
  const usage = decodeImageUsage(fields.object("usage"), data?.length);
  fields.skipNull("usage");
  return {
    ...(id === undefined ? {} : { id }),
    ...(model === undefined ? {} : { model }),
    choices: (data ?? []).map((item, index) => decodeImage(item, index, format)),
    ...(usage === undefined ? {} : { usage }),
    ...ownExtensions(fields.rest()),
  };
}

/** The provider's tokens, and the number of images that came, which is what older models are billed by. */
export function decodeImageUsage(raw: JsonObject | undefined, imageCount: number | undefined): Usage | undefined {
  if (raw === undefined && imageCount === undefined) return undefined;
  return {
    ...(raw === undefined ? {} : { ...decodeUsage(raw), raw: mergeRawUsage({}, raw) }),
    ...(imageCount === undefined ? {} : { outputImages: imageCount }),
  };
}

function decodeImage(item: JsonObject, index: number, format: string | undefined): Choice {
  const fields = new FieldReader(item);
  const content = fields.string("b64_json");
  const uri = content === undefined ? fields.string("url") : undefined;
  // xAI states it per image (recorded), OpenAI for the whole answer.
  const mimeType = fields.string("mime_type") ?? (format === undefined ? undefined : imageMimeType(format));
  const typed = mimeType === undefined ? {} : { mime_type: mimeType };
  fields.skipNull("b64_json", "url");
  const parts: Part[] = [];
  if (content !== undefined) parts.push({ type: "blob", modality: "image", ...typed, content });
  else if (uri !== undefined) parts.push({ type: "uri", modality: "image", ...typed, uri });
  // With the message: a prompt that the provider wrote anew is content.
  return { index, message: { role: "assistant", parts, ...ownExtensions(fields.rest()) } };
}

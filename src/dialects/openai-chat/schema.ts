// Room dialects, openai-chat: what the wire says. Its calls, its words, and how they are named elsewhere.
// Covers chat completions and legacy completions of OpenAI and every compatible provider (openai-node 7.55.0, read 2026-11-21).

import type { Modality, UnifiedFinishReason } from "../../canonical/index.ts";
import { keepUnder } from "../extensions.ts";

/** Id of this dialect, and the key of its bag in `extensions`. */
export const dialectId = "openai-chat";

/** The bag of this dialect, or nothing where there is nothing to keep. */
export const ownExtensions = keepUnder(dialectId);

/**
 * Mark in a request's bag, with nothing as its value: the client's word for the limit of output tokens was the older
 * `max_tokens`.
 */
export const tokenLimitMark = "is_max_tokens";

/**
 * Finish reasons by the provider's word. Beyond OpenAI's own: `eos` and `eos_token` (Together, Hugging Face),
 * `stop_sequence` and `end_turn`, `max_tokens` and `tool_use` (resellers of Claude), `model_length` (Mistral),
 * `sensitive` (Z.ai). Any other word is an `error`.
 */
const finishReasons = new Map<string, UnifiedFinishReason>([
  ["stop", "stop"],
  ["eos", "stop"],
  ["eos_token", "stop"],
  ["stop_sequence", "stop"],
  ["end_turn", "stop"],
  ["length", "length"],
  ["max_tokens", "length"],
  ["model_length", "length"],
  ["tool_calls", "tool_call"],
  ["tool_call", "tool_call"],
  ["tool_use", "tool_call"],
  ["function_call", "tool_call"],
  ["content_filter", "content_filter"],
  ["sensitive", "content_filter"],
]);

/** The word of the GenAI conventions for a wire finish reason. */
export function unifyFinishReason(raw: string): UnifiedFinishReason {
  return finishReasons.get(raw) ?? "error";
}

/**
 * Content parts that hold an address or a data URL in a member named like the part. `file_url` is Perplexity's
 * (recorded), `document_url` Mistral's.
 */
export const mediaPartModalities: ReadonlyMap<string, Modality> = new Map([
  ["image_url", "image"],
  ["video_url", "video"],
  ["audio_url", "audio"],
  ["file_url", "document"],
  ["document_url", "document"],
]);

/** MIME types of `input_audio.format`; any other format is `audio/` and its name. */
export const audioMimeTypes: ReadonlyMap<string, string> = new Map([
  ["wav", "audio/wav"],
  ["mp3", "audio/mpeg"],
]);

/**
 * Stream padding that carries nothing: `obfuscation` (OpenAI) and `p` (Mistral, recorded) only hide token lengths;
 * `object` is a constant.
 */
export const paddingKeys: ReadonlySet<string> = new Set(["obfuscation", "p", "object"]);

// Room dialects, audio: what a call used: tokens, or seconds of audio.
// Invariant: only what the provider stated; the length of a recording counts where there is nothing else.

import type { Usage } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeUsage } from "../openai-chat/usage.ts";

/**
 * The usage of an answer or of a stream's last event. `usage` has tokens, or `{type: "duration", seconds}`, or
 * `seconds` alone (OpenRouter, recorded); `duration` beside the text is the recording's length (verbose_json, Venice).
 */
export function decodeAudioUsage(wire: JsonObject): Usage | undefined {
  const raw = wire["usage"];
  const usage: Usage = isJsonObject(raw) ? decodeUsage(raw) : {};
  const hasTokens = usage.inputTokens !== undefined;
  const seconds = (isJsonObject(raw) ? readSeconds(raw["seconds"]) : undefined) ?? usage.inputAudioSeconds;
  const duration = hasTokens ? undefined : readSeconds(wire["duration"]);
  const audioSeconds = seconds ?? duration;
  if (!isJsonObject(raw) && audioSeconds === undefined) return undefined;
  return { ...usage, ...(audioSeconds === undefined ? {} : { inputAudioSeconds: audioSeconds }) };
}

function readSeconds(value: unknown): number | undefined {
  // Older releases of openai-python declare the duration as text.
  const seconds = typeof value === "string" && /^\d{1,9}(?:\.\d{1,15})?$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

// Simulator: one request as the endpoints see it, and one answer as the server delivers it.

import type { ModelName } from "./models.ts";
import type { PromptCache } from "./prompt.ts";
import { createRandom, hashText, type Random } from "./text.ts";

/** A JSON object nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

/** A request to an endpoint: its body is JSON and its model known. */
export interface Call {
  body: JsonObject;
  /** The client's credential or nothing; only ever used to keep clients' caches apart. */
  credential: string;
  /** The model name as asked for. */
  asked: string;
  model: ModelName;
  /** The id of this request, as the provider's header names it. */
  requestId: string;
  /** Chance for ids: differs from call to call. */
  ids: Random;
  cache: PromptCache;
}

/** What goes back, before pace and fault. Headers in lower case, framing left out. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body:
    | { kind: "whole"; text: string }
    /** `keepAlive` says nothing, `errorFrame` breaks the answer off; both in the stream's own form. */
    | { kind: "stream"; frames: string[]; keepAlive: string; errorFrame: string };
}

/** Whether a JSON value is an object, and no array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The objects of a JSON array; nothing for anything else. */
export const objectsOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** A string as it is, anything else as no text. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** A number of tokens, if the client gave one. */
export const tokenLimit = (value: unknown): number | undefined =>
  typeof value === "number" && value >= 1 ? Math.floor(value) : undefined;

/** Text of a message's content, string or parts. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return objectsOf(content)
    .map((part) => textOf(part["text"]))
    .join("\n");
}

/** Chance that depends on the request alone, so that the same question gets the same answer. */
export function answerRandom(call: Call, promptText: string, index = 0): Random {
  return createRandom(
    hashText(`${call.model.answered}\n${JSON.stringify(call.body["seed"])}\n${index}\n${promptText}`),
  );
}

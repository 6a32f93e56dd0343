// Room dialects, openai-chat: a canonical answer as a chat completion, or as a legacy completion for a client of those.
// Invariant: all members that OpenAI's SDKs read are there; tools that the provider ran itself never look like calls of the client's.

import type { Choice, InferenceResponse, Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { takeStructure } from "../structure.ts";
import {
  encodeCitations,
  encodeFinishReason,
  encodeHead,
  encodeServing,
  legacyKind,
  takeLogprobs,
} from "./answer-encode.ts";
import { dataUrl, loseContent, sniffImage } from "./content-encode.ts";
import { argumentText, isCustom, takeRefusal } from "./message-encode.ts";
import { opaqueDetail, reasoningTextDetail, takeOpaque } from "./reasoning-encode.ts";
import { encodeUsage } from "./usage-encode.ts";

/** The body of an answer. A choice without a finish reason has ended by itself. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  let calls = 0;
  const isLegacy = encoding.operationKind === legacyKind;
  const choices = response.choices.map((choice, place) => {
    const message = new AnswerMessage(["choices", place, "message"], calls, encoding);
    for (const [index, part] of choice.message.parts.entries()) message.add(part, index);
    calls += message.toolCalls.length;
    const finish = choice.finishReason ?? { unified: "stop" };
    const finishReason = encodeFinishReason(finish, message.toolCalls.length > 0, encoding.source);
    return isLegacy
      ? encodeLegacyChoice(choice, message, finishReason)
      : {
          index: choice.index,
          message: { ...message.encode(), ...encoding.own(choice.message) },
          logprobs: message.logprobs.length === 0 ? null : { content: message.logprobs, refusal: null },
          finish_reason: finishReason,
          ...encoding.own(choice),
        };
  });
  return {
    ...encodeHead(response, "chat.completion", encoding),
    choices,
    ...(response.usage === undefined ? {} : { usage: encodeUsage(response.usage) }),
    ...encodeServing(response),
    ...encoding.own(response),
  };
}

function encodeLegacyChoice({ index }: Choice, message: AnswerMessage, finishReason: string): JsonObject {
  message.loseBesideText();
  return { index, text: message.text, logprobs: null, finish_reason: finishReason };
}

/** One message as its parts are added. */
class AnswerMessage {
  text = "";
  readonly toolCalls: JsonObject[] = [];
  readonly logprobs: unknown[] = [];
  #refusal: string | undefined;
  #reasoning = "";
  readonly #details: JsonObject[] = [];
  #held: JsonObject | undefined;
  readonly #annotations: JsonObject[] = [];
  readonly #images: JsonObject[] = [];
  readonly #path: CanonicalPath;
  /** Calls of earlier choices: ids that must be made are told apart by the number of the call. */
  readonly #firstCall: number;
  readonly #encoding: Encoding;

  constructor(path: CanonicalPath, firstCall: number, encoding: Encoding) {
    this.#path = path;
    this.#firstCall = firstCall;
    this.#encoding = encoding;
  }

  add(part: Part, index: number): void {
    const encoding = this.#encoding;
    const path = [...this.#path, "parts", index];
    takeStructure(encoding, part, path);
    switch (part.type) {
      case "text":
        if (takeRefusal(part, encoding)) this.#refusal = (this.#refusal ?? "") + part.content;
        else {
          const start = this.text.length;
          this.text += part.content;
          this.#annotations.push(...encodeCitations(part, start, this.text.length, encoding));
          this.logprobs.push(...takeLogprobs(part, encoding));
          this.#addOpaque(part, index);
        }
        return;
      case "reasoning":
        this.#reasoning += part.content;
        this.#addOpaque(part, index, part.content);
        return;
      case "tool_call":
        this.toolCalls.push(this.#encodeCall(part));
        return;
      case "blob":
        if (part.modality !== "image") break;
        this.#images.push({
          type: "image_url",
          image_url: { url: dataUrl(part.mime_type ?? sniffImage(part.content), part.content) },
        });
        this.#addOpaque(part, index);
        return;
      default:
    }
    loseContent(part, path, encoding);
  }

  encode(): JsonObject {
    this.#release();
    const isSilent = this.text === "" && (this.toolCalls.length > 0 || this.#refusal !== undefined);
    return {
      role: "assistant",
      content: isSilent ? null : this.text,
      refusal: this.#refusal ?? null,
      ...(this.#reasoning === "" ? {} : { reasoning_content: this.#reasoning }),
      ...(this.#details.length === 0 ? {} : { reasoning_details: this.#details }),
      ...(this.#annotations.length === 0 ? {} : { annotations: this.#annotations }),
      ...(this.toolCalls.length === 0 ? {} : { tool_calls: this.toolCalls }),
      ...(this.#images.length === 0 ? {} : { images: this.#images }),
    };
  }

  /** A legacy completion is one text. */
  loseBesideText(): void {
    const hasMore = this.toolCalls.length > 0 || this.#images.length > 0 || this.#reasoning !== "";
    if (hasMore) this.#encoding.lose(this.#path, "unsupported", "a legacy completion has room for text alone");
    this.text += this.#refusal ?? "";
  }

  /** Families that sign each block have every block listed, so that text and signature stay together. */
  #addOpaque(part: Part, index: number, text?: string): void {
    const encoding = this.#encoding;
    const found = takeOpaque(part, encoding);
    if (part.type !== "reasoning" || found !== undefined) this.#release();
    if (found?.kind === "signature") {
      this.#details.push(opaqueDetail(found, index, text));
      return;
    }
    const detail = text === undefined ? undefined : reasoningTextDetail(text, index, encoding);
    if (detail !== undefined) this.#details.push(detail);
    // Behind all texts of its item (Responses), as a stream tells it.
    if (found !== undefined) this.#held = opaqueDetail(found, index);
  }

  #release(): void {
    if (this.#held !== undefined) this.#details.push(this.#held);
    this.#held = undefined;
  }

  #encodeCall(part: Part & { type: "tool_call" }): JsonObject {
    const encoding = this.#encoding;
    const id = part.id ?? encoding.makeId("call_", this.#firstCall + this.toolCalls.length);
    if (isCustom(part)) {
      const input = typeof part.arguments === "string" ? part.arguments : argumentText(part.arguments);
      return { id, type: "custom", custom: { name: part.name, input } };
    }
    return {
      id,
      type: "function",
      function: { name: part.name, arguments: argumentText(part.arguments) },
      ...encodeThoughtSignature(takeOpaque(part, encoding)?.value),
    };
  }
}

/** Where Google's own endpoint of the chat dialect puts the signature of a call (general knowledge, not verified). */
export function encodeThoughtSignature(signature: string | undefined): JsonObject {
  return signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } };
}

// Room proxy: what routing is told of one call.
// Invariant: what was said is read only where a plan depends on it, and then once.

import { createHash } from "node:crypto";

import { estimateInputTokens, estimateTokens, type InferenceRequest } from "../canonical/index.ts";
import type { ExchangeRecord } from "../record/index.ts";
import type { AffinitySource, CallFacts, CallNeeds } from "../routing/index.ts";
import type { Call } from "./call.ts";
import type { Exchange } from "./exchange.ts";

/** One call's facts. A class, as one is made for every call. */
export class ReadFacts implements CallFacts {
  readonly model: string | undefined;
  readonly provider: string;
  readonly bare: boolean;
  readonly dialect: string;
  readonly operation: string;
  readonly app: string | undefined;
  readonly tags: Record<string, string>;
  readonly allowsFallback: boolean;
  readonly #record: ExchangeRecord;
  readonly #call: Call;
  #whole: InferenceRequest | undefined;

  constructor({ record, fallbackOff }: Exchange, call: Call) {
    const { destination, request } = call;
    const { dialect, operation } = destination.call;
    this.model = request?.model ?? operation.model;
    this.provider = destination.provider.id;
    this.bare = destination.bare;
    this.dialect = dialect.id;
    this.operation = operation.name ?? operation.kind;
    this.app = record.app;
    this.tags = record.tags;
    this.allowsFallback = !fallbackOff;
    this.#record = record;
    this.#call = call;
  }

  affinityKey(by: readonly AffinitySource[]): string | undefined {
    for (const source of by) {
      const key = this.#find(source);
      if (key !== undefined) return key;
    }
    return undefined;
  }

  needs(): CallNeeds {
    return readNeeds(this.#readWhole());
  }

  mostTokens(): number {
    const { json, request } = this.#call;
    // JSON is not shorter than the text in it, numbers in exponent form apart: an estimate may be off by those.
    return estimateTokens(json?.content.length ?? 0) + (request?.maxOutputTokens ?? 0);
  }

  #find(source: AffinitySource): string | undefined {
    switch (source) {
      case "session":
        return this.#record.session;
      case "conversation":
        return this.#call.request?.conversationId;
      case "prefix":
        return digestPrefix(this.#readWhole());
    }
  }

  #readWhole(): InferenceRequest | undefined {
    return (this.#whole ??= this.#call.readWhole());
  }
}

/** What stays the same from turn to turn of a conversation: model, instructions, tools, the first message of the user. */
function digestPrefix(request: InferenceRequest | undefined): string | undefined {
  if (request === undefined) return undefined;
  const opening = request.messages.slice(0, request.messages.findIndex(({ role }) => role === "user") + 1);
  const stable = JSON.stringify([request.model, request.systemInstructions, request.tools, opening]);
  return createHash("sha256").update(stable).digest("base64url");
}

function readNeeds(request: InferenceRequest | undefined): CallNeeds {
  if (request === undefined) return { contextTokens: 0, tools: false, images: false, structuredOutput: false };
  const parts = request.messages.flatMap((message) => message.parts);
  return {
    contextTokens: estimateInputTokens(request) + (request.maxOutputTokens ?? 0),
    tools: (request.tools?.length ?? 0) > 0,
    images: parts.some((part) => "modality" in part && part.modality === "image"),
    structuredOutput: request.outputFormat !== undefined && request.outputFormat.type !== "text",
  };
}

// Room dialects, gemini-generate-content: turns one stream's chunks into canonical events.
// Each chunk has the shape of a whole answer; texts of one kind that follow each other are one part.
// Invariant: never throws; a chunk that cannot be read becomes `unrecognized`, without any of its content.

import { changesRawUsage, mergeRawUsage, type StreamEvent } from "../../canonical/index.ts";
import type { EventDecoder, Frame, Operation } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { CandidateStream } from "./candidate-stream.ts";
import { decodeError } from "./error.ts";
import { decodeChunk } from "./response.ts";
import { dialectId, optional } from "./schema.ts";
import { decodeUsage, readServiceTier } from "./usage.ts";

/** Starts a decoder for one streamed answer. */
export function createEventDecoder(operation: Operation): EventDecoder {
  return new ChunkDecoder(operation);
}

class ChunkDecoder implements EventDecoder {
  readonly #operation: Operation;
  readonly #candidates = new Map<number, CandidateStream>();
  #usage: JsonObject | undefined;
  /** What the last `response_start` said. */
  #head: { id?: string; model?: string; serviceTier?: string } = {};
  #started = false;
  /** Facts about the whole answer; every chunk may restate them, so they are told at the end. */
  #facts: JsonObject | undefined;
  #failed = false;

  constructor(operation: Operation) {
    this.#operation = operation;
  }

  push(frame: Frame): StreamEvent[] {
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    // An error may stand in a stream of events as bare JSON, over many lines (wire.md §1.0): then no line is a data line.
    const body = parseJson(frame.data === "" ? frame.raw.toString("utf8") : frame.data);
    return Array.isArray(body) ? (body as unknown[]).flatMap((chunk) => this.#decode(chunk)) : this.#decode(body);
  }

  end(): StreamEvent[] {
    const events: StreamEvent[] = [];
    for (const candidate of this.#candidates.values()) events.push(...candidate.end());
    if (this.#facts !== undefined) {
      events.push({ type: "response_start", extensions: { [dialectId]: this.#facts } });
      this.#facts = undefined;
    }
    const candidates = [...this.#candidates.values()];
    const isWhole = candidates.length > 0 && candidates.every(({ isFinished }) => isFinished);
    if (isWhole && !this.#failed) events.push({ type: "response_end" });
    return events;
  }

  #decode(chunk: unknown): StreamEvent[] {
    const error = decodeError(chunk);
    if (error !== undefined) {
      this.#failed = true;
      return [{ type: "error", error }];
    }
    const isChunk =
      isJsonObject(chunk) && ("candidates" in chunk || "usageMetadata" in chunk || "promptFeedback" in chunk);
    if (!isChunk || this.#operation.kind !== "generate_content") return [{ type: "unrecognized", name: "chunk" }];
    const { id, model, serviceTier, choices, extensions } = decodeChunk(chunk);
    const events: StreamEvent[] = this.#restateHead({
      ...optional("id", id),
      ...optional("model", model),
      ...optional("serviceTier", serviceTier),
    });
    for (const [place, choice] of choices.entries()) {
      let candidate = this.#candidates.get(choice.index);
      if (candidate === undefined) {
        candidate = new CandidateStream(choice.index);
        this.#candidates.set(choice.index, candidate);
      }
      events.push(...candidate.push(choice, readParts(chunk, place)));
    }
    const facts = extensions?.[dialectId];
    if (facts !== undefined) this.#facts = mergeRawUsage(this.#facts, facts);
    return [...events, ...this.#restateUsage(chunk["usageMetadata"])];
  }

  #restateHead(head: { id?: string; model?: string; serviceTier?: string }): StreamEvent[] {
    const merged = { ...this.#head, ...head };
    const { id, model, serviceTier } = this.#head;
    if (this.#started && merged.id === id && merged.model === model && merged.serviceTier === serviceTier) return [];
    this.#started = true;
    this.#head = merged;
    return [{ type: "response_start", ...merged }];
  }

  /** Every chunk restates the counts so far; at Vertex the first ones say only `trafficType` (recorded). */
  #restateUsage(stated: unknown): StreamEvent[] {
    if (!isJsonObject(stated) || (this.#usage !== undefined && !changesRawUsage(this.#usage, stated))) return [];
    const merged = mergeRawUsage(this.#usage, stated);
    this.#usage = merged;
    const tier = this.#restateHead(optional("serviceTier", readServiceTier(merged)));
    return [...tier, { type: "usage", usage: decodeUsage(merged) }];
  }
}

/** The wire's own parts of one candidate, which the canonical ones stand for one by one. */
function readParts(chunk: JsonObject, place: number): readonly unknown[] {
  const candidates = chunk["candidates"];
  const candidate: unknown = Array.isArray(candidates) ? (candidates as unknown[])[place] : undefined;
  const content = isJsonObject(candidate) ? candidate["content"] : undefined;
  const parts = isJsonObject(content) ? content["parts"] : undefined;
  return Array.isArray(parts) ? parts : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Room dialects, gemini-generate-content: turns one stream's chunks into canonical events.
// Each chunk has the shape of a whole answer; texts of one kind that follow each other are one part.
// Invariant: never throws; a chunk that cannot be read becomes `unrecognized`, without any of its content.

import { changesRawUsage, mergeRawUsage, type StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail, EventDecoder, Frame, Operation } from "../dialect.ts";
import { notRepeated, Repetition, type Slot } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { CandidateStream } from "./candidate-stream.ts";
import { decodeError } from "./error.ts";
import { decodeChunk, readIndex } from "./response.ts";
import { dialectId, optional, readBlockReason } from "./schema.ts";
import { decodeUsage, readServiceTier, restateUsage } from "./usage.ts";

/** Starts a decoder for one streamed answer. */
export function createEventDecoder(operation: Operation, detail: AnswerDetail = "whole"): EventDecoder {
  return new ChunkDecoder(operation, detail);
}

/** What of the usage is another in every chunk; each chunk states it whole. */
const growingCounts = ["candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"];

class ChunkDecoder implements EventDecoder {
  readonly #operation: Operation;
  readonly #detail: AnswerDetail;
  /** Most answers have one. */
  #candidate: CandidateStream | undefined;
  /** All of them, once there is a second one. */
  #candidates: Map<number, CandidateStream> | undefined;
  #usage: JsonObject | undefined;
  /** What the last `response_start` said. */
  #head: { id?: string; model?: string; serviceTier?: string } = {};
  #started = false;
  /** Facts about the whole answer; every chunk may restate them, so they are told at the end. */
  #facts: JsonObject | undefined;
  #failed = false;

  #repetition: Repetition | undefined;
  /** What the chunk before told was one piece of text. */
  #isPiece = false;

  constructor(operation: Operation, detail: AnswerDetail) {
    this.#operation = operation;
    this.#detail = detail;
  }

  push(frame: Frame): StreamEvent[] {
    this.#repetition?.forget();
    if (frame.commentOnly === true) return [{ type: "keepalive" }];
    // An error may stand in a stream of events as bare JSON, over many lines (wire.md §1.0): then no line is a data line.
    const body = parseJson(frame.data === "" ? frame.raw.toString("utf8") : frame.data);
    if (Array.isArray(body)) return (body as unknown[]).flatMap((chunk) => this.#decode(chunk));
    const events = this.#decode(body);
    if (this.#detail === "facts") this.#watch(body, events, frame.raw);
    return events;
  }

  pushRepeated(raw: Buffer): number {
    const repetition = this.#repetition;
    const units = repetition?.read(raw) ?? notRepeated;
    if (repetition === undefined || units === notRepeated || this.#usage === undefined) return units;
    for (let index = 0; index < growingCounts.length; index++) {
      const count = repetition.countOf(index + 1);
      if (count !== undefined) this.#usage[growingCounts[index] as string] = count;
    }
    return units;
  }

  tellRepeated(): StreamEvent {
    // Of a frame that was repeated.
    return (this.#repetition as Repetition).tell();
  }

  end(): StreamEvent[] {
    const events: StreamEvent[] = [];
    let isWhole = this.#candidate !== undefined && !this.#failed;
    if (this.#candidates === undefined) {
      if (this.#candidate !== undefined && !this.#endCandidate(this.#candidate, events)) isWhole = false;
    } else {
      for (const candidate of this.#candidates.values()) if (!this.#endCandidate(candidate, events)) isWhole = false;
    }
    if (this.#facts !== undefined) {
      events.push({ type: "response_start", extensions: { [dialectId]: this.#facts } });
      this.#facts = undefined;
    }
    if (this.#detail === "facts" && this.#usage !== undefined) {
      events.push({ type: "usage", usage: decodeUsage(this.#usage) });
    }
    if (isWhole) events.push({ type: "response_end" });
    return events;
  }

  /** Whether it has its finish reason. */
  #endCandidate(candidate: CandidateStream, events: StreamEvent[]): boolean {
    if (this.#detail === "facts") candidate.endFacts(events);
    else events.push(...candidate.end());
    return candidate.isFinished;
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
    if (this.#detail === "facts") return this.#tellFacts(chunk);
    const { id, model, serviceTier, choices, extensions } = decodeChunk(chunk);
    const events: StreamEvent[] = this.#restateHead({
      ...optional("id", id),
      ...optional("model", model),
      ...optional("serviceTier", serviceTier),
    });
    for (const [place, choice] of choices.entries()) {
      events.push(...this.#candidateAt(choice.index).push(choice, readParts(chunk, place)));
    }
    const facts = extensions?.[dialectId];
    if (facts !== undefined) this.#facts = mergeRawUsage(this.#facts, facts);
    return [...events, ...this.#restateUsage(chunk["usageMetadata"])];
  }

  /** The same without what nobody will look at. The usage, which every chunk states anew, is told once, at the end. */
  #tellFacts(chunk: JsonObject): StreamEvent[] {
    const events: StreamEvent[] = [];
    const { responseId, modelVersion, candidates, usageMetadata: usage } = chunk;
    const id = typeof responseId === "string" && responseId !== "" ? responseId : this.#head.id;
    const model = typeof modelVersion === "string" && modelVersion !== "" ? modelVersion : this.#head.model;
    const serviceTier = (isJsonObject(usage) ? readServiceTier(usage) : undefined) ?? this.#head.serviceTier;
    if (id !== this.#head.id || model !== this.#head.model || serviceTier !== this.#head.serviceTier) {
      const head: StreamEvent & { type: "response_start" } = { type: "response_start" };
      if (id !== undefined) head.id = this.#head.id = id;
      if (model !== undefined) head.model = this.#head.model = model;
      if (serviceTier !== undefined) head.serviceTier = this.#head.serviceTier = serviceTier;
      events.push(head);
    }
    if (isJsonObject(usage)) {
      if (this.#usage === undefined) this.#usage = usage;
      else restateUsage(this.#usage, usage);
    }
    const list: unknown[] = Array.isArray(candidates) ? candidates : [];
    for (let place = 0; place < list.length; place++) {
      const wire = list[place];
      const candidate = isJsonObject(wire) ? wire : {};
      this.#candidateAt(readIndex(candidate) ?? place).pushFacts(candidate, events);
    }
    const blocked = list.length === 0 ? readBlockReason(chunk["promptFeedback"]) : undefined;
    if (blocked !== undefined) {
      const refused = { index: 0, message: { role: "assistant", parts: [] }, finishReason: blocked };
      events.push(...this.#candidateAt(0).push(refused, []));
    }
    return events;
  }

  /** Learns from the first piece of text on, where it is not the last one too; some servers say STOP in every chunk. */
  #watch(chunk: unknown, events: readonly StreamEvent[], raw: Buffer): void {
    const told = events[0];
    const isPiece = told?.type === "part_delta" && events.length === 1;
    const isLearned = isPiece && (this.#isPiece || this.#candidate?.isFinished !== true);
    if (isLearned && isJsonObject(chunk) && isPlainText(chunk)) {
      const slots: (Slot | undefined)[] = [{ name: "text", value: told.text }];
      const usage = chunk["usageMetadata"];
      for (const name of growingCounts) {
        slots.push(isJsonObject(usage) && name in usage ? { name, value: usage[name] } : undefined);
      }
      (this.#repetition ??= new Repetition()).learn(raw, slots, told);
    }
    this.#isPiece = isPiece;
  }

  #candidateAt(index: number): CandidateStream {
    const only = this.#candidate;
    if (only === undefined) return (this.#candidate = new CandidateStream(index));
    if (only.choice === index) return only;
    this.#candidates ??= new Map([[only.choice, only]]);
    let candidate = this.#candidates.get(index);
    if (candidate === undefined) this.#candidates.set(index, (candidate = new CandidateStream(index)));
    return candidate;
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

/** One candidate with one text and no signature: what follows a signed part may be another one. */
function isPlainText(chunk: JsonObject): boolean {
  const { candidates } = chunk;
  const parts = Array.isArray(candidates) && candidates.length === 1 ? readParts(chunk, 0) : [];
  const [part] = parts;
  if (parts.length !== 1 || !isJsonObject(part)) return false;
  for (const name in part) if (name !== "text" && name !== "thought") return false;
  return true;
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

// Room dialects, bedrock-converse: the content blocks of one stream as parts of the answer.
// Invariant: parts are numbered in the order in which blocks first appear; what does not fit its block is undefined, never thrown.

import type { Part, StreamEvent } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { decodeBlock } from "./block.ts";
import { dialectId } from "./schema.ts";

/** One per stream. Each gives the events of one message; undefined when it does not fit. `index` is the wire's block index. */
export interface BlockStream {
  start(index: unknown, start: unknown): StreamEvent[] | undefined;
  extend(index: unknown, delta: unknown): StreamEvent[] | undefined;
  stop(index: unknown): StreamEvent[] | undefined;
  /** What this delta, which was told, did: the part whose text it extended, and the member that it had it from; undefined for any other. */
  grown(index: unknown, delta: unknown): { part: number; name: string; text: string } | undefined;
  /** What was held back comes out: the stream is over, or broke off. */
  end(): StreamEvent[];
}

/** Starts with no block. */
export function createBlockStream(): BlockStream {
  return new ConverseBlockStream();
}

interface BlockState {
  part: number;
  kind: Part["type"] | undefined;
  /** Blocks that have no growing text (tool results, images) are held until they are whole. */
  held?: { key: "toolResult" | "image"; facts: JsonObject };
}

const choice = 0;

class ConverseBlockStream implements BlockStream {
  readonly #blocks = new Map<unknown, BlockState>();

  start(index: unknown, start: unknown): StreamEvent[] | undefined {
    if (!isJsonObject(start)) return undefined;
    const block = this.#blockAt(index);
    const { toolResult, image } = start;
    if (isJsonObject(toolResult)) return this.#hold(block, "toolResult", toolResult);
    if (isJsonObject(image)) return this.#hold(block, "image", image);
    return this.#begin(block, decodeBlock(start));
  }

  extend(index: unknown, delta: unknown): StreamEvent[] | undefined {
    if (!isJsonObject(delta)) return undefined;
    const block = this.#blockAt(index);
    const { text, toolUse, reasoningContent, citation, toolResult, image } = delta;
    if (typeof text === "string") return this.#append(block, "text", text);
    if (isJsonObject(reasoningContent)) return this.#extendReasoning(block, reasoningContent);
    if (citation !== undefined) return [...this.#open(block, "text"), extendPart(block, { citations: [citation] })];
    if (isJsonObject(toolUse) && typeof toolUse["input"] === "string") {
      return isCall(block) ? appendText(block, toolUse["input"]) : undefined;
    }
    if (Array.isArray(toolResult)) return this.#holdContent(block, toolResult);
    if (isJsonObject(image)) return this.#holdImage(block, image);
    return undefined;
  }

  grown(index: unknown, delta: unknown): { part: number; name: string; text: string } | undefined {
    const block = this.#blocks.get(index);
    if (block === undefined || !isJsonObject(delta)) return undefined;
    const { part, kind } = block;
    const { text, reasoningContent, citation, toolUse } = delta;
    if (typeof text === "string") return kind === "text" ? { part, name: "text", text } : undefined;
    if (isJsonObject(reasoningContent)) {
      const { text: thought } = reasoningContent;
      return kind === "reasoning" && typeof thought === "string" ? { part, name: "text", text: thought } : undefined;
    }
    if (citation !== undefined || !isJsonObject(toolUse) || !isCall(block)) return undefined;
    const { input } = toolUse;
    return typeof input === "string" ? { part, name: "input", text: input } : undefined;
  }

  stop(index: unknown): StreamEvent[] | undefined {
    const block = this.#blocks.get(index);
    // Blocks whose text is empty are not announced at all, but stopped.
    if (block === undefined) return [];
    const events = this.#release(block);
    return block.kind === undefined ? events : [...events, { type: "part_end", choice, part: block.part }];
  }

  end(): StreamEvent[] {
    return [...this.#blocks.values()].flatMap((block) => this.#release(block));
  }

  #blockAt(index: unknown): BlockState {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const block: BlockState = { part: this.#blocks.size, kind: undefined };
    this.#blocks.set(index, block);
    return block;
  }

  #begin(block: BlockState, value: Part): StreamEvent[] {
    block.kind = value.type;
    return [{ type: "part_start", choice, part: block.part, value }];
  }

  #open(block: BlockState, kind: "text" | "reasoning"): StreamEvent[] {
    return block.kind === undefined ? this.#begin(block, { type: kind, content: "" }) : [];
  }

  #append(block: BlockState, kind: "text" | "reasoning", text: string): StreamEvent[] | undefined {
    const opened = this.#open(block, kind);
    return block.kind === kind ? [...opened, ...appendText(block, text)] : undefined;
  }

  #extendReasoning(block: BlockState, delta: JsonObject): StreamEvent[] | undefined {
    const { text, signature, ...facts } = delta;
    if (typeof text === "string") return this.#append(block, "reasoning", text);
    const opened = this.#open(block, "reasoning");
    if (block.kind !== "reasoning") return undefined;
    // As in a whole answer, where the signature stands beside the text.
    return [...opened, extendPart(block, signature === undefined ? facts : { ...facts, reasoningText: { signature } })];
  }

  #hold(block: BlockState, key: "toolResult" | "image", facts: JsonObject): StreamEvent[] {
    block.held = { key, facts: { ...facts } };
    return [];
  }

  #holdContent(block: BlockState, items: unknown[]): StreamEvent[] | undefined {
    if (block.kind !== undefined) return undefined;
    block.held ??= { key: "toolResult", facts: {} };
    const { facts } = block.held;
    facts["content"] = [...(Array.isArray(facts["content"]) ? (facts["content"] as unknown[]) : []), ...items];
    return [];
  }

  #holdImage(block: BlockState, { source, ...beside }: JsonObject): StreamEvent[] | undefined {
    if (block.kind !== undefined) return undefined;
    block.held ??= { key: "image", facts: {} };
    const { facts } = block.held;
    Object.assign(facts, beside);
    if (isJsonObject(source)) {
      const before = isJsonObject(facts["source"]) ? facts["source"] : {};
      const isContinued = typeof before["bytes"] === "string" && typeof source["bytes"] === "string";
      const bytes = isContinued ? { bytes: `${String(before["bytes"])}${String(source["bytes"])}` } : {};
      facts["source"] = { ...before, ...source, ...bytes };
    }
    return [];
  }

  #release(block: BlockState): StreamEvent[] {
    const { held } = block;
    if (held === undefined) return [];
    delete block.held;
    return this.#begin(block, decodeBlock({ [held.key]: held.facts }));
  }
}

function isCall({ kind }: BlockState): boolean {
  return kind === "tool_call" || kind === "server_tool_call";
}

/** Empty text is no event. */
function appendText({ part }: BlockState, text: string): StreamEvent[] {
  return text === "" ? [] : [{ type: "part_delta", choice, part, text }];
}

function extendPart({ part }: BlockState, facts: JsonObject): StreamEvent {
  return { type: "part_extend", choice, part, extensions: { [dialectId]: facts } };
}

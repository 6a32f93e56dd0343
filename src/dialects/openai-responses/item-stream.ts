// Room dialects, openai-responses: the parts of a streamed answer, as items are announced, grow and come whole.
// Invariant: a text is told once, whatever repeats it; what came whole but was never streamed is told from there.
// Nothing of an item's content is held but what an unfinished item was announced with.

import type { Part, StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail } from "../dialect.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { callSlot, decodeItem, type ItemPart, readCallHead } from "./item.ts";
import { dialectId, filledText } from "./schema.ts";

/** There is only ever one choice. */
const choice = 0;

type ToolCall = Extract<Part, { type: "tool_call" }>;

interface PartState {
  part: number;
  /** Characters told so far. */
  told: number;
}

interface ItemState {
  id: string | undefined;
  type: string;
  outputIndex: unknown;
  /** As announced, with the content parts that came whole so far, their text left out; dropped once the item came whole. */
  draft: JsonObject | undefined;
  /** Part number that the item took when it was announced; undefined once its first part has it. */
  reserved: number | undefined;
  /** By slot. */
  readonly parts: Map<string, PartState>;
  isWhole: boolean;
}

/** The items of one streamed answer; events are appended to the list given. False: the event fits no item. */
export interface ItemDecoder {
  /** `response.output_item.added` */
  announce(event: JsonObject): boolean;
  /** `response.output_item.done` */
  complete(event: JsonObject, events: StreamEvent[]): boolean;
  /** A text delta, or (`isWhole`) the whole text so far. */
  append(event: JsonObject, slot: string, text: unknown, events: StreamEvent[], isWhole?: true): boolean;
  /** Some text was told. */
  readonly hasText: boolean;
  /** An item has this id. */
  isAnnounced(id: string): boolean;
  /** The part that grew last was told so many more characters. */
  grow(characters: number): void;
  /** A content part as it began or came whole. */
  describe(event: JsonObject, slot: string, events: StreamEvent[]): boolean;
  /** `response.output_text.annotation.added` */
  annotate(event: JsonObject, slot: string): boolean;
  /** The output of the terminal event: tells what is still untold of each item. */
  settle(output: readonly unknown[], events: StreamEvent[]): void;
  /** The stream is over: tells what is known of items that never came whole. */
  close(events: StreamEvent[]): void;
  /** Calls and their answers so far, without content. */
  readonly calls: readonly Part[];
  /** Parts told so far. */
  readonly partCount: number;
  /** The number that the next part would have. */
  readonly nextPart: number;
}

/** Starts the items of one answer. `firstPart` is the number of its first part. */
export function createItemDecoder(firstPart: number, detail: AnswerDetail): ItemDecoder {
  return new StreamedItems(firstPart, detail);
}

class StreamedItems implements ItemDecoder {
  readonly calls: Part[] = [];
  readonly #items: ItemState[] = [];
  readonly #byId = new Map<string, ItemState>();
  readonly #byIndex = new Map<unknown, ItemState>();
  readonly #detail: AnswerDetail;
  #nextPart: number;
  #told = 0;
  /** The part that grew last. */
  #growing: PartState | undefined;

  constructor(firstPart: number, detail: AnswerDetail) {
    this.#nextPart = firstPart;
    this.#detail = detail;
  }

  get partCount(): number {
    return this.#told;
  }

  get hasText(): boolean {
    return this.#growing !== undefined && this.#growing.told > 0;
  }

  get nextPart(): number {
    return this.#nextPart;
  }

  announce(event: JsonObject): boolean {
    const { item } = event;
    if (!isJsonObject(item)) return false;
    const id = filledText(item["id"]);
    const atIndex = this.#byIndex.get(event["output_index"]);
    // The same event twice; without ids, two items at one index are told apart by the first being whole.
    const isRepeated = atIndex?.id === id && (id !== undefined || atIndex?.isWhole === false);
    if (!isRepeated) this.#add(item, event["output_index"]);
    return true;
  }

  complete(event: JsonObject, events: StreamEvent[]): boolean {
    const { item } = event;
    if (!isJsonObject(item)) return false;
    const known = this.#find(filledText(item["id"]), event["output_index"]);
    const state = known?.type === typeOf(item) ? known : this.#add(item, event["output_index"]);
    if (!state.isWhole) this.#tell(state, item, events);
    return true;
  }

  append(event: JsonObject, slot: string, text: unknown, events: StreamEvent[], isWhole?: true): boolean {
    if (typeof text !== "string") return false;
    const state = this.#findFor(event, slot);
    if (state === undefined) return false;
    if (state.isWhole) return true;
    const part = state.parts.get(slot) ?? this.#start(state, slot, events);
    if (part === undefined) return false;
    const news = isWhole === true ? text.slice(part.told) : text;
    if (news !== "") events.push({ type: "part_delta", choice, part: part.part, text: news });
    part.told += news.length;
    this.#growing = part;
    return true;
  }

  isAnnounced(id: string): boolean {
    return this.#byId.has(id);
  }

  grow(characters: number): void {
    if (this.#growing !== undefined) this.#growing.told += characters;
  }

  describe(event: JsonObject, slot: string, events: StreamEvent[]): boolean {
    const { part: wire } = event;
    const state = isJsonObject(wire) ? this.#findFor(event, slot) : undefined;
    if (!isJsonObject(wire) || state === undefined) return false;
    if (state.draft === undefined) return true;
    if (isTextual(wire["type"]) && !state.parts.has(slot)) this.#start(state, slot, events);
    const [list = "", index = ""] = slot.split("/");
    const kept: unknown[] = Array.isArray(state.draft[list]) ? state.draft[list] : [];
    // Behind a gap (or with Bedrock's numbers) it waits for the whole item.
    if (Number(index) <= kept.length) kept[Number(index)] = withoutText(wire);
    state.draft[list] = kept;
    return true;
  }

  annotate(event: JsonObject, slot: string): boolean {
    const state = this.#findFor(event, slot);
    if (state === undefined) return false;
    const [list = "", index = ""] = slot.split("/");
    const parts = state.draft?.[list];
    const part: unknown = Array.isArray(parts) ? parts[Number(index)] : undefined;
    if (!isJsonObject(part)) return state.draft === undefined;
    if (Array.isArray(part["annotations"])) part["annotations"].push(event["annotation"]);
    else part["annotations"] = [event["annotation"]];
    return true;
  }

  settle(output: readonly unknown[], events: StreamEvent[]): void {
    const settled = new Set<ItemState>();
    for (const [index, item] of output.entries()) {
      const wire = isJsonObject(item) ? item : {};
      const known = this.#match(wire, index, settled);
      const state = known ?? this.#add(wire, index);
      settled.add(state);
      if (state.isWhole) this.#restate(state, item, events);
      else this.#tell(state, item, events);
    }
  }

  close(events: StreamEvent[]): void {
    for (const state of this.#items) if (!state.isWhole) this.#tell(state, state.draft, events);
  }

  #add(item: JsonObject, outputIndex: unknown): ItemState {
    const id = filledText(item["id"]);
    const state: ItemState = {
      id,
      type: typeOf(item),
      outputIndex,
      draft: { ...item },
      reserved: this.#nextPart++,
      parts: new Map(),
      isWhole: false,
    };
    this.#items.push(state);
    if (id !== undefined) this.#byId.set(id, state);
    if (typeof outputIndex === "number") this.#byIndex.set(outputIndex, state);
    return state;
  }

  /** GitHub Copilot states another id in each event of an item (recorded), so the index decides where the id is unknown. */
  #find(id: string | undefined, outputIndex: unknown): ItemState | undefined {
    const atIndex = this.#byIndex.get(outputIndex);
    const byId = id === undefined || atIndex?.id === id ? undefined : this.#byId.get(id);
    if (byId !== undefined) return byId;
    if (atIndex?.id === id) return atIndex;
    return id === undefined || atIndex?.isWhole === false ? atIndex : undefined;
  }

  /** The item an event is about; text that was never announced begins one, because its event tells what it is. */
  #findFor(event: JsonObject, slot: string): ItemState | undefined {
    const id = filledText(event["item_id"]);
    const found = this.#find(id, event["output_index"]);
    if (found !== undefined || slot === callSlot) return found;
    const { type, part } = event;
    const isReasoning =
      (typeof type === "string" && type.startsWith("response.reasoning")) ||
      (isJsonObject(part) && part["type"] === "reasoning_text");
    const item: JsonObject = isReasoning ? { type: "reasoning" } : { type: "message", role: "assistant" };
    return this.#add(id === undefined ? item : { ...item, id }, event["output_index"]);
  }

  /** By index and id; else by id (servers that number every item 0); else by index (servers that change the id). */
  #match(wire: JsonObject, index: number, settled: ReadonlySet<ItemState>): ItemState | undefined {
    const id = filledText(wire["id"]);
    const byId = id === undefined ? undefined : this.#byId.get(id);
    const byIndex = this.#byIndex.get(index);
    const candidates = byIndex?.id === id ? [byIndex, byId] : [byId, byIndex];
    return candidates.find((state) => state?.type === typeOf(wire) && !settled.has(state));
  }

  #takeNumber(state: ItemState): number {
    const { reserved } = state;
    state.reserved = undefined;
    return reserved ?? this.#nextPart++;
  }

  /** Begins a part that grows, while its item has not come whole; undefined where the item is of another kind. */
  #start(state: ItemState, slot: string, events: StreamEvent[]): PartState | undefined {
    const value = createShell(state, slot);
    if (value === undefined) return undefined;
    return this.#open(state, slot, value, events);
  }

  #open(state: ItemState, slot: string, value: Part, events: StreamEvent[]): PartState {
    const part: PartState = { part: this.#takeNumber(state), told: 0 };
    state.parts.set(slot, part);
    if (this.#told++ === 0) events.push({ type: "choice_start", choice, role: "assistant" });
    events.push({ type: "part_start", choice, part: part.part, value });
    return part;
  }

  /** Tells what an item that came whole (or will come no further) says beyond what was streamed of it. */
  #tell(state: ItemState, wire: unknown, events: StreamEvent[]): void {
    state.isWhole = true;
    state.draft = undefined;
    // Of facts, what was said and thought is told when all its characters are, and a call when its name is.
    if (this.#detail === "facts" && this.#tellFacts(state, wire, events)) return;
    const parts = decodeItem(wire);
    const spare = spareStates(state, parts);
    for (const item of parts) {
      this.#count(item.part);
      const known = state.parts.get(item.slot) ?? spare.shift();
      if (known === undefined) {
        const { part } = this.#open(state, item.slot, item.part, events);
        events.push({ type: "part_end", choice, part });
        continue;
      }
      state.parts.set(item.slot, known);
      const rest = item.text?.slice(known.told) ?? "";
      if (rest !== "") events.push({ type: "part_delta", choice, part: known.part, text: rest });
      const { extensions } = item.part;
      if (extensions !== undefined) events.push({ type: "part_extend", choice, part: known.part, extensions });
      events.push({ type: "part_end", choice, part: known.part });
    }
  }

  /** Tells what is untold of an item whose parts have begun; false where its content must be looked at. */
  #tellFacts(state: ItemState, wire: unknown, events: StreamEvent[]): boolean {
    if (isSpoken(state.type)) return isAllTold(state, wire);
    const known = state.parts.get(callSlot);
    const call = known === undefined ? undefined : readCall(state.type, wire);
    if (known === undefined || call === undefined) return false;
    this.calls.push(call.part);
    const text = call.text.slice(known.told);
    if (text !== "") events.push({ type: "part_delta", choice, part: known.part, text });
    return true;
  }

  /**
   * The terminal event states other ids and another `encrypted_content` than the item itself (OpenAI, Copilot; recorded):
   * the last ones count. Only texts are told again, because lists would be appended.
   */
  #restate(state: ItemState, wire: unknown, events: StreamEvent[]): void {
    if (this.#detail === "facts") return;
    for (const { slot, part } of decodeItem(wire)) {
      const known = state.parts.get(slot);
      const item = part.extensions?.[dialectId]?.["item"];
      if (known === undefined || !isJsonObject(item)) continue;
      const texts = Object.fromEntries(Object.entries(item).filter(([, value]) => typeof value === "string"));
      if (Object.keys(texts).length === 0) continue;
      events.push({ type: "part_extend", choice, part: known.part, extensions: { [dialectId]: { item: texts } } });
    }
  }

  #count(part: Part): void {
    if (part.type !== "tool_call" && part.type !== "tool_call_response") return;
    const id = part.id === undefined ? {} : { id: part.id };
    this.calls.push(
      part.type === "tool_call"
        ? { type: part.type, name: part.name, ...id }
        : { type: part.type, response: null, ...id },
    );
  }
}

function typeOf(item: JsonObject): string {
  return filledText(item["type"]) ?? "unknown";
}

function isTextual(kind: unknown): boolean {
  return kind === "output_text" || kind === "refusal" || kind === "reasoning_text" || kind === "summary_text";
}

/** A call of a function or a custom tool without its content, and the text of that; undefined where it is none, or not as usual. */
function readCall(type: string, wire: unknown): { part: ToolCall; text: string } | undefined {
  const part = isJsonObject(wire) && wire["type"] === type ? readCallHead(wire) : undefined;
  const text = isJsonObject(wire) ? wire[type === "function_call" ? "arguments" : "input"] : undefined;
  return part === undefined || typeof text !== "string" ? undefined : { part, text };
}

function isSpoken(type: string): boolean {
  return type === "message" || type === "reasoning";
}

/** Some text was told, and the whole item has as many characters and no more parts. */
function isAllTold({ parts }: ItemState, wire: unknown): boolean {
  if (!isJsonObject(wire)) return false;
  let told = 0;
  for (const part of parts.values()) told += part.told;
  let [characters, count] = [0, 0];
  for (const list of [wire["content"], wire["summary"]]) {
    for (const part of Array.isArray(list) ? (list as unknown[]) : []) {
      const text = isJsonObject(part) ? (part["text"] ?? part["refusal"]) : undefined;
      if (typeof text !== "string") return false;
      characters += text.length;
      count += 1;
    }
  }
  return told > 0 && characters === told && count <= parts.size;
}

function withoutText(part: JsonObject): JsonObject {
  return { ...part, ...("text" in part ? { text: "" } : {}), ...("refusal" in part ? { refusal: "" } : {}) };
}

/** The part as it begins: without content, and without what the item may still change. */
function createShell(state: ItemState, slot: string): Part | undefined {
  if (slot !== callSlot) {
    if (state.type === "reasoning") return { type: "reasoning", content: "" };
    return state.type === "message" ? { type: "text", content: "" } : undefined;
  }
  const call = readCall(state.type, state.draft)?.part;
  // A custom tool's input is text as it is; a function's arguments are parsed once they are whole.
  if (call !== undefined) return state.type === "custom_tool_call" ? { ...call, arguments: "" } : call;
  const part = decodeItem(state.draft)[0]?.part;
  if (part?.type !== "tool_call") return undefined;
  const id = part.id === undefined ? {} : { id: part.id };
  return { type: "tool_call", ...id, name: part.name, ...(state.type === "custom_tool_call" ? { arguments: "" } : {}) };
}

/** Streamed parts that the whole item counts otherwise: Bedrock counts content parts over all items (recorded). */
function spareStates(state: ItemState, parts: readonly ItemPart[]): PartState[] {
  const slots = new Set(parts.map(({ slot }) => slot));
  return [...state.parts].filter(([slot]) => !slots.has(slot)).map(([, part]) => part);
}

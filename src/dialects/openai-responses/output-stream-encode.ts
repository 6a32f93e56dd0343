// Room dialects, openai-responses: the items of a streamed answer, as events for a client of this dialect.
// Invariant: an item is announced before its content, its content ends before it does, and the terminal event repeats it
// under the same id. Text belongs to the item that is open last: when another begins, it is done.

import type { Extensions, Part } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { optional, type JsonObject } from "../json/fields.ts";
import { encodeArguments } from "./item-encode.ts";
import {
  callItem,
  encodeCitations,
  encodeWholeItem,
  isRefusal,
  messageItem,
  reasoningItem,
  takeIsCustom,
  textContent,
} from "./output-encode.ts";
import { signatureNames, takeForeignSignature } from "./reasoning-encode.ts";
import type { StreamLosses } from "../stream-losses.ts";

/** Writes one event; its number is the writer's. */
export type WriteEvent = (type: string, fields: JsonObject) => void;

interface OpenItem {
  id: string;
  index: number;
  /** As the terminal event has it; replaced when it is done. */
  wire: JsonObject;
  content: JsonObject[];
  isDone: boolean;
}

interface OpenPart {
  number: number;
  value: Part;
  /** Text of the deltas; since the item began where it had to begin anew. */
  text: string;
  item: OpenItem | undefined;
  contentIndex: number;
  isRefusal: boolean;
  isCustom: boolean;
  callId: string;
  /** The part as it began, and what was told of it later. */
  nodes: { extensions?: Extensions }[];
  isClosed: boolean;
}

/** Extensions that are carried, by the kind of their part. */
const carried: { [Kind in Part["type"]]?: readonly string[] } = {
  text: ["citations"],
  reasoning: signatureNames,
  tool_call: signatureNames,
};

/** The items of one answer. */
export class OutputWriter {
  readonly #encoding: Encoding;
  readonly #write: WriteEvent;
  readonly #losses: StreamLosses;
  readonly #items: OpenItem[] = [];
  readonly #parts = new Map<number, OpenPart>();
  /** The text or reasoning that still grows. */
  #open: OpenPart | undefined;
  #logprobs: unknown[] = [];
  #citations: JsonObject[] = [];
  #firstText: JsonObject | undefined;

  constructor(encoding: Encoding, losses: StreamLosses, write: WriteEvent) {
    this.#encoding = encoding;
    this.#losses = losses;
    this.#write = write;
  }

  start(number: number, value: Part): void {
    const part: OpenPart = {
      number,
      value,
      text: "",
      item: undefined,
      contentIndex: 0,
      isRefusal: value.type === "text" && isRefusal(value, this.#encoding),
      isCustom: value.type === "tool_call" && takeIsCustom(value, this.#encoding),
      callId: "",
      nodes: [value],
      isClosed: false,
    };
    this.#parts.set(number, part);
    this.#tell(part, value.extensions);
    if (value.type === "tool_call") this.#openCall(part, value);
    else if ((value.type === "text" || value.type === "reasoning") && value.content !== "") {
      this.#append(part, value.content);
    }
  }

  append(number: number, text: string): void {
    if (text === "") return;
    if (!this.#parts.has(number)) this.start(number, { type: "text", content: "" });
    const part = this.#parts.get(number);
    if (part !== undefined) this.#append(part, text);
  }

  extend(number: number, extensions: Extensions): void {
    const part = this.#parts.get(number);
    if (part === undefined) return;
    part.nodes.push({ extensions });
    this.#tell(part, extensions);
    // Chat completions tell it at the end (`reasoning_details`): the terminal event has it then.
    if (part.isClosed && part.value.type === "reasoning" && part.item !== undefined) {
      const encrypted = this.#takeSignature(part);
      if (encrypted !== undefined) part.item.wire["encrypted_content"] = encrypted;
    }
  }

  end(number: number): void {
    const part = this.#parts.get(number);
    if (part !== undefined) this.#close(part);
  }

  addLogprobs(logprobs: readonly unknown[]): void {
    this.#logprobs.push(...logprobs);
  }

  addCitations(citations: readonly JsonObject[]): void {
    this.#citations.push(...citations);
  }

  /** Ends whatever is open; the output of the terminal event. */
  finish(): JsonObject[] {
    for (const part of this.#parts.values()) this.#close(part);
    const first = this.#firstText;
    if (first !== undefined && Array.isArray(first["annotations"]) && first["type"] === "output_text") {
      first["annotations"] = [...(first["annotations"] as unknown[]), ...this.#citations];
      first["logprobs"] = this.#logprobs;
    }
    for (const item of this.#items) this.#endItem(item);
    return this.#items.map(({ wire }) => wire);
  }

  #tell(part: OpenPart, extensions: Extensions | undefined): void {
    this.#losses.loseExtensions(pathOf(part), extensions, "type", ...(carried[part.value.type] ?? []));
  }

  #append(part: OpenPart, text: string): void {
    switch (part.value.type) {
      case "text":
        if (this.#open !== part) this.#openText(part);
        part.text += text;
        this.#writeDelta(part, part.isRefusal ? "response.refusal.delta" : "response.output_text.delta", text);
        return;
      case "reasoning":
        if (this.#open !== part) this.#openReasoning(part);
        part.text += text;
        this.#write("response.reasoning_summary_text.delta", { ...place(part), summary_index: 0, delta: text });
        return;
      case "tool_call":
        part.text += text;
        this.#writeCallDelta(part, text);
        return;
      default:
        part.text += text;
    }
  }

  #addItem(prefix: string, makeWire: (id: string, content: JsonObject[]) => JsonObject): OpenItem {
    this.#closeText();
    for (const item of this.#items) if (item.wire["type"] === "message") this.#endItem(item);
    const content: JsonObject[] = [];
    const index = this.#items.length;
    const id = this.#encoding.makeId(prefix, index);
    const item: OpenItem = { id, index, wire: makeWire(id, content), content, isDone: false };
    this.#items.push(item);
    this.#write("response.output_item.added", { output_index: index, item: item.wire });
    return item;
  }

  #closeText(): void {
    if (this.#open !== undefined) this.#close(this.#open);
  }

  /** A text after a text is the next part of the same message. */
  #openText(part: OpenPart): void {
    this.#closeText();
    const last = this.#items.at(-1);
    const item =
      last?.wire["type"] === "message" && !last.isDone
        ? last
        : this.#addItem("msg_", (id) => messageItem(id, [], "in_progress"));
    this.#reopen(part, item);
    part.contentIndex = item.content.length;
    const content = textContent("", part.isRefusal, [], []);
    item.content.push(content);
    this.#firstText ??= content;
    this.#write("response.content_part.added", { ...place(part), content_index: part.contentIndex, part: content });
  }

  #openReasoning(part: OpenPart): void {
    const item = this.#addItem("rs_", (id) => reasoningItem(id, "", undefined));
    this.#reopen(part, item);
    const summary = { type: "summary_text", text: "" };
    this.#write("response.reasoning_summary_part.added", { ...place(part), summary_index: 0, part: summary });
  }

  #reopen(part: OpenPart, item: OpenItem): void {
    part.item = item;
    part.text = "";
    part.isClosed = false;
    this.#open = part;
  }

  #openCall(part: OpenPart, value: Part & { type: "tool_call" }): void {
    const signature = this.#takeSignature(part);
    if (signature !== undefined) {
      this.#endItem(this.#addItem("rs_", (id) => reasoningItem(id, "", signature)));
    }
    const { isCustom } = part;
    part.callId = value.id ?? this.#encoding.makeId("call_", this.#items.length);
    part.item = this.#addItem(isCustom ? "ctc_" : "fc_", (id) =>
      callItem(id, isCustom, part.callId, value.name, "", "in_progress"),
    );
    if (typeof value.arguments === "string" && value.arguments !== "") {
      part.text = value.arguments;
      this.#writeCallDelta(part, value.arguments);
    }
  }

  #close(part: OpenPart): void {
    if (part.isClosed) return;
    part.isClosed = true;
    if (this.#open === part) this.#open = undefined;
    switch (part.value.type) {
      case "text":
        this.#closeContent(part);
        return;
      case "reasoning":
        this.#closeReasoning(part);
        return;
      case "tool_call":
        this.#closeCall(part, part.value);
        return;
      default:
        this.#closeWhole(part);
    }
  }

  #closeContent(part: OpenPart): void {
    const content = part.item?.content[part.contentIndex];
    if (content === undefined) return;
    const { text } = part;
    const annotations = encodeCitations(part.nodes, text.length, pathOf(part), this.#encoding);
    part.nodes = [];
    const at = { ...place(part), content_index: part.contentIndex };
    for (const [index, annotation] of annotations.entries()) {
      this.#write("response.output_text.annotation.added", { ...at, annotation_index: index, annotation });
    }
    Object.assign(content, textContent(text, part.isRefusal, annotations, []));
    if (part.isRefusal) this.#write("response.refusal.done", { ...at, refusal: text });
    else this.#write("response.output_text.done", { ...at, text, logprobs: [] });
    this.#write("response.content_part.done", { ...at, part: content });
  }

  #closeReasoning(part: OpenPart): void {
    const signature = this.#takeSignature(part);
    if (part.item === undefined) {
      if (signature === undefined) return;
      part.item = this.#addItem("rs_", (id) => reasoningItem(id, "", signature));
    } else {
      const at = { ...place(part), summary_index: 0 };
      this.#write("response.reasoning_summary_text.done", { ...at, text: part.text });
      this.#write("response.reasoning_summary_part.done", { ...at, part: { type: "summary_text", text: part.text } });
      part.item.wire = reasoningItem(part.item.id, part.text, signature);
    }
    this.#endItem(part.item);
  }

  /** A call that never got any text has what it began with, or none at all (wire.md §5, 3 and 4). */
  #closeCall(part: OpenPart, value: Part & { type: "tool_call" }): void {
    const { item, isCustom } = part;
    if (item === undefined) return;
    if (part.text === "" && !isCustom) {
      part.text = encodeArguments(value.arguments === "" ? undefined : value.arguments);
      this.#writeCallDelta(part, part.text);
    }
    const member = isCustom ? "input" : "arguments";
    const type = isCustom ? "response.custom_tool_call_input.done" : "response.function_call_arguments.done";
    this.#write(type, { ...place(part), [member]: part.text });
    item.wire = callItem(item.id, isCustom, part.callId, value.name, part.text);
    this.#endItem(item);
  }

  #closeWhole(part: OpenPart): void {
    const whole = encodeWholeItem(withText(part), pathOf(part), this.#encoding);
    if (whole !== undefined) this.#endItem(this.#addItem(whole.prefix, (id) => ({ id, ...whole.item })));
  }

  #endItem(item: OpenItem): void {
    if (item.isDone) return;
    item.isDone = true;
    if (item.wire["type"] === "message") item.wire = messageItem(item.id, item.content);
    this.#write("response.output_item.done", { output_index: item.index, item: item.wire });
  }

  /** The last one counts, as in a fold. */
  #takeSignature(part: OpenPart): string | undefined {
    let signature: string | undefined;
    for (const node of part.nodes) signature = takeForeignSignature(node, this.#encoding) ?? signature;
    return signature;
  }

  #writeDelta(part: OpenPart, type: string, delta: string): void {
    const logprobs = part.isRefusal ? {} : { logprobs: [] };
    this.#write(type, { ...place(part), content_index: part.contentIndex, delta, ...logprobs });
  }

  #writeCallDelta(part: OpenPart, delta: string): void {
    const type = part.isCustom ? "response.custom_tool_call_input.delta" : "response.function_call_arguments.delta";
    this.#write(type, { ...place(part), delta });
  }
}

function place({ item }: OpenPart): JsonObject {
  return { ...optional("item_id", item?.id), ...optional("output_index", item?.index) };
}

function pathOf({ number }: OpenPart): CanonicalPath {
  return ["choices", 0, "message", "parts", number];
}

function withText({ value, text }: OpenPart): Part {
  if (value.type === "blob") return { ...value, content: value.content + text };
  if (value.type !== "server_tool_call" || text === "") return value;
  return { ...value, server_tool_call: { ...value.server_tool_call, input: parseInput(text) } };
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

// Room dialects, gemini-generate-content: canonical events as chunks of a stream.
// Invariant: one line of data in every frame, no comment and no terminator (Google's SDKs break on both, wire.md §3.2); a call is
// written whole; id and model stay as first said; a stream without its end is an error, never a clean one.

import {
  type Extensions,
  type FinishReason,
  type InferenceResponse,
  mergeRawUsage,
  parseArguments,
  type Part,
  type StreamEvent,
  type Usage,
} from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { Encoding, EventEncoder } from "../encoding.ts";
import { type JsonObject, optional } from "../json/fields.ts";
import { encodeBlock, encodeFinishReason, encodeLogprobs, encodeUsage, partPath } from "./answer-encode.ts";
import { encodeStreamError } from "./error.ts";
import { encodePart } from "./part-encode.ts";
import { restoreFields } from "./restore.ts";

/** Usage is always told: this dialect does not leave it to the client. */
export function createEventEncoder(encoding: Encoding): EventEncoder {
  return new ChunkEncoder(encoding);
}

interface OpenPart {
  value: Part;
  /** Of a part that is told whole: what its deltas brought. */
  text: string;
  /** It is told when all before it are: Google's calls go by their order. */
  isEnded?: true;
}

interface OpenChoice {
  parts: Map<number, OpenPart>;
  /** The last part told was plain text. */
  endsInText: boolean;
  isEmpty: boolean;
  finishReason?: FinishReason;
  /** Own facts that belong to the candidate. */
  facts: JsonObject;
}

class ChunkEncoder implements EventEncoder {
  readonly #encoding: Encoding;
  readonly #choices = new Map<number, OpenChoice>();
  #id: string | undefined;
  #model: string | undefined;
  #tier: string | undefined;
  #usage: Usage | undefined;
  /** Own facts about the whole answer. */
  #facts: JsonObject = {};
  #failed = false;
  readonly #told = new Set<string>();

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  push(event: StreamEvent): string[] {
    if (this.#failed) return [];
    switch (event.type) {
      case "response_start":
        this.#id ??= event.id;
        this.#model ??= event.model;
        this.#tier = event.serviceTier ?? this.#tier;
        this.#facts = this.#keep(this.#facts, event.extensions);
        return [];
      case "choice_start":
        this.#choice(event.choice);
        return [];
      case "part_start":
        return this.#startPart(event.choice, event.part, event.value);
      case "part_delta":
        return this.#growPart(event.choice, event.part, event.text);
      case "part_extend":
        return this.#extendPart(event.choice, event.part, event.extensions);
      case "part_end":
        return this.#closePart(event.choice, event.part);
      case "choice_extend":
        return this.#extendChoice(event.choice, event.extensions);
      case "message_extend":
        this.#keep({}, event.extensions);
        return [];
      case "choice_end": {
        const chunks = this.#endParts(event.choice);
        const choice = this.#choice(event.choice);
        choice.finishReason = event.finishReason;
        return [
          ...chunks,
          ...(event.extensions === undefined ? [] : this.#extendChoice(event.choice, event.extensions)),
        ];
      }
      case "usage":
        this.#usage = event.usage;
        return [];
      case "error":
        return this.#fail(new SidecarError("upstream_server_error", event.error.message));
      case "response_end":
      case "keepalive":
      case "output":
      case "unrecognized":
        return [];
    }
  }

  end(): string[] {
    if (this.#failed) return [];
    const choices = [...this.#choices].toSorted(([a], [b]) => a - b);
    const chunks = choices.flatMap(([index]) => this.#endParts(index));
    if (choices.length === 0 || choices.some(([, { finishReason }]) => finishReason === undefined)) {
      return [
        ...chunks,
        ...this.#fail(new SidecarError("stream_truncated", "the provider's stream ended before its answer did")),
      ];
    }
    const usage = this.#usage === undefined ? undefined : encodeUsage(this.#usage, this.#tier, this.#encoding);
    const [first] = choices;
    const block = choices.length === 1 && first !== undefined ? blockOf(first[1]) : undefined;
    const isOwn = this.#encoding.source === this.#encoding.target;
    const isBlocked = block !== undefined && (!isOwn || "promptFeedback" in this.#facts);
    const body: JsonObject = {
      ...(isBlocked
        ? { promptFeedback: encodeBlock(block, this.#encoding) }
        : { candidates: choices.map(([index, choice]) => this.#finish(index, choice)) }),
      ...optional("usageMetadata", usage),
      ...this.#head(),
    };
    return [...chunks, frame(restoreFields(body, this.#facts))];
  }

  #finish(index: number, { endsInText, finishReason, facts }: OpenChoice): JsonObject {
    // Google's own last chunk has an empty text where text came before (recorded).
    const parts = endsInText ? [{ text: "" }] : [];
    const reason = finishReason === undefined ? undefined : encodeFinishReason(finishReason, this.#encoding);
    return restoreFields({ content: { parts, role: "model" }, ...optional("finishReason", reason), index }, facts);
  }

  #startPart(index: number, number: number, value: Part): string[] {
    const chunks = this.#endPart(index, number);
    const choice = this.#choice(index);
    choice.parts.set(number, { value, text: "" });
    if (!isTold(value)) return chunks;
    // A signature comes with the part's end, so that it is told once.
    return value.content === "" ? chunks : [...chunks, this.#tell(index, choice, [piece(value, value.content)])];
  }

  #growPart(index: number, number: number, text: string): string[] {
    const choice = this.#choice(index);
    let part = choice.parts.get(number);
    if (part === undefined) choice.parts.set(number, (part = { value: { type: "text", content: "" }, text: "" }));
    if (isTold(part.value)) return text === "" ? [] : [this.#tell(index, choice, [piece(part.value, text)])];
    part.text += text;
    return [];
  }

  #extendPart(index: number, number: number, later: Extensions): string[] {
    const part = this.#choice(index).parts.get(number);
    if (part === undefined) return [];
    part.value = { ...part.value, extensions: mergeRawUsage(part.value.extensions, later) as Extensions };
    return [];
  }

  #closePart(index: number, number: number): string[] {
    const { parts } = this.#choice(index);
    const part = parts.get(number);
    if (part === undefined || isTold(part.value)) return this.#endPart(index, number);
    part.isEnded = true;
    const whole = [...parts].filter(([, { value }]) => !isTold(value)).toSorted(([a], [b]) => a - b);
    const firstOpen = whole.findIndex(([, { isEnded }]) => isEnded === undefined);
    return whole
      .slice(0, firstOpen === -1 ? whole.length : firstOpen)
      .flatMap(([place]) => this.#endPart(index, place));
  }

  #endPart(index: number, number: number): string[] {
    const choice = this.#choice(index);
    const part = choice.parts.get(number);
    if (part === undefined) return [];
    choice.parts.delete(number);
    const place = { path: partPath(index, number), reader: "client" } as const;
    const whole = isTold(part.value) ? withoutText(part.value) : finishPart(part);
    let wire = encodePart(whole, this.#encoding, place);
    // Of a text that was told piece by piece only what stands beside it is left to tell.
    if (isTold(part.value))
      wire = wire.filter((item) => !isBare(item)).map((item) => ("text" in item ? { ...item, text: "" } : item));
    this.#loseLeftovers(index, number, part.value);
    return wire.length === 0 ? [] : [this.#tell(index, choice, wire)];
  }

  #endParts(index: number): string[] {
    return [...this.#choice(index).parts.keys()]
      .toSorted((a, b) => a - b)
      .flatMap((part) => this.#endPart(index, part));
  }

  #extendChoice(index: number, extensions: Extensions): string[] {
    const choice = this.#choice(index);
    const { logprobsResult: own, ...facts } = extensions[this.#encoding.target] ?? {};
    choice.facts = mergeRawUsage(choice.facts, facts);
    const node = { extensions };
    const logprobsResult = own ?? encodeLogprobs(this.#encoding.take(node, "openai-chat", "logprobs"));
    this.#keep({}, extensions, new Set(["logprobs"]));
    if (logprobsResult === undefined) return [];
    return [frame({ candidates: [{ index, logprobsResult }], ...this.#head() })];
  }

  /** Own facts of a node; the names of foreign ones are told as lost, each once in a stream. */
  #keep(earlier: JsonObject, extensions: Extensions | undefined, taken: ReadonlySet<string> = new Set()): JsonObject {
    const { target } = this.#encoding;
    for (const [dialect, bag] of Object.entries(extensions ?? {})) {
      if (dialect === target) continue;
      for (const [name, value] of Object.entries(bag)) if (value !== null && !taken.has(name)) this.#loseName(name);
    }
    return mergeRawUsage(earlier, extensions?.[target] ?? {});
  }

  /** Of one part, at its place. */
  #loseLeftovers(index: number, number: number, part: Part): void {
    const parts: Part[] = [];
    parts[number] = part;
    const choices: InferenceResponse["choices"] = [];
    choices[index] = { index, message: { role: "assistant", parts } };
    this.#encoding.loseLeftovers({ choices });
  }

  #loseName(name: string): void {
    if (this.#told.has(name)) return;
    this.#told.add(name);
    this.#encoding.lose(["choices", name], "unsupported", `Gemini's stream has no place for ${name}`, "tuning");
  }

  #tell(index: number, choice: OpenChoice, parts: JsonObject[]): string {
    const last = parts.at(-1);
    choice.isEmpty = false;
    choice.endsInText = typeof last?.["text"] === "string" && last["thought"] !== true;
    return frame({ candidates: [{ content: { parts, role: "model" }, index }], ...this.#head() });
  }

  #head(): JsonObject {
    const isOwn = this.#encoding.source === this.#encoding.target;
    this.#model ??= isOwn ? undefined : this.#encoding.model;
    this.#id ??= isOwn ? undefined : this.#encoding.exchangeId;
    return { ...optional("modelVersion", this.#model), ...optional("responseId", this.#id) };
  }

  #choice(index: number): OpenChoice {
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      this.#choices.set(index, (choice = { parts: new Map(), endsInText: false, isEmpty: true, facts: {} }));
    }
    return choice;
  }

  #fail(error: SidecarError): string[] {
    this.#failed = true;
    return [encodeStreamError(error, this.#encoding.exchangeId)];
  }
}

function frame(body: JsonObject): string {
  return `data: ${JSON.stringify(body)}\r\n\r\n`;
}

type ToldPart = Extract<Part, { type: "text" | "reasoning" }>;

/** Whether the part's text is told as it comes; any other part is told whole, at its end. */
function isTold(part: Part): part is ToldPart {
  return part.type === "text" || part.type === "reasoning";
}

function piece(part: ToldPart, text: string): JsonObject {
  return part.type === "text" ? { text } : { text, thought: true };
}

function withoutText(part: ToldPart): Part {
  return { ...part, content: "" };
}

/** Says nothing beside a text. */
function isBare(wire: JsonObject): boolean {
  return Object.keys(wire).every((name) => name === "text" || name === "thought");
}

/** As the fold adds a part up. */
function finishPart({ value, text }: OpenPart): Part {
  switch (value.type) {
    case "tool_call":
      if (typeof value.arguments === "string") return { ...value, arguments: value.arguments + text };
      return text === "" ? value : { ...value, arguments: parseArguments(text) };
    case "blob":
      return { ...value, content: value.content + text };
    case "compaction":
      return { ...value, content: (value.content ?? "") + text };
    default:
      return value;
  }
}

/** Filtered before a word was said. */
function blockOf({ isEmpty, finishReason }: OpenChoice): FinishReason | undefined {
  return isEmpty && finishReason?.unified === "content_filter" ? finishReason : undefined;
}

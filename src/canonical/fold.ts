// Room canonical: adds up a stream's events into the answer they amount to.
// Invariant (law 2): fold(stream) equals decodeResponse of the non-streaming twin.
// Never throws, whatever order the events come in; without `keepContent` no text outlives the event that brought it.

import type { Extensions, Part } from "./message.ts";
import type { Choice, FinishReason, InferenceResponse, ProviderError } from "./response.ts";
import type { StreamEvent } from "./event.ts";
import type { Usage } from "./usage.ts";

/** One per stream. `outputCharacters` counts the text of all parts, for estimates when the provider states no usage. */
export interface Fold {
  push(event: StreamEvent): void;
  /** More text of a part that began and is no blob, in UTF-16 units: all that is needed of it without `keepContent`. */
  count(units: number): void;
  /** The answer so far; call it once, at the end. */
  result(): InferenceResponse;
  readonly ended: boolean;
  readonly error: ProviderError | undefined;
  readonly usage: Usage | undefined;
  readonly outputCharacters: number;
  readonly unrecognizedEvents: number;
}

export interface FoldOptions {
  /** false: text is counted and dropped at once, so that nothing of the content stays in memory. */
  keepContent: boolean;
}

interface PartState {
  number: number;
  value: Part;
  /** Text that `part_delta` appended. */
  text: string;
  extended: boolean;
}

interface ChoiceState {
  index: number;
  role: string;
  /** In the order of their numbers. */
  parts: PartState[];
  finishReason: FinishReason | undefined;
  extensions: Extensions | undefined;
  messageExtensions: Extensions | undefined;
}

/**
 * Starts an empty fold. How the events add up:
 * - `response_start` may come again: later facts replace earlier ones, absent ones leave them.
 * - `usage` states the whole usage so far: the last one wins.
 * - The text of `part_delta` is appended to `content` (text, reasoning, compaction, blob). For a `tool_call` it is the
 *   text of the arguments and replaces the `arguments` of `part_start`, or is appended unparsed where those are a string;
 *   for a `server_tool_call` it goes to `server_tool_call.input`. Both are parsed as `parseArguments` does, and a call
 *   that never got any text keeps what `part_start` gave, or `{}`.
 * - Extensions merge deeply: arrays are appended, objects merged, anything else replaced, but null never replaces.
 * - Without `keepContent` the parts stay as empty shells (kind, tool name and call id); all extensions are dropped.
 */
export function createFold(options: FoldOptions): Fold {
  return new StreamFold(options.keepContent);
}

/** Deeper arguments stay text: whatever walks the parsed value would exhaust the stack. */
const maxArgumentDepth = 128;

/**
 * The arguments of a tool call from their wire text: the parsed JSON, the text itself where it is no JSON, and `{}` for
 * no text at all (providers send `""` for a call without arguments: BerriAI/litellm#5063, agentgateway/agentgateway#3002).
 */
export function parseArguments(text: string): unknown {
  if (text.trim() === "") return {};
  if (text.length > maxArgumentDepth && isDeep(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

class StreamFold implements Fold {
  ended = false;
  error: ProviderError | undefined;
  usage: Usage | undefined;
  outputCharacters = 0;
  unrecognizedEvents = 0;
  readonly #keepContent: boolean;
  /** Most answers have one. */
  #only: ChoiceState | undefined;
  /** All of them, once there is a second one. */
  #choices: Map<number, ChoiceState> | undefined;
  readonly #head: Omit<InferenceResponse, "choices" | "usage"> = {};

  constructor(keepContent: boolean) {
    this.#keepContent = keepContent;
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case "response_start":
        if (event.id !== undefined) this.#head.id = event.id;
        if (event.model !== undefined) this.#head.model = event.model;
        if (event.serviceTier !== undefined) this.#head.serviceTier = event.serviceTier;
        if (event.systemFingerprint !== undefined) this.#head.systemFingerprint = event.systemFingerprint;
        this.#extend(this.#head, event.extensions);
        return;
      case "choice_start":
        this.#choice(event.choice).role = event.role;
        return;
      case "choice_extend":
        this.#extend(this.#choice(event.choice), event.extensions);
        return;
      case "message_extend":
        if (this.#keepContent) {
          const choice = this.#choice(event.choice);
          choice.messageExtensions = mergeExtensions(choice.messageExtensions, event.extensions);
        }
        return;
      case "choice_end": {
        const choice = this.#choice(event.choice);
        choice.finishReason = event.finishReason;
        this.#extend(choice, event.extensions);
        return;
      }
      case "part_start":
        this.#startPart(event.choice, event.part, event.value);
        return;
      case "part_delta":
        this.#appendText(event.choice, event.part, event.text);
        return;
      case "part_extend":
        if (this.#keepContent) {
          const part = this.#part(event.choice, event.part);
          // The first time the extensions are still the event's own: merging into nothing copies them.
          const own = part.extended ? part.value.extensions : mergeExtensions(undefined, part.value.extensions ?? {});
          part.value = { ...part.value, extensions: mergeExtensions(own, event.extensions) };
          part.extended = true;
        }
        return;
      case "usage":
        this.usage = event.usage;
        return;
      case "response_end":
        this.ended = true;
        return;
      case "error":
        this.error = event.error;
        return;
      case "unrecognized":
        this.unrecognizedEvents++;
        return;
      case "part_end":
      case "keepalive":
      case "output":
        return;
    }
  }

  count(units: number): void {
    this.outputCharacters += units;
  }

  result(): InferenceResponse {
    const choices: Choice[] = [];
    if (this.#choices !== undefined) {
      for (const choice of [...this.#choices.values()].toSorted((a, b) => a.index - b.index)) {
        choices.push(finishChoice(choice, this.#keepContent));
      }
    } else if (this.#only !== undefined) choices.push(finishChoice(this.#only, this.#keepContent));
    const response: InferenceResponse = { ...this.#head, choices };
    if (this.usage !== undefined) response.usage = this.usage;
    return response;
  }

  #choice(index: number): ChoiceState {
    const only = this.#only;
    if (only?.index === index) return only;
    if (only === undefined) return (this.#only = startChoice(index));
    this.#choices ??= new Map([[only.index, only]]);
    let choice = this.#choices.get(index);
    if (choice === undefined) this.#choices.set(index, (choice = startChoice(index)));
    return choice;
  }

  #part(choiceIndex: number, number: number): PartState {
    const choice = this.#choice(choiceIndex);
    return findPart(choice, number) ?? addPart(choice, number, { type: "text", content: "" });
  }

  #startPart(choiceIndex: number, number: number, value: Part): void {
    this.outputCharacters += countCharacters(value);
    const kept = this.#keepContent ? value : emptyShell(value);
    const choice = this.#choice(choiceIndex);
    const part = findPart(choice, number);
    if (part === undefined) {
      addPart(choice, number, kept);
      return;
    }
    part.value = kept;
    part.extended = false;
  }

  #appendText(choiceIndex: number, number: number, text: string): void {
    const part = this.#part(choiceIndex, number);
    // Base64 is no text: its length says nothing about tokens.
    if (part.value.type !== "blob") this.outputCharacters += text.length;
    if (this.#keepContent) part.text += text;
  }

  #extend(target: { extensions?: Extensions | undefined }, extensions: Extensions | undefined): void {
    if (extensions === undefined || !this.#keepContent) return;
    target.extensions = mergeExtensions(target.extensions, extensions);
  }
}

function startChoice(index: number): ChoiceState {
  return {
    index,
    role: "assistant",
    parts: [],
    finishReason: undefined,
    extensions: undefined,
    messageExtensions: undefined,
  };
}

/** Mostly it is the last one. */
function findPart({ parts }: ChoiceState, number: number): PartState | undefined {
  for (let at = parts.length - 1; at >= 0; at--) {
    const part = parts[at] as PartState;
    if (part.number <= number) return part.number === number ? part : undefined;
  }
  return undefined;
}

/** Puts it in its place; mostly that is the last one. */
function addPart({ parts }: ChoiceState, number: number, value: Part): PartState {
  const part: PartState = { number, value, text: "", extended: false };
  let at = parts.length;
  while (at > 0 && (parts[at - 1] as PartState).number > number) at -= 1;
  if (at === parts.length) parts.push(part);
  else parts.splice(at, 0, part);
  return part;
}

function finishChoice(state: ChoiceState, keepContent: boolean): Choice {
  const { index, role, finishReason, extensions, messageExtensions } = state;
  const parts: Part[] = [];
  for (const part of state.parts) parts.push(keepContent ? finishPart(part) : part.value);
  const choice: Choice = { index, message: { role, parts } };
  if (messageExtensions !== undefined) choice.message.extensions = messageExtensions;
  if (finishReason !== undefined) choice.finishReason = finishReason;
  if (extensions !== undefined) choice.extensions = extensions;
  return choice;
}

function finishPart({ value, text }: PartState): Part {
  switch (value.type) {
    case "text":
    case "reasoning":
    case "blob":
      return text === "" ? value : { ...value, content: value.content + text };
    case "compaction":
      return text === "" ? value : { ...value, content: (value.content ?? "") + text };
    case "tool_call":
      if (typeof value.arguments === "string") return { ...value, arguments: value.arguments + text };
      if (text !== "") return { ...value, arguments: parseArguments(text) };
      return value.arguments === undefined ? { ...value, arguments: {} } : value;
    case "server_tool_call":
      if (text === "") return value;
      return { ...value, server_tool_call: { ...value.server_tool_call, input: parseArguments(text) } };
    default:
      return value;
  }
}

function countCharacters(part: Part): number {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.content.length;
    case "compaction":
      return part.content?.length ?? 0;
    case "tool_call":
      return countArgumentCharacters(part.arguments);
    default:
      return 0;
  }
}

function countArgumentCharacters(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === "string") return value.length;
  const text = JSON.stringify(value) ?? "";
  return text === "{}" ? 0 : text.length;
}

function emptyShell(part: Part): Part {
  switch (part.type) {
    case "text":
      return { type: "text", content: "" };
    case "reasoning":
      return { type: "reasoning", content: "" };
    case "blob":
      return { type: "blob", modality: part.modality, content: "" };
    case "compaction":
      return { type: "compaction" };
    case "tool_call":
      return { type: "tool_call", name: part.name, ...(part.id === undefined ? {} : { id: part.id }) };
    case "server_tool_call":
      return {
        type: "server_tool_call",
        name: part.name,
        server_tool_call: { type: part.server_tool_call.type },
        ...(part.id === undefined ? {} : { id: part.id }),
      };
    default:
      return { type: "generic", generic_type: part.type === "generic" ? part.generic_type : part.type };
  }
}

function mergeExtensions(earlier: Extensions | undefined, later: Extensions): Extensions {
  const merged = earlier ?? {};
  for (const [dialect, bag] of Object.entries(later)) merged[dialect] = mergeObject(merged[dialect], bag, 0);
  return merged;
}

const maxMergeDepth = 100;

/** Merges into containers that this fold made itself: what an event brought is copied, never written to. */
function mergeValue(earlier: unknown, later: unknown, depth: number): unknown {
  if (depth > maxMergeDepth) return later;
  if (Array.isArray(later)) {
    const target: unknown[] = Array.isArray(earlier) ? earlier : [];
    for (const item of later) target.push(mergeValue(undefined, item, depth + 1));
    return target;
  }
  if (isObject(later)) return mergeObject(isObject(earlier) ? earlier : undefined, later, depth);
  return later === null && earlier !== undefined ? earlier : later;
}

function mergeObject(
  earlier: Record<string, unknown> | undefined,
  later: Record<string, unknown>,
  depth: number,
): Record<string, unknown> {
  const target = earlier ?? {};
  for (const [key, value] of Object.entries(later)) {
    // A provider's own "__proto__" member must not reach Object.prototype.
    if (key !== "__proto__") target[key] = mergeValue(target[key], value, depth + 1);
  }
  return target;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the text nests deeper than `maxArgumentDepth`; brackets inside strings count too, which errs towards text. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) depth -= 1;
    if (depth > maxArgumentDepth) return true;
  }
  return false;
}

// Room dialects: what the encode halves share. A canonical request or answer is written in a dialect's words, and whatever did not
// arrive as it was sent is told.
// Invariant (law 4): a canonical field, or a foreign extension, is written, or it is in `losses`. Nothing disappears.

import type {
  Extensions,
  InferenceRequest,
  InferenceResponse,
  LossReason,
  LossSeverity,
  OutputFormat,
  Part,
  StreamEvent,
  UriPart,
} from "../canonical/index.ts";
import type { DialectId } from "./dialect.ts";
import { isJsonObject, type JsonObject } from "./json/fields.ts";

/** Where in a canonical request or answer: `["messages", 2, "parts", 0, "arguments"]`. An extension: the path of its node, then its name. */
export type CanonicalPath = readonly (string | number)[];

/** A loss by its place in the canonical form; the source dialect knows where that stood in the client's body. */
export interface CanonicalLoss {
  path: CanonicalPath;
  reason: LossReason;
  severity: LossSeverity;
  /** One sentence without content: what was done, and why. */
  detail: string;
}

/** Facts an encoder needs beside what it encodes. */
export interface EncodingFacts {
  /** Whose words the canonical form was decoded from: its bag may be read by name. */
  source: DialectId;
  target: DialectId;
  /** As the receiver is to read it: a provider's own name for the model, or the name of the model that served. */
  model: string;
  /** For a target that must be told; from the model catalogue or policy. */
  maxOutputTokens?: number;
  /** Id that the whole exchange has, for ids that the target must have and the source did not give: 32 hex digits. */
  exchangeId: string;
  /** Seconds since 1970, for targets that date their answers. */
  epochSeconds: number;
  /** `Operation.kind` of the client's call, where the answer's form depends on it (legacy completions). */
  operationKind?: string;
  /** The source's `DialectEncoder.toolResultParts`. */
  toolResultParts: (response: unknown) => Part[];
}

/** One encoding under way: its facts, and the ledger of what is lost. */
export class Encoding implements EncodingFacts {
  readonly source: DialectId;
  readonly target: DialectId;
  readonly model: string;
  readonly maxOutputTokens?: number;
  readonly exchangeId: string;
  readonly epochSeconds: number;
  readonly operationKind?: string;
  readonly toolResultParts: (response: unknown) => Part[];
  readonly losses: CanonicalLoss[] = [];
  /** Extensions that were carried over, by the bag they are in. */
  readonly #taken = new Map<object, Set<string>>();

  constructor(facts: EncodingFacts) {
    this.source = facts.source;
    this.target = facts.target;
    this.model = facts.model;
    if (facts.maxOutputTokens !== undefined) this.maxOutputTokens = facts.maxOutputTokens;
    this.exchangeId = facts.exchangeId;
    this.epochSeconds = facts.epochSeconds;
    if (facts.operationKind !== undefined) this.operationKind = facts.operationKind;
    this.toolResultParts = facts.toolResultParts;
  }

  /** Tells a loss. Without `severity` it is that of the path (`severityOf`). */
  lose(path: CanonicalPath, reason: LossReason, detail: string, severity: LossSeverity = severityOf(path)): void {
    this.losses.push({ path, reason, severity, detail });
  }

  /** A foreign extension of a node by its name, which is thereby carried; undefined where the node has none. */
  take(node: { extensions?: Extensions }, dialect: DialectId, name: string): unknown {
    const bag = node.extensions?.[dialect];
    if (bag === undefined || !Object.hasOwn(bag, name)) return undefined;
    const taken = this.#taken.get(bag);
    if (taken === undefined) this.#taken.set(bag, new Set([name]));
    else taken.add(name);
    return bag[name];
  }

  /** Tells what of a JSON schema's label the target has no place for. A strictness that was asked becomes the target's own. */
  loseSchemaFacts(format: OutputFormat, names: readonly ("name" | "description" | "strict")[]): void {
    if (format.type !== "json_schema") return;
    for (const name of names) {
      if (format[name] === undefined || (name === "strict" && !format.strict)) continue;
      const reason = name === "strict" ? "approximated" : "unsupported";
      this.lose(["outputFormat", name], reason, `schemas of ${this.target} have no ${name} of their own`, "tuning");
    }
  }

  /** An id for what the source gave none: the same for the same number in the same exchange. */
  makeId(prefix: string, number: number): string {
    return `${prefix}${this.exchangeId.slice(0, 16)}${String(number).padStart(2, "0")}`;
  }

  /** The node's extensions in the target's own dialect, to be written back as they were; `{}` for none. */
  own(node: { extensions?: Extensions }): JsonObject {
    return node.extensions?.[this.target] ?? {};
  }

  /** Tells every foreign extension of a tree that nobody took. Call it once, at the end, with the whole request or answer. */
  loseLeftovers(root: InferenceRequest | InferenceResponse): void {
    this.#walk(root, []);
  }

  #walk(node: unknown, path: CanonicalPath): void {
    if (Array.isArray(node)) {
      for (const [index, item] of node.entries()) this.#walk(item, [...path, index]);
      return;
    }
    if (typeof node !== "object" || node === null) return;
    const { extensions } = node as { extensions?: Extensions };
    for (const dialect in extensions) {
      if (dialect === this.target) continue;
      const bag = extensions[dialect] ?? {};
      for (const name in bag) {
        if (this.#taken.get(bag)?.has(name) === true || saysNothing(bag[name]) || exchangeFacts.has(name)) continue;
        if (isForm(name, bag[name])) continue;
        const detail = `${this.target} has no place for ${name}`;
        this.lose([...path, name], "unsupported", detail, isHint(name, bag[name]) ? "tuning" : severityOf(path));
      }
    }
    for (const key in node) if (walked.has(key)) this.#walk((node as JsonObject)[key], [...path, key]);
  }
}

/** Members that may hold nodes with extensions; anything else is the client's own JSON. */
const walked = new Set(["systemInstructions", "messages", "parts", "tools", "choices", "message", "response"]);

/** Absent, in other words. */
function saysNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Facts about one exchange with one provider, which an answer in other words makes anew. */
const exchangeFacts = new Set([
  "created",
  "created_at",
  "metrics",
  "native_finish_reason",
  "object",
  "index",
  // What openai-node 7.55.0 read out of an answer's text, which stands beside it.
  "parsed",
  "parsed_arguments",
]);

/** Extensions that only hint: about caching, money, the caller, and reasoning of before. */
const hints = new Set([
  // Features that one vendor is trying out, as the header of that name (anthropics/claude-code#82549).
  "anthropic_beta",
  // What one provider signed, another has no use for.
  "encrypted_content",
  "reasoning_details",
  "signature",
  "thoughtSignature",
  "thought_signature",
  "cache_control",
  "cachePoint",
  // How long Ollama keeps the model in memory.
  "keep_alive",
  "metadata",
  "prediction",
  "prompt_cache_breakpoint",
  "prompt_cache_key",
  "prompt_cache_retention",
  "safety_identifier",
  "store",
  "stream_options",
  "verbosity",
  "usage",
]);

function isHint(name: string, value: unknown): boolean {
  if (hints.has(name)) return true;
  // `@google/genai` asks to see thoughts; elsewhere they come unasked, or not at all.
  if (/^generation_?config$/i.test(name) && hasOnly(value, /^thinking_?config$/i)) {
    return Object.values(value).every((thinking) => hasOnly(thinking, /^include_?thoughts$/i));
  }
  // The Responses API encrypts reasoning for a client that keeps its own history; others sign theirs unasked, or have none.
  return name === "include" && Array.isArray(value) && value.every((word) => word === "reasoning.encrypted_content");
}

/** How the client worded what is written already: the role that `@google/genai` 3.1.0 gives instructions. */
function isForm(name: string, value: unknown): boolean {
  return /^system_?instruction$/i.test(name) && hasOnly(value, /^role$/);
}

function hasOnly(value: unknown, member: RegExp): value is JsonObject {
  return isJsonObject(value) && Object.keys(value).every((key) => member.test(key));
}

/** Fields whose loss changes how an answer is made, not what was asked. */
const tuningFields = new Set<string>([
  "seed",
  "temperature",
  "topP",
  "topK",
  "frequencyPenalty",
  "presencePenalty",
  "logitBias",
  "serviceTier",
  "user",
  "metadata",
  "streamUsage",
  "reasoning",
  "maxOutputTokens",
] satisfies (keyof InferenceRequest)[]);

/** Semantic, unless the path's first step is a field that only tunes. */
function severityOf(path: CanonicalPath): LossSeverity {
  return tuningFields.has(String(path[0])) ? "tuning" : "semantic";
}

/** What becomes of a canonical request field in a dialect; the source of docs/losses.md. */
export type FieldFate = "mapped" | "moved" | "approximated" | "refused";

/** For every canonical field: a new one does not compile until each dialect has decided. */
export type RequestFates = Record<keyof InferenceRequest, FieldFate>;

/** Writes canonical events as one stream; the counterpart of `EventDecoder`. Never throws. */
export interface EventEncoder {
  /** Bytes for the client, possibly none. */
  push(event: StreamEvent): (string | Buffer)[];
  /** The stream ended well: whatever ends it in this dialect. After an `error` event nothing more comes. */
  end(): (string | Buffer)[];
}

/** The encode half of a dialect. */
export interface DialectEncoder {
  /** Whose words its bodies are, where they are another dialect's: bags of that name are its own. */
  words?: DialectId;
  fates: RequestFates;
  /**
   * The call at a provider: path and query as `joinUrl` takes a client's (`/v1/chat/completions`), for a model by its provider's name.
   * `stream`: the answer is to be streamed.
   */
  path(model: string, stream: boolean): string;
  /** Headers that the call must have beside content-type, flat. */
  headers: readonly string[];
  /** More of them, of what a request says where this dialect has a header for it. */
  requestHeaders?: (request: InferenceRequest, encoding: Encoding) => readonly string[];
  /** @throws SidecarError request_lossy for a conversation that cannot be repaired: with the pointer and the reason */
  encodeRequest(request: InferenceRequest, encoding: Encoding): JsonObject;
  encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject;
  /** `streamUsage`: the client asked for usage, where the dialect leaves that to it. */
  eventEncoder(encoding: Encoding, streamUsage: boolean): EventEncoder;
  /** Media type of its streams. */
  streamType: string;
  /** What a tool result of this dialect holds: the parts of `ToolCallResponsePart.response` as this dialect decodes it. */
  toolResultParts: (response: unknown) => Part[];
  /** A request of this dialect as another one is to read it, part by part at the same places; absent: as it was decoded. */
  forOthers?: (request: InferenceRequest) => InferenceRequest;
  /** Whether a part at this address can be sent only as its bytes; absent: addresses are taken, or such media is not taken at all. */
  needsBytes?: (part: UriPart) => boolean;
  /** JSON pointer of a canonical path in a request body of this dialect; of its nearest ancestor where it has none of its own. */
  locate(path: CanonicalPath, body: JsonObject): string;
}

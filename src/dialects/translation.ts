// Room dialects: one dialect's request or answer in another's words.
// Invariant: what the client sent and the provider does not get is a `Loss` with a pointer into the client's body.

import type {
  Choice,
  FinishReason,
  InferenceRequest,
  InferenceResponse,
  Loss,
  Part,
  StreamEvent,
} from "../canonical/index.ts";
import type { Dialect } from "./dialect.ts";
import {
  type CanonicalLoss,
  type CanonicalPath,
  type DialectEncoder,
  Encoding,
  type EventEncoder,
} from "./encoding.ts";
import type { JsonObject } from "./json/fields.ts";

/** What a translation needs to know beside the two dialects. */
export interface TranslationFacts {
  /** As the receiver is to read it. */
  model: string;
  /** Largest output of that model, for targets that must be told; absent when nobody knows. */
  maxOutputTokens?: number;
  /** 32 hex digits. */
  exchangeId: string;
  epochSeconds: number;
  /** `Operation.kind` of the client's call, where the answer's form depends on it (legacy completions). */
  operationKind?: string;
}

export interface TranslatedRequest {
  /** Path and query of the call. */
  path: string;
  /** Beside content-type, flat. */
  headers: readonly string[];
  body: JsonObject;
  losses: Loss[];
}

/**
 * The client's request for a provider of another dialect. `body` is the client's, parsed; `request` the same, decoded with its content.
 * @throws SidecarError request_lossy
 */
export function translateRequest(
  source: Dialect,
  target: Dialect,
  { body, request }: { body: JsonObject; request: InferenceRequest },
  facts: TranslationFacts,
): TranslatedRequest {
  const [from, to] = [encoderOf(source), encoderOf(target)];
  const encoding = new Encoding({
    ...facts,
    source: from.words ?? source.id,
    target: to.words ?? target.id,
    toolResultParts: from.toolResultParts,
  });
  const read = from === to ? request : (from.forOthers?.(request) ?? request);
  const encoded = to.encodeRequest(read, encoding);
  const headers = [...to.headers, ...(to.requestHeaders?.(read, encoding) ?? [])];
  encoding.loseLeftovers(read);
  return {
    path: to.path(facts.model, request.stream),
    headers,
    body: encoded,
    losses: encoding.losses.flatMap((loss) =>
      [...listJoined(loss.path, request, read), loss.path].map((path) => locate({ ...loss, path }, from, body)),
    ),
  };
}

/** Places of the pieces before a part whose texts `forOthers` gathered in it: what is lost of it whole is lost of them. */
function listJoined(path: CanonicalPath, request: InferenceRequest, read: InferenceRequest): CanonicalPath[] {
  if (read === request || path[0] !== "messages" || path.length !== 4) return [];
  const placed = read.messages.flatMap(({ parts }, message) =>
    parts.map((part, place) => ({ part, given: request.messages[message]?.parts[place], message, place })),
  );
  const index = placed.findIndex(({ message, place }) => message === path[1] && place === path[3]);
  const end = placed[index]?.part;
  const before = placed.slice(0, Math.max(index, 0));
  const isGathered = ({ part }: { part: Part }): boolean =>
    part.type === end?.type && "content" in part && part.content === "";
  return before
    .slice(before.findLastIndex((one) => !isGathered(one)) + 1)
    .filter(({ part, given }) => JSON.stringify(part) !== JSON.stringify(given))
    .map(({ message, place }) => ["messages", message, "parts", place]);
}

/** The provider's answer for a client of another dialect. Losses point into the canonical answer, after `response:`. */
export function translateResponse(
  source: Dialect,
  target: Dialect,
  response: InferenceResponse,
  facts: TranslationFacts,
): { body: JsonObject; losses: Loss[] } {
  const encoding = openResponse(source, target, facts);
  const ended = { ...response, choices: response.choices.map((choice) => endChoice(choice, encoding)) };
  const body = encoderOf(target).encodeResponse(ended, encoding);
  encoding.loseLeftovers(response);
  return { body, losses: encoding.losses.map(locateInAnswer) };
}

/** The provider's stream for a client of another dialect. */
export function translateStream(
  source: Dialect,
  target: Dialect,
  streamUsage: boolean,
  facts: TranslationFacts,
): { encoder: EventEncoder; losses: () => Loss[] } {
  const encoding = openResponse(source, target, facts);
  const encoder = new EndingEncoder(encoderOf(target).eventEncoder(encoding, streamUsage), encoding);
  return { encoder, losses: () => encoding.losses.map(locateInAnswer) };
}

/** Some providers do not say why an answer ended (recorded of Snowflake and OpenRouter); what is whole has an end all the same. */
function endChoice(choice: Choice, encoding: Encoding): Choice {
  if (choice.finishReason !== undefined) return choice;
  const hasCalls = choice.message.parts.some(({ type }) => type === "tool_call");
  return { ...choice, finishReason: inferFinish(choice.index, hasCalls, encoding) };
}

function inferFinish(choice: number, hasCalls: boolean, encoding: Encoding): FinishReason {
  const path = ["choices", choice, "finishReason"];
  encoding.lose(path, "injected", "the provider did not say why the answer ended", "tuning");
  return { unified: hasCalls ? "tool_call" : "stop" };
}

/**
 * Gives each choice an end before the provider's own end of the stream, where the provider did not say why it ended (recorded of
 * Snowflake: chunks without `finish_reason`, then `[DONE]`). What has no such end stays without: it broke off.
 */
class EndingEncoder implements EventEncoder {
  readonly #encoder: EventEncoder;
  readonly #encoding: Encoding;
  /** Choices without an end, and whether each called a tool. */
  readonly #open = new Map<number, boolean>();

  constructor(encoder: EventEncoder, encoding: Encoding) {
    this.#encoder = encoder;
    this.#encoding = encoding;
  }

  push(event: StreamEvent): (string | Buffer)[] {
    if (event.type === "choice_start") this.#open.set(event.choice, false);
    else if (event.type === "choice_end") this.#open.delete(event.choice);
    else if (event.type === "part_start" && event.value.type === "tool_call" && this.#open.has(event.choice)) {
      this.#open.set(event.choice, true);
    } else if (event.type === "response_end") return [...this.#endChoices(), ...this.#encoder.push(event)];
    return this.#encoder.push(event);
  }

  end(): (string | Buffer)[] {
    return this.#encoder.end();
  }

  #endChoices(): (string | Buffer)[] {
    const ends = [...this.#open].flatMap(([choice, hasCalls]) => {
      const finishReason = inferFinish(choice, hasCalls, this.#encoding);
      return this.#encoder.push({ type: "choice_end", choice, finishReason });
    });
    this.#open.clear();
    return ends;
  }
}

function openResponse(source: Dialect, target: Dialect, facts: TranslationFacts): Encoding {
  const { toolResultParts } = encoderOf(source);
  return new Encoding({ ...facts, source: source.id, target: encoderOf(target).words ?? target.id, toolResultParts });
}

function encoderOf({ id, encoder }: Dialect): DialectEncoder {
  if (encoder === undefined) throw new Error(`the dialect ${id} has no encode half`);
  return encoder;
}

function locate({ path, reason, severity, detail }: CanonicalLoss, from: DialectEncoder, body: JsonObject): Loss {
  return { pointer: from.locate(path, body), reason, severity, detail };
}

function locateInAnswer({ path, reason, severity, detail }: CanonicalLoss): Loss {
  return { pointer: `response:${formatPointer(path)}`, reason, severity, detail };
}

/** RFC 6901. */
export function formatPointer(path: readonly (string | number)[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

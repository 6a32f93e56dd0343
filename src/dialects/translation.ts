// Room dialects: one dialect's request or answer in another's words.
// Invariant: what the client sent and the provider does not get is a `Loss` with a pointer into the client's body.

import type { InferenceRequest, InferenceResponse, Loss } from "../canonical/index.ts";
import type { Dialect } from "./dialect.ts";
import { type CanonicalLoss, type DialectEncoder, Encoding, type EventEncoder } from "./encoding.ts";
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

/** Whether both have what it takes. */
export function canTranslate(source: Dialect, target: Dialect): boolean {
  return source.encoder !== undefined && target.encoder !== undefined;
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
    source: source.id,
    target: target.id,
    toolResultParts: from.toolResultParts,
  });
  const encoded = to.encodeRequest(request, encoding);
  encoding.loseLeftovers(request);
  return {
    path: to.path(facts.model, request.stream),
    headers: to.headers,
    body: encoded,
    losses: encoding.losses.map((loss) => locate(loss, from, body)),
  };
}

/** The provider's answer for a client of another dialect. Losses point into the canonical answer, after `response:`. */
export function translateResponse(
  source: Dialect,
  target: Dialect,
  response: InferenceResponse,
  facts: TranslationFacts,
): { body: JsonObject; losses: Loss[] } {
  const encoding = openResponse(source, target, facts);
  const body = encoderOf(target).encodeResponse(response, encoding);
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
  const encoder = encoderOf(target).eventEncoder(encoding, streamUsage);
  return { encoder, losses: () => encoding.losses.map(locateInAnswer) };
}

function openResponse(source: Dialect, target: Dialect, facts: TranslationFacts): Encoding {
  const { toolResultParts } = encoderOf(source);
  return new Encoding({ ...facts, source: source.id, target: target.id, toolResultParts });
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

// Room dialects: one dialect's request for embeddings, or its vectors, in another's words.
// Invariant: what the client sent and the provider does not get is a `Loss` with a pointer into the client's body.

import type { InferenceResponse, Loss, Usage } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import type { Dialect, Operation } from "./dialect.ts";
import type { AskedEmbeddings, EmbeddingCodec, Refuse, Vectors } from "./embedding-codec.ts";
import { takeRepeated } from "./embedding-request.ts";
import { Encoding } from "./encoding.ts";
import type { JsonObject } from "./json/fields.ts";
import { formatPointer, type TranslatedRequest, type TranslationFacts } from "./translation.ts";

/** Whether a client's call for embeddings can be put to a provider in the target's words. */
export function canTranslateEmbeddings(source: Dialect, operation: Operation, target: Dialect): boolean {
  return source.embeddingCodec?.canAnswer(operation) === true && target.embeddingCodec !== undefined;
}

/**
 * The client's request for a provider of another dialect. `body` is the client's, parsed; `asked.request` the same, decoded.
 * @throws SidecarError request_lossy for an input that cannot be embedded there: with the pointer and the reason
 */
export function translateEmbeddingRequest(
  source: Dialect,
  target: Dialect,
  body: JsonObject,
  { request }: AskedEmbeddings,
  facts: TranslationFacts,
): TranslatedRequest {
  const [from, to] = [codecOf(source), codecOf(target)];
  const encoding = open(source, target, facts);
  const refuse: Refuse = (path, detail) => {
    const pointer = from.locate(path, body);
    throw new SidecarError("request_lossy", `${pointer === "" ? "(body)" : pointer}: ${detail}`, {
      details: { pointer },
    });
  };
  takeRepeated(request, encoding);
  const encoded = to.encodeRequest(request, encoding, refuse);
  encoding.loseLeftovers(request);
  const losses = encoding.losses.map(({ path, ...told }): Loss => ({ pointer: from.locate(path, body), ...told }));
  return { path: to.path(facts.model, request.messages.length), headers: [], body: encoded, losses };
}

/**
 * The provider's answer for a client of another dialect: the canonical one, its vectors, one for each input, and its usage, which may
 * have stood in the answer's headers.
 */
export function translateEmbeddingResponse(
  source: Dialect,
  target: Dialect,
  answer: { response: InferenceResponse; vectors: Vectors; usage: Usage | undefined },
  asked: AskedEmbeddings,
  facts: TranslationFacts,
): { body: JsonObject; losses: Loss[] } {
  const { vectors, usage } = answer;
  const response = usage === undefined ? answer.response : { ...answer.response, usage };
  const encoding = open(source, target, facts);
  const body = codecOf(target).encodeResponse(response, vectors, asked, encoding);
  takeEcho(response, encoding);
  encoding.loseLeftovers(response);
  const losses = encoding.losses.map(({ path, ...told }): Loss => ({
    pointer: `response:${formatPointer(path)}`,
    ...told,
  }));
  return { body, losses };
}

/** Cohere gives back what it was asked, and the name of the form it answers in. */
function takeEcho(response: InferenceResponse, encoding: Encoding): void {
  for (const dialect of ["cohere-chat", "bedrock-invoke"] as const) {
    for (const name of ["texts", "response_type"]) encoding.take(response, dialect, name);
    const meta = response.extensions?.[dialect]?.["meta"];
    const isVersionAlone = Object.keys(meta ?? {}).every((name) => name === "api_version");
    if (isVersionAlone) encoding.take(response, dialect, "meta");
  }
}

function open(source: Dialect, target: Dialect, facts: TranslationFacts): Encoding {
  return new Encoding({ ...facts, source: source.id, target: target.id, toolResultParts: () => [] });
}

function codecOf({ id, embeddingCodec }: Dialect): EmbeddingCodec {
  if (embeddingCodec === undefined) throw new Error(`the dialect ${id} does not translate embeddings`);
  return embeddingCodec;
}

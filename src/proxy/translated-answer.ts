// Room proxy: a provider's answer in the words of a client of another dialect, as a body or as a stream.
// Invariant: nothing reaches the client but whole frames of its own dialect; a stream that breaks its protocol never ends well.

import type { InferenceResponse, Loss, Part, StreamEvent, Usage } from "../canonical/index.ts";
import {
  type EventEncoder,
  translateEmbeddingResponse,
  translateRerankResponse,
  translateResponse,
  translateStream,
  type Vectors,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { classifyAnswer } from "./classification.ts";
import type { Observation } from "./observer.ts";
import type { TranslatedCall } from "./translated-call.ts";

/** One answer under translation. */
export class TranslatedAnswer {
  readonly #call: TranslatedCall;
  readonly #requestId: string;
  /** Undefined for embeddings and rankings, which nobody streams. */
  readonly #stream: { encoder: EventEncoder; losses: () => Loss[] } | undefined;
  #frames: Buffer[] = [];
  #bodyLosses: Loss[] = [];
  #vectors: Vectors = [];
  #ranking: Record<string, unknown> = {};
  #response: InferenceResponse | undefined;
  /** The provider's own error, before anything went to the client. */
  failure: SidecarError | undefined;
  #wroteAny = false;

  constructor(call: TranslatedCall, requestId: string) {
    this.#call = call;
    this.#requestId = requestId;
    if (call.embeddings === undefined && call.rerank === undefined) {
      this.#stream = translateStream(call.target, call.client, call.streamUsage, call.facts);
    }
  }

  get streamType(): string {
    return this.#call.client.encoder?.streamType ?? "text/event-stream";
  }

  push(event: StreamEvent): void {
    if (event.type === "error" && !this.#wroteAny) {
      const code = classifyAnswer(200, event.error);
      this.failure ??= new SidecarError(code, event.error.message);
      return;
    }
    const { clientNames } = this.#call;
    const isRenamed = clientNames.size > 0 && event.type === "part_start";
    const told = isRenamed ? { ...event, value: restoreName(event.value, clientNames) } : event;
    this.#keep(this.#stream?.encoder.push(told) ?? []);
  }

  /** A whole answer with its content. Vectors are read here alone: no canonical answer has them. */
  readBody(body: Record<string, unknown>, response: InferenceResponse): void {
    this.#response = response;
    if (this.#call.embeddings !== undefined)
      this.#vectors = this.#call.target.embeddingCodec?.decodeVectors(body) ?? [];
    if (this.#call.rerank !== undefined) this.#ranking = body;
  }

  end(): void {
    this.#keep(this.#stream?.encoder.end() ?? []);
  }

  /** What there is for the client now. */
  take(): Buffer | undefined {
    if (this.#frames.length === 0) return undefined;
    const frames = this.#frames;
    this.#frames = [];
    this.#wroteAny = true;
    return frames.length === 1 ? frames[0] : Buffer.concat(frames);
  }

  /**
   * The whole answer, or the error that the provider answered with its status, in the client's words.
   * @throws SidecarError for an answer of success that is none: nothing went to the client yet.
   */
  body(status: number, observation: Observation): { body: Buffer; error: SidecarError | undefined } {
    const { client } = this.#call;
    const { providerError, usage, failed } = observation;
    if (status >= 400 || providerError !== undefined) {
      const code = classifyAnswer(status, providerError);
      const message = providerError?.message ?? `the provider answered with status ${status}`;
      if (status < 400) throw new SidecarError(code, message);
      const error = new SidecarError(code, message, { httpStatus: status });
      return { body: Buffer.from(JSON.stringify(client.encodeError(error, this.#requestId))), error };
    }
    const translated = failed ? undefined : this.#translate(usage);
    if (translated === undefined) throw new SidecarError("upstream_invalid", "the provider's answer could not be read");
    this.#bodyLosses = translated.losses;
    return { body: Buffer.from(JSON.stringify(translated.body)), error: undefined };
  }

  /** What of the answer the client does not get. */
  losses(): Loss[] {
    return [...this.#bodyLosses, ...(this.#stream?.losses() ?? [])];
  }

  /** Undefined for an answer of another form than its call has: it says nothing (an OpenAI body at Ollama's path, recorded). */
  #translate(usage: Usage | undefined): { body: Record<string, unknown>; losses: Loss[] } | undefined {
    const { client, target, facts, embeddings, rerank } = this.#call;
    const [response, vectors, ranking] = [this.#response, this.#vectors, this.#ranking];
    [this.#response, this.#vectors, this.#ranking] = [undefined, [], {}];
    if (response === undefined) return undefined;
    if (rerank !== undefined) return translateRerankResponse(ranking, usage, rerank, facts);
    if (embeddings === undefined) {
      if (response.choices.length === 0) return undefined;
      return translateResponse(target, client, this.#restoreNames(response), facts);
    }
    if (vectors.length !== embeddings.request.messages.length) return undefined;
    return translateEmbeddingResponse(target, client, { response, usage, vectors }, embeddings, facts);
  }

  #restoreNames(response: InferenceResponse): InferenceResponse {
    const { clientNames } = this.#call;
    if (clientNames.size === 0) return response;
    const choices = response.choices.map((choice) => {
      const parts = choice.message.parts.map((part) => restoreName(part, clientNames));
      return { ...choice, message: { ...choice.message, parts } };
    });
    return { ...response, choices };
  }

  #keep(pieces: (string | Buffer)[]): void {
    for (const piece of pieces) this.#frames.push(typeof piece === "string" ? Buffer.from(piece) : piece);
  }
}

/** A call under the name that the client gave the tool. */
function restoreName(part: Part, clientNames: ReadonlyMap<string, string>): Part {
  const name = part.type === "tool_call" ? clientNames.get(part.name) : undefined;
  return part.type === "tool_call" && name !== undefined ? { ...part, name } : part;
}

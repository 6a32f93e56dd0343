// Room proxy: brings one provider's answer to a client of another dialect. The counterpart of relay.ts, which passes bytes.
// Invariant: as there: one end, told once; nothing before the commit point; an answer that broke off never looks whole.

import { findFraming, type Framing } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { classifyAnswer, mediaTypeOf } from "./classification.ts";
import { ClientWriter } from "./client-writer.ts";
import { readCoding } from "./content-coding.ts";
import { findHeader, omitHeader, toDownstreamHeaders } from "./headers.ts";
import type { Observation, Observer } from "./observer.ts";
import { refuseAnswer } from "./refusal.ts";
import type { Head, RelayEnd, RelaySettings } from "./relay.ts";
import type { TranslatedAnswer } from "./translated-answer.ts";
import type { UpstreamControl, UpstreamFailure, UpstreamHandler } from "./upstream.ts";

/** Relays one answer in other words; resolves with its end, never rejects. */
export class TranslatedRelay implements UpstreamHandler {
  readonly ended: Promise<RelayEnd>;
  readonly #settings: RelaySettings;
  readonly #translation: TranslatedAnswer;
  readonly #writer: ClientWriter;
  #resolve: (end: RelayEnd) => void = () => undefined;
  #control: UpstreamControl | undefined;
  #head: Head | undefined;
  #framing: Framing | undefined;
  #observer: Observer | undefined;
  #committed = false;
  #chunkSeen = false;
  #done = false;

  constructor(settings: RelaySettings, translation: TranslatedAnswer) {
    this.#settings = settings;
    this.#translation = translation;
    this.#writer = new ClientWriter(settings.respond, settings.slowClientTimeoutMs);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Gives the relay its grip on the request it handles. */
  attach(control: UpstreamControl): void {
    this.#control = control;
    this.#writer.attach(control);
  }

  onHead(status: number, rawHeaders: string[]): void {
    const { attempt, own, call } = this.#settings;
    own.enter();
    attempt.firstByteMs = this.#settings.sinceStartMs();
    attempt.statusCode = status;
    this.#settings.noteHead(status, rawHeaders);
    const upstreamId = findHeader(rawHeaders, "x-request-id") ?? findHeader(rawHeaders, "request-id");
    if (upstreamId !== undefined) attempt.upstreamRequestId = upstreamId.slice(0, 128);
    const mediaType = mediaTypeOf(findHeader(rawHeaders, "content-type"));
    const refusal = refuseAnswer(this.#settings, status, mediaType);
    if (refusal !== undefined || call === undefined) {
      own.leave();
      if (refusal !== undefined) this.#control?.abort(refusal);
      return;
    }
    const contentEncoding = readCoding(findHeader(rawHeaders, "content-encoding"));
    this.#head = { status, rawHeaders, contentLength: undefined, contentEncoding };
    const isTyped = mediaType !== "" || !this.#settings.streamRequested;
    const framing = isTyped ? findFraming(mediaType, call.dialect, call.operation) : call.dialect.framings[0];
    this.#framing = status < 300 ? framing : undefined;
    this.#observer = this.#settings.createObserver(this.#head, this.#framing);
    own.leave();
  }

  onChunk(chunk: Buffer): void {
    const { own, attempt } = this.#settings;
    own.enter();
    attempt.responseBytes += chunk.length;
    if (!this.#chunkSeen) {
      this.#chunkSeen = true;
      this.#settings.onFirstChunk(this.#settings.sinceStartMs());
    }
    this.#observer?.observeChunk(chunk, this.#settings.sinceStartMs());
    if (this.#framing !== undefined) this.#flush();
    own.leave();
  }

  onEnd(): void {
    const { own } = this.#settings;
    const observer = this.#observer;
    if (observer === undefined) return;
    own.enter();
    if (this.#framing !== undefined) observer.observeFrames(observer.endFrames(), this.#settings.sinceStartMs());
    const concluded = observer.finish();
    if (concluded instanceof Promise) void concluded.then((observation) => this.#concludeSafely(observation));
    else this.#concludeSafely(concluded);
    own.leave();
  }

  onError({ error, staleConnection }: UpstreamFailure): void {
    if (this.#done) return;
    const { own } = this.#settings;
    own.enter();
    if (this.#writer.gone) this.#finishLate("client_aborted", error);
    else if (!this.#committed) this.#finish({ kind: "failed", error, staleConnection });
    else this.#breakOff(error);
    own.leave();
  }

  /** What the events so far amount to goes out; an error that comes first is answered as one, with a status of its own. */
  #flush(): void {
    const { failure } = this.#translation;
    if (failure !== undefined && !this.#committed) {
      this.#control?.abort(failure);
      return;
    }
    const bytes = this.#translation.take();
    if (bytes === undefined) return;
    this.#commit((this.#head as Head).status, ["content-type", this.#translation.streamType], undefined);
    this.#writer.write(bytes);
  }

  #concludeSafely(observation: Observation): void {
    if (this.#done) return;
    try {
      if (this.#framing === undefined) this.#concludeBody(observation);
      else this.#concludeStream(observation);
    } catch (cause) {
      const error =
        cause instanceof SidecarError
          ? cause
          : new SidecarError("internal", "the provider's answer could not be translated", { cause });
      if (this.#committed) this.#breakOff(error, observation);
      else this.#finish({ kind: "failed", error, staleConnection: false });
    }
  }

  #concludeBody(observation: Observation): void {
    const { status } = this.#head as Head;
    const { body, error } = this.#translation.body(status, observation);
    this.#settings.noteLosses(this.#translation.losses());
    const type = ["content-type", "application/json", "content-length", String(body.length)];
    this.#commit(status, type, observation);
    this.#writer.write(body);
    this.#settings.respond.end();
    const kind = error === undefined ? "complete" : "error";
    this.#finish({ kind, error, observation });
  }

  #concludeStream(observation: Observation): void {
    const { failure } = this.#translation;
    if (failure !== undefined && !this.#committed) {
      this.#finish({ kind: "failed", error: failure, staleConnection: false });
      return;
    }
    // Here the client has only what was understood: what could not be read must not look whole either.
    const isUnread = observation.failed || observation.corrupt;
    if (isUnread || (!observation.finished && observation.providerError === undefined)) {
      const error = isUnread
        ? new SidecarError("upstream_invalid", "the provider's stream could not be read")
        : new SidecarError("stream_truncated", "the provider's stream ended before its end");
      if (this.#committed) this.#breakOff(error, observation);
      else this.#finish({ kind: "failed", error, staleConnection: false });
      return;
    }
    if (observation.providerError === undefined) this.#translation.end();
    this.#flush();
    this.#settings.noteLosses(this.#translation.losses());
    const cost = this.#settings.trailersWanted ? this.#settings.costTrailer(observation) : undefined;
    this.#settings.respond.end(undefined, cost === undefined ? undefined : { "x-outrider-cost": cost });
    const { providerError } = observation;
    const error =
      providerError === undefined
        ? undefined
        : new SidecarError(classifyAnswer(200, providerError), "the provider's stream ended in an error");
    this.#finish({ kind: error === undefined ? "complete" : "error", error, observation });
  }

  #commit(status: number, type: string[], observation: Observation | undefined): void {
    if (this.#committed || this.#done) return;
    this.#committed = true;
    const passed = omitHeader(toDownstreamHeaders((this.#head as Head).rawHeaders, true), "content-type");
    const headers = [...omitHeader(passed, "content-encoding"), ...type];
    const own = this.#settings.answerHeaders(status, observation);
    const trailer = this.#framing !== undefined && this.#settings.trailersWanted ? ["trailer", "x-outrider-cost"] : [];
    this.#settings.respond.head(status, [...headers, ...own, ...trailer], false);
  }

  #breakOff(error: SidecarError, observation?: Observation): void {
    const { respond, clientDialect, requestId } = this.#settings;
    if (clientDialect !== undefined) respond.write(clientDialect.encodeStreamError(error, requestId));
    respond.destroy();
    this.#finishLate(error.code === "stream_truncated" ? "truncated" : "error", error, observation);
  }

  #finishLate(kind: "error" | "truncated" | "client_aborted", error: SidecarError, known?: Observation): void {
    const concluded = known ?? this.#observer?.finish();
    if (concluded instanceof Promise) void concluded.then((observation) => this.#finish({ kind, error, observation }));
    else this.#finish({ kind, error, observation: concluded });
  }

  #finish(end: RelayEnd): void {
    if (this.#done) return;
    this.#done = true;
    this.#writer.stop();
    this.#resolve(end);
  }
}

// Room proxy: moves one provider's answer to the client, chunk by chunk, while an observer reads a copy.
// Invariant: one end, told once. Before the first byte to the client (the commit point) a failure leaves the client untouched;
// after it the client gets the provider's bytes, and an answer that broke off never looks whole.

import type { Loss } from "../canonical/index.ts";
import {
  type Dialect,
  endsBetweenFrames,
  endsWithBlankLine,
  findFraming,
  type Frame,
  type Framing,
  type Operation,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { WireAttempt } from "../record/index.ts";
import { ClientWriter } from "./client-writer.ts";
import { classifyAnswer, isJsonMediaType, mediaTypeOf } from "./classification.ts";
import { refuseAnswer } from "./refusal.ts";
import { readCoding } from "./content-coding.ts";
import { findHeader, toDownstreamHeaders } from "./headers.ts";
import type { Observation, Observer } from "./observer.ts";
import type { OwnTime } from "./own-time.ts";
import type { UpstreamControl, UpstreamFailure, UpstreamHandler } from "./upstream.ts";
import type { Responder } from "./wire.ts";

export type RelayEnd =
  | {
      kind: "complete" | "error" | "truncated" | "client_aborted";
      error: SidecarError | undefined;
      observation: Observation | undefined;
    }
  /** Nothing reached the client: another attempt may be made, or an error answered. */
  | { kind: "failed"; error: SidecarError; staleConnection: boolean };

/** What a relay works for: the attempt whose answer it moves. Methods, and no bag of functions: it is made for every request. */
export interface RelaySettings {
  readonly respond: Responder;
  readonly attempt: WireAttempt;
  readonly own: OwnTime;
  /** Milliseconds since the request was sent. */
  sinceStartMs(): number;
  /** Absent: no call we understand; bytes pass and nothing is read. */
  readonly call: { dialect: Dialect; operation: Operation } | undefined;
  createObserver(head: Head, framing: Framing | undefined): Observer;
  /** The client asked for a stream; decides what an answer without a type may be. */
  readonly streamRequested: boolean;
  /** Some frames of a stream are not for the client: `isForeignFrame` says which. */
  readonly isFiltered: boolean;
  /** The usage frame that only Outrider asked for. */
  isForeignFrame(frame: Frame): boolean;
  /** Whether such a frame may be among these bytes. */
  mayHoldForeignFrame(bytes: Buffer): boolean;
  /** The credential was Outrider's own: its refusal is not the client's to see. */
  readonly heldCredential: boolean;
  readonly requestId: string;
  /** The client takes trailers. */
  readonly trailersWanted: boolean;
  readonly slowClientTimeoutMs: number;
  /** Outrider's headers of the answer, asked for right before the head goes out; with the observation when the whole body is at hand. */
  answerHeaders(status: number, observation: Observation | undefined): string[];
  /** Value of the cost trailer. */
  costTrailer(observation: Observation): string | undefined;
  /** Right before the first chunk is passed; by then it is known whether an observer reads the answer. */
  onFirstChunk(atMs: number): void;
  /** The whole answer is at hand and read, and nothing of it was passed yet. */
  onWhole(status: number, observation: Observation): void;
  noteHead(status: number, rawHeaders: string[]): void;
  /** What of the answer the client does not get. */
  noteLosses(losses: Loss[]): void;
  /** In whose words errors are written. */
  readonly clientDialect: Dialect | undefined;
}

/**
 * How the body is moved. `plain`: nothing is read. `body`: passed and kept for the observer. `stream`: passed, frames observed.
 * `edited`: passed frame by frame, without those that are not for the client. `undecided`: the answer has no type; its first byte tells.
 */
type Mode = "plain" | "body" | "stream" | "edited" | "undecided";

/** Head of the provider's answer. */
export interface Head {
  status: number;
  rawHeaders: string[];
  contentLength: number | undefined;
  /** Undefined: the bytes are the content itself. */
  contentEncoding: string | undefined;
}

/** Relays one answer; resolves with its end, never rejects. */
export class Relay implements UpstreamHandler {
  readonly ended: Promise<RelayEnd>;
  readonly #settings: RelaySettings;
  readonly #writer: ClientWriter;
  #resolve: (end: RelayEnd) => void = () => undefined;
  #control: UpstreamControl | undefined;
  #head: Head | undefined;
  #observer: Observer | undefined;
  #observation: Observation | undefined;
  #pendingObservation: Promise<Observation> | undefined;
  #mode: Mode = "plain";
  #framing: Framing | undefined;
  #committed = false;
  #chunkSeen = false;
  #done = false;
  /** The last byte written ended a frame: an error frame may follow as it is. */
  #atFrameEnd = true;

  constructor(settings: RelaySettings) {
    this.#settings = settings;
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
    const { attempt, own } = this.#settings;
    own.enter();
    attempt.firstByteMs = this.#settings.sinceStartMs();
    attempt.statusCode = status;
    this.#settings.noteHead(status, rawHeaders);
    const upstreamId = findHeader(rawHeaders, "x-request-id") ?? findHeader(rawHeaders, "request-id");
    if (upstreamId !== undefined) attempt.upstreamRequestId = upstreamId.slice(0, 128);
    const mediaType = mediaTypeOf(findHeader(rawHeaders, "content-type"));
    const refusal = refuseAnswer(this.#settings, status, mediaType);
    if (refusal !== undefined) {
      own.leave();
      this.#control?.abort(refusal);
      return;
    }
    const length = findHeader(rawHeaders, "content-length");
    const contentEncoding = readCoding(findHeader(rawHeaders, "content-encoding"));
    this.#head = {
      status,
      rawHeaders,
      contentLength: length === undefined ? undefined : Number(length),
      contentEncoding,
    };
    this.#chooseMode(mediaType);
    own.leave();
  }

  onChunk(chunk: Buffer): void {
    const { own, attempt } = this.#settings;
    own.enter();
    attempt.responseBytes += chunk.length;
    if (!this.#chunkSeen) {
      this.#chunkSeen = true;
      if (this.#mode === "undecided") this.#chooseMode(isJsonStart(chunk) ? "application/json" : "text/event-stream");
      this.#settings.onFirstChunk(this.#settings.sinceStartMs());
    }
    this.#pass(chunk, this.#observer);
    own.leave();
  }

  #pass(chunk: Buffer, observer: Observer | undefined): void {
    const isWhole = !this.#committed && this.#head?.contentLength === chunk.length;
    if (observer !== undefined && this.#mode === "body" && isWhole) {
      // The whole body is here: what it cost can stand in the head.
      observer.observeChunk(chunk, this.#settings.sinceStartMs());
      const concluded = observer.finish();
      if (concluded instanceof Promise) this.#pendingObservation = concluded;
      else {
        this.#observation = concluded;
        this.#settings.onWhole((this.#head as Head).status, concluded);
      }
      this.#observer = undefined;
      this.#commit(false);
      this.#write(chunk);
      return;
    }
    this.#commit(false);
    const isCut = this.#mode === "edited" && observer !== undefined && !this.#mayPassUncut(chunk, observer);
    if (!isCut) this.#write(chunk);
    if (observer === undefined) return;
    const atMs = this.#settings.sinceStartMs();
    if (!isCut) {
      observer.observeChunk(chunk, atMs);
      return;
    }
    const frames = observer.frames(chunk);
    this.#writeFrames(frames);
    observer.observeFrames(frames, atMs);
    if (observer.overflowed) {
      this.#control?.abort(new SidecarError("upstream_too_large", "one event of the provider's stream is too large"));
    }
  }

  /** Whole frames, none of which can be one that is not for the client: cutting them was most of what passing them cost. */
  #mayPassUncut(chunk: Buffer, observer: Observer): boolean {
    return observer.isFresh && endsBetweenFrames(chunk) && !this.#settings.mayHoldForeignFrame(chunk);
  }

  #chooseMode(mediaType: string): void {
    const { call, isFiltered, streamRequested } = this.#settings;
    const head = this.#head as Head;
    if (call === undefined) return;
    if (mediaType === "" && head.status < 300 && streamRequested) {
      this.#mode = "undecided";
      return;
    }
    const framing = head.status < 300 ? findFraming(mediaType, call.dialect, call.operation) : undefined;
    // What is not JSON, and may be so, is nobody's to read.
    if (framing === undefined && head.status < 300 && !isJsonMediaType(mediaType)) return;
    this.#framing = framing;
    if (framing === undefined) this.#mode = "body";
    else this.#mode = isFiltered && head.contentEncoding === undefined ? "edited" : "stream";
    this.#observer = this.#settings.createObserver(head, framing);
    // The head of a stream goes out at once; a first chunk that came in the same packet goes with it.
    if (framing !== undefined) queueMicrotask(() => this.#commitSafely());
  }

  #commitSafely(): void {
    try {
      this.#commit(true);
    } catch (cause) {
      this.#control?.abort(new SidecarError("internal", "the answer's head could not be written", { cause }));
    }
  }

  onEnd(): void {
    const { own } = this.#settings;
    own.enter();
    this.#commit(false);
    const observer = this.#observer;
    if (observer !== undefined) {
      const frames = observer.endFrames();
      if (this.#mode === "edited") this.#writeFrames(frames);
      observer.observeFrames(frames, this.#settings.sinceStartMs());
    }
    const concluded = this.#observation ?? this.#pendingObservation ?? observer?.finish();
    if (concluded instanceof Promise) {
      this.#endClean(undefined);
      own.leave();
      void concluded.then((observation) => this.#conclude(observation));
      return;
    }
    if (concluded?.corrupt === true) {
      // The client has the very bytes; what they are is told, not mended.
      this.#endClean(undefined);
      const error = new SidecarError("upstream_invalid", "the provider's stream is not in its own framing");
      this.#finish({ kind: "error", error, observation: concluded });
    } else if (this.#isStream && concluded !== undefined && isBrokenOff(concluded)) {
      const error = new SidecarError("stream_truncated", "the provider's stream ended before its end");
      this.#breakOff(error);
      this.#finish({ kind: "truncated", error, observation: concluded });
    } else {
      this.#endClean(concluded);
      this.#conclude(concluded);
    }
    own.leave();
  }

  onError({ error, staleConnection }: UpstreamFailure): void {
    const { own } = this.#settings;
    if (this.#done) return;
    own.enter();
    const terminalSeen = this.#observer?.terminalSeen === true;
    if (this.#writer.gone) {
      if (terminalSeen) this.#concludeLate("complete", undefined);
      else this.#concludeLate("client_aborted", error);
    } else if (!this.#committed) {
      this.#finish({ kind: "failed", error, staleConnection });
    } else if (terminalSeen) {
      // The answer was whole; only its connection ended badly.
      this.#settings.respond.end();
      this.#concludeLate("complete", undefined);
    } else {
      this.#breakOff(error);
      this.#concludeLate(error.code === "stream_truncated" ? "truncated" : "error", error);
    }
    own.leave();
  }

  get #isStream(): boolean {
    return this.#mode === "stream" || this.#mode === "edited";
  }

  /** An answer without a length and with a body can end in trailers. */
  get #hasTrailers(): boolean {
    const { status, contentLength } = this.#head as Head;
    return this.#settings.trailersWanted && contentLength === undefined && status !== 204 && status !== 304;
  }

  #commit(flush: boolean): void {
    const head = this.#head;
    if (this.#committed || this.#done || head === undefined) return;
    this.#committed = true;
    const { respond } = this.#settings;
    const headers = toDownstreamHeaders(head.rawHeaders, this.#mode === "edited");
    for (const item of this.#settings.answerHeaders(head.status, this.#observation)) headers.push(item);
    if (this.#hasTrailers) headers.push("trailer", "x-outrider-cost");
    respond.head(head.status, headers, flush);
  }

  #write(chunk: Buffer): void {
    this.#atFrameEnd = endsWithBlankLine(chunk);
    this.#writer.write(chunk);
  }

  #writeFrames(frames: Frame[]): void {
    const kept = frames.filter((frame) => !this.#settings.isForeignFrame(frame)).map(({ raw }) => raw);
    if (kept.length > 0) this.#write(kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept));
  }

  #endClean(observation: Observation | undefined): void {
    const { respond } = this.#settings;
    const cost = this.#hasTrailers && observation !== undefined ? this.#settings.costTrailer(observation) : undefined;
    respond.end(undefined, cost === undefined ? undefined : { "x-outrider-cost": cost });
  }

  /** Ends a committed answer so that nobody takes it for whole: the dialect's error event, then no end. */
  #breakOff(error: SidecarError): void {
    const { respond, call, requestId } = this.#settings;
    const gap = this.#gapBeforeError();
    if (call !== undefined && gap !== undefined && this.#head?.contentEncoding === undefined) {
      const frame = call.dialect.encodeStreamError(error, requestId);
      if (gap !== "") respond.write(gap);
      respond.write(frame);
    }
    respond.destroy();
  }

  /** What makes an error frame stand on its own after the bytes that went out; undefined where nothing can. */
  #gapBeforeError(): string | undefined {
    switch (this.#framing) {
      case "sse":
        return this.#atFrameEnd ? "" : "\n\n";
      case "ndjson":
        return this.#observer?.midFrame === true ? "\n" : "";
      case "aws-eventstream":
        return this.#observer?.midFrame === true ? undefined : "";
      default:
        return undefined;
    }
  }

  /** A whole answer: the provider's own error, or the model's. */
  #conclude(observation: Observation | undefined): void {
    const { status } = this.#head as Head;
    const failed = status >= 400 || observation?.providerError !== undefined;
    if (!failed) {
      this.#finish({ kind: "complete", error: undefined, observation });
      return;
    }
    const code = classifyAnswer(status, observation?.providerError);
    const error = new SidecarError(code, `the provider answered with an error (${status})`, { httpStatus: status });
    this.#finish({ kind: "error", error, observation });
  }

  #concludeLate(kind: "complete" | "error" | "truncated" | "client_aborted", error: SidecarError | undefined): void {
    const concluded = this.#observation ?? this.#pendingObservation ?? this.#observer?.finish();
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

/** A stream that ended in good form on the wire but not in its dialect; of a format we do not know we cannot tell. */
function isBrokenOff({ finished, providerError, response, unrecognizedEvents, failed }: Observation): boolean {
  const foreign = unrecognizedEvents > 0 && (response === undefined || response.choices.length === 0);
  // An observer that failed knows nothing, and must not touch the client's bytes.
  return !finished && providerError === undefined && !foreign && !failed;
}

/** Whether the first byte that is no blank opens a JSON object or array. */
function isJsonStart(chunk: Buffer): boolean {
  const first = chunk.find((byte) => byte !== 32 && byte !== 9 && byte !== 10 && byte !== 13);
  return first === 0x7b || first === 0x5b;
}

// Room proxy: reads a copy of the provider's answer and says what it was. Never touches the client's bytes.
// Invariant: it throws nothing into the relay; its own failure is a fact of the record. Memory is bounded by `maxBodyBytes` and one event.

import {
  type Choice,
  createFold,
  type Fold,
  type InferenceResponse,
  type ProviderError,
  type StreamEvent,
  type Usage,
} from "../canonical/index.ts";
import {
  type AnswerDetail,
  createFrameDecoder,
  type Dialect,
  elideVectors,
  type EventDecoder,
  type Frame,
  type FrameDecoder,
  type Framing,
  type HeaderLookup,
  notRepeated,
  type Operation,
} from "../dialects/index.ts";
import { Decompression } from "./decompression.ts";

export interface ObserverSettings {
  dialect: Dialect;
  operation: Operation;
  status: number;
  /** Undefined: the answer is one body. */
  framing: Framing | undefined;
  header: HeaderLookup;
  /** Undefined: the bytes are the content itself. */
  contentEncoding: string | undefined;
  keepContent: boolean;
  maxBodyBytes: number;
  /** A chunk carried output of the model; when it came. */
  onOutput: (atMs: number) => void;
  /** Takes every event as it is read; an answer that is translated is not read in batches. */
  translation: AnswerReader | undefined;
  /** The first output is waited for. */
  isAwaited: () => boolean;
}

/** Who needs what an answer says, whether or not its content is kept. */
export interface AnswerReader {
  push(event: StreamEvent): void;
  readBody(body: Record<string, unknown>, response: InferenceResponse): void;
}

export interface Observation {
  response: InferenceResponse | undefined;
  providerError: ProviderError | undefined;
  usage: Usage | undefined;
  /** Streams: the terminal event was seen, or every choice has its finish reason. Bodies: the JSON was whole. */
  finished: boolean;
  /** All of them only where no usage is stated: they stand in for it. */
  outputCharacters: number;
  unrecognizedEvents: number;
  /** The bytes are not in the framing that the answer's head announced. */
  corrupt: boolean;
  failed: boolean;
}

export interface Observer {
  /** The dialect's own end was seen: whatever happens to the connection now, the answer was whole. */
  readonly terminalSeen: boolean;
  /** Of what `frames` was given: one event was larger than the cap, and nothing more comes out. */
  readonly overflowed: boolean;
  /** The client has the beginning of a frame without its end. */
  readonly midFrame: boolean;
  /** The next byte of the stream begins a frame as any other: not the first one, and none after one that was too large. */
  readonly isFresh: boolean;
  /** Takes a chunk, and when it came. It may be read later, but before anything is asked. */
  observeChunk(chunk: Buffer, atMs: number): void;
  /** The frames of a stream's chunk, for who must see them at once; they are observed by `observeFrames`. Not for encoded streams. */
  frames(chunk: Buffer): Frame[];
  observeFrames(frames: Frame[], atMs: number): void;
  /** The wire ended; frames held back come out. */
  endFrames(): Frame[];
  /** Everything there is to know. Waits only for a decompressor, after the client has its last byte. */
  finish(): Promise<Observation> | Observation;
}

/** One per wire attempt that answered. */
export function createObserver(settings: ObserverSettings): Observer {
  return settings.framing === undefined ? new BodyObserver(settings) : new StreamObserver(settings, settings.framing);
}

/** A translation looks at everything. */
function detailOf({ keepContent, translation }: ObserverSettings): AnswerDetail {
  return keepContent || translation !== undefined ? "whole" : "facts";
}

/** A stream is read in batches of so many chunks or bytes: what reads the next event of many is still in the processor's caches. */
const batchChunks = 32;
const batchBytes = 16_384;

class StreamObserver implements Observer {
  readonly #events: EventDecoder;
  readonly #fold: Fold;
  readonly #settings: ObserverSettings;
  readonly #isWhole: boolean;
  readonly #frames: FrameDecoder;
  readonly #decompression: Decompression | undefined;
  /** Not read yet, and when each came. */
  #batch: (Buffer | Frame[])[] = [];
  #batchTimes: number[] = [];
  #batchBytes = 0;
  /** When the bytes came that the decompressor was given last. */
  #decompressedAtMs = 0;
  #failed = false;

  constructor(settings: ObserverSettings, framing: Framing) {
    this.#settings = settings;
    this.#frames = createFrameDecoder(framing);
    const detail = detailOf(settings);
    this.#isWhole = detail === "whole";
    this.#events = settings.dialect.eventDecoder(settings.operation, detail);
    this.#fold = createFold({ keepContent: settings.keepContent });
    if (settings.contentEncoding !== undefined) {
      this.#decompression = new Decompression(settings.contentEncoding, settings.maxBodyBytes, (bytes) => {
        this.#decode(this.#frames.push(bytes), this.#decompressedAtMs);
      });
    }
  }

  get terminalSeen(): boolean {
    this.#readBatch();
    return this.#fold.ended;
  }

  get overflowed(): boolean {
    return this.#frames.overflowed;
  }

  get midFrame(): boolean {
    this.#readBatch();
    return this.#frames.midFrame;
  }

  get isFresh(): boolean {
    // What waits in the batch is whole frames.
    return this.#frames.isFresh;
  }

  frames(chunk: Buffer): Frame[] {
    this.#readBatch();
    return this.#frames.push(chunk);
  }

  endFrames(): Frame[] {
    this.#readBatch();
    return this.#decompression === undefined ? this.#frames.end() : [];
  }

  observeFrames(frames: Frame[], atMs: number): void {
    for (const { raw } of frames) this.#batchBytes += raw.length;
    this.#add(frames, atMs);
  }

  observeChunk(chunk: Buffer, atMs: number): void {
    if (this.#decompression === undefined) {
      this.#batchBytes += chunk.length;
      this.#add(chunk, atMs);
    } else {
      this.#decompressedAtMs = atMs;
      this.#decompression.write(chunk);
    }
  }

  #add(chunk: Buffer | Frame[], atMs: number): void {
    this.#batch.push(chunk);
    this.#batchTimes.push(atMs);
    const isFull = this.#batch.length >= batchChunks || this.#batchBytes >= batchBytes;
    if (isFull || this.#settings.translation !== undefined || this.#settings.isAwaited()) this.#readBatch();
  }

  #readBatch(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    const times = this.#batchTimes;
    this.#batch = [];
    this.#batchTimes = [];
    this.#batchBytes = 0;
    for (let index = 0; index < batch.length; index++) {
      const chunk = batch[index] as Buffer | Frame[];
      const atMs = times[index] as number;
      if (Array.isArray(chunk)) this.#decode(chunk, atMs);
      else if (!this.#repeat(chunk, atMs)) this.#decode(this.#frames.push(chunk), atMs);
    }
  }

  /** Reads a chunk that is one frame, told by its bytes; false where it is none and nothing was read. */
  #repeat(chunk: Buffer, atMs: number): boolean {
    if (!this.#frames.isFresh || chunk.length > batchBytes) return false;
    try {
      const units = this.#events.pushRepeated?.(chunk) ?? notRepeated;
      if (units === notRepeated) return false;
      const event = units > 0 && this.#isWhole ? this.#events.tellRepeated?.() : undefined;
      if (event !== undefined) this.#take([event]);
      else if (units > 0) this.#fold.count(units);
      if (units !== 0) this.#settings.onOutput(atMs);
    } catch {
      this.#failed = true;
    }
    return true;
  }

  #decode(frames: Frame[], atMs: number): void {
    let output = false;
    try {
      for (const frame of frames) if (this.#take(this.#events.push(frame))) output = true;
    } catch {
      this.#failed = true;
    }
    if (output) this.#settings.onOutput(atMs);
  }

  /** Whether there is output of the model among them. */
  #take(events: readonly StreamEvent[]): boolean {
    let output = false;
    const { translation } = this.#settings;
    for (const event of events) {
      this.#fold.push(event);
      translation?.push(event);
      const { type } = event;
      if (type === "part_delta" || type === "part_start" || type === "output") output = true;
    }
    return output;
  }

  finish(): Promise<Observation> | Observation {
    if (this.#decompression === undefined) return this.#conclude(true);
    return this.#decompression.end().then((whole) => {
      this.#decode(this.#frames.end(), this.#decompressedAtMs);
      return this.#conclude(whole);
    });
  }

  #conclude(decompressed: boolean): Observation {
    this.#readBatch();
    const fold = this.#fold;
    let response: InferenceResponse | undefined;
    try {
      for (const event of this.#events.end()) {
        fold.push(event);
        this.#settings.translation?.push(event);
      }
      response = fold.result();
    } catch {
      this.#failed = true;
    }
    const choices = response?.choices ?? [];
    const { dialect, operation, header } = this.#settings;
    const { corrupt, overflowed } = this.#frames;
    return {
      response,
      providerError: fold.error,
      usage: fold.usage ?? dialect.decodeUsageHeaders?.(header, operation),
      finished: fold.ended || (choices.length > 0 && choices.every((choice) => choice.finishReason !== undefined)),
      outputCharacters: fold.outputCharacters,
      unrecognizedEvents: fold.unrecognizedEvents,
      corrupt,
      failed: this.#failed || overflowed || corrupt || !decompressed,
    };
  }
}

class BodyObserver implements Observer {
  readonly terminalSeen = false;
  readonly overflowed = false;
  readonly midFrame = false;
  readonly isFresh = false;
  readonly #settings: ObserverSettings;
  readonly #chunks: Buffer[] = [];
  readonly #decompression: Decompression | undefined;
  #size = 0;
  #overflowed = false;

  constructor(settings: ObserverSettings) {
    this.#settings = settings;
    if (settings.contentEncoding !== undefined) {
      this.#decompression = new Decompression(settings.contentEncoding, settings.maxBodyBytes, (bytes) => {
        this.#keep(bytes);
      });
    }
  }

  frames(): Frame[] {
    return [];
  }

  endFrames(): Frame[] {
    return [];
  }

  observeFrames(): void {
    // A body has none.
  }

  observeChunk(chunk: Buffer): void {
    if (this.#decompression === undefined) this.#keep(chunk);
    else this.#decompression.write(chunk);
  }

  finish(): Promise<Observation> | Observation {
    if (this.#decompression === undefined) return this.#conclude(true);
    return this.#decompression.end().then((whole) => this.#conclude(whole));
  }

  #keep(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#settings.maxBodyBytes) {
      this.#overflowed = true;
      this.#chunks.length = 0;
      return;
    }
    this.#chunks.push(chunk);
  }

  #conclude(decompressed: boolean): Observation {
    const { dialect, operation, status, header, keepContent, translation } = this.#settings;
    const observation: Observation = {
      response: undefined,
      providerError: undefined,
      usage: undefined,
      finished: false,
      outputCharacters: 0,
      unrecognizedEvents: 0,
      corrupt: false,
      failed: this.#overflowed || !decompressed,
    };
    if (observation.failed || this.#size === 0) return observation;
    try {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#size);
      const text = bytes.toString("utf8");
      const detail = detailOf(this.#settings);
      const isVectors = operation.name === "embeddings" && status < 400;
      const body: unknown = JSON.parse(isVectors && detail === "facts" ? elideVectors(text) : text);
      observation.finished = true;
      if (status >= 400) {
        observation.providerError = dialect.decodeError(body, header);
      } else if (typeof body === "object" && body !== null && !Array.isArray(body)) {
        const response = dialect.decodeResponse(body as Record<string, unknown>, operation, detail);
        translation?.readBody(body as Record<string, unknown>, response);
        observation.response = keepContent ? response : withoutContent(response);
        observation.usage = response.usage ?? dialect.decodeUsageHeaders?.(header, operation);
        // Some providers answer 200 with an error in the body.
        if (response.choices.length === 0) observation.providerError = dialect.decodeError(body, header);
      }
    } catch {
      observation.failed = true;
    }
    return observation;
  }
}

/** The answer's facts alone, so that a record in the inspector's ring holds no content. */
function withoutContent(response: InferenceResponse): InferenceResponse {
  if (response.extensions === undefined && response.choices.every(hasNoContent)) return response;
  const { extensions: _dropped, ...facts } = response;
  return {
    ...facts,
    choices: response.choices.map(({ index, message, finishReason }) => ({
      index,
      message: { role: message.role, parts: [] },
      ...(finishReason === undefined ? {} : { finishReason }),
    })),
  };
}

function hasNoContent({ message, extensions }: Choice): boolean {
  const isEmpty = message.parts.length === 0 && message.name === undefined && message.extensions === undefined;
  return isEmpty && extensions === undefined;
}

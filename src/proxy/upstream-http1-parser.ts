// Room proxy: reads one HTTP/1.1 answer after another from a connection's bytes (RFC 9112 §4, §6, §7).
// Invariant: strict where readers differ: an answer with two lengths, a length and chunks, or another coding than chunked is invalid.
// Nothing is kept but a head, a chunk's size line or a trailer that is not whole yet.

import { isCleanHead, readFields } from "./http1-fields.ts";

/** Told of one answer's parts, in order. */
export interface AnswerSink {
  onHead(status: number, rawHeaders: string[]): void;
  onBody(chunk: Buffer): void;
  /** `reusable`: the connection may carry another request. */
  onComplete(reusable: boolean): void;
}

/** What a provider sent is not HTTP, or more than is taken. */
class AnswerFormatError extends Error {
  readonly code: string;

  constructor(message: string, code = "HTTP_INVALID") {
    super(message);
    this.name = "HTTPParserError";
    this.code = code;
  }
}

type State =
  | "head"
  | "length"
  | "chunk-size"
  | "chunk-data"
  | "chunk-end"
  | "trailers"
  | "until-close"
  | "ended"
  | "done";

const maxHeadBytes = 65_536;
/** Of a chunk's size line with its extensions. */
const maxSizeLineBytes = 4096;
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const decimal = /^\d{1,15}$/;
/** With extensions, and no blanks around anything: padded sizes are read by some and refused by others. */
const sizeLine =
  /^([0-9A-Fa-f]{1,12})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/;
const empty = Buffer.alloc(0);

export class AnswerParser {
  readonly #sink: AnswerSink;
  #state: State = "done";
  #withoutBody = false;
  #reusable = false;
  #missing = 0;
  #partial: Buffer = empty;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** An answer is due, to a request with this method. */
  expect(method: string): void {
    this.#state = "head";
    this.#withoutBody = method === "HEAD";
    this.#reusable = false;
    this.#partial = empty;
  }

  /** Takes no more: its answer is nobody's any longer. */
  stop(): void {
    this.#state = "done";
    this.#partial = empty;
  }

  /** False: there is more than was due. @throws AnswerFormatError */
  push(bytes: Buffer): boolean {
    let rest = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    this.#partial = empty;
    while (rest.length > 0 && this.#state !== "done") {
      const taken = this.#step(rest);
      if (taken === 0) {
        this.#partial = rest;
        return true;
      }
      rest = rest.subarray(taken);
    }
    return rest.length === 0;
  }

  /** The provider ended the connection; true when that ended the answer. */
  end(): boolean {
    if (this.#state !== "until-close") return false;
    this.#complete(false);
    return true;
  }

  /** Bytes taken; 0: more are needed first. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(bytes);
      case "length":
      case "chunk-data":
        return this.#readData(bytes);
      case "chunk-size":
        return this.#readSize(bytes);
      case "chunk-end":
        return this.#readChunkEnd(bytes);
      case "trailers":
        return this.#readTrailers(bytes);
      default:
        this.#sink.onBody(bytes);
        return bytes.length;
    }
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
    const length = end === -1 ? bytes.length : end + 4;
    if (length > maxHeadBytes) throw new AnswerFormatError("the head is too large", "UND_ERR_HEADERS_OVERFLOW");
    if (end === -1) {
      // Told at once when it is no HTTP at all.
      if (!"HTTP/1.".startsWith(bytes.toString("latin1", 0, Math.min(bytes.length, 7)))) throw invalid("status line");
      return 0;
    }
    const text = bytes.toString("latin1", 0, end + 2);
    const lineEnd = text.indexOf("\r\n");
    const [, minor, code] = statusLine.exec(text.slice(0, lineEnd)) ?? [];
    if (code === undefined || !isCleanHead(text)) throw invalid("head");
    const status = Number(code);
    if (status === 101) throw invalid("switch of protocols");
    const rawHeaders: string[] = [];
    const framing: BodyFraming = { length: undefined, chunked: false, close: minor === "0" };
    if (
      !readFields(text, lineEnd + 2, (rawName, name, value) => takeField(rawHeaders, framing, rawName, name, value))
    ) {
      throw invalid("header");
    }
    if (framing.chunked && framing.length !== undefined) throw invalid("framing: both chunks and a length");
    // Others come before the one that counts (RFC 9110 §15.2).
    if (status < 200) {
      if (framing.close) throw invalid("end of the connection before its answer");
      return length;
    }
    this.#beginBody(status, framing);
    this.#sink.onHead(status, rawHeaders);
    this.#completeIfEnded(bytes, length);
    return length;
  }

  #beginBody(status: number, { length, chunked, close }: BodyFraming): void {
    this.#reusable = !close;
    if (this.#withoutBody || status === 204 || status === 304 || length === 0) {
      this.#state = "ended";
    } else if (chunked) {
      this.#state = "chunk-size";
    } else if (length === undefined) {
      this.#state = "until-close";
    } else {
      this.#state = "length";
      this.#missing = length;
    }
  }

  #readData(bytes: Buffer): number {
    const taken = Math.min(bytes.length, this.#missing);
    this.#missing -= taken;
    if (this.#missing === 0) this.#state = this.#state === "length" ? "ended" : "chunk-end";
    this.#sink.onBody(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    this.#completeIfEnded(bytes, taken);
    return taken;
  }

  #readSize(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n", 0, "latin1");
    if (end === -1 ? bytes.length > maxSizeLineBytes : end > maxSizeLineBytes) throw invalid("chunk size");
    if (end === -1) return 0;
    const [, size] = sizeLine.exec(bytes.toString("latin1", 0, end)) ?? [];
    if (size === undefined) throw invalid("chunk size");
    this.#missing = Number.parseInt(size, 16);
    this.#state = this.#missing === 0 ? "trailers" : "chunk-data";
    return end + 2;
  }

  #readChunkEnd(bytes: Buffer): number {
    if (bytes.length < 2 && bytes[0] === 13) return 0;
    if (bytes[0] !== 13 || bytes[1] !== 10) throw invalid("end of a chunk");
    this.#state = "chunk-size";
    return 2;
  }

  /** Trailers are the provider's to this connection; none is passed on. */
  #readTrailers(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n", 0, "latin1");
    if (end === -1 ? bytes.length > maxHeadBytes : end > maxHeadBytes) throw invalid("trailer");
    if (end === -1) return 0;
    if (end === 0) {
      this.#state = "ended";
      this.#completeIfEnded(bytes, 2);
      return 2;
    }
    const line = bytes.toString("latin1", 0, end + 2);
    if (!isCleanHead(line) || !readFields(line, 0, () => true)) throw invalid("trailer");
    return end + 2;
  }

  /** Not if the sink stopped it meanwhile. What follows the answer would be taken for the next one's. */
  #completeIfEnded(bytes: Buffer, taken: number): void {
    if (this.#state === "ended") this.#complete(this.#reusable && taken === bytes.length);
  }

  #complete(reusable: boolean): void {
    this.#state = "done";
    this.#sink.onComplete(reusable);
  }
}

interface BodyFraming {
  length: number | undefined;
  chunked: boolean;
  /** The connection ends with the answer. */
  close: boolean;
}

function takeField(rawHeaders: string[], framing: BodyFraming, rawName: string, name: string, value: string): boolean {
  if (name === "content-length") {
    if (framing.length !== undefined || !decimal.test(value)) return false;
    framing.length = Number(value);
  } else if (name === "transfer-encoding") {
    if (framing.chunked || value.toLowerCase() !== "chunked") return false;
    framing.chunked = true;
  } else if (name === "connection" && /(?:^|,)\s*close\s*(?:,|$)/i.test(value)) {
    framing.close = true;
  }
  rawHeaders.push(rawName, value);
  return true;
}

function invalid(what: string): AnswerFormatError {
  return new AnswerFormatError(`invalid ${what}`);
}

// Room proxy: an answer held back until it is certain that the client is to have it; for attempts that another one may replace.
// Invariant: nothing reaches the client before `release`, and nothing of a dropped answer ever does.

import type { Responder } from "./wire.ts";

/** More than any error, and than what comes of a stream before its first content; beyond it the answer goes out. */
const maxHeldBytes = 1_048_576;

/** Between an answer and the client. */
export interface Gate {
  mayPass(held: HeldResponder): boolean;
  /** The head as it is to be when the answer passes. */
  rewriteHead(rawHeaders: string[], status: number): string[];
}

/** One per attempt; stands before the client's own responder. */
export class HeldResponder implements Responder {
  readonly #client: Responder;
  readonly #gate: Gate | undefined;
  #state: "held" | "released" | "dropped" = "held";
  #head: { status: number; rawHeaders: string[] } | undefined;
  #chunks: (Buffer | string)[] | undefined;
  #heldBytes = 0;
  #end: { type: "clean"; trailers: Record<string, string> | undefined } | { type: "cut" } | undefined;

  /** `gate` is asked before anything goes out; false: another answer is the client's, and this one is dropped. */
  constructor(client: Responder, gate?: Gate) {
    this.#client = client;
    this.#gate = gate;
  }

  /** Nothing of the answer has reached the client. */
  get isHeld(): boolean {
    return this.#state === "held";
  }

  /** A whole answer is here, to be had by the client or not. */
  get isWhole(): boolean {
    return this.#head !== undefined && this.#end?.type === "clean";
  }

  get headSent(): boolean {
    return this.#state === "released" && this.#client.headSent;
  }

  head(status: number, rawHeaders: string[], flush: boolean): void {
    // A translated answer may have content, and so be released, before its head is made.
    if (this.#state === "released") this.#passHead(status, rawHeaders, flush);
    else if (this.#state === "held") this.#head = { status, rawHeaders };
  }

  write(chunk: Buffer | string): boolean {
    if (this.#state === "released") return this.#client.write(chunk);
    if (this.#state === "dropped") return true;
    (this.#chunks ??= []).push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > maxHeldBytes) return this.release();
    return true;
  }

  end(chunk?: Buffer | string, trailers?: Record<string, string>): void {
    if (this.#state === "released") this.#client.end(chunk, trailers);
    if (this.#state !== "held" || this.#end !== undefined) return;
    if (chunk !== undefined) (this.#chunks ??= []).push(chunk);
    this.#end = { type: "clean", trailers };
  }

  destroy(): void {
    if (this.#state === "released") this.#client.destroy();
    else this.#end ??= { type: "cut" };
  }

  reset(): void {
    if (this.#state === "released") this.#client.reset();
    else this.#end ??= { type: "cut" };
  }

  onDrain(listener: () => void): void {
    this.#client.onDrain(listener);
  }

  onClientGone(listener: () => void): void {
    this.#client.onClientGone(listener);
  }

  /** The client gets it, as far as it is here, and all that follows. false: the client is slow. */
  release(): boolean {
    if (this.#state !== "held") return true;
    if (this.#gate?.mayPass(this) === false) {
      this.drop();
      return true;
    }
    this.#state = "released";
    const head = this.#head;
    // Most answers are let go before anything of them came.
    if (head === undefined) return true;
    const chunks = this.#chunks ?? [];
    const end = this.#end;
    this.#forget();
    this.#passHead(head.status, head.rawHeaders, chunks.length === 0 && end === undefined);
    let taken = true;
    for (const chunk of chunks) taken = this.#client.write(chunk);
    if (end?.type === "clean") this.#client.end(undefined, end.trailers);
    if (end?.type === "cut") this.#client.destroy();
    return taken;
  }

  /** The client never gets it. */
  drop(): void {
    if (this.#state !== "held") return;
    this.#state = "dropped";
    this.#forget();
  }

  #passHead(status: number, rawHeaders: string[], flush: boolean): void {
    this.#client.head(status, this.#gate?.rewriteHead(rawHeaders, status) ?? rawHeaders, flush);
  }

  #forget(): void {
    this.#head = undefined;
    this.#chunks = undefined;
    this.#heldBytes = 0;
  }
}

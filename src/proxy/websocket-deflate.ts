// Room proxy: permessage-deflate (RFC 7692) on the observer's copy of one direction.
// Invariant: output is bounded by `maxBytes` a message. A message that could not be read ends all reading of this direction,
// unless its sender starts every message afresh: the next one may refer to bytes that are not known.

// The default import: a name that an older Node lacks would stop the program before it can say which Node it needs.
import zlib from "node:zlib";
import type { ReadingBudget } from "./reading-budget.ts";

/** Which context a direction keeps between its messages, as negotiated. */
export interface DeflateTerms {
  clientKeepsContext: boolean;
  providerKeepsContext: boolean;
}

/** The terms in the answer's `Sec-WebSocket-Extensions`; undefined when permessage-deflate is not among them. */
export function readDeflateTerms(extensions: string | undefined): DeflateTerms | undefined {
  for (const extension of (extensions ?? "").split(",")) {
    const [name = "", ...parameters] = extension.split(";").map((part) => part.trim().toLowerCase());
    if (name !== "permessage-deflate") continue;
    return {
      clientKeepsContext: !parameters.includes("client_no_context_takeover"),
      providerKeepsContext: !parameters.includes("server_no_context_takeover"),
    };
  }
  return undefined;
}

/** A message could not be decompressed, or would have been too large. */
export class InflationError extends Error {
  constructor() {
    super("a message could not be decompressed");
    this.name = "InflationError";
  }
}

/** LZ77 looks back this far at most. */
const windowBytes = 32_768;
/** RFC 7692 §7.2.2: the sender took this off the end. */
const tail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** One direction. What a stream would keep as its window is given to each message as its dictionary, so that nothing waits. */
export class Inflation {
  readonly #keepsContext: boolean;
  readonly #maxBytes: number;
  readonly #budget: ReadingBudget;
  #window: Buffer | undefined;
  #lost = false;

  constructor(keepsContext: boolean, maxBytes: number, budget: ReadingBudget) {
    this.#keepsContext = keepsContext;
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** @throws InflationError */
  inflate(message: Buffer): Buffer {
    if (this.#lost) throw new InflationError();
    if (!this.#budget.allows()) {
      this.skip();
      throw new InflationError();
    }
    let inflated: Buffer;
    try {
      inflated = zlib.inflateRawSync(Buffer.concat([message, tail]), {
        maxOutputLength: this.#maxBytes,
        finishFlush: zlib.constants.Z_SYNC_FLUSH,
        ...(this.#window === undefined ? {} : { dictionary: this.#window }),
      });
    } catch (error) {
      const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
      this.#budget.charge(isTooLarge ? this.#maxBytes : message.length);
      this.skip();
      throw new InflationError();
    }
    this.#budget.charge(inflated.length);
    if (this.#keepsContext) this.#remember(inflated);
    return inflated;
  }

  /** A message passed unread. */
  skip(): void {
    this.#lost = this.#keepsContext;
    this.#window = undefined;
  }

  #remember(inflated: Buffer): void {
    const known =
      this.#window === undefined ? inflated : Buffer.concat([this.#window, inflated.subarray(-windowBytes)]);
    this.#window = Buffer.from(known.subarray(-windowBytes));
  }
}

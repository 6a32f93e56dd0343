// Room dialects: which tool result answers which call, for targets that restrict ids and refuse what does not match.
// Invariant: a call and its result get the same id; a result that answers no call is refused.

import type { ToolCallPart, ToolCallResponsePart } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import type { CanonicalPath, Encoding } from "./encoding.ts";
import { safeId } from "./names.ts";
import { formatPointer } from "./translation.ts";

interface KnownCall {
  /** As the source has it; absent where it gave none (Gemini, Ollama). */
  sourceId: string | undefined;
  id: string;
  name: string;
  isAnswered: boolean;
}

/** Whose ids they are to be: up to 64 letters, digits, `_` and `-`. */
export interface IdTaker {
  /** In front of an id made for a call that the source gave none. */
  prefix: string;
  /** The provider's name, for what is told. */
  name: string;
}

/** The calls of one conversation, in order. */
export class CallIds {
  readonly #encoding: Encoding;
  readonly #taker: IdTaker;
  readonly #calls: KnownCall[] = [];

  constructor(encoding: Encoding, taker: IdTaker) {
    this.#encoding = encoding;
    this.#taker = taker;
  }

  /** Names of all tools called, as the source has them. */
  get names(): string[] {
    return [...new Set(this.#calls.map(({ name }) => name))];
  }

  /** Whether a call still waits for its result. */
  get isWaiting(): boolean {
    return this.#calls.some(({ isAnswered }) => !isAnswered);
  }

  /** The id of a call in the target's words. */
  open({ id: sourceId, name }: ToolCallPart, path: CanonicalPath): string {
    const { prefix, name: taker } = this.#taker;
    const id = sourceId === undefined ? this.#encoding.makeId(prefix, this.#calls.length) : safeId(sourceId);
    if (sourceId !== undefined && id !== sourceId) {
      this.#encoding.lose([...path, "id"], "approximated", `the id has characters that ${taker} refuses`, "tuning");
    }
    this.#calls.push({ sourceId, id, name, isAnswered: false });
    return id;
  }

  /**
   * The id of the call that a result answers: by id, else the first unanswered one of that name, else the first unanswered one.
   * @throws SidecarError request_lossy where there is none
   */
  answer({ id }: ToolCallResponsePart, name: string | undefined, path: CanonicalPath): string {
    const waiting = this.#calls.filter(({ isAnswered }) => !isAnswered);
    const unnamed = id === undefined ? waiting : waiting.filter(({ sourceId }) => sourceId === undefined);
    const call =
      this.#calls.findLast(({ sourceId }) => id !== undefined && sourceId === id) ??
      unnamed.find((candidate) => candidate.name === name) ??
      unnamed[0];
    if (call === undefined) {
      const pointer = formatPointer(path);
      throw new SidecarError(
        "request_lossy",
        `the tool result at ${pointer} answers no tool call of the conversation`,
        {
          details: { pointer },
        },
      );
    }
    call.isAnswered = true;
    return call.id;
  }
}

// Room dialects, bedrock-converse: which tool result answers which call, by ids that Bedrock takes.
// Invariant: a call and its result get the same id; a result that answers no call is refused.

import type { ToolCallPart, ToolCallResponsePart } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import { safeId } from "../names.ts";
import { formatPointer } from "../translation.ts";

interface KnownCall {
  /** As the source has it; absent where it gave none (Gemini, Ollama). */
  sourceId: string | undefined;
  id: string;
  name: string;
  isAnswered: boolean;
}

/** The calls of one conversation, in order. */
export class CallIds {
  readonly #encoding: Encoding;
  readonly #calls: KnownCall[] = [];

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  /** Names of all tools called, as the source has them. */
  get names(): string[] {
    return [...new Set(this.#calls.map(({ name }) => name))];
  }

  /** The id of a call as Bedrock takes it: up to 64 letters, digits, `_` and `-`. */
  open({ id: sourceId, name }: ToolCallPart, path: CanonicalPath): string {
    const id = sourceId === undefined ? this.#encoding.makeId("tooluse_", this.#calls.length) : safeId(sourceId);
    if (sourceId !== undefined && id !== sourceId) {
      this.#encoding.lose([...path, "id"], "approximated", "the id has characters that Bedrock refuses", "tuning");
    }
    this.#calls.push({ sourceId, id, name, isAnswered: false });
    return id;
  }

  /**
   * The id of the call that a result answers: by id, else the first unanswered call of that name, else the first unanswered one.
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

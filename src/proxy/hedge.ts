// Room proxy: a second attempt beside one that is slow; the first to have content is the client's, the other is cancelled.
// Invariant: one winner, named before any byte leaves; the loser is settled as what it cost, and its provider stops.

import { SidecarError } from "../errors.ts";
import type { AttemptGroup } from "../record/index.ts";
import type { AttemptResult } from "./attempt.ts";
import type { HeldResponder } from "./held-responder.ts";

/** What an attempt ended in, and what keeps that from the client. */
export interface Ended {
  result: AttemptResult;
  error: SidecarError | undefined;
}

/** An attempt under way. */
export interface Try {
  /** Its place in the plan. */
  index: number;
  group: AttemptGroup;
  held: HeldResponder;
  ended: Promise<Ended>;
  /** Ends it; its answer is nobody's. */
  cancel(reason: SidecarError): void;
}

/** Which of the attempts the client is to have; asked before anything of one goes out. */
export class Claim {
  #winner: HeldResponder | undefined;
  readonly #rivals: Try[] = [];

  /** An answer is on its way to the client: nobody else need be asked. */
  get isTaken(): boolean {
    return this.#winner !== undefined;
  }

  /** An attempt that takes part. */
  enter(rival: Try): void {
    this.#rivals.push(rival);
    if (this.#winner !== undefined && this.#winner !== rival.held) this.#cancel(rival);
  }

  /** Whether the answer may go out; the first to ask wins, and the others end. */
  take(held: HeldResponder): boolean {
    if (this.#winner !== undefined) return this.#winner === held;
    this.#winner = held;
    for (const rival of this.#rivals) if (rival.held !== held) this.#cancel(rival);
    return true;
  }

  #cancel(rival: Try): void {
    rival.cancel(superseded());
  }
}

/**
 * The attempt whose end counts: the one that the client has, or is to have; the first where both failed. `startSecond` is called when
 * the first has neither ended nor begun to answer after `afterMs`; it gives undefined where there is nobody to ask. Every other attempt
 * is given to `settleOther` as soon as it has ended.
 */
export async function raceHedged(
  first: Try,
  afterMs: number,
  claim: Claim,
  startSecond: () => Promise<Try | undefined>,
  settleOther: (other: Try, result: AttemptResult, error: SidecarError) => void,
): Promise<{ counts: Try; hedged: Try | undefined }> {
  const isOver = await endsWithin(first, afterMs);
  if (isOver || !first.held.isHeld) return { counts: first, hedged: undefined };
  // Making ready for the second may take long (media, a token): the first's answer does not wait for it.
  const letGo = ({ error }: Ended): unknown => error === undefined && first.held.release();
  first.ended.then(letGo, () => undefined);
  const second = await startSecond();
  if (second === undefined) return { counts: first, hedged: undefined };
  const finish = async (one: Try): Promise<boolean> => {
    const { result, error } = await one.ended;
    if (error === undefined && claim.take(one.held)) return true;
    const isLost = error === undefined || error.code === "superseded";
    if (one === second || isLost) settleOther(one, result, error ?? superseded());
    return false;
  };
  const [isFirst, isSecond] = await Promise.all([finish(first), finish(second)]);
  if (!isSecond || isFirst) return { counts: first, hedged: second };
  const { result, error } = await first.ended;
  if (error !== undefined && error.code !== "superseded") settleOther(first, result, error);
  return { counts: second, hedged: second };
}

/** What ends an attempt whose answer nobody waits for any more. */
export function superseded(): SidecarError {
  return new SidecarError("superseded", "another attempt answered first");
}

function endsWithin({ ended }: Try, afterMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), afterMs);
    const stop = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    ended.then(stop, stop);
  });
}

// Room proxy: work that nobody waits for, as telling of an exchange whose client has its whole answer.
// Invariant: what is given is done, once, in order; never more than `batchSize` wait, and none longer than `longestWaitMs`.

/** So many in one go: more would keep the next request waiting. */
const batchSize = 16;
const longestWaitMs = 4;

/** Does the work of many exchanges in one go: of what follows the same path in a row only the first pays for fetching the code. */
export class DeferredWork {
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure` is told what work throws; the rest is done all the same. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(work: () => void): void {
    this.#waiting.push(work);
    if (this.#waiting.length >= batchSize) this.#run();
    else this.#timer ??= setTimeout(() => this.#run(), longestWaitMs);
  }

  #run(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) {
      try {
        work();
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }
}

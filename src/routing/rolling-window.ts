// Room routing: counts of the last so many milliseconds, in a ring of ten slots.
// Invariant: memory is constant, and a count is forgotten between nine and ten tenths of the window after it was made.

const slots = 10;

/** Counts events, some of them marked. Times are of one clock that only moves forward, in milliseconds. */
export class RollingWindow {
  readonly windowMs: number;
  readonly #slotMs: number;
  readonly #all = new Float64Array(slots);
  readonly #marked = new Float64Array(slots);
  /** Number of the slot written last, since the clock's zero. */
  #last = 0;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.#slotMs = windowMs / slots;
  }

  add(nowMs: number, isMarked: boolean): void {
    this.#forget(nowMs);
    const slot = this.#last % slots;
    this.#all[slot] = (this.#all[slot] ?? 0) + 1;
    if (isMarked) this.#marked[slot] = (this.#marked[slot] ?? 0) + 1;
  }

  count(nowMs: number): { all: number; marked: number } {
    this.#forget(nowMs);
    return { all: sum(this.#all), marked: sum(this.#marked) };
  }

  clear(): void {
    this.#all.fill(0);
    this.#marked.fill(0);
  }

  #forget(nowMs: number): void {
    const current = Math.floor(nowMs / this.#slotMs);
    if (current - this.#last >= slots) this.clear();
    else {
      for (let slot = this.#last + 1; slot <= current; slot++) {
        this.#all[slot % slots] = 0;
        this.#marked[slot % slots] = 0;
      }
    }
    this.#last = Math.max(this.#last, current);
  }
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

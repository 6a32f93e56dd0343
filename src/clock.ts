// Time for everything below the I/O shell: injected, so that tests own it.

/** Two clocks: `nowMs` only moves forward and times things; `epochMs` is the wall clock. Both in milliseconds, fractional. */
export interface Clock {
  nowMs(): number;
  epochMs(): number;
}

// A getter that is not free, read once.
const { timeOrigin } = performance;

/** The machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => timeOrigin + performance.now(),
};

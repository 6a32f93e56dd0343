// Room policy: lets exchanges go on between the steps of a large document.
// Invariant: what waits here resumes in a turn of its own.

/** Resolves after what else is due now. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

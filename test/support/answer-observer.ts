// Test support: an observer of one good answer without a content coding, as a relay opens it.
import type { Dialect, Framing, Operation } from "../../src/dialects/index.ts";
import { createObserver, type Observer } from "../../src/proxy/observer.ts";

/** What is observed. */
export interface Observed {
  dialect: Dialect;
  operation: Operation;
  /** Undefined: the answer is one body. */
  framing: Framing | undefined;
}

/** How the observer reads: keeping content or not, at once or in batches. */
export interface Reading {
  keepContent: boolean;
  isAwaited: boolean;
}

export function observeAnswer(
  { dialect, operation, framing }: Observed,
  { keepContent, isAwaited }: Reading,
): Observer {
  return createObserver({
    dialect,
    operation,
    status: 200,
    framing,
    header: () => undefined,
    contentEncoding: undefined,
    keepContent,
    maxBodyBytes: 100_000_000,
    onOutput: () => undefined,
    translation: undefined,
    isAwaited: () => isAwaited,
  });
}

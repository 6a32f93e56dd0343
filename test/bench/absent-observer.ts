// Bench: stands in for src/proxy/observer.ts in a bundle that relays without looking, so that what observing costs can be measured.
import type { Observation, Observer } from "../../src/proxy/observer.ts";

const nothing: Observation = {
  response: undefined,
  providerError: undefined,
  usage: undefined,
  finished: true,
  outputCharacters: 0,
  unrecognizedEvents: 0,
  corrupt: false,
  failed: false,
};

const blind: Observer = {
  terminalSeen: false,
  overflowed: false,
  midFrame: false,
  isFresh: true,
  observeChunk: () => undefined,
  frames: (chunk) => [{ data: "", raw: chunk }],
  observeFrames: () => undefined,
  endFrames: () => [],
  finish: () => nothing,
};

/** An observer that sees nothing. */
export function createObserver(): Observer {
  return blind;
}

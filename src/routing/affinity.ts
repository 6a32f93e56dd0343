// Room routing: which target a session belongs to, by weighted rendezvous hashing.
// Invariant: without any memory, a session stays where it is unless its own target goes; then only it moves.

import type { Candidate } from "./routing.ts";

/** The candidates, the session's own first, then those that it would move to. A weight of 0 comes last. */
export function orderBySession(candidates: readonly Candidate[], session: string): Candidate[] {
  const seed = hashText(session, 0x811c9dc5);
  return candidates
    .map((candidate) => ({ candidate, score: scoreOf(candidate, seed) }))
    .sort((left, right) => right.score - left.score)
    .map(({ candidate }) => candidate);
}

/** Exponential of rate 1/weight turned over: the share of sessions for which it is the greatest is the weight's share. */
function scoreOf({ key, weight }: Candidate, seed: number): number {
  const uniform = (hashText(key, seed) + 0.5) / 4_294_967_296;
  return weight / -Math.log(uniform);
}

/** 32 bits: FNV-1a over UTF-16 units, then murmur3's finaliser, without which neighbouring texts stay neighbours. */
function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

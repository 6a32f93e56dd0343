// Room dialects, framing: what the last bytes of a chunk say of where a stream of events stands.
// Invariant: a yes is certain; a no may be a stream that another chunk, or a decoder, would tell more of.

/** Whether the bytes end in two line ends, so that whatever follows is an event of its own. */
export function endsWithBlankLine(chunk: Buffer): boolean {
  const before = chunk.at(-2);
  return chunk.at(-1) === 10 && (before === 10 || (before === 13 && chunk.at(-3) === 10));
}

/** Longer ones are rare, and may hold an event that is too large. */
const longestChunk = 16_384;

/** Whether a stream that stood between two events before the chunk does so after it: the last line is blank, the one before is not. */
export function endsBetweenFrames(chunk: Buffer): boolean {
  const { length } = chunk;
  if (length < 3 || length > longestChunk) return false;
  const before = chunk[length - 3];
  return chunk[length - 1] === 10 && chunk[length - 2] === 10 && before !== 10 && before !== 13;
}

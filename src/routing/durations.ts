// Room routing: durations as people and providers write them: "60s", "6m0s", "1h2m3.5s", "350ms".
// Invariant: a text that is not wholly a duration is not one.

/** As a JSON Schema pattern; at least one part, each unit at most once, from days down to milliseconds. */
export const durationPattern =
  /^(?=\d)(?:\d+(?:\.\d+)?d)?(?:\d+(?:\.\d+)?h)?(?:\d+(?:\.\d+)?m(?!s))?(?:\d+(?:\.\d+)?s)?(?:\d+(?:\.\d+)?ms)?$/;

const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Longest text that is read; also what keeps the pattern cheap. */
const longestText = 40;

/** Milliseconds; undefined: no duration. */
export function readDurationMs(text: string): number | undefined {
  if (text.length > longestText || !durationPattern.test(text)) return undefined;
  let totalMs = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)([a-z]+)/g)) {
    totalMs += Number(number) * (unitMs[unit ?? ""] ?? Number.NaN);
  }
  return totalMs;
}

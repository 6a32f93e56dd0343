// Room routing: how long a provider asks to wait, in all the forms that providers say it in.
// Invariant: 0, the past, and what cannot be read are no hint; no hint is longer than an hour.

import { readDurationMs } from "./durations.ts";

/** Longest wait that is believed. */
const longestMs = 3_600_000;

type Header = (name: string) => string | undefined;

/** Limits that are told one by one; which of them was met is told by what remains of it. */
const limits: readonly { reset: string; remaining: string }[] = [
  ...["requests", "tokens", "project-tokens"].map((kind) => ({
    reset: `x-ratelimit-reset-${kind}`,
    remaining: `x-ratelimit-remaining-${kind}`,
  })),
  ...["requests", "tokens", "input-tokens", "output-tokens"].map((kind) => ({
    reset: `anthropic-ratelimit-${kind}-reset`,
    remaining: `anthropic-ratelimit-${kind}-remaining`,
  })),
];

/**
 * Milliseconds from now; undefined: no hint. The most exact form that can be read wins: `retry-after-ms`, `retry-after` (seconds or a
 * date, RFC 9110 §10.2.3), the hint of the body (Gemini's `retryDelay`, which the caller read with `readDurationMs`), then the resets of limits
 * (OpenAI and its kin: `6m0s`, `350ms`, or bare seconds; Anthropic: RFC 3339): the latest of the limits that have nothing left, or
 * the soonest of all where none says so.
 */
export function readRetryAfter(header: Header, nowEpochMs: number, bodyHintMs?: number): number | undefined {
  return (
    accept(readNumber(header("retry-after-ms"))) ??
    accept(readSecondsOrDate(header("retry-after"), nowEpochMs)) ??
    accept(bodyHintMs) ??
    readLimits(header, nowEpochMs) ??
    accept(readReset(header("x-ratelimit-reset"), nowEpochMs))
  );
}

function accept(waitMs: number | undefined): number | undefined {
  if (waitMs === undefined || !Number.isFinite(waitMs) || waitMs <= 0) return undefined;
  return Math.min(waitMs, longestMs);
}

function readLimits(header: Header, nowEpochMs: number): number | undefined {
  const all: number[] = [];
  const exhausted: number[] = [];
  for (const { reset, remaining } of limits) {
    const waitMs = accept(readReset(header(reset), nowEpochMs));
    if (waitMs === undefined) continue;
    all.push(waitMs);
    if (readNumber(header(remaining)) === 0) exhausted.push(waitMs);
  }
  if (exhausted.length > 0) return Math.max(...exhausted);
  return all.length > 0 ? Math.min(...all) : undefined;
}

function readNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^-?\d{1,15}(?:\.\d{1,9})?$/.test(trimmed) ? Number(trimmed) : undefined;
}

function readSecondsOrDate(text: string | undefined, nowEpochMs: number): number | undefined {
  const seconds = readNumber(text);
  if (seconds !== undefined) return seconds * 1000;
  const trimmed = text?.trim() ?? "";
  // Date.parse reads far more than the three forms of a date in HTTP.
  if (trimmed.length > 40 || !/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/.test(trimmed))
    return undefined;
  const dateMs = Date.parse(trimmed.endsWith("GMT") ? trimmed : `${trimmed} GMT`);
  return Number.isNaN(dateMs) ? undefined : dateMs - nowEpochMs;
}

/** Seconds, a moment (the epoch's seconds or milliseconds, RFC 3339), or a duration with units. */
function readReset(text: string | undefined, nowEpochMs: number): number | undefined {
  const trimmed = text?.trim() ?? "";
  const number = readNumber(trimmed);
  if (number !== undefined) {
    if (number > 1e11) return number - nowEpochMs;
    return number > 1e9 ? number * 1000 - nowEpochMs : number * 1000;
  }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i.test(trimmed)) {
    return Date.parse(trimmed) - nowEpochMs;
  }
  return readDurationMs(trimmed);
}

import { describe, expect, it } from "vitest";
import { readDurationMs, readRetryAfter } from "../../../src/routing/index.ts";

const now = Date.parse("2026-11-21T12:00:00Z");

describe("durations", () => {
  it.each<[string, number | undefined]>([
    ["60s", 60_000],
    ["6m0s", 360_000],
    ["1h2m3.5s", 3_723_500],
    ["350ms", 350],
    ["1s", 1000],
    ["1m30s500ms", 90_500],
    ["2m", 120_000],
    ["1d", 86_400_000],
    ["0s", 0],
    ["22.5s", 22_500],
    ["", undefined],
    ["s", undefined],
    ["60", undefined],
    ["60 s", undefined],
    ["-1s", undefined],
    ["1s1m", undefined],
    ["1s1s", undefined],
    ["1e3s", undefined],
    ["1.s", undefined],
    [`${"9".repeat(60)}s`, undefined],
  ])("%j is %j", (text, ms) => {
    expect(readDurationMs(text)).toBe(ms);
  });
});

describe("how long a provider asks to wait", () => {
  it.each<[name: string, headers: Record<string, string>, waitMs: number | undefined]>([
    ["nothing", {}, undefined],
    ["seconds", { "retry-after": "20" }, 20_000],
    ["seconds with a fraction", { "retry-after": "0.5" }, 500],
    ["seconds with blanks around", { "retry-after": " 7 " }, 7000],
    ["a date", { "retry-after": "Sat, 21 Nov 2026 12:00:30 GMT" }, 30_000],
    ["a date of RFC 850", { "retry-after": "Saturday, 21-Nov-26 12:00:30 GMT" }, 30_000],
    ["a date of asctime", { "retry-after": "Sat Nov 21 12:00:30 2026" }, 30_000],
    ["a date that is past", { "retry-after": "Sat, 21 Nov 2026 11:59:59 GMT" }, undefined],
    ["a date that is none", { "retry-after": "Sat, 99 Nov 2026 12:00:30 GMT" }, undefined],
    ["a year alone, which Date.parse reads", { "retry-after": "Nov 2027" }, undefined],
    ["Azure: 0", { "retry-after": "0" }, undefined],
    ["Azure: -1", { "retry-after": "-1" }, undefined],
    ["garbage", { "retry-after": "soon" }, undefined],
    ["infinite", { "retry-after": "Infinity" }, undefined],
    ["a day: an hour is believed", { "retry-after": "86400" }, 3_600_000],
    ["OpenAI: milliseconds", { "retry-after-ms": "1250" }, 1250],
    ["milliseconds win over seconds", { "retry-after-ms": "350", "retry-after": "1" }, 350],
    ["milliseconds of 0 do not", { "retry-after-ms": "0", "retry-after": "2" }, 2000],
    ["OpenAI: minutes and seconds", { "x-ratelimit-reset-requests": "6m0s" }, 360_000],
    ["OpenAI: a second", { "x-ratelimit-reset-tokens": "1s" }, 1000],
    ["OpenAI: milliseconds with their unit", { "x-ratelimit-reset-tokens": "350ms" }, 350],
    ["Azure: bare seconds", { "x-ratelimit-reset-requests": "10" }, 10_000],
    [
      "OpenAI: the limit that has nothing left",
      {
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-requests": "90",
        "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-remaining-tokens": "0",
      },
      360_000,
    ],
    [
      "OpenAI: the latest of two that have nothing left",
      {
        "x-ratelimit-reset-requests": "9s",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-tokens": "2s",
        "x-ratelimit-remaining-tokens": "0",
      },
      9000,
    ],
    ["the soonest where none says", { "x-ratelimit-reset-requests": "9s", "x-ratelimit-reset-tokens": "2s" }, 2000],
    ["retry-after wins over resets", { "retry-after": "3", "x-ratelimit-reset-requests": "6m0s" }, 3000],
    ["Anthropic: RFC 3339", { "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:45Z" }, 45_000],
    ["Anthropic: with an offset", { "anthropic-ratelimit-tokens-reset": "2026-11-21T14:00:45+02:00" }, 45_000],
    ["Anthropic: past", { "anthropic-ratelimit-tokens-reset": "2026-11-21T11:00:00Z" }, undefined],
    [
      "Anthropic: the exhausted one",
      {
        "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:05Z",
        "anthropic-ratelimit-requests-remaining": "40",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-21T12:00:50Z",
        "anthropic-ratelimit-output-tokens-remaining": "0",
      },
      50_000,
    ],
    ["a reset as seconds of the epoch", { "x-ratelimit-reset": String(now / 1000 + 15) }, 15_000],
    ["a reset as milliseconds of the epoch", { "x-ratelimit-reset": String(now + 15_000) }, 15_000],
    ["a reset as seconds from now", { "x-ratelimit-reset": "12" }, 12_000],
    ["a reset that is garbage", { "x-ratelimit-reset-requests": "later" }, undefined],
  ])("%s", (_, headers, waitMs) => {
    expect(readRetryAfter((name) => headers[name], now)).toBe(waitMs);
  });

  it("takes Gemini's retryDelay out of the body, after retry-after and before resets", () => {
    const bodyHintMs = readDurationMs("22s");
    const read = (headers: Record<string, string>) => readRetryAfter((name) => headers[name], now, bodyHintMs);
    expect(read({})).toBe(22_000);
    expect(read({ "retry-after": "3" })).toBe(3000);
    expect(read({ "retry-after": "0" })).toBe(22_000);
    expect(read({ "x-ratelimit-reset-requests": "1s" })).toBe(22_000);
  });
});

import { describe, expect, it } from "vitest";
import { createPaint, formatExchange, formatMs, formatUsd } from "../../../src/cli/exchange-line.ts";
import { summarize } from "../../../src/inspect/index.ts";
import { buildGroup, buildRecord } from "../../support/exchange-record.ts";

const plain = createPaint(false);
const line = (changes: Parameters<typeof buildRecord>[0]): string =>
  formatExchange(summarize(buildRecord(changes)), plain);

describe("exchange line", () => {
  it("tells time, request, model, status, end, tokens, cost and duration", () => {
    expect(line({}).split(/ {2,}/)).toEqual([
      "04:30:00.000",
      "POST /v1/chat/completions",
      "openai/gpt-4o-2024-08-06",
      "200 complete",
      "10→5 tok",
      "$0.000075",
      "101 ms",
    ]);
  });

  it("says unknown, not nothing, for a price that is missing", () => {
    const text = line({ groups: [buildGroup({ cost: { status: "missing" } })] });
    expect(text).toContain("unknown");
    expect(text).not.toContain("$0");
  });

  it("marks estimated tokens and names the error", () => {
    const text = line({
      groups: [buildGroup({ usageSource: "estimated", timeToFirstChunkMs: 12.5 })],
      end: "truncated",
      failure: { code: "stream_truncated", source: "provider", message: "cut" },
    });
    expect(text).toMatch(/truncated .* ~10→5 tok .* first 13 ms {2}stream_truncated$/);
  });

  it("lets no control or direction mark of a client reach the terminal", () => {
    const text = line({ groups: [buildGroup({ response: { model: "a\u001b[2Jb\u202ec\r\nd", choices: [] } })] });
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).toContain("a�[2Jb�c��d");
  });

  it("colours only where a person looks", () => {
    expect(createPaint(true)("red", "x")).toBe("\u001b[31mx\u001b[0m");
    expect(plain("red", "x")).toBe("x");
  });

  it("never rounds a cost to nothing", () => {
    expect([formatUsd(0), formatUsd(1), formatUsd(999), formatUsd(1000), formatUsd(1_500_000_000)]).toEqual([
      "$0.000000",
      "<$0.000001",
      "<$0.000001",
      "$0.000001",
      "$1.500000",
    ]);
  });

  it("writes durations in the unit that fits", () => {
    expect([formatMs(undefined), formatMs(0.34), formatMs(99.6), formatMs(1234)]).toEqual([
      "-",
      "0.3 ms",
      "100 ms",
      "1.23 s",
    ]);
  });
});

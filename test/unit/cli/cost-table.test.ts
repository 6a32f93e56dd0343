import { describe, expect, it } from "vitest";
import { createCostTable } from "../../../src/cli/cost-table.ts";
import { buildGroup, buildRecord } from "../../support/exchange-record.ts";

function rows(...groups: Parameters<typeof buildGroup>[0][]): string[][] {
  const table = createCostTable();
  for (const group of groups) table.add(buildRecord({ groups: [buildGroup(group)] }));
  return table
    .render()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/ {2,}/));
}

describe("cost table", () => {
  it("adds up by provider and response model", () => {
    expect(
      rows({}, { usage: { inputTokens: 1000, outputTokens: 1, cacheReadTokens: 512 } }, { provider: "anthropic" }),
    ).toEqual([
      ["anthropic/gpt-4o-2024-08-06", "1", "10", "-", "5", "$0.000075", "exact"],
      ["openai/gpt-4o-2024-08-06", "2", "1,010", "512", "6", "$0.000150", "exact"],
    ]);
  });

  it("shows a missing price as unknown, never as 0, alone and beside known ones", () => {
    expect(rows({ cost: { status: "missing" } })).toEqual([
      ["openai/gpt-4o-2024-08-06", "1", "10", "-", "5", "unknown", "missing"],
    ]);
    expect(rows({}, { cost: { status: "missing" } })[0]?.slice(5)).toEqual(["$0.000075 + 1 unknown", "exact, missing"]);
  });

  it("marks totals that hold an estimate with ~, and only them", () => {
    expect(rows({}, { usageSource: "estimated" }, { provider: "anthropic" })).toEqual([
      ["anthropic/gpt-4o-2024-08-06", "1", "10", "-", "5", "$0.000075", "exact"],
      ["openai/gpt-4o-2024-08-06", "2", "~20", "-", "~10", "~$0.000150", "exact"],
    ]);
    expect(rows({ usageSource: "estimated", cost: { status: "missing" } })[0]?.slice(5)).toEqual([
      "unknown",
      "missing",
    ]);
  });

  it("leaves out calls that used nothing, such as a refused one", () => {
    const { usage: _usage, cost: _cost, ...refused } = buildGroup();
    const table = createCostTable();
    table.add(buildRecord({ groups: [refused] }));
    expect(table.render().split("\n")).toHaveLength(1);
  });
});

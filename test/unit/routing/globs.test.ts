import { describe, expect, it } from "vitest";
import { checkGlob, compileGlob } from "../../../src/routing/index.ts";

describe("globs", () => {
  it.each<[pattern: string, text: string, matches: boolean]>([
    ["gpt-4", "gpt-4", true],
    ["gpt-4", "gpt-4o", false],
    ["gpt-4*", "gpt-4", true],
    ["gpt-4*", "gpt-4o-mini", true],
    ["gpt-4*", "xgpt-4", false],
    ["*-mini", "o4-mini", true],
    ["*-mini", "-mini-", false],
    ["*", "", true],
    ["*", "meta/llama-3", true],
    ["**", "a", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["*ab*ab", "ab", false],
    ["*ab*ab", "abab", true],
    ["*ab*ab", "abxab", true],
    ["gpt.4", "gpt-4", false],
    ["GPT*", "gpt-4", false],
    ["(a+)+$", "(a+)+$", true],
  ])("%s on %j: %j", (pattern, text, matches) => {
    expect(compileGlob(pattern)(text)).toBe(matches);
  });

  it("takes time in proportion to the text, whatever the pattern", () => {
    const matches = compileGlob(`${"*a".repeat(15)}b*`);
    const timeMs = (length: number): number => {
      const text = "a".repeat(length);
      const startMs = performance.now();
      expect(matches(text)).toBe(false);
      return performance.now() - startMs;
    };
    timeMs(10_000);
    expect(timeMs(1_000_000)).toBeLessThan(250);
  });

  it("has a bound on length and on stars", () => {
    expect(checkGlob("a".repeat(256))).toBeUndefined();
    expect(checkGlob("a".repeat(257))).toContain("at most 256");
    expect(checkGlob("*".repeat(16))).toBeUndefined();
    expect(checkGlob("*a".repeat(17))).toContain("at most 16");
  });
});

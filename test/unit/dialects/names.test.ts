// Tool names and call ids that providers refuse: what they become is safe, stable and tells them apart.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { safeId, safeName } from "../../../src/dialects/names.ts";

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

describe("safeId", () => {
  it("leaves an id alone that every provider takes", () => {
    expect(safeId("toolu_01A-b")).toBe("toolu_01A-b");
    expect(safeId("a".repeat(64))).toBe("a".repeat(64));
  });

  it("replaces what is not allowed and adds a hash of the whole", () => {
    expect(safeId("call:1/ä")).toBe(`call_1___${hashOf("call:1/ä")}`);
  });

  it("counts one character for one that is two code units long", () => {
    expect(safeId("😀")).toBe(`__${hashOf("😀")}`);
  });

  it("shortens to the limit", () => {
    const long = "b".repeat(65);
    expect(safeId(long)).toBe(`${"b".repeat(55)}_${hashOf(long)}`);
    expect(safeId("abcdefghijklmnop", 12)).toBe(`abc_${hashOf("abcdefghijklmnop")}`);
  });

  it("makes something of nothing", () => {
    expect(safeId("")).toBe(`_${hashOf("")}`);
  });

  it("keeps ids apart that differ in what is replaced", () => {
    expect(safeId("a.b")).not.toBe(safeId("a:b"));
  });
});

describe("safeName", () => {
  it("follows the rule of ids", () => {
    expect(safeName("get.weather")).toBe(`get_weather_${hashOf("get.weather")}`);
    expect(safeName("get_weather")).toBe("get_weather");
  });
});

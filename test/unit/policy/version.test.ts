// Versions only grow, and name one content; differences are told in names.
import { describe, expect, it } from "vitest";
import { diffDocuments } from "../../../src/policy/diff.ts";
import { compareIdentity, identify, nameVersion } from "../../../src/policy/version.ts";

const at = (version: number | undefined, digest: string) => ({ version, digest });

describe("the order of two documents", () => {
  it.each([
    ["newer", undefined, at(1, "a")],
    ["newer", undefined, at(undefined, "a")],
    ["newer", at(1, "a"), at(2, "b")],
    ["newer", at(1, "a"), at(2, "a")],
    ["newer", at(undefined, "a"), at(undefined, "b")],
    ["newer", at(undefined, "a"), at(1, "a")],
    ["same", at(1, "a"), at(1, "a")],
    ["same", at(undefined, "a"), at(undefined, "a")],
    ["older", at(5, "a"), at(4, "b")],
    ["older", at(5, "a"), at(4, "a")],
    ["conflict", at(5, "a"), at(5, "b")],
    ["unversioned", at(5, "a"), at(undefined, "b")],
  ] as const)("is %s from %o to %o", (order, current, next) => {
    expect(compareIdentity(current, next)).toBe(order);
  });
});

describe("the identity of a document", () => {
  it("is what it says, not how it is written", () => {
    const one = identify({ version: 3, models: { a: 1, b: [1, 2] } });
    expect(identify({ models: { b: [1, 2], a: 1 }, version: 3 })).toEqual(one);
    expect(identify({ version: 3, models: { a: 1, b: [2, 1] } }).digest).not.toBe(one.digest);
  });

  it("has the version for its name, else the digest", () => {
    expect(nameVersion(identify({ version: 42 }))).toBe("42");
    expect(nameVersion(identify({ models: {} }))).toMatch(/^sha256:[0-9a-f]{12}$/);
  });
});

describe("the difference of two documents", () => {
  it("names aliases, providers and settings, and counts routes", () => {
    const before = {
      version: 1,
      models: { a: 1, b: 1, c: 1 },
      providers: { x: 1 },
      routes: [1],
      retry: { maxAttempts: 2 },
    };
    const after = { version: 2, models: { b: 1, c: 2, d: 1 }, routes: [1, 2], retry: { maxAttempts: 2 }, breaker: {} };
    expect(diffDocuments(before, after)).toEqual({
      aliases: { added: ["d"], removed: ["a"], changed: ["c"] },
      providers: { added: [], removed: ["x"], changed: [] },
      routes: { before: 1, after: 2, changed: true },
      settings: ["breaker"],
    });
  });

  it("stays short for a large document", () => {
    const models = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`alias-${index}`, index]));
    const { added } = diffDocuments({}, { models }).aliases;
    expect(added).toHaveLength(21);
    expect(added.at(-1)).toBe("and 980 more");
  });

  it("is nothing between equals", () => {
    const document = { models: { a: { x: 1, y: 2 } }, routes: [{ use: "a" }] };
    expect(diffDocuments(document, { routes: [{ use: "a" }], models: { a: { y: 2, x: 1 } } })).toEqual({
      aliases: { added: [], removed: [], changed: [] },
      providers: { added: [], removed: [], changed: [] },
      routes: { before: 1, after: 1, changed: false },
      settings: [],
    });
  });
});

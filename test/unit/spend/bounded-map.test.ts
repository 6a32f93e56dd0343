// The map for client-chosen keys keeps to its bound.
import { expect, it } from "vitest";

import { BoundedMap } from "../../../src/spend/bounded-map.ts";

it("forgets the oldest key when a new one would exceed the bound", () => {
  const map = new BoundedMap<string, number>(3);
  for (const [index, key] of ["a", "b", "c", "d"].entries()) map.set(key, index);
  expect([map.size, map.get("a"), map.get("b"), map.get("d")]).toEqual([3, undefined, 1, 3]);
});

it("forgets nothing when a key that is there gets a new value", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("b", 3);
  expect([map.get("a"), map.get("b")]).toEqual([1, 3]);
});

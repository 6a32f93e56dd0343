import { describe, expect, it } from "vitest";
import { ModelMemory } from "../../../src/routing/model-memory.ts";
import { compile } from "../../support/routing.ts";

describe("what is remembered by model", () => {
  it("is given back by name", () => {
    const memory = new ModelMemory<number>();
    memory.set("a", 1);
    memory.set("b", 2);
    expect([memory.get("a"), memory.get("b"), memory.get("c")]).toEqual([1, 2, undefined]);
  });

  it("is never more than 1,024 names, whatever clients make up", () => {
    const memory = new ModelMemory<number>();
    const names = Array.from({ length: 3000 }, (_, index) => `model-${index}`);
    for (const [index, name] of names.entries()) memory.set(name, index);
    expect(names.filter((name) => memory.get(name) !== undefined).length).toBeLessThanOrEqual(1024);
    expect(memory.get("model-2999")).toBe(2999);
  });

  it("holds no name that is longer than 256 characters", () => {
    const memory = new ModelMemory<number>();
    memory.set("x".repeat(256), 1);
    memory.set("x".repeat(257), 2);
    expect([memory.get("x".repeat(256)), memory.get("x".repeat(257))]).toEqual([1, undefined]);
  });
});

describe("the plan of a call that names its model itself", () => {
  it("is that model at that provider, made once", () => {
    const routing = compile({});
    const planned = routing.planNamed("openai", "gpt");
    expect(planned).toEqual([
      { provider: "openai", model: "gpt", weight: 1, kind: "target", step: 0, key: "openai/gpt" },
    ]);
    expect(routing.planNamed("openai", "gpt")).toBe(planned);
  });

  it("is kept apart by provider", () => {
    const routing = compile({});
    const keys = ["openai", "azure", "openai"].map((provider) => routing.planNamed(provider, "gpt")[0]?.key);
    expect(keys).toEqual(["openai/gpt", "azure/gpt", "openai/gpt"]);
  });
});

// What a call would meet, and that asking changes nothing of it.
import { beforeAll, describe, expect, it } from "vitest";
import { renderExplanation } from "../../../src/cli/explanation.ts";
import { describePolicy } from "../../../src/cli/policy-check.ts";
import { createCredentials } from "../../../src/providers/index.ts";
import type { PolicySnapshot } from "../../../src/policy/index.ts";
import { explainCall, type Explanation, type Question, readQuestion, writeQuestion } from "../../../src/proxy/index.ts";
import { createHealth } from "../../../src/routing/index.ts";
import { createManualClock } from "../../support/routing.ts";

const document = `
version: 3
providers: {first: {preset: ollama}, second: {preset: ollama}}
models:
  turns: {strategy: round-robin, targets: [{provider: first, model: m}, {provider: second, model: m}]}
  main: {targets: [{provider: first, model: m}], fallbacks: [{to: second/m, when: [server_error]}]}
  raced: {targets: [{provider: first, model: m}, {provider: second, model: m}], hedge: {afterMs: 70}}
  alone: {targets: [{provider: first, model: m}], fallbacks: [{to: second/m}], hedge: {afterMs: 70}}
  unpaid: {targets: [{provider: first, model: m}, {provider: groq, model: m}], hedge: {afterMs: 70}}
  sized: {targets: [{provider: openai, model: gpt-4}, {provider: openai, model: gpt-4o}]}
breaker: {minRequests: 1, openFor: 15s}
`;
let snapshot: PolicySnapshot;
beforeAll(async () => {
  const policy = await describePolicy(Buffer.from(document), {}, {});
  if ("issues" in policy) throw new Error(policy.issues.join("\n"));
  snapshot = policy.snapshot;
});

const clock = createManualClock();
const credentials = createCredentials({ options: { credentials: {} }, environment: {}, clock });
const question = (query: string): Question => readQuestion(new URLSearchParams(query));

describe("explainCall", () => {
  it("takes no turn of a round-robin and opens no breaker's probe", () => {
    const health = createHealth(clock, () => 0.5);
    const ask = (query: string): Explanation =>
      explainCall(question(query), { snapshot, health, credentials, epochMs: () => clock.epochMs() });
    for (let count = 0; count < 5; count++) {
      expect(ask("model=turns").candidates.map(({ provider }) => provider)).toEqual(["first", "second"]);
    }
    expect(health.nextTurn("turns")).toBe(0);

    const breaker = snapshot.routing?.breaker;
    if (breaker === undefined) throw new Error("no breaker");
    health.open("first/m", breaker)?.end({ code: "upstream_server_error" });
    expect(ask("model=main")).toMatchObject({
      candidates: [{ provider: "second", kind: "fallback" }],
      skipped: [{ provider: "first", why: "breaker_open", breaker: "open" }],
      diverted: { provider: "first", why: "breaker_open" },
    });
    clock.advance(15_001);
    for (let count = 0; count < 3; count++) {
      expect(ask("model=main").candidates[0]).toMatchObject({ provider: "first", breaker: "half_open" });
    }
    expect(health.open("first/m", breaker)).toBeDefined();
  });

  it("passes over a model whose context window, which the catalogue knows, is too small for the call", () => {
    const ask = (tokens: number): Explanation =>
      explainCall(question(`model=sized&tokens=${tokens}`), {
        snapshot,
        health: createHealth(clock, () => 0.5),
        credentials: createCredentials({
          options: { credentials: {} },
          environment: { OPENAI_API_KEY: "test-key-openai" },
          clock,
        }),
        epochMs: () => clock.epochMs(),
      });
    expect(ask(8192).candidates.map(({ model }) => model)).toEqual(["gpt-4", "gpt-4o"]);
    expect(ask(8193)).toMatchObject({
      candidates: [{ model: "gpt-4o" }],
      skipped: [{ model: "gpt-4", why: "context_window" }],
      diverted: { provider: "openai", model: "gpt-4", why: "context_window" },
    });
  });

  it.each([
    ["an equal of the first", "raced", "second/m"],
    ["nobody where there are fallbacks alone", "alone", undefined],
    ["nobody where no key is held for the equal", "unpaid", undefined],
    ["nobody without fallback", "raced&fallback=off", undefined],
  ])("tells of a hedge that it asks %s", (_, query, to) => {
    const health = createHealth(clock, () => 0.5);
    const told = explainCall(question(`model=${query}`), {
      snapshot,
      health,
      credentials,
      epochMs: () => clock.epochMs(),
    });
    expect(told.hedge).toEqual(to === undefined ? { afterMs: 70 } : { afterMs: 70, to });
    expect(renderExplanation(told)).toContain(
      to === undefined
        ? "\nhedged: not at all; the first has no equal that can be asked as well\n"
        : `\nhedged: ${to} is asked as well after 70 ms of silence\n`,
    );
  });

  it("says of a target that has no key how it stands, never a value", () => {
    const health = createHealth(clock, () => 0.5);
    const held = createCredentials({
      options: { credentials: {} },
      environment: { GROQ_API_KEY: "test-key-groq" },
      clock,
    });
    const told = explainCall(question("model=x&path=/groq/v1/chat/completions"), {
      snapshot,
      health,
      credentials: held,
      epochMs: () => clock.epochMs(),
    });
    expect(told.candidates).toMatchObject([{ provider: "groq", credential: "held" }]);
    expect(JSON.stringify(told)).not.toContain("test-key");
  });
});

describe("a question", () => {
  it("is the same after it was written as a query and read again", () => {
    const whole = question(
      "model=a%2Fb&path=/v1/x%3Fy&dialect=d&operation=o&app=p&team=t&session=s&tag=k%3Dv%3Dw&tag=e%3D&needs=tools,structured&tokens=12&fallback=off",
    );
    expect(whole).toMatchObject({ model: "a/b", tags: { k: "v=w", e: "" }, allowsFallback: false });
    expect(readQuestion(writeQuestion(whole))).toEqual(whole);
    expect(readQuestion(writeQuestion(question("model=a")))).toEqual(question("model=a"));
  });

  it.each([
    "",
    "model=",
    "model=a&modle=b",
    "model=a&tokens=-1",
    "model=a&needs=x",
    "model=a&tag=x",
    "model=a&path=x",
    "model=a&fallback=no",
  ])("%j is refused", (query) => {
    expect(() => question(query)).toThrow(expect.objectContaining({ code: "request_malformed" }));
  });
});

// From bytes to a document: what is read, what is passed over with a warning, what is refused, and that no value is ever told.
import { describe, expect, it } from "vitest";
import { formatPolicyIssue, readDocument } from "../../../src/policy/index.ts";

const read = (text: string, strictness: "pulled" | "check" = "pulled") => readDocument(Buffer.from(text), strictness);

/** The lines of a refusal; fails for a document that was taken. */
function refusal(text: string, strictness: "pulled" | "check" = "pulled"): string[] {
  const result = read(text, strictness);
  expect(result.type).toBe("invalid");
  return result.type === "invalid" ? result.issues.map(formatPolicyIssue) : [];
}

const smart = "models: {smart: {targets: [{provider: openai, model: gpt-4o}]}}";

describe("a policy document", () => {
  it("is YAML 1.2 or JSON, and says the same in both", () => {
    const yaml = read(`apiVersion: outrider/v1\nversion: 3\n${smart}\ntimeouts: {idleMs: 5}`);
    const json = read(
      '{"timeouts":{"idleMs":5},"version":3,"apiVersion":"outrider/v1","models":{"smart":{"targets":[{"model":"gpt-4o","provider":"openai"}]}}}',
    );
    expect(yaml).toMatchObject({ type: "document", document: { version: 3, timeouts: { idleMs: 5 } }, warnings: [] });
    expect(json).toEqual({ ...yaml, raw: json.type === "document" ? json.raw : undefined });
  });

  it.each(["budgets", "limits", "keys", "guardrails"])("is refused whole with %s, which nobody enforces yet", (key) => {
    for (const strictness of ["pulled", "check"] as const) {
      expect(refusal(`${smart}\n${key}: []`, strictness)).toEqual([`${key}: this version does not enforce ${key} yet`]);
    }
    expect(refusal(`rollout: {percent: 1, candidate: {${key}: []}}`)).toEqual([
      `rollout.candidate.${key}: this version does not enforce ${key} yet`,
    ]);
  });

  it("keeps its meaning under a newer author's keys, and names them", () => {
    const result = read(`${smart}\nshinyThing: 1\nretry: {maxAttemts: 9}`);
    expect(result).toMatchObject({ type: "document", document: { retry: { maxAttempts: 3 } } });
    const warnings = result.type === "document" ? result.warnings.map(formatPolicyIssue) : [];
    expect(warnings.sort()).toEqual([
      'retry: unknown key "maxAttemts"; did you mean "maxAttempts"?',
      'unknown key "shinyThing"',
    ]);
  });

  it("is refused with unknown keys where a person checks it", () => {
    expect(refusal(`modles: {}\n${smart}`, "check")).toEqual(['unknown key "modles"; did you mean "models"?']);
  });

  it("is refused with an unknown matcher, because the rule would apply to more than was meant", () => {
    expect(refusal(`${smart}\nroutes: [{match: {modle: a}, use: smart}]`)).toEqual([
      'routes[0].match: unknown key "modle"; did you mean "model"?',
    ]);
  });

  it("tells everything wrong at once", () => {
    const lines = refusal("version: -1\nretry: {maxAttempts: 99}\nbreaker: {window: 3 weeks}\nlosses: {tuning: maybe}");
    expect(lines.map((line) => line.split(":")[0]).sort()).toEqual(
      expect.arrayContaining(["breaker.window", "losses.tuning", "retry.maxAttempts", "version"]),
    );
  });

  it("is refused when empty, which is what a writer that was cut short leaves", () => {
    for (const text of ["", "\n\n", "# nothing but a comment\n", "null"]) expect(refusal(text)).toEqual(["empty"]);
  });

  it.each([
    ["a web page", "<html><body>Sign in</body></html>"],
    ["a list", "- a\n- b"],
    ["cut JSON", '{"version": 3, "models": {'],
    ["cut YAML", "version: 3\nmodels: {smart: {targets: ["],
    ["a key twice", "version: 3\nversion: 4"],
    ["a tag that makes an object", "version: !!js/function 'x'"],
    ["an unresolved alias", "models: *nobody"],
    ["nesting without end", "[".repeat(200_000)],
    ["JSON nested without end", `{"models":${'{"a":'.repeat(200_000)}`],
    ["zeroes", "\0".repeat(64)],
  ])("is refused as %s", (_name, text) => {
    expect(refusal(text).length).toBeGreaterThan(0);
  });

  it("is refused when it is not UTF-8", () => {
    expect(readDocument(Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]), "pulled")).toMatchObject({
      type: "invalid",
      issues: [{ message: "not UTF-8" }],
    });
  });

  it("is refused unread above 8 MiB", () => {
    expect(readDocument(Buffer.alloc(8 * 1024 * 1024 + 1, 0x20), "pulled")).toMatchObject({
      issues: [{ message: "larger than 8388608 bytes" }],
    });
  });

  it("does not blow up by aliases of aliases", () => {
    const levels = Array.from({ length: 12 }, (_, level) =>
      level === 0 ? "a0: &a0 [x, x, x, x, x, x, x, x, x]" : `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`,
    );
    const startedMs = performance.now();
    expect(refusal(levels.join("\n"))).toEqual(["YAML aliases that cannot be resolved, or too many of them"]);
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it("cannot reach a prototype", () => {
    read('{"__proto__": {"polluted": 1}, "models": {"__proto__": {"targets": []}}}');
    read("__proto__: {polluted: 1}");
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  it("never has its values told, whatever is wrong with them", () => {
    const canary = "canary-7f3a9";
    const documents = [
      `version: ${canary}`,
      `apiVersion: ${canary}`,
      `models: {smart: {strategy: ${canary}, targets: ${canary}}}`,
      `providers: {x: {baseUrl: "${canary}"}}`,
      `breaker: {window: ${canary}}`,
      `rollout: {percent: ${canary}, candidate: {retry: ${canary}}}`,
      `telemetry: {capture: ${canary}}`,
      `prices: {overrides: [{provider: a, model: b, inputUsdPerMillion: ${canary}}]}`,
      `a: "${canary}\nb: [${canary}`,
      `timeouts: {idleMs: ${canary}}`,
    ];
    for (const text of documents) expect(refusal(text).join("\n"), text).not.toContain(canary);
  });

  it("carries its candidate as a whole document of its own", () => {
    const result = read(`version: 4\n${smart}\nrollout: {percent: 5, candidate: {retry: {maxAttempts: 1}}}`);
    expect(result).toMatchObject({
      document: {
        retry: { maxAttempts: 3 },
        rollout: { percent: 5, rollbackWhen: { errorRatioAbove: 0.2, minRequests: 20 } },
      },
      candidate: { retry: { maxAttempts: 1 }, models: { smart: {} } },
    });
  });

  it("is refused for what is wrong in its candidate, and for a percentage that is none", () => {
    expect(refusal("rollout: {percent: 5, candidate: {retry: {maxAttempts: 99}}}")[0]).toMatch(
      /^rollout\.candidate\.retry\.maxAttempts: /,
    );
    for (const percent of ["-1", "101", "many", ".nan"]) {
      expect(refusal(`rollout: {percent: ${percent}, candidate: {retry: {}}}`)[0]).toMatch(/^rollout\.percent: /);
    }
    expect(refusal("rollout: {percent: 5, candidate: {}}")[0]).toMatch(/^rollout\.candidate: /);
  });
});

import { describe, expect, it } from "vitest";
import { describeCrash, signalExitCode } from "../../../src/cli/lifetime.ts";

describe("crash report", () => {
  it("has the error's name, code and frames, but not its message, which may quote a request", () => {
    let error: unknown;
    try {
      JSON.parse('{"prompt": canary-7c1f');
    } catch (caught) {
      error = caught;
    }
    const report = describeCrash(error);
    expect(report).toMatchObject({
      error: "SyntaxError",
      stack: expect.arrayContaining([expect.stringMatching(/^at /)]),
    });
    expect(JSON.stringify(report)).not.toContain("canary");
    expect(describeCrash(Object.assign(new Error("canary"), { code: "EPIPE" }))).toMatchObject({
      error: "Error",
      code: "EPIPE",
    });
    expect(describeCrash("canary")).toEqual({ error: "string" });
  });
});

describe("exit code of a signal", () => {
  it("is 128 plus its number", () => {
    expect([signalExitCode("SIGINT"), signalExitCode("SIGKILL"), signalExitCode("SIGTERM")]).toEqual([130, 137, 143]);
  });
});

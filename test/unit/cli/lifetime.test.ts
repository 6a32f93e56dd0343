import { describe, expect, it } from "vitest";
import { describeCrash, signalExitCode, tellStopped } from "../../../src/cli/lifetime.ts";

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

describe("last line", () => {
  const delivered = { produced: 5, exported: 5, dropped: 0, queued: 0 };
  const tell = (accounting: Parameters<typeof tellStopped>[1]): unknown[] => {
    const lines: unknown[] = [];
    const write =
      (level: string) =>
      (fields: Record<string, unknown>, message: string): unknown =>
        lines.push([level, fields, message]);
    tellStopped({ info: write("info"), warn: write("warn"), error: write("error") }, accounting);
    return lines;
  };

  it("is a warning with totals when telemetry was dropped or is still queued", () => {
    const traces = { produced: 5, exported: 2, dropped: 2, queued: 1 };
    expect(tell({ traces, logs: delivered, metrics: delivered })).toEqual([
      ["warn", { undelivered: { spans: 3, logRecords: 0, dataPoints: 0 } }, "stopped; not all telemetry was delivered"],
    ]);
  });

  it("is information when all of it arrived, or there is none", () => {
    expect(tell({ traces: delivered, logs: delivered, metrics: delivered })).toEqual([
      ["info", { undelivered: { spans: 0, logRecords: 0, dataPoints: 0 } }, "stopped"],
    ]);
    expect(tell(undefined)).toEqual([["info", {}, "stopped"]]);
  });
});

describe("exit code of a signal", () => {
  it("is 128 plus its number", () => {
    expect([signalExitCode("SIGINT"), signalExitCode("SIGKILL"), signalExitCode("SIGTERM")]).toEqual([130, 137, 143]);
  });
});

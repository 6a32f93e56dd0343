import { describe, expect, it } from "vitest";
import { listTakenPorts } from "../../../src/cli/demo.ts";

describe("demo's ports", () => {
  it("are named as taken exactly where another one is used", () => {
    const usual = {
      dataUrl: "http://127.0.0.1:4141",
      adminUrl: "http://127.0.0.1:4142",
      simulatorUrl: "http://127.0.0.1:4143",
    };
    expect(listTakenPorts(usual)).toEqual([]);
    expect(listTakenPorts({ ...usual, dataUrl: "http://127.0.0.1:40123" })).toEqual([4141]);
  });
});

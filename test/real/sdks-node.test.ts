// The official Node SDKs as clients: what the application saw, and what the real collector was told about it.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  anthropicCalls,
  expectTelemetry,
  openaiCalls,
  openSdkBench,
  type SdkBench,
  type SeenCall,
} from "../support/sdk-scenarios.ts";

let bench: SdkBench;
beforeAll(async () => {
  bench = await openSdkBench();
}, 120_000);
afterAll(() => bench?.close(), 60_000);

const script = (name: string) => fileURLToPath(new URL(`node/${name}`, import.meta.url));

describe.each([
  { sdk: "openai", file: "openai-client.ts", expectations: openaiCalls },
  { sdk: "@anthropic-ai/sdk", file: "anthropic-client.ts", expectations: anthropicCalls },
])("$sdk", ({ file, expectations }) => {
  describe.each(["runDirect", "runUnderExec"] as const)("%s", (way) => {
    let seen: SeenCall[];
    beforeAll(async () => {
      seen = await bench[way]([process.execPath, script(file)]);
    }, 120_000);

    test("makes every call", () => {
      expect(seen.map(({ call }) => call)).toEqual(Object.keys(expectations));
    });

    test.each(Object.keys(expectations))("%s: the application's view and the spans agree", async (call) => {
      await expectTelemetry(bench.outDir, seen.find((each) => each.call === call) as SeenCall, expectations[call]);
    });
  });
});

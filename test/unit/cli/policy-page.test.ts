// docs/policy.md: its example is a valid policy and has every key there is; its settings for sidecars are valid options.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { describePolicy } from "../../../src/cli/policy-check.ts";
import { optionsSchema } from "../../../src/options.ts";

const page = readFileSync("docs/policy.md", "utf8");
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map((match) => match[1] as string);
const blockOf = (name: string): string => blocks.find((block) => block.startsWith(`# ${name}`)) ?? "";

describe("docs/policy.md", () => {
  it("has an example that check accepts without a warning", async () => {
    expect(await describePolicy(Buffer.from(blockOf("policy.yaml")), {}, {})).toMatchObject({
      version: "42",
      warnings: [],
    });
  });

  it("shows each key of its table in that example", () => {
    const keys = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
    const names = keys
      .filter((key) => !key.startsWith("/"))
      .map((key) => key.split(".").findLast((part) => part !== "<name>") ?? "");
    expect(names.length).toBeGreaterThan(50);
    const absent = names.filter((name) => !new RegExp(`\\b${name.replaceAll("[]", "")}:`).test(blockOf("policy.yaml")));
    expect(absent).toEqual([]);
  });

  it("has options that are valid", () => {
    expect(optionsSchema.safeParse(parse(blockOf("outrider.yaml"))).success).toBe(true);
  });
});

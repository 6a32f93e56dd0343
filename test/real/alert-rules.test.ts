// The alert rules by promtool's judgement: well formed, firing when they should and not otherwise (alert-rules.yaml).
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Exit code, and what was printed. */
async function runPromtool(...args: string[]): Promise<string> {
  const { promtool } = (await ensureComponents(["prometheus"])).prometheus;
  return new Promise((resolve) => {
    execFile(promtool, args, (error, stdout, stderr) => resolve(`${error?.code ?? 0}\n${stdout}${stderr}`));
  });
}

test("the alert rules are well formed", async () => {
  expect(await runPromtool("check", "rules", "--lint-fatal", pathOf("../../dashboards/alerts.yaml"))).toMatch(/^0\n/);
});

test("the alert rules fire when they should and not otherwise", async () => {
  expect(await runPromtool("test", "rules", pathOf("alert-rules.yaml"))).toMatch(/^0\n/);
});

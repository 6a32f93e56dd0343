// The official Node clients, unmodified, on recorded answers: what test/support/sdk-replay.ts asks of every client.
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { clientCases } from "../contract/sdks/cases.ts";
import { describeClients } from "../support/sdk-replay.ts";

const scripts = fileURLToPath(new URL("../contract/sdks/clients", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "outrider-sdks-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describeClients(clientCases, async () => {
  const { node } = await ensureComponents(["node"]);
  // Beside their packages, as in an application; the packages stay in the components' cache.
  cpSync(scripts, home, { recursive: true });
  symlinkSync(node.modules, join(home, "node_modules"));
  return { home, command: (script) => [process.execPath, join(home, script)] };
});

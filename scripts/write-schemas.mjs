// Writes what is made from the options' schema: schemas/options.schema.json and the table in docs/options.md.
// Usage: node scripts/write-schemas.mjs [--check]     (--check writes nothing and exits 1 when a file is stale)
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildOptionsSchema, describeExpected, listOptionKeys } from "../src/cli/option-keys.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const begin = "<!-- written by scripts/write-schemas.mjs: begin -->";
const end = "<!-- written by scripts/write-schemas.mjs: end -->";

function renderSchema() {
  const { $schema, ...schema } = buildOptionsSchema();
  return `${JSON.stringify({ $schema, title: "Outrider options", ...schema }, null, 2)}\n`;
}

function renderTable() {
  const rows = listOptionKeys().map(({ path, variable, node }) => {
    const fallback = node.default === undefined ? "" : `\`${JSON.stringify(node.default)}\``;
    const key = path.map((part) => (part === "*" ? "<id>" : part)).join(".");
    const cells = [`\`${key}\``, `\`${variable}\``, describeExpected(node), fallback, node.description ?? ""];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| key | variable | value | default | meaning |", "|---|---|---|---|---|", ...rows].join("\n");
}

function renderPage(page) {
  const start = page.indexOf(begin);
  const stop = page.indexOf(end);
  if (start === -1 || stop === -1) throw new Error("docs/options.md: the marks around the table are gone");
  return `${page.slice(0, start)}${begin}\n\n${renderTable()}\n\n${page.slice(stop)}`;
}

const files = {
  "schemas/options.schema.json": () => renderSchema(),
  "docs/options.md": (now) => renderPage(now),
};
const check = process.argv.includes("--check");
for (const [path, render] of Object.entries(files)) {
  let now = "";
  try {
    now = readFileSync(root + path, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  const wanted = render(now);
  if (wanted === now) continue;
  if (check) {
    console.error(`${path} is stale: run node scripts/write-schemas.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(root + path, wanted);
  }
}

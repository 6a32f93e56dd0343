// Writes what is made from the schemas: schemas/options.schema.json, schemas/policy.schema.json and the tables in docs/options.md and
// docs/policy.md.
// Usage: node scripts/write-schemas.mjs [--check]     (--check writes nothing and exits 1 when a file is stale)
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildOptionsSchema, describeExpected, listOptionKeys } from "../src/cli/option-keys.ts";
import { buildPolicySchema } from "../src/policy/index.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const begin = "<!-- written by scripts/write-schemas.mjs: begin -->";
const end = "<!-- written by scripts/write-schemas.mjs: end -->";

function renderSchema(title, { $schema, ...schema }) {
  return `${JSON.stringify({ $schema, title, ...schema }, null, 2)}\n`;
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

/** Every key of a policy that carries a value; `[]` is an entry of a list, `<name>` a name that the author chooses. */
function listPolicyKeys(node, path = "") {
  if (path === "rollout.candidate") return [{ path, node }];
  const { properties, additionalProperties, items } = node.anyOf?.find((each) => each.properties) ?? node;
  if (properties !== undefined) {
    return Object.entries(properties).flatMap(([key, child]) =>
      listPolicyKeys(child, path === "" ? key : `${path}.${key}`),
    );
  }
  if (typeof additionalProperties === "object") {
    return additionalProperties.type === "string"
      ? [{ path: `${path}.<name>`, node: { ...additionalProperties, description: node.description } }]
      : listPolicyKeys(additionalProperties, `${path}.<name>`);
  }
  return items?.properties === undefined ? [{ path, node }] : listPolicyKeys(items, `${path}[]`);
}

function renderPolicyTable() {
  const rows = listPolicyKeys(buildPolicySchema()).map(({ path, node }) => {
    const fallback = node.default === undefined ? "" : `\`${JSON.stringify(node.default)}\``;
    const expected = node.const === undefined ? describeExpected(node) : `\`${node.const}\``;
    const cells = [`\`${path}\``, expected, fallback, node.description ?? ""];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| key | value | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

function renderPage(page, table) {
  const start = page.indexOf(begin);
  const stop = page.indexOf(end);
  if (start === -1 || stop === -1) throw new Error("the marks around the table in a page are gone");
  return `${page.slice(0, start)}${begin}\n\n${table}\n\n${page.slice(stop)}`;
}

const files = {
  "schemas/options.schema.json": () => renderSchema("Outrider options", buildOptionsSchema()),
  "schemas/policy.schema.json": () => renderSchema("Outrider policy", buildPolicySchema()),
  "docs/options.md": (now) => renderPage(now, renderTable()),
  "docs/policy.md": (now) => renderPage(now, renderPolicyTable()),
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

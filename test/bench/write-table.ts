// Bench: puts a table into docs/performance.md, between its markers, with the day and the Node it was measured on.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Replaces what stands between `<!-- name:start -->` and `<!-- name:end -->`. Throws where these are missing. */
export function writeTable(name: string, lines: readonly string[]): void {
  const path = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
  const page = readFileSync(path, "utf8");
  const marked = new RegExp(`(<!-- ${name}:start -->\\n)[\\s\\S]*(\\n<!-- ${name}:end -->)`);
  if (!marked.test(page)) throw new Error(`docs/performance.md lacks the markers of the ${name} table`);
  const facts = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}.`;
  writeFileSync(
    path,
    page.replace(marked, (_all, start: string, end: string) => `${start}\n${facts}\n\n${lines.join("\n")}\n${end}`),
  );
}

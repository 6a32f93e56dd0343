// Writes docs/providers.md from src/providers/presets.json. With --check it writes nothing and exits 1 when the page is not current.
import { readFileSync, writeFileSync } from "node:fs";

const presetsUrl = new URL("../src/providers/presets.json", import.meta.url);
const pageUrl = new URL("../docs/providers.md", import.meta.url);

const presets = JSON.parse(readFileSync(presetsUrl, "utf8"));
const page = renderPage(presets);

if (process.argv.includes("--check")) {
  if (readFileSync(pageUrl, "utf8") !== page) {
    console.error("docs/providers.md is not current: run node scripts/write-providers-doc.mjs");
    process.exitCode = 1;
  }
} else {
  writeFileSync(pageUrl, page);
}

function renderPage(rows) {
  return `<!-- Written by scripts/write-providers-doc.mjs from src/providers/presets.json: change the row, then run the script. -->

# Providers

${rows.length} providers are built in. Each is reached under its id: \`/groq/v1/chat/completions\`. Another address for one of them, or a
provider that is not here, is an option (\`providers.<id>.baseUrl\`) or a variable (\`OUTRIDER_PROVIDER_<ID>_BASE_URL\`, the id in upper
case with \`_\` for \`-\`); how to add a row is in [add-a-provider.md](add-a-provider.md).

- **Dialects**: wire formats that are understood at this address. OpenAI-compatible rows list embeddings too, because the path says it;
  whether the provider serves them is for it to answer. Everything else of a provider is relayed untouched.
- **Key**: how the provider takes its key, and the variables that Outrider looks in when the client brings none. \`none\` needs no key; one
  that is configured is sent as a bearer token.
- **Asks usage**: a streamed chat states its usage only when \`stream_options.include_usage\` is set, so Outrider sets it when the client
  did not. \`no\`: the provider sends usage anyway, or may refuse the member.
- **Prices**: the provider's id in the price catalogue. Where the catalogue does not have that id, prices come from your overrides, or, for
  a closed model of a known vendor, from the vendor's entry (status \`alias\`). \`–\`: nobody bills by the token; only overrides apply.
- **Read in**: where the row's facts were read. V vercel/ai, P Portkey gateway, L LiteLLM, S the official SDK, C recorded traffic,
  R run against the SDK, G genai-prices, K general knowledge, not verified.

| id | \`gen_ai.provider.name\` | base URL | dialects | key | asks usage | prices | read in |
|---|---|---|---|---|---|---|---|
${rows.map(renderRow).join("\n")}
`;
}

function renderRow(row) {
  const cells = [
    code(row.id),
    code(row.telemetryName),
    [row.baseUrl, ...renderDialectBases(row)].join("<br>"),
    row.dialects.join(", "),
    [row.auth.scheme === "header" ? code(row.auth.name) : row.auth.scheme, ...row.keyEnv.map(code)].join("<br>"),
    row.usageOnRequest ? "yes" : "no",
    row.priceId === undefined ? "–" : code(row.priceId),
    row.evidence.join(" "),
  ];
  return `| ${cells.join(" | ")} |`;
}

function renderDialectBases(row) {
  return Object.entries(row.dialectBase ?? {}).map(
    ([dialect, relative]) => `${dialect}: ${new URL(relative, `${row.baseUrl}/`).href}`,
  );
}

function code(text) {
  return `\`${text}\``;
}

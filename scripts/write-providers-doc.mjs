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

- **Base URL**: \`{region}\`, \`{resource}\` and \`{project}\` are options of the provider by those names
  (\`providers.bedrock.region\`, \`OUTRIDER_PROVIDER_BEDROCK_REGION\`), or the variables that stand below it. Where a path at Vertex AI names
  its location (\`/v1/projects/p/locations/europe-west4/…\`), that location counts; where the region for an AWS provider is set nowhere, the one
  that the client signed its request for.
- **Dialects**: wire formats that are understood at this address. OpenAI-compatible rows list embeddings too, because the path says it;
  whether the provider serves them is for it to answer. Everything else of a provider is relayed untouched; \`–\`: all of it.
- **Key**: how the provider takes its key, and the variables that Outrider looks in when the client brings none. \`none\` needs no key; one
  that is configured is sent as a bearer token.
  \`sigv4\` and \`gcp\` are told below.
- **Asks usage**: a streamed chat states its usage only when \`stream_options.include_usage\` is set, so Outrider sets it when the client
  did not. \`no\`: the provider sends usage anyway, or may refuse the member.
- **Prices**: the provider's id in the price catalogue. Where the catalogue does not have that id, prices come from your overrides, or, for
  a closed model of a known vendor, from the vendor's entry (status \`alias\`). \`–\`: nobody bills by the token; only overrides apply.
- **Read in**: where the row's facts were read. V vercel/ai, P Portkey gateway, L LiteLLM, S the official SDK, C recorded traffic,
  R run against the SDK, G genai-prices, K general knowledge, not verified.

| id | \`gen_ai.provider.name\` | base URL | dialects | key | asks usage | prices | read in |
|---|---|---|---|---|---|---|---|
${rows.map(renderRow).join("\n")}

## AWS: \`sigv4\`

A client's AWS signature covers the host that it addressed, which is Outrider, so it can never be right at AWS. Outrider takes it out and
signs the request anew: with \`AWS_ACCESS_KEY_ID\` and its companions in its own environment, else with what AWS's standard chain finds
(shared files and \`AWS_PROFILE\`, SSO, web identity, container and instance credentials). With a key in \`credentials.<provider>\` or in the
variables of the row, that key is sent as a bearer token and nothing is signed. A client's own bearer token passes as it is. When a client
signed and Outrider has neither, the answer is \`upstream_auth\`. The region of the signature is the host's, else the option's.

## Google Cloud: \`gcp\`

A client's own access token or API key passes as it is. Where it brings none, or the placeholder, Outrider asks for an access token with
Application Default Credentials: the file of \`GOOGLE_APPLICATION_CREDENTIALS\` (a service account, or an authorised user), gcloud's own file,
or the metadata server. A key in \`credentials.vertex\` is an API key and goes out as \`x-goog-api-key\`.

## Azure

\`/azure/openai/deployments/{deployment}/…?api-version=…\`, \`/azure/openai/v1/…\` and \`/azure/v1/…\` reach the resource, and so do the bare paths
\`/openai/deployments/…\` and \`/openai/…?api-version=…\`. The key goes out as \`api-key\`; a client's Entra ID token passes as it is.
\`AZURE_OPENAI_ENDPOINT\` names the resource unless it is a loopback address, which is how an application is pointed at Outrider.
`;
}

function renderRow(row) {
  const cells = [
    code(row.id),
    code(row.telemetryName),
    [row.baseUrl, ...renderDialectBases(row), ...renderVariables(row)].join("<br>"),
    row.dialects.length === 0 ? "–" : row.dialects.join(", "),
    [renderAuth(row), ...row.keyEnv.map(code)].join("<br>"),
    row.usageOnRequest ? "yes" : "no",
    row.priceId === undefined ? "–" : code(row.priceId),
    row.evidence.join(" "),
  ];
  return `| ${cells.join(" | ")} |`;
}

function renderDialectBases(row) {
  return Object.entries(row.dialectBase ?? {}).map(
    ([dialect, relative]) =>
      `${dialect}: ${row.baseUrl.includes("{") ? `${row.baseUrl}/${relative}` : new URL(relative, `${row.baseUrl}/`).href}`,
  );
}

function renderVariables(row) {
  return [row.endpointEnv ?? [], ...Object.values(row.settings ?? {})].flat().map(code);
}

function renderAuth({ auth, bearerDialects = [] }) {
  if (auth.scheme !== "header") return auth.scheme === "sigv4" ? `sigv4 (${auth.service})` : auth.scheme;
  const name = auth.prefix === undefined ? code(auth.name) : code(`${auth.name}: ${auth.prefix}…`);
  return bearerDialects.length === 0 ? name : `${name}, bearer for ${bearerDialects.join(", ")}`;
}

function code(text) {
  return `\`${text}\``;
}

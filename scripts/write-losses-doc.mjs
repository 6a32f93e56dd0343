// Writes docs/losses.md from the encode halves of the dialects. With --check it writes nothing and exits 1 when the page is not current.
import { readFileSync, writeFileSync } from "node:fs";
import { dialects } from "../src/dialects/index.ts";
import { rerankShapeIds, rerankShapes } from "../src/dialects/rerank-shapes.ts";

const pageUrl = new URL("../docs/losses.md", import.meta.url);
const targets = dialects.filter(({ encoder }) => encoder !== undefined);
const embedders = dialects.filter(({ embeddingCodec }) => embeddingCodec !== undefined);
const page = renderPage();

if (process.argv.includes("--check")) {
  if (readFileSync(pageUrl, "utf8") !== page) {
    console.error("docs/losses.md is not current: run node scripts/write-losses-doc.mjs");
    process.exitCode = 1;
  }
} else {
  writeFileSync(pageUrl, page);
}

function renderPage() {
  const fields = Object.keys(targets[0].encoder.fates).sort();
  const rows = fields.map(
    (field) => `| \`${field}\` | ${targets.map(({ encoder }) => encoder.fates[field]).join(" | ")} |`,
  );
  return `<!-- Written by scripts/write-losses-doc.mjs from the fates in src/dialects/*/request-encode.ts: change them, then run the script. -->

# What translation keeps and what it loses

When a request goes to a provider that does not speak the client's dialect, Outrider reads it into one common form and writes it in the
provider's words. This table says what becomes of each field of that form in each dialect:

- **mapped**: it arrives as it was meant.
- **moved**: it arrives in another place (a system prompt, a header, the path).
- **approximated**: the nearest that the dialect has.
- **refused**: the dialect has nothing for it.

What is moved is no loss. Whatever of a request is approximated, refused or added is told each time: in the header \`x-outrider-loss\` with a
JSON pointer into the client's body, as a span event, as a log event and in the counter \`outrider.losses\`. A loss is *semantic* when it changes
what was asked (tools, output format, media, history) and *tuning* when it changes how the answer is made. The options \`losses.semantic\` (default
\`reject\`) and \`losses.tuning\` (default \`report\`) decide: \`reject\` answers 422 with the pointers, before any provider is called.

Of the bodies that \`bedrock-invoke\` carries, Claude's is translated (\`anthropic_version\` tells it): Anthropic's message, with the model in
the path. The other families (Titan, Nova, Llama, Mistral, Cohere, AI21) each answer in a form of their own; a call in one of those answers
404 \`operation_unsupported\`. Bedrock as the provider is asked through Converse.

Fields that only one dialect has, and no line here, are losses toward every other. A field that says what is so anyway (\`n: 1\`, a penalty of
0) is none. \`outrider translate --from A --to B < body.json\` shows what becomes of one body.

| field | ${targets.map(({ id }) => id).join(" | ")} |
|---|${targets.map(() => "---|").join("")}
${rows.join("\n")}

## Media at addresses

Some dialects take images and documents only as bytes: \`gemini-generate-content\` (but for Google's own addresses), \`bedrock-converse\` (but for
\`s3://\`), \`ollama-chat\` (images), and \`openai-chat\` (documents and audio). Nothing is fetched for them unless the option
\`media.fetch.hosts\` lists the address's host (\`media.example.com\`, \`*.example.com\`, \`*\` for any public one; port 443 over https, or as in
\`name:8443\` and \`http://name\`): then Outrider fetches it and sends the bytes, and tells that as \`moved\`. A host whose addresses are private must be
in \`media.fetch.privateHosts\` by its exact name; link-local addresses and machines' metadata are never asked. The name is resolved once and
what was checked is dialled. No redirect is followed, no credential, cookie or header of the client's goes along, and the answer must have no
content coding and be of the part's kind. At most \`media.fetch.maxItems\` addresses of \`media.fetch.maxBytes\` in \`media.fetch.timeoutMs\` each, and
\`limits.maxBodyBytes\` together. What is not fetched is lost as before, a 422 unless \`losses.semantic\` says \`report\`, with the reason beside the pointer.

## Embeddings

Embeddings go from any of these dialects to any other. Each input must be a text: lists of tokens, images and sound answer 422, and so do
several texts for Amazon Titan, which embeds one a call. Vectors come as floats; a client that asks for base64 gets the little-endian float32
of OpenAI and Cohere, and one that asks for other numbers (\`int8\`, \`binary\`) is told. Cohere's models must be told what vectors are for: a
client that does not say gets \`search_document\`, and is told. Of Bedrock's models Titan's and Cohere's are written. Cohere's \`/v1/embed\` and
Vertex AI's \`:predict\` are not translated.

| fact | ${embedders.map(({ id }) => id).join(" | ")} |
|---|${embedders.map(() => "---|").join("")}
${renderEmbeddingRows().join("\n")}

## Rerank

Rerank calls go from any of these shapes to any other. A client's shape is told by its call: \`/v2/rerank\` is Cohere's, \`input\` Mixedbread's,
\`top_k\` or \`truncation\` Voyage's, Bedrock's is in the path; any other is \`plain\`, which Jina, Cohere v1, Together, vLLM, llama.cpp and LiteLLM
read. A provider's shape is in its row. Query, documents and the number of results are mapped; documents that the client wants back are its own,
by place. Where texts alone are ranked, an object goes as its \`rank_fields\`, or its \`text\`, and that is told; one without text, or with an image,
answers 422. Settings that the target does not have are losses. Scores are the provider's: those of two models are never comparable.

| shape | documents | an object among them | results | settings | usage |
|---|---|---|---|---|---|
${renderRerankRows().join("\n")}
`;
}

function renderRerankRows() {
  return rerankShapeIds.map((id) => {
    const { documents, objects, count, settings, answer } = rerankShapes[id];
    const objectFate =
      objects === "any" ? "mapped" : objects === undefined ? "approximated" : `${objects.join(" or ")} mapped`;
    const usage = [answer.meta && "meta", answer.tokens && `usage (${answer.tokens.names.join(", ")})`].filter(Boolean);
    const cells = [documents, objectFate, count, settings.join(", ") || "none", usage.join(", ") || "nowhere"];
    return `| ${id} | ${cells.join(" | ")} |`;
  });
}

function renderEmbeddingRows() {
  return Object.keys(embedders[0].embeddingCodec.fates)
    .sort()
    .map(
      (fact) => `| \`${fact}\` | ${embedders.map(({ embeddingCodec }) => embeddingCodec.fates[fact]).join(" | ")} |`,
    );
}

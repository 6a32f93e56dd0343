// Replays every recorded exchange through the built bundle: the client must get the provider's bytes and the provider the client's, and
// the exported spans must tell what a plain reading of the recording finds (test/support/wire-facts.ts, which shares no code with src/).
// The table by dialect, provider and streaming is kept in docs/coverage.md; OUTRIDER_COVERAGE=write writes it anew.
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CoverageTable, explained, type Explanation } from "../support/coverage.ts";
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { loadRecordings, type Recording, requestBytes, responseBytes } from "../support/recordings.ts";
import { planRecording, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { readDocuments, readFinishReasons, readIdentity, readUsage, type UsageName } from "../support/wire-facts.ts";

const seed = 20261121;

interface Folder {
  name: string;
  /** Paths in this folder that are no model call, and so have an HTTP span only. */
  tunnelled?: RegExp;
  /** Outrider's provider for a recording. */
  provider: (recording: Recording) => string;
}

const recorded = (): string => "recorded";
const named =
  (...ids: string[]) =>
  ({ provider }: Recording): string =>
    ids.includes(provider) ? provider : "recorded";

const folders: Folder[] = [
  { name: "openai-chat", provider: named("writer") },
  { name: "openai-completions", provider: named("writer"), tunnelled: /\/organization\// },
  {
    name: "openai-responses",
    provider: recorded,
    tunnelled: /^DELETE|\/(?:input_tokens|compact)$/,
  },
  { name: "openai-embeddings", provider: recorded, tunnelled: /\/organization\// },
  { name: "openai-images", provider: recorded, tunnelled: /\/organization\// },
  { name: "openai-audio", provider: recorded, tunnelled: /\/organization\// },
  { name: "openai-moderations", provider: recorded, tunnelled: /\/organization\// },
  {
    name: "anthropic-messages",
    provider: () => "anthropic",
    tunnelled: /\/v1\/complete$|\/batches|\/count_tokens|\/organization\//,
  },
  {
    name: "gemini",
    provider: ({ provider }) => (provider === "vertex" ? "vertex" : "google"),
    tunnelled: /^GET|:countTokens$|cachedContents|interactions|:predictLongRunning|:batchGenerateContent|:predict$/,
  },
  { name: "bedrock-converse", provider: () => "bedrock" },
  { name: "bedrock-invoke", provider: () => "bedrock" },
  { name: "bedrock-other", provider: () => "bedrock", tunnelled: /./ },
  { name: "azure-openai", provider: () => "azure" },
  { name: "mistral", provider: () => "mistral", tunnelled: /\/ocr$/ },
  { name: "cohere-v1", provider: () => "cohere", tunnelled: /\/tokenize$/ },
  { name: "cohere-v2", provider: () => "cohere" },
  { name: "rerank", provider: ({ provider }) => (provider === "llamacpp" ? "llama-cpp" : provider) },
  { name: "ollama", provider: () => "ollama", tunnelled: /^GET|\/api\/show$/ },
  { name: "models", provider: recorded, tunnelled: /./ },
  { name: "openai-stateful", provider: recorded, tunnelled: /./ },
  { name: "anthropic-stateful", provider: () => "anthropic", tunnelled: /./ },
  { name: "other", provider: recorded, tunnelled: /./ },
];

interface Replay {
  recording: Recording;
  status: number;
  body: Buffer;
  headers: NodeJS.Dict<string | string[]>;
  upstreamBody: Buffer;
}

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  receiver = await startOtlpReceiver();
  const whole = [
    "anthropic",
    "google",
    "vertex",
    "bedrock",
    "azure",
    "cohere",
    "ollama",
    "llama-cpp",
    "mistral",
    "writer",
  ];
  outrider = await startOutrider({
    options: {
      providers: {
        ...Object.fromEntries(whole.map((id) => [id, { baseUrl: upstream.url }])),
        voyage: { baseUrl: `${upstream.url}/v1` },
        // Stands for every OpenAI-compatible server of the recordings, at whatever path.
        recorded: { baseUrl: upstream.url, preset: "openai" },
      },
      telemetry: { requestUsage: false },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100" },
  });
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body: Buffer,
): Promise<Omit<Replay, "recording" | "upstreamBody">> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${outrider.url}${path}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** The recorded request; where only the answer was published, the smallest that asks for it. */
function bodyOf(recording: Recording): Buffer {
  const bytes = requestBytes(recording);
  if (bytes.length > 0 || recording.request.method !== "POST") return bytes;
  return Buffer.from(JSON.stringify({ model: recording.model, stream: recording.streaming, messages: [], input: "" }));
}

/** `POST /v1/chat/completions`, as the folders' patterns see a call. */
function callOf({ request }: Recording): string {
  return `${request.method} ${new URL(request.url).pathname}`;
}

async function replay(recording: Recording, provider: string, index: number): Promise<Replay> {
  const url = new URL(recording.request.url);
  const body = bodyOf(recording);
  const before = upstream.requests.length;
  upstream.setScript(planRecording(recording, { split: { seed: seed + index, maxBytes: 512 } }));
  const type = recording.request.headers["content-type"] ?? "application/json";
  const answer = await send(
    recording.request.method,
    // Some clients doubled a slash, which Outrider refuses rather than guess; and the recordings hide locations.
    `/${provider}${url.pathname.replace(/^\/\//, "/").replace(/\/locations\/[A-Z_]+\//, "/locations/us-central1/")}${url.search}`,
    {
      ...(body.length === 0 ? {} : { "content-type": type }),
      authorization: "Bearer test-key",
      ...(provider === "anthropic" ? { "anthropic-version": "2023-06-01" } : {}),
    },
    body,
  );
  return { ...answer, recording, upstreamBody: upstream.requests[before]?.body ?? Buffer.alloc(0) };
}

const usageAttributes: Record<UsageName, string> = {
  input: "gen_ai.usage.input_tokens",
  output: "gen_ai.usage.output_tokens",
  cacheRead: "gen_ai.usage.cache_read.input_tokens",
  cacheWrite: "gen_ai.usage.cache_write.input_tokens",
  reasoning: "gen_ai.usage.reasoning.output_tokens",
};

const traceOf = ({ headers }: Replay): string => String(headers["traceresponse"]).split("-")[1] as string;
const inferenceSpan = (traceId: string): ReceivedSpan | undefined =>
  receiver.spans.find((span) => span.traceId === traceId && span.attributes["gen_ai.operation.name"] !== undefined);

const table = new CoverageTable();
const met = new Set<string>();

/** Differences between what a span tells and what the recording says; an explained one is noted and left out. */
function compareSpan(done: Replay, attributes: Record<string, unknown>): string[] {
  const { recording } = done;
  const wrong: string[] = [];
  const compare = (what: Explanation["what"], told: unknown, expected: unknown, name: string = what): void => {
    if (JSON.stringify(told) === JSON.stringify(expected)) return;
    const reason = explained(recording, what);
    if (reason === undefined) {
      wrong.push(`${recording.id}: ${name}: told ${JSON.stringify(told)}, expected ${JSON.stringify(expected)}`);
    } else met.add(reason.reason);
  };
  if (recording.response.status >= 300) return wrong;
  const usage = readUsage(recording);
  if (usage !== undefined) {
    for (const [name, value] of Object.entries(usage)) {
      compare("usage", attributes[usageAttributes[name as UsageName]], value, name);
    }
  }
  const finishReasons = readFinishReasons(recording);
  if (finishReasons.length > 0) compare("finish", attributes["gen_ai.response.finish_reasons"], finishReasons);
  const { model, id } = readIdentity(recording);
  compare("model", attributes["gen_ai.response.model"], model);
  compare("id", attributes["gen_ai.response.id"], id);
  return wrong;
}

describe.each(folders)("recorded $name", ({ name, provider, tunnelled }) => {
  const recordings = loadRecordings(name).filter((recording) => recording.response.status >= 200);
  const replays: Replay[] = [];
  const isCall = (recording: Recording): boolean => tunnelled?.test(callOf(recording)) !== true;

  it("passes every answer byte for byte, and every request body", async () => {
    const wrong: string[] = [];
    for (const [index, recording] of recordings.entries()) {
      const done = await replay(recording, provider(recording), index);
      replays.push(done);
      const isSame = done.status === recording.response.status && done.body.equals(responseBytes(recording));
      if (!isSame) wrong.push(`${recording.id}: status ${done.status} ${done.body.toString("utf8", 0, 200)}`);
      if (!done.upstreamBody.equals(bodyOf(recording))) wrong.push(`${recording.id}: request body`);
      table.add(recording, isCall(recording) ? { exchanges: 1, identical: isSame ? 1 : 0 } : { tunnelled: 1 });
    }
    expect(wrong).toEqual([]);
    console.log(`${name}: ${replays.length} of ${recordings.length} byte-identical`);
  });

  it("tells usage, model, id and finish reasons of every answer on its span", async () => {
    const calls = replays.filter(({ recording }) => isCall(recording));
    await expect
      .poll(
        () => calls.filter((done) => inferenceSpan(traceOf(done)) === undefined).map(({ recording }) => recording.id),
        {
          timeout: 10_000,
        },
      )
      .toEqual([]);
    const wrong: string[] = [];
    let withUsage = 0;
    for (const done of calls) {
      const span = inferenceSpan(traceOf(done)) as ReceivedSpan;
      const differences = compareSpan(done, span.attributes);
      const isFailure =
        done.recording.response.status >= 400 ||
        readDocuments(done.recording).some(({ error, type }) => (error ?? undefined) !== undefined || type === "error");
      if (isFailure !== (span.statusCode === 2) && explained(done.recording, "failed") === undefined) {
        differences.push(`${done.recording.id}: failed: told ${span.statusCode}, expected ${isFailure}`);
      }
      const stated = done.recording.response.status < 300 && readUsage(done.recording) !== undefined;
      if (stated) withUsage += 1;
      table.add(done.recording, { right: differences.length === 0 ? 1 : 0, usage: stated ? 1 : 0 });
      wrong.push(...differences);
    }
    expect(wrong).toEqual([]);
    console.log(`${name}: ${calls.length} calls told right, ${withUsage} of them state usage`);
  });
});

describe("docs/coverage.md", () => {
  const path = fileURLToPath(new URL("../../docs/coverage.md", import.meta.url));

  it("has the table of this run", () => {
    const text = readFileSync(path, "utf8");
    const written = table.writeInto(text, [...met].sort());
    if (process.env["OUTRIDER_COVERAGE"] === "write") writeFileSync(path, written);
    // The committed subset of the recordings has fewer.
    else if (table.exchanges > 1000) expect(text).toBe(written);
    console.log(table.toMarkdown());
    expect(table.exchanges).toBeGreaterThan(0);
  });
});

// Bench: what observing costs, by dialect: Outrider beside the same bundle with a blind observer, all telemetry on in both, on one core.
// Usage: node test/bench/observation.ts [--write] [--only NAME] [--profiles DIR]. Every recorded answer of each dialect, whole and streamed (a packet for
// each event), in turn on 16 connections. `--only`: the cases whose name has this in it; `--profiles`: a CPU profile of both there.
// Exit code 1 when an answer is wrong or a dialect costs more than the bar.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, type RolldownOptions } from "rolldown";
import { loadRecordings, type Recording, requestBytes, responseBytes } from "../support/recordings.ts";
import { createFrameDecoder, type Framing, matchDialect } from "../../src/dialects/index.ts";
import { compareCpuThroughput, type CpuCase, type CpuExchange, summariseRounds } from "./cpu-throughput.ts";
import { takeMedian } from "./measures.ts";
import { findCores, pinSelf, type Running, startNode, waitUntilListening } from "./processes.ts";
import { findFreePort } from "../support/ports.ts";
import { productionNodeFlags, startHarness } from "./subjects.ts";
import { writeTable } from "./write-table.ts";

/** Share of the throughput that observing may cost. */
const bar = 0.25;
// Until the compiler threads have little left to do: after 8 seconds of so many shapes they still took 97 µs of a request (2026-11-21).
const effort = { warmUpMs: 15_000, roundMs: 150, rounds: 51 };
/** Larger ones would be most of what is measured. */
const largestAnswer = 64_000;
const largestUsageFrame = 1000;

/** Recording folder and Outrider's provider. */
const dialects: readonly [folder: string, provider: string][] = [
  ["openai-chat", "openai"],
  ["openai-responses", "openai"],
  ["openai-embeddings", "openai"],
  ["anthropic-messages", "anthropic"],
  ["gemini", "google"],
  ["bedrock-converse", "bedrock"],
  ["bedrock-invoke", "bedrock"],
  ["cohere-v2", "cohere"],
  ["ollama", "ollama"],
];

interface Answer extends CpuExchange {
  /** What the upstream knows it by. */
  id: string;
  /** As it goes to the socket, piece by piece. */
  writes: Buffer[];
  bodyBytes: number;
}

interface Case extends CpuCase {
  exchanges: readonly Answer[];
}

const resolveHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function pickRecordings(folder: string, streaming: boolean): Recording[] {
  return loadRecordings(folder)
    .filter((each) => each.streaming === streaming && each.response.status === 200 && each.request.method === "POST")
    .filter((each) => requestBytes(each).length > 0 && each.request.bodyBase64 === undefined)
    .filter((each) => streaming === (each.framing !== "json") && responseBytes(each).length < largestAnswer);
}

const framings: Partial<Record<Recording["framing"], Framing>> = {
  sse: "sse",
  ndjson: "ndjson",
  eventstream: "aws-eventstream",
};

/** One HTTP chunk for each frame, as providers send them, and the last one. */
function encodeChunks({ framing }: Recording, body: Buffer): Buffer[] {
  const frames = createFrameDecoder(framings[framing] ?? "sse");
  const pieces = [...frames.push(body), ...frames.end()].map(({ raw }) => raw);
  const chunks = pieces.map((raw) => Buffer.concat([Buffer.from(`${raw.length.toString(16)}\r\n`), raw, lineEnd]));
  return [...chunks, Buffer.from("0\r\n\r\n")];
}

const lineEnd = Buffer.from("\r\n");

function toAnswer(provider: string, recording: Recording, port: number): Answer {
  const url = new URL(recording.request.url);
  const id = recording.id.replace(/\W/g, "_");
  // The base of a provider may have a path before what the dialect knows.
  const known = matchDialect("POST", url.pathname) === undefined ? /\/v\d.*/.exec(url.pathname)?.[0] : url.pathname;
  const path = `${known ?? url.pathname}${url.search}${url.search === "" ? "?" : "&"}case=${id}`;
  const [body, answerBody] = [requestBytes(recording), responseBytes(recording)];
  const type = recording.response.headers["content-type"] ?? "application/json";
  const framing = recording.streaming ? "transfer-encoding: chunked" : `content-length: ${answerBody.length}`;
  const version = provider === "anthropic" ? "anthropic-version: 2023-06-01\r\n" : "";
  const head = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`);
  return {
    id,
    request: Buffer.concat([
      Buffer.from(
        `POST /${provider}${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer test-key-bench\r\n${version}` +
          `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
    writes: recording.streaming ? [head, ...encodeChunks(recording, answerBody)] : [Buffer.concat([head, answerBody])],
    bodyBytes: answerBody.length,
    // A usage frame that the client did not ask for is not passed on, but for a blind relay.
    minBytes: recording.streaming ? Math.max(1, answerBody.length - largestUsageFrame) : answerBody.length,
  };
}

function toCase(folder: string, provider: string, streaming: boolean, port: number): Case {
  const exchanges = pickRecordings(folder, streaming).map((recording) => toAnswer(provider, recording, port));
  const bytes = takeMedian(exchanges.map(({ bodyBytes }) => bodyBytes));
  const kind = streaming ? "streams" : "whole answers";
  return { name: `${folder}, ${exchanges.length} ${kind}, median ${bytes} bytes`, exchanges };
}

/** The production bundle, with `src/proxy/observer.ts` as it is or replaced. */
async function bundle(folder: string, isBlind: boolean): Promise<string> {
  const file = join(folder, isBlind ? "blind.mjs" : "seeing.mjs");
  const { default: configs } = (await import("../../rolldown.config.ts")) as { default: RolldownOptions[] };
  const config = configs.find(({ input }) => input === "src/main.ts") ?? {};
  const blind = {
    name: "blind",
    resolveId: (id: string, importer?: string) =>
      isBlind && id === "./observer.ts" && importer?.includes("/proxy/") === true
        ? resolveHere("absent-observer.ts")
        : undefined,
  };
  const output = Array.isArray(config.output) ? config.output[0] : config.output;
  const plugins = [blind, ...(Array.isArray(config.plugins) ? config.plugins : [config.plugins])];
  await build({ ...config, cwd: resolveHere("../.."), logLevel: "warn", plugins, output: { ...output, file } });
  return file;
}

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: {
      write: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      profiles: { type: "string" },
    },
  });
  const cores = findCores();
  if (cores !== undefined) pinSelf(cores.harness);
  const folder = mkdtempSync(join(tmpdir(), "outrider-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [upstreamPort, seeingPort, blindPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const cases = dialects
    .flatMap(([name, provider]) => [false, true].map((streaming) => toCase(name, provider, streaming, seeingPort)))
    .filter(({ name, exchanges }) => exchanges.length > 0 && name.includes(flags.only));
  const answersFile = join(folder, "answers.json");
  writeFileSync(
    answersFile,
    JSON.stringify(
      Object.fromEntries(
        cases.flatMap(({ exchanges }) =>
          exchanges.map(({ id, writes }) => [id, writes.map((bytes) => bytes.toString("base64"))]),
        ),
      ),
    ),
  );
  const upstream = startNode(
    [resolveHere("recorded-upstream.ts"), String(upstreamPort), answersFile],
    upstreamPort,
    cores?.harness,
  );
  await waitUntilListening(upstream);
  const profiling =
    flags.profiles === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", flags.profiles, "--cpu-prof-interval", "200"];
  const sink = await startHarness("sink", cores?.harness);
  const start = async (entry: string, port: number): Promise<Running> => {
    const base = `http://127.0.0.1:${upstreamPort}`;
    const providers = [...new Set(dialects.map(([, provider]) => provider))];
    const running = startNode([...productionNodeFlags, ...profiling, entry, "run"], port, cores?.subject, {
      OUTRIDER_LISTEN: `127.0.0.1:${port}`,
      OUTRIDER_ADMIN: `127.0.0.1:${await findFreePort()}`,
      OTEL_TRACES_SAMPLER: "always_on",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${sink.port}`,
      ...Object.fromEntries(
        providers.map((id) => [
          `OUTRIDER_PROVIDER_${id.toUpperCase()}_BASE_URL`,
          id === "openai" ? `${base}/v1` : base,
        ]),
      ),
    });
    await waitUntilListening(running);
    return running;
  };
  const seeing = await start(await bundle(folder, false), seeingPort);
  const blind = await start(await bundle(folder, true), blindPort);
  const lines = [
    "| answer | blind, requests/s of CPU | observed | cost | ≤ 25 % |",
    "| --- | ---: | ---: | ---: | --- |",
  ];
  let missed = 0;
  for (const one of cases) {
    const { plain, other, cost } = summariseRounds([await compareCpuThroughput([blind, seeing], one, effort)]);
    if (cost > bar) missed += 1;
    lines.push(
      `| ${one.name} | ${plain.toFixed(0)} | ${other.toFixed(0)} | ${(100 * cost).toFixed(0)} % | ${cost > bar ? "**not met**" : "met"} |`,
    );
    process.stdout.write(`${lines.at(-1)}\n`);
  }
  if (flags.write) writeTable("observation", lines);
  if (flags.profiles !== undefined) await Promise.all([seeing.stop(), blind.stop()]);
  await Promise.all([seeing.stop(0), blind.stop(0), upstream.stop(0), sink.stop(0)]);
  return missed > 0 ? 1 : 0;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}

// Bench: what observing costs, by dialect: Outrider beside the same bundle with a blind observer, all telemetry on in both, on one core.
// Usage: node test/bench/observation.ts [--write]. A recorded answer of middling size for each dialect, whole and streamed (a packet
// for each event), back to back on 16 connections. Exit code 1 when an answer is wrong or a dialect costs more than the bar.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type RolldownOptions } from "rolldown";
import { loadRecordings, type Recording, requestBytes, responseBytes } from "../support/recordings.ts";
import { createFrameDecoder, type Framing } from "../../src/dialects/index.ts";
import { measureCpuThroughput } from "./cpu-throughput.ts";
import { takeMedian } from "./measures.ts";
import { findCores, pinSelf, type Running, startNode, waitUntilListening } from "./processes.ts";
import { findFreePort } from "../support/ports.ts";
import { productionNodeFlags, startHarness } from "./subjects.ts";
import { writeTable } from "./write-table.ts";

/** Share of the throughput that observing may cost. */
const bar = 0.25;
const [warmUpMs, roundMs, rounds] = [5000, 700, 9];
const largestAnswer = 20_000;

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

interface Case {
  name: string;
  /** What the upstream knows it by. */
  id: string;
  request: Buffer;
  /** The answer as it goes to the socket, piece by piece. */
  writes: Buffer[];
  bodyBytes: number;
}

const resolveHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function pickRecording(folder: string, streaming: boolean): Recording | undefined {
  const fitting = loadRecordings(folder)
    .filter((each) => each.streaming === streaming && each.response.status === 200 && each.request.method === "POST")
    .filter((each) => requestBytes(each).length > 0 && each.request.bodyBase64 === undefined)
    .filter((each) => streaming === (each.framing !== "json") && responseBytes(each).length < largestAnswer)
    .sort((a, b) => responseBytes(a).length - responseBytes(b).length);
  return fitting[Math.floor(fitting.length / 2)];
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

function toCase(folder: string, provider: string, recording: Recording, port: number): Case {
  const url = new URL(recording.request.url);
  const id = `${provider}${recording.streaming ? "stream" : "whole"}${folder.replaceAll("-", "")}`;
  const path = `${url.pathname}${url.search}${url.search === "" ? "?" : "&"}case=${id}`;
  const [body, answerBody] = [requestBytes(recording), responseBytes(recording)];
  const type = recording.response.headers["content-type"] ?? "application/json";
  const framing = recording.streaming ? "transfer-encoding: chunked" : `content-length: ${answerBody.length}`;
  const version = provider === "anthropic" ? "anthropic-version: 2023-06-01\r\n" : "";
  const head = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`);
  return {
    name: `${folder}, ${recording.streaming ? "stream" : "whole"}, ${answerBody.length} bytes`,
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
  };
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
  const cores = findCores();
  if (cores !== undefined) pinSelf(cores.harness);
  const folder = mkdtempSync(join(tmpdir(), "outrider-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [upstreamPort, seeingPort, blindPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const cases = dialects.flatMap(([name, provider]) =>
    [false, true].flatMap((streaming) => {
      const recording = pickRecording(name, streaming);
      return recording === undefined ? [] : [toCase(name, provider, recording, seeingPort)];
    }),
  );
  const answersFile = join(folder, "answers.json");
  writeFileSync(
    answersFile,
    JSON.stringify(
      Object.fromEntries(cases.map((one) => [one.id, one.writes.map((bytes) => bytes.toString("base64"))])),
    ),
  );
  const upstream = startNode(
    [resolveHere("recorded-upstream.ts"), String(upstreamPort), answersFile],
    upstreamPort,
    cores?.harness,
  );
  await waitUntilListening(upstream);
  const sink = await startHarness("sink", cores?.harness);
  const start = async (entry: string, port: number): Promise<Running> => {
    const base = `http://127.0.0.1:${upstreamPort}`;
    const providers = [...new Set(dialects.map(([, provider]) => provider))];
    const running = startNode([...productionNodeFlags, entry, "run"], port, cores?.subject, {
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
    await measureCpuThroughput(blind, one, warmUpMs);
    await measureCpuThroughput(seeing, one, warmUpMs);
    const figures: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      figures[0].push(await measureCpuThroughput(blind, one, roundMs));
      figures[1].push(await measureCpuThroughput(seeing, one, roundMs));
    }
    const [without, withObserver] = figures.map(takeMedian) as [number, number];
    // Round by round: what else the machine does, it does to both.
    const cost = 1 - takeMedian(figures[1].map((seen, round) => seen / (figures[0][round] as number)));
    if (cost > bar) missed += 1;
    lines.push(
      `| ${one.name} | ${without.toFixed(0)} | ${withObserver.toFixed(0)} | ${(100 * cost).toFixed(0)} % | ${cost > bar ? "**not met**" : "met"} |`,
    );
    process.stdout.write(`${lines.at(-1)}\n`);
  }
  if (process.argv.includes("--write")) writeTable("observation", lines);
  await Promise.all([seeing.stop(0), blind.stop(0), upstream.stop(0), sink.stop(0)]);
  return missed > 0 ? 1 : 0;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}

// Official clients, unmodified, each a process of its own: once straight to an upstream that replays recorded answers, once through
// `outrider exec`. Outrider may change neither what the application sees nor what the upstream is sent, and tells all in spans.
// Which clients, and by what command they run, is the test's; what must hold of them is here, the same for every language.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pointClients } from "../../src/cli/exec.ts";
import { type ClientCase, type Counts, type DialectCase, readModel } from "../contract/sdks/cases.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";
import { type Recording, recordingsRoot, responseBytes } from "./recordings.ts";
import {
  type Plan,
  planRecording,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "./scripted-upstream.ts";

/** One line that a client prints. */
interface Seen {
  call: string;
  text?: string;
  called?: unknown;
  error?: string;
  status?: number;
  abortedAtMs?: number;
}

/** One run of a client: what it saw, and what the upstream was sent by it, both by call. */
interface Run {
  seen: Seen[];
  requests: Map<string, UpstreamRequest[]>;
}

const abortMs = 250;

/** How the clients of one language are run. */
interface Runner {
  /** Their home folder. */
  home: string;
  command(script: string): string[];
}

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let runner: Runner;

const load = (id: string): Recording => JSON.parse(readFileSync(`${recordingsRoot}/${id}.json`, "utf8")) as Recording;

/** The recorded answers of one dialect, by call; of a tool's two requests the first gets the call, the second the plain answer. */
function planAnswers({ recordings }: DialectCase, callOf: (request: UpstreamRequest) => string) {
  const [plain, stream, tool, error] = [recordings.plain, recordings.stream, recordings.tool, recordings.error].map(
    load,
  );
  const play = (recording: Recording): Plan => planRecording(recording, { split: { seed: 4, maxBytes: 200 } });
  let toolRequests = 0;
  return (request: UpstreamRequest): Plan => {
    switch (callOf(request)) {
      case "stream":
        return play(stream as Recording);
      case "tools":
        toolRequests += 1;
        return play((toolRequests === 1 ? tool : plain) as Recording);
      case "error":
        return play(error as Recording);
      case "abort": {
        const bytes = responseBytes(stream as Recording);
        return { ...play(stream as Recording), chunks: [bytes.subarray(0, bytes.length / 2)], ending: "stall" };
      }
      default:
        return play(plain as Recording);
    }
  };
}

/** Runs the client with a fresh script; the bracketed word of the prompt says which call a request belongs to. */
async function runClient(client: ClientCase, launcher: readonly string[], environment: Record<string, string>) {
  const requests = new Map<string, UpstreamRequest[]>();
  const callOf = (request: UpstreamRequest): string =>
    /\[(plain|stream|tools|error|abort)\]/.exec(request.body.toString())?.[1] ?? "unknown";
  const answer = planAnswers(client.dialect, callOf);
  upstream.setScript((request) => {
    const call = callOf(request);
    requests.set(call, [...(requests.get(call) ?? []), request]);
    return answer(request);
  });
  const [file = "", ...args] = [...launcher, ...runner.command(client.script)];
  const child = spawn(file, args, {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: runner.home,
      SDK_MODEL: client.dialect.model,
      SDK_TOOL: client.dialect.tool,
      ...client.environment,
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${client.script} ended with ${String(code)}:\n${errors}\n${out}`);
  const seen = out
    .split("\n")
    .filter((line) => line.startsWith("{")) // the ollama package prints remarks of its own
    .map((line) => JSON.parse(line) as Seen);
  return { seen, requests } satisfies Run;
}

function runDirectly(client: ClientCase): Promise<Run> {
  const { option } = client.dialect.upstream;
  const environment = pointClients({ [option]: upstream.url }, upstream.url);
  const pointed = Object.entries(environment).filter(([, value]) => value !== undefined);
  return runClient(client, [], { ...(Object.fromEntries(pointed) as Record<string, string>), ...client.direct });
}

function runUnderExec(client: ClientCase): Promise<Run> {
  const { option, base } = client.dialect.upstream;
  return runClient(client, [process.execPath, "dist/outrider.mjs", "exec", "--"], {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: "50",
    [option]: `${upstream.url}${base}`,
  });
}

// Outrider's own, or the client's for one request only: an id, a time, a signature.
const ownHeaders = new Set(["host", "connection", "traceparent", "tracestate", "content-length", "transfer-encoding"]);
const passingHeaders = /^(?:amz-sdk-invocation-id|x-amz-date|authorization|x-amz-content-sha256|x-amz-security-token)$/;

function listHeaders({ rawHeaders }: UpstreamRequest, client: ClientCase): string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (ownHeaders.has(name) || (client.signs === true && passingHeaders.test(name))) continue;
    lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return lines.sort();
}

/** The spans of the exchange that this upstream request was: the one of the model call, and the server's. */
async function findSpans(request: UpstreamRequest): Promise<{ span: ReceivedSpan; server: ReceivedSpan }> {
  const traceId = request.header("traceparent")?.split("-")[1];
  const find = (): ReceivedSpan[] => receiver.spans.filter((each) => each.traceId === traceId);
  await expect.poll(() => find().length, { timeout: 5000 }).toBe(3);
  const server = find().find(({ kind }) => kind === 2);
  const span = find().find(({ attributes }) => "gen_ai.operation.name" in attributes);
  if (server === undefined || span === undefined) throw new Error("the trace lacks a span");
  return { span, server };
}

/** The answer as text; events of Bedrock's InvokeModel carry theirs in Base64. */
function readText(recording: Recording): string {
  const decode = (_: string, encoded: string): string => Buffer.from(encoded, "base64").toString();
  return responseBytes(recording)
    .toString()
    .replaceAll(/"bytes":"([^"]+)"/g, decode);
}

/** What the span of an answered call must say, by the recording. */
function expectAnswered({ attributes }: ReceivedSpan, { dialect }: ClientCase, recordingId: string, finish: string) {
  const recording = load(recordingId);
  const [inputTokens, outputTokens] = dialect.readUsage(recording.usage as Counts);
  expect(attributes).toMatchObject({
    "gen_ai.operation.name": dialect.operationName ?? "chat",
    "gen_ai.provider.name": dialect.providerName,
    "gen_ai.request.model": dialect.model,
    "gen_ai.usage.input_tokens": inputTokens,
    "gen_ai.usage.output_tokens": outputTokens,
    "gen_ai.response.finish_reasons": [finish],
    "outrider.usage.source": "provider",
  });
  expect(attributes["gen_ai.response.model"]).toBe(readModel(readText(recording)));
  expect(attributes).not.toHaveProperty("error.type");
}

/** Declares the tests of every client; `openRunner` is called once, before them. */
export function describeClients(clients: readonly ClientCase[], openRunner: () => Promise<Runner>): void {
  beforeAll(async () => {
    runner = await openRunner();
    upstream = await startScriptedUpstream();
    receiver = await startOtlpReceiver();
  }, 300_000);
  afterAll(async () => {
    await upstream?.close();
    await receiver?.close();
  });

  describe.each(clients)("$sdk", (client) => {
    let direct: Run;
    let through: Run;
    beforeAll(async () => {
      direct = await runDirectly(client);
      through = await runUnderExec(client);
    }, 150_000);

    const seen = (call: string): Seen => through.seen.find((each) => each.call === call) as Seen;
    const requestsOf = (call: string): UpstreamRequest[] => through.requests.get(call) ?? [];
    const { recordings, error } = client.dialect;

    it("sees the same with Outrider as without, call by call", () => {
      const plain = (run: Run) =>
        run.seen.map(({ abortedAtMs, ...rest }) => ({ ...rest, aborted: abortedAtMs !== undefined }));
      expect(plain(through)).toEqual(plain(direct));
      expect(through.seen.map(({ call }) => call)).toEqual(["plain", "stream", "tools", "error", "abort"]);
    });

    it("has its requests sent on byte for byte, headers included", () => {
      for (const [call, requests] of direct.requests) {
        const sent = requestsOf(call);
        expect(
          sent.map(({ body }) => body.toString()),
          call,
        ).toEqual(requests.map(({ body }) => body.toString()));
        expect(
          sent.map(({ path }) => path),
          call,
        ).toEqual(
          requests.map(({ path }) => (path.startsWith(client.prefix) ? path.slice(client.prefix.length) : path)),
        );
        for (const [index, request] of requests.entries()) {
          expect(listHeaders(sent[index] as UpstreamRequest, client), call).toEqual(listHeaders(request, client));
        }
      }
      for (const request of [...through.requests.values()].flat()) client.checkSent?.(request);
      expect([...through.requests].map(([call, requests]) => [call, requests.length])).toEqual([
        ["plain", 1],
        ["stream", 1],
        ["tools", 2],
        ["error", 1],
        ["abort", 1],
      ]);
    });

    it("gets a plain answer, which telemetry tells", async () => {
      expect(seen("plain").text).not.toBe("");
      const { span, server } = await findSpans(requestsOf("plain")[0] as UpstreamRequest);
      expectAnswered(span, client, recordings.plain, "stop");
      expect(server.attributes["network.protocol.version"]).toBe(client.http ?? "1.1");
      expect(server.attributes).not.toHaveProperty("outrider.stream.end");
    });

    it("gets a stream, which telemetry tells", async () => {
      expect(seen("stream").text).not.toBe("");
      const { span, server } = await findSpans(requestsOf("stream")[0] as UpstreamRequest);
      expectAnswered(span, client, recordings.stream, client.dialect.streamFinish ?? "stop");
      expect(span.attributes["gen_ai.request.stream"]).toBe(true);
      expect(server.attributes["outrider.stream.end"]).toBe("complete");
    });

    it("is called for a tool and answers it, which telemetry tells", async () => {
      expect(seen("tools").called).toBeTruthy();
      expect(seen("tools").text).toBe(seen("plain").text);
      const [first, second] = requestsOf("tools") as [UpstreamRequest, UpstreamRequest];
      expectAnswered((await findSpans(first)).span, client, recordings.tool, "tool_call");
      expectAnswered((await findSpans(second)).span, client, recordings.plain, "stop");
    });

    it("throws its own error class, and telemetry has the error's type", async () => {
      expect(seen("error")).toMatchObject({ error: client.errorClass, status: load(recordings.error).response.status });
      const { span } = await findSpans(requestsOf("error")[0] as UpstreamRequest);
      expect(span.attributes["error.type"]).toBe(error);
      expect(span.statusCode).toBe(2);
    });

    it("aborts a stream, and the upstream is left at once", async () => {
      const request = requestsOf("abort")[0] as UpstreamRequest;
      const leftAtMs = performance.timeOrigin + (request.abortedAt ?? Number.NaN);
      const tookMs = leftAtMs - (seen("abort").abortedAtMs ?? Number.NaN);
      expect(tookMs).toBeLessThan(abortMs);
      expect(tookMs).toBeGreaterThan(-abortMs); // not before the application left
      const { span, server } = await findSpans(request);
      expect(span.attributes["error.type"]).toBe("client_disconnected");
      expect(server.attributes["outrider.stream.end"]).toBe("client_aborted");
    });
  });
}

// The policy swapped again and again under load: nothing fails, and no exchange is part one version and part another, retries and streams
// included. And the control plane gone, pods killed: each serves by its copy on disk, not even a second later than without
// a policy.
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readStatus } from "../support/exchange-log.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type PolicyEndpoint, startPolicyEndpoint } from "../support/policy-endpoint.ts";
import { waitFor } from "../support/policy-run.ts";
import { createSeededRandom } from "../support/random.ts";
import {
  type Plan,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "../support/scripted-upstream.ts";
import { parseExposition } from "../support/sidecar-metrics.ts";
import { createTraceParent } from "../support/trace-parent.ts";

const clients = 100;
const swaps = 200;
const seed = Number(process.env["TEST_SEED"] ?? 20_261_121);
/** An answer takes up to this long, so that most exchanges see several swaps go by. */
const longestAnswerMs = 400;

const environment = { OPENAI_API_KEY: "test-key-openai", GROQ_API_KEY: "test-key-groq" };

let upstream: ScriptedUpstream;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "outrider-swaps-"));
  upstream = await startScriptedUpstream();
});

afterEach(async () => {
  await upstream.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

/** Everything that version N decides has N in it: the models, the addresses; its parity says which provider is the first. */
function writeDocument(version: number): string {
  const [first, second] = version % 2 === 0 ? ["openai", "groq"] : ["groq", "openai"];
  const base = (provider: string): { baseUrl: string } => ({ baseUrl: `${upstream.url}/v${version}/${provider}/v1` });
  return JSON.stringify({
    apiVersion: "outrider/v1",
    version,
    providers: { openai: base("openai"), groq: base("groq") },
    models: {
      model: {
        targets: [{ provider: first, model: `m-${version}` }],
        fallbacks: [{ to: `${second}/f-${version}`, when: ["server_error"] }],
      },
    },
    retry: { maxAttempts: 1 },
    // A breaker that opens would be right too, but every exchange is to have the same way.
    breaker: { minRequests: 10_000 },
  });
}

/** Which of the two a version has at this place. */
function providerOf(version: number, place: "m" | "f"): string {
  return (version % 2 === 0) === (place === "m") ? "openai" : "groq";
}

/** One call as its client has it. */
interface Answer {
  call: number;
  traceId: string;
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** In force, as `/status` said, before the call began. */
  appliedBefore: number;
  /** The newest that was written when the answer was there. */
  writtenAfter: number;
}

/** Each fifth call meets an error at its first target, each fourth is a stream. */
const failsFirst = (call: number): boolean => call % 5 === 0;
const streams = (call: number): boolean => call % 4 === 0;

function ask(
  url: string,
  agent: Agent,
  call: number,
): Promise<Pick<Answer, "traceId" | "status" | "headers" | "text">> {
  const { traceId, traceparent } = createTraceParent();
  const body = JSON.stringify({
    model: "model",
    messages: [{ role: "user", content: `call ${call}` }],
    ...(streams(call) ? { stream: true } : {}),
  });
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), traceparent };
    const sent = request(`${url}/v1/chat/completions`, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ traceId, status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const callOf = ({ body }: UpstreamRequest): number => Number(/call (\d+)/.exec(body.toString())?.[1]);
const modelOf = ({ body }: UpstreamRequest): string => (JSON.parse(body.toString()) as { model: string }).model;

/** Says which model it is; the first target of each fifth call fails, after its time. */
function answerAs(entry: UpstreamRequest, random: () => number): Plan {
  const [call, model] = [callOf(entry), modelOf(entry)];
  const delayMs = 5 + Math.floor(random() * longestAnswerMs);
  const json = { "content-type": "application/json" };
  if (failsFirst(call) && model.startsWith("m-")) {
    return { status: 500, headers: json, contentLength: true, delayMs, chunks: ['{"error":{"message":"no"}}'] };
  }
  if (streams(call)) {
    const chunk = (delta: object, finish: string | null): string =>
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    return {
      headers: { "content-type": "text/event-stream" },
      delayMs,
      chunks: [
        chunk({ role: "assistant", content: "h" }, null),
        { bytes: chunk({ content: "i" }, "stop"), afterMs: Math.floor(random() * 100) },
        "data: [DONE]\n\n",
      ],
    };
  }
  const choices = [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }];
  const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 };
  const chunks = [JSON.stringify({ id: "c", object: "chat.completion", model, choices, usage })];
  return { headers: json, contentLength: true, delayMs, chunks };
}

/** Every version that a span of these names. */
function versionsOf(spans: readonly ReceivedSpan[]): Set<string> {
  const versions = spans.flatMap(({ attributes }) => [
    attributes["outrider.policy.version"],
    /^[mf]-(\d+)$/.exec(String(attributes["gen_ai.request.model"]))?.[1],
    /\/v(\d+)\//.exec(String(attributes["url.full"]))?.[1],
  ]);
  return new Set(versions.filter((version) => version !== undefined).map(String));
}

/** What is wrong with an exchange; empty: all of it is of one version, and of one that was in force while it began. */
function findFaults(answer: Answer, seen: readonly UpstreamRequest[], spans: readonly ReceivedSpan[]): string[] {
  const { call, status, headers, text, appliedBefore, writtenAfter } = answer;
  const version = Number(headers["x-outrider-policy"]);
  const places = failsFirst(call) ? (["m", "f"] as const) : (["m"] as const);
  const place = places.at(-1) as "m" | "f";
  const wanted = {
    status: 200,
    servedBy: `${providerOf(version, place)}/${place}-${version}`,
    said: true,
    whole: true,
    upstream: places.map((each) => [
      `${each}-${version}`,
      `/v${version}/${providerOf(version, each)}/v1/chat/completions`,
      `Bearer test-key-${providerOf(version, each)}`,
    ]),
    spans: [String(version)],
    serverSpans: 1,
    inForce: true,
  };
  const found = {
    status,
    servedBy: headers["x-outrider-served-by"],
    said: text.includes(`"${place}-${version}"`),
    whole: streams(call) ? text.endsWith("data: [DONE]\n\n") : text.endsWith("}"),
    upstream: seen.map((entry) => [modelOf(entry), entry.path, entry.header("authorization")]),
    spans: [...versionsOf(spans)],
    serverSpans: spans.filter(({ attributes }) => attributes["outrider.policy.version"] === String(version)).length,
    inForce: version >= appliedBefore && version <= writtenAfter,
  };
  return JSON.stringify(found) === JSON.stringify(wanted)
    ? []
    : [`call ${call}: ${JSON.stringify(found)} in place of ${JSON.stringify(wanted)}`];
}

async function readVersion(outrider: OutriderProcess): Promise<string> {
  return ((await readStatus(outrider)) as unknown as { policy: { version: string } }).policy.version;
}

function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

describe(`${swaps} swaps under ${clients} clients`, () => {
  let receiver: OtlpReceiver;
  let outrider: OutriderProcess;
  const file = (): string => join(folder, "policy.json");

  /** Moves a document in, whole and written a while ago. */
  function swapIn(version: number): void {
    const next = join(folder, "next", "policy.json");
    writeFileSync(next, writeDocument(version));
    utimesSync(next, new Date(0), new Date(0));
    renameSync(next, file());
  }

  beforeEach(async () => {
    mkdirSync(join(folder, "next"));
    swapIn(0);
    receiver = await startOtlpReceiver();
    outrider = await startOutrider({
      options: { policy: { file: file(), pollSeconds: 1 } },
      environment: {
        ...environment,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_BSP_SCHEDULE_DELAY: "100",
        OTEL_BSP_MAX_QUEUE_SIZE: "20000",
        OTEL_LOGS_EXPORTER: "none",
      },
    });
  });

  afterEach(async () => {
    await outrider?.stop("SIGKILL");
    await receiver?.close();
  });

  it("fail no call, and mix no two versions in one", async () => {
    console.log(`seed ${seed}`);
    const random = createSeededRandom(seed);
    upstream.setScript((entry) => answerAs(entry, random));
    const agent = new Agent({ keepAlive: true, maxSockets: clients });
    const answers: Answer[] = [];
    const run = { applied: 0, written: 0, nextCall: 0, isOver: false };
    const loop = async (): Promise<void> => {
      while (!run.isOver) {
        const call = run.nextCall++;
        const appliedBefore = run.applied;
        const answer = await ask(outrider.url, agent, call);
        answers.push({ ...answer, call, appliedBefore, writtenAfter: run.written });
      }
    };
    const running = Array.from({ length: clients }, loop);

    const startedMs = performance.now();
    for (let version = 1; version <= swaps; version++) {
      run.written = version;
      swapIn(version);
      while ((await readVersion(outrider)) !== String(version)) {
        if (performance.now() - startedMs > 60_000) throw new Error(`version ${version} never came into force`);
        await sleep(5);
      }
      run.applied = version;
    }
    const tookMs = performance.now() - startedMs;
    run.isOver = true;
    await Promise.all(running);
    agent.destroy();
    const metrics = parseExposition(await (await fetch(`${outrider.adminUrl}/metrics`)).text());
    await outrider.stop();

    const seen = groupBy(upstream.requests, callOf);
    const spans = groupBy(receiver.spans, ({ traceId }) => traceId);
    const faults = answers.flatMap((one) => findFaults(one, seen.get(one.call) ?? [], spans.get(one.traceId) ?? []));
    const overSwaps = answers.filter(({ appliedBefore, writtenAfter }) => writtenAfter > appliedBefore + 1).length;
    const versions = new Set(answers.map(({ headers }) => headers["x-outrider-policy"]));
    console.log(
      `${swaps} swaps in ${(tookMs / 1000).toFixed(1)} s under ${clients} clients: ${answers.length} exchanges, ` +
        `${upstream.requests.length} upstream, ${receiver.spans.length} spans, ${overSwaps} exchanges saw swaps go by, ` +
        `${versions.size} versions served, ${upstream.sockets.opened} upstream connections, ${faults.length} faults`,
    );
    expect(faults.slice(0, 3)).toEqual([]);
    expect(metrics.get('outrider_policy_reloads_total{outrider_policy_outcome="applied"}')).toBe(swaps + 1);
    // The test would tell nothing if exchanges were shorter than the time between two swaps, or versions went unused.
    expect(overSwaps).toBeGreaterThan(answers.length / 2);
    expect(versions.size).toBeGreaterThan(swaps * 0.9);
    expect(upstream.requests.length).toBeGreaterThan(answers.length);
  }, 120_000);
});

describe("the control plane killed and pods restarted", () => {
  let endpoint: PolicyEndpoint;

  beforeEach(async () => {
    endpoint = await startPolicyEndpoint();
    upstream.setScript((entry) => answerAs(entry, () => 0));
  });

  afterEach(() => endpoint.close());

  /** A pod from its start to its first right answer, then killed; milliseconds. */
  async function measureStart(cacheDir: string | undefined): Promise<number> {
    const agent = new Agent();
    const startedMs = performance.now();
    const pod = await startOutrider({
      options:
        cacheDir === undefined
          ? { providers: { openai: { baseUrl: `${upstream.url}/v1` } } }
          : { policy: { url: endpoint.url, cacheDir } },
      environment,
    });
    try {
      const { status, headers } = await ask(pod.url, agent, 1);
      const tookMs = performance.now() - startedMs;
      const served = [status, headers["x-outrider-policy"], headers["x-outrider-served-by"]];
      expect(served).toEqual(cacheDir === undefined ? [200, undefined, "openai/model"] : [200, "7", "groq/m-7"]);
      if (cacheDir !== undefined) {
        const { policy } = (await readStatus(pod)) as unknown as { policy: { source: string } };
        expect(policy.source).toBe("disk");
      }
      return tookMs;
    } finally {
      await pod.stop("SIGKILL");
    }
  }

  it("leave every pod serving by its copy on disk within a second", async () => {
    const pods = ["pod-1", "pod-2", "pod-3"].map((name) => join(folder, name));
    endpoint.serve(writeDocument(7));
    for (const cacheDir of pods) {
      const pod = await startOutrider({ options: { policy: { url: endpoint.url, cacheDir } }, environment });
      const isKept = (name: string): boolean => /^policy-[\da-f]+$/.test(name);
      await waitFor(() => existsSync(cacheDir) && readdirSync(cacheDir).some(isKept), "a copy on disk");
      pod.child.kill("SIGKILL");
      await once(pod.child, "exit");
    }
    const figures: Record<"plain" | "refused" | "silent", number[]> = { plain: [], refused: [], silent: [] };
    for (const cacheDir of pods) {
      figures.plain.push(await measureStart(undefined));
      await endpoint.setDown(true);
      figures.refused.push(await measureStart(cacheDir));
      await endpoint.setDown(false);
      endpoint.misbehave(() => undefined);
      figures.silent.push(await measureStart(cacheDir));
    }
    const show = (values: number[]): string => values.map((value) => Math.round(value)).join(", ");
    console.log(
      `process start to first right answer, ms: without a policy ${show(figures.plain)}; ` +
        `endpoint down ${show(figures.refused)}; endpoint silent ${show(figures.silent)}`,
    );
    const plainMs = Math.max(...figures.plain);
    // Neither is waited for; the rest is for reading and compiling.
    for (const tookMs of [...figures.refused, ...figures.silent]) expect(tookMs - plainMs).toBeLessThan(750);
  });
});

// Replays every recorded exchange of the dialects through the built bundle: the client must get the provider's bytes,
// and the exported spans must tell what the recording's own usage object says, by arithmetic written here and nowhere else.
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { loadRecordings, type Recording, requestBytes, responseBytes } from "../support/recordings.ts";
import { planRecording, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const seed = 20261121;

/** Recordings of these dialects that are no call of theirs, and so get HTTP telemetry only. */
const notInference = /\/v1\/complete$|\/batches\/|\/count_tokens|\/organization\//;

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
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        writer: { baseUrl: `${upstream.url}/v1` },
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
  if (recording.fidelity.request !== "absent") return requestBytes(recording);
  return Buffer.from(JSON.stringify({ model: recording.model, stream: recording.streaming, messages: [], input: "" }));
}

async function replay(recording: Recording, index: number): Promise<Replay> {
  const url = new URL(recording.request.url);
  const provider =
    recording.dialect === "anthropic-messages" ? "anthropic" : recording.provider === "writer" ? "writer" : "recorded";
  const body = bodyOf(recording);
  const before = upstream.requests.length;
  upstream.setScript(planRecording(recording, { split: { seed: seed + index, maxBytes: 512 } }));
  const answer = await send(
    recording.request.method,
    `/${provider}${url.pathname}${url.search}`,
    {
      "content-type": "application/json",
      authorization: "Bearer test-key",
      ...(provider === "anthropic" ? { "anthropic-version": "2023-06-01" } : {}),
    },
    body,
  );
  return { ...answer, recording, upstreamBody: upstream.requests[before]?.body ?? Buffer.alloc(0) };
}

type Raw = Record<string, unknown>;
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const child = (value: Raw | undefined, key: string): Raw | undefined =>
  typeof value?.[key] === "object" && value[key] !== null ? (value[key] as Raw) : undefined;

/** What the spans must say, from the recording's usage object (wire.md §1.13). */
function expectedUsage(recording: Recording): Record<string, number | undefined> {
  const usage = recording.usage as Raw;
  if (recording.dialect === "anthropic-messages") {
    const [read, write] = [number(usage["cache_read_input_tokens"]), number(usage["cache_creation_input_tokens"])];
    const input = number(usage["input_tokens"]);
    return {
      input: input === undefined ? undefined : input + (read ?? 0) + (write ?? 0),
      output: number(usage["output_tokens"]),
      cacheRead: read,
      cacheWrite: write,
    };
  }
  const prompt = number(usage["prompt_tokens"]) ?? number(usage["total_tokens"]);
  const completion = number(usage["completion_tokens"]);
  const reasoning =
    number(child(usage, "completion_tokens_details")?.["reasoning_tokens"]) ??
    // Writer spells it without its s; GitHub Copilot puts it at the top.
    number(child(usage, "completion_token_details")?.["reasoning_tokens"]) ??
    number(usage["reasoning_tokens"]);
  const total = number(usage["total_tokens"]);
  // xAI states reasoning beside the completion, which its total shows.
  const apart = reasoning !== undefined && reasoning > 0 && total === (prompt ?? 0) + (completion ?? 0) + reasoning;
  return {
    input: prompt,
    output: completion === undefined ? undefined : completion + (apart ? reasoning : 0),
    cacheRead:
      number(child(usage, "prompt_tokens_details")?.["cached_tokens"]) ??
      number(usage["prompt_cache_hit_tokens"]) ??
      number(usage["cached_tokens"]) ??
      // Writer, and Databricks' Claude.
      number(child(usage, "prompt_token_details")?.["cached_tokens"]) ??
      number(usage["cache_read_input_tokens"]),
    reasoning,
  };
}

const usageAttributes = {
  input: "gen_ai.usage.input_tokens",
  output: "gen_ai.usage.output_tokens",
  cacheRead: "gen_ai.usage.cache_read.input_tokens",
  cacheWrite: "gen_ai.usage.cache_write.input_tokens",
  reasoning: "gen_ai.usage.reasoning.output_tokens",
} as const;

const inferenceSpan = (spans: ReceivedSpan[], traceId: string): ReceivedSpan | undefined =>
  spans.find((span) => span.traceId === traceId && span.attributes["gen_ai.operation.name"] !== undefined);

describe.each([["openai-chat"], ["openai-completions"], ["openai-embeddings"], ["anthropic-messages"]])(
  "recorded %s",
  (dialect) => {
    const recordings = loadRecordings(dialect).filter((recording) => recording.response.status >= 200);
    const replays: Replay[] = [];

    it("passes every answer byte for byte, and every request body", async () => {
      const wrong: string[] = [];
      for (const [index, recording] of recordings.entries()) {
        const done = await replay(recording, index);
        replays.push(done);
        if (done.status !== recording.response.status)
          wrong.push(`${recording.id}: status ${done.status} ${done.body.toString()}`);
        else if (!done.body.equals(responseBytes(recording))) wrong.push(`${recording.id}: body`);
        if (!done.upstreamBody.equals(bodyOf(recording))) wrong.push(`${recording.id}: request body`);
      }
      expect(wrong).toEqual([]);
      console.log(`${dialect}: ${replays.length} of ${recordings.length} byte-identical`);
    });

    it("tells usage, model, id and finish reasons of every answer on its span", async () => {
      const traceOf = ({ headers }: Replay): string => String(headers["traceresponse"]).split("-")[1] as string;
      const inference = replays.filter(({ recording }) => !notInference.test(new URL(recording.request.url).pathname));
      await expect
        .poll(() => inference.filter((done) => inferenceSpan(receiver.spans, traceOf(done)) === undefined).length, {
          timeout: 10_000,
        })
        .toBe(0);
      let withUsage = 0;
      const wrong: string[] = [];
      const compare = (what: string, told: unknown, expected: unknown): void => {
        if (told !== expected) wrong.push(`${what}: told ${String(told)}, expected ${String(expected)}`);
      };
      for (const done of inference) {
        const { recording } = done;
        const span = inferenceSpan(receiver.spans, traceOf(done)) as ReceivedSpan;
        const { attributes } = span;
        if (recording.usage !== undefined && recording.response.status < 300) {
          withUsage += 1;
          const expected = expectedUsage(recording);
          for (const [name, value] of Object.entries(expected)) {
            compare(
              `${recording.id}: ${name}`,
              attributes[usageAttributes[name as keyof typeof usageAttributes]],
              value,
            );
          }
          compare(`${recording.id}: source`, attributes["outrider.usage.source"], "provider");
        }
        const facts = factsOf(recording);
        compare(`${recording.id}: model`, attributes["gen_ai.response.model"], facts.model);
        compare(`${recording.id}: id`, attributes["gen_ai.response.id"], facts.id);
        compare(
          `${recording.id}: failed`,
          span.statusCode === 2,
          recording.response.status >= 400 || facts.streamError,
        );
      }
      expect(wrong).toEqual([]);
      console.log(`${dialect}: usage right for ${withUsage} of ${withUsage} with usage, ${inference.length} spans`);
      expect(inference.length).toBeGreaterThan(0);
    });
  },
);

interface Facts {
  model: string | undefined;
  id: string | undefined;
  finishReasons: string[];
  streamError: boolean;
}

/** wire.md §1.14. */
const finishReasons: Record<string, string> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_call",
  function_call: "tool_call",
  content_filter: "content_filter",
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_call",
  refusal: "content_filter",
  compaction: "compaction",
};

/** What a plain reading of the recorded JSON finds. */
function factsOf(recording: Recording): Facts {
  const facts: Facts = { model: undefined, id: undefined, finishReasons: [], streamError: false };
  if (recording.response.status >= 400) return facts;
  const reasons = new Map<number, string>();
  for (const document of documentsOf(recording)) {
    const message = child(document, "message") ?? document;
    if (document["error"] !== undefined && document["error"] !== null) facts.streamError = true;
    if (typeof message["id"] === "string" && message["id"] !== "") facts.id ??= message["id"];
    if (typeof message["model"] === "string" && message["model"] !== "") facts.model ??= message["model"];
    const stopReason = message["stop_reason"] ?? child(document, "delta")?.["stop_reason"];
    if (typeof stopReason === "string") reasons.set(0, stopReason);
    for (const choice of Array.isArray(document["choices"]) ? (document["choices"] as Raw[]) : []) {
      const reason = choice["finish_reason"];
      if (typeof reason === "string" && reason !== "") reasons.set(number(choice["index"]) ?? 0, reason);
    }
  }
  facts.finishReasons = [...reasons].sort(([a], [b]) => a - b).map(([, reason]) => finishReasons[reason] ?? "error");
  return facts;
}

function documentsOf(recording: Recording): Raw[] {
  const text = responseBytes(recording).toString("utf8");
  if (recording.framing !== "sse") return [JSON.parse(text) as Raw];
  return text.split(/\r\n|\n|\r/).flatMap((line) => {
    if (!line.startsWith("data:") || line.includes("[DONE]")) return [];
    try {
      return [JSON.parse(line.slice(5)) as Raw];
    } catch {
      // A recorded oddity: one event that is no JSON.
      return [];
    }
  });
}

// Ten thousand mixed exchanges with faults and aborts: everything that was sent is answered or told, and every count balances.
import { createSeededRandom } from "../support/random.ts";
import { request as httpRequest, Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStatus } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type Plan, type ScriptedUpstream, splitBytes, startScriptedUpstream } from "../support/scripted-upstream.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? 20261121);
const exchangeCount = 10_000;
const concurrency = 48;
const [promptTokens, completionTokens] = [7, 5];

type Kind =
  | "chat"
  | "chat-stream"
  | "messages"
  | "messages-stream"
  | "embeddings"
  | "models"
  | "rejected"
  | "overloaded"
  | "reset"
  | "truncated"
  | "malformed"
  | "unknown-path"
  | "abort";

/** Out of 100. */
const mix: [Kind, number][] = [
  ["chat", 20],
  ["chat-stream", 20],
  ["messages", 10],
  ["messages-stream", 10],
  ["embeddings", 5],
  ["models", 5],
  ["rejected", 4],
  ["overloaded", 4],
  ["reset", 4],
  ["truncated", 6],
  ["malformed", 4],
  ["unknown-path", 2],
  ["abort", 6],
];

const json = { "content-type": "application/json" };
const events = { "content-type": "text/event-stream" };
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const event = (value: { type: string; [key: string]: unknown }): string => `event: ${value.type}\n${data(value)}`;

const chatUsage = {
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
};
const chatBody = JSON.stringify({
  id: "chatcmpl-1",
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: chatUsage,
});
const chatChunk = (delta: object, finish: string | null): string =>
  data({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [{ index: 0, delta, finish_reason: finish }] });
const chatStream =
  chatChunk({ role: "assistant", content: "hel" }, null) +
  chatChunk({ content: "lo 🙂" }, null) +
  chatChunk({}, "stop") +
  data({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [], usage: chatUsage }) +
  "data: [DONE]\n\n";
const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-haiku-4-5" };
const messageUsage = { input_tokens: promptTokens, output_tokens: completionTokens };
const messageBody = JSON.stringify({
  ...message,
  content: [{ type: "text", text: "hello" }],
  stop_reason: "end_turn",
  usage: messageUsage,
});
const messageStream =
  event({
    type: "message_start",
    message: { ...message, content: [], usage: { ...messageUsage, output_tokens: 1 } },
  }) +
  event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }) +
  event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hello" } }) +
  event({ type: "content_block_stop", index: 0 }) +
  event({
    type: "message_delta",
    delta: { stop_reason: "end_turn" },
    usage: { output_tokens: completionTokens },
  }) +
  event({ type: "message_stop" });
const embeddingBody = JSON.stringify({
  object: "list",
  model: "text-embedding-3-small",
  data: [{ index: 0, embedding: [0.1, 0.2] }],
  usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
});

function planOf(kind: string, index: number): Plan {
  const stream = (bytes: string): Plan => ({
    headers: events,
    chunks: splitBytes(Buffer.from(bytes), seed + index, 200),
  });
  switch (kind as Kind) {
    case "chat":
      return { headers: json, contentLength: index % 2 === 0 ? true : undefined, chunks: [chatBody] } as Plan;
    case "chat-stream":
      return stream(chatStream);
    case "messages":
      return { headers: json, chunks: [messageBody] };
    case "messages-stream":
      return stream(messageStream);
    case "embeddings":
      return { headers: json, chunks: [embeddingBody] };
    case "rejected":
      return {
        status: 400,
        headers: json,
        chunks: ['{"error":{"message":"no","type":"invalid_request_error","code":null}}'],
      };
    case "overloaded":
      return {
        status: 529,
        headers: json,
        chunks: ['{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'],
      };
    case "reset":
      return { kind: "raw", chunks: [], ending: "reset" };
    case "truncated":
      return {
        headers: events,
        chunks: [chatChunk({ content: "hel" }, null)],
        ending: index % 2 === 0 ? "reset" : "destroy",
      };
    case "abort":
      return {
        headers: events,
        chunks: Array.from({ length: 200 }, () => ({ bytes: chatChunk({ content: "word " }, null), afterMs: 20 })),
      };
    default:
      return { headers: json, chunks: ['{"object":"list","data":[]}'] };
  }
}

interface Outcome {
  kind: Kind;
  /** `whole`: the body ended; `cut`: it broke off; `left`: the client went first. */
  end: "whole" | "cut" | "left";
  status: number;
  body: string;
}

function send(url: string, agent: Agent, kind: Kind, index: number): Promise<Outcome> {
  const anthropic = kind.startsWith("messages") || kind === "overloaded";
  const stream = kind.endsWith("stream") || kind === "truncated" || kind === "abort";
  const path =
    kind === "models"
      ? "/v1/models"
      : kind === "unknown-path"
        ? "/nothing/here"
        : anthropic
          ? "/v1/messages"
          : kind === "embeddings"
            ? "/v1/embeddings"
            : "/v1/chat/completions";
  const model = anthropic
    ? "claude-haiku-4-5"
    : kind === "embeddings"
      ? "text-embedding-3-small"
      : kind.startsWith("chat")
        ? "gpt-4o-mini"
        : "gpt-4o";
  const body =
    kind === "malformed"
      ? '{"model":'
      : JSON.stringify({ model, stream, max_tokens: 10, input: "hi", messages: [{ role: "user", content: "hi" }] });
  return new Promise((resolve) => {
    const request = httpRequest(url + path, {
      method: kind === "models" ? "GET" : "POST",
      agent,
      headers: { ...json, authorization: "Bearer test-key", "x-test-kind": kind, "x-test-index": String(index) },
    });
    let text = "";
    request.on("response", (response) => {
      const finish = (end: Outcome["end"]): void =>
        resolve({ kind, end, status: response.statusCode ?? 0, body: text });
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (kind !== "abort") return;
        request.destroy();
        finish("left");
      });
      response.on("end", () => finish("whole"));
      response.on("error", () => finish("cut"));
    });
    request.on("error", () => resolve({ kind, end: "cut", status: 0, body: text }));
    request.end(kind === "models" ? undefined : body);
  });
}

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

beforeAll(async () => {
  upstream = await startScriptedUpstream((request) =>
    planOf(request.header("x-test-kind") ?? "", Number(request.header("x-test-index"))),
  );
  receiver = await startOtlpReceiver();
  outrider = await startOutrider({
    options: { providers: { openai: { baseUrl: `${upstream.url}/v1` }, anthropic: { baseUrl: upstream.url } } },
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_BLRP_SCHEDULE_DELAY: "200",
      OTEL_BSP_MAX_QUEUE_SIZE: "65536",
      OTEL_BLRP_MAX_QUEUE_SIZE: "65536",
    },
  });
});

afterAll(async () => {
  await outrider?.stop("SIGKILL");
  await receiver?.close();
  await upstream?.close();
});

describe(`ten thousand mixed exchanges (seed ${seed})`, () => {
  const outcomes: Outcome[] = [];
  const count = (test: (outcome: Outcome) => boolean): number => outcomes.filter(test).length;
  const ofKind = (...kinds: Kind[]): number => count(({ kind }) => kinds.includes(kind));

  it("are each answered, cut or left by the client, as their kind says", { timeout: 150_000 }, async () => {
    const random = createSeededRandom(seed);
    const kinds = Array.from({ length: exchangeCount }, () => {
      let at = random() * 100;
      return (mix.find(([, share]) => (at -= share) < 0) ?? mix[0])?.[0] as Kind;
    });
    const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < kinds.length) {
        const index = next++;
        outcomes.push(await send(outrider.url, agent, kinds[index] as Kind, index));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    agent.destroy();

    const expected: Record<Kind, (outcome: Outcome) => boolean> = {
      chat: ({ status, body }) => status === 200 && body === chatBody,
      // The usage frame that nobody asked for is gone again.
      "chat-stream": ({ status, body }) =>
        status === 200 && body === chatStream.replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, ""),
      messages: ({ status, body }) => status === 200 && body === messageBody,
      "messages-stream": ({ status, body }) => status === 200 && body === messageStream,
      embeddings: ({ status, body }) => status === 200 && body === embeddingBody,
      models: ({ status, end }) => status === 200 && end === "whole",
      rejected: ({ status }) => status === 400,
      overloaded: ({ status }) => status === 529,
      reset: ({ status, body }) => status === 502 && body.includes("upstream_unreachable"),
      truncated: ({ end, body }) => end === "cut" && body.includes("stream_truncated"),
      malformed: ({ status, body }) => status === 400 && body.includes("request_malformed"),
      "unknown-path": ({ status }) => status === 404,
      abort: ({ end }) => end === "left",
    };
    const wrong = outcomes.filter((outcome) => !expected[outcome.kind](outcome)).slice(0, 5);
    expect(wrong).toEqual([]);
    expect(outcomes.length).toBe(exchangeCount);
  });

  it("leave nothing open, and as many exchanges ended as were sent", async () => {
    await expect
      .poll(async () => (await readStatus(outrider)).exchanges, { timeout: 5000 })
      .toEqual({
        started: exchangeCount,
        ended: exchangeCount,
        inFlight: 0,
      });
    await upstream.waitFor(() =>
      upstream.requests.every(({ endedAt, abortedAt }) => endedAt !== undefined || abortedAt !== undefined),
    );
  });

  it("end as many spans as they started, and export all of them", async () => {
    const exit = await outrider.stop();
    expect(exit).toBe(0);
    const servers = receiver.spans.filter(({ kind }) => kind === 2);
    expect(servers.length).toBe(exchangeCount);
    expect(new Set(servers.map(({ traceId }) => traceId)).size).toBe(exchangeCount);
    expect(new Set(receiver.spans.map(({ spanId }) => spanId)).size).toBe(receiver.spans.length);
    const known = new Set(receiver.spans.map(({ spanId }) => spanId));
    expect(receiver.spans.filter(({ parentSpanId }) => parentSpanId !== "" && !known.has(parentSpanId))).toEqual([]);
    const wire = receiver.spans.filter(
      ({ attributes, kind }) => kind === 3 && attributes["gen_ai.operation.name"] === undefined,
    );
    expect(wire.length).toBe(upstream.requests.length);
    const groups = receiver.spans.filter(({ attributes }) => attributes["gen_ai.operation.name"] !== undefined);
    expect(groups.length).toBe(exchangeCount - ofKind("models", "malformed", "unknown-path"));
  });

  it("meter the very tokens that were served", () => {
    const sum = (name: string, labels: Record<string, string>): number =>
      (receiver.metrics.get(name)?.points ?? [])
        .filter(({ attributes }) => Object.entries(labels).every(([label, value]) => attributes[label] === value))
        .reduce((total, { value, count: samples }) => total + (value ?? samples ?? 0), 0);
    const input = "gen_ai.client.inference.usage.input_tokens";
    const output = "gen_ai.client.inference.usage.output_tokens";
    const [mini, haiku] = [{ "gen_ai.request.model": "gpt-4o-mini" }, { "gen_ai.request.model": "claude-haiku-4-5" }];
    expect(sum(input, mini)).toBe(promptTokens * ofKind("chat", "chat-stream"));
    expect(sum(output, mini)).toBe(completionTokens * ofKind("chat", "chat-stream"));
    expect(sum(input, haiku)).toBe(promptTokens * ofKind("messages", "messages-stream"));
    expect(sum(output, haiku)).toBe(completionTokens * ofKind("messages", "messages-stream"));
    expect(sum("http.server.request.duration", {})).toBe(exchangeCount);
    expect(sum("outrider.attempts", {})).toBe(upstream.requests.length);
    expect(sum("outrider.streams.ended", {})).toBe(ofKind("chat-stream", "messages-stream", "truncated", "abort"));
    expect(sum("outrider.streams.ended", { "outrider.stream.end": "truncated" })).toBe(ofKind("truncated"));
    expect(sum("outrider.streams.ended", { "outrider.stream.end": "client_aborted" })).toBe(ofKind("abort"));
    expect(sum("outrider.telemetry.dropped", {})).toBe(0);
  });

  it("cause no warning, no unhandled rejection and no crash", () => {
    expect(outrider.output()).not.toMatch(/unhandled|uncaught|"level":"(error|fatal)"/i);
  });
});

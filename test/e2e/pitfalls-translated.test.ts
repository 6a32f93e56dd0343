// Real bugs of other gateways where the provider speaks another dialect than the client: status, ends, headers, losses. Through the built
// bundle. Each test's name begins with its number in the list of pitfalls and the report it comes from.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedSignature } from "../support/aws-signature.ts";
import { converseBeginning, converseException, converseStream } from "../support/converse-stream.ts";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import {
  type Plan,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "../support/scripted-upstream.ts";
import { chatChunk, chatUsage, type Json, messagesStream, sse, streamedBlock } from "../support/translated-words.ts";

const secretKey = "test-secret-key";
const json = { "content-type": "application/json" };
const eventStream = { "content-type": "text/event-stream" };
const frames = { "content-type": "application/vnd.amazon.eventstream" };

let upstream: ScriptedUpstream;
let outrider: OutriderProcess;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        bedrock: { baseUrl: upstream.url },
      },
    },
    environment: {
      OPENAI_API_KEY: "test-key-openai",
      ANTHROPIC_API_KEY: "test-key-anthropic",
      AWS_ACCESS_KEY_ID: "test-key-id",
      AWS_SECRET_ACCESS_KEY: secretKey,
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
    },
  });
});

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
});

const question = [{ role: "user", content: "Look." }];
const chatAsk = (model: string, more: Json = {}): [string, Json] => [
  "/v1/chat/completions",
  { model, max_tokens: 100, messages: question, ...more },
];
const claudeAsk = (model: string, more: Json = {}): [string, Json] => [
  "/v1/messages",
  { model, max_tokens: 100, messages: question, ...more },
];
const overBedrock = "bedrock/anthropic.claude-test";
const claudeAnswer =
  '{"id":"msg_1","type":"message","role":"assistant","model":"claude-test","content":[{"type":"text","text":"Hi"}],' +
  '"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}';
const chatAnswer =
  '{"id":"x","model":"gpt-test","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}';
const whole = (body: string | Buffer, status = 200, headers: Record<string, string> = {}): Plan => ({
  status,
  headers: { ...json, ...headers },
  contentLength: true,
  chunks: [body],
});

interface Outcome {
  status: number;
  text: string;
  /** The stream broke off. */
  broken: boolean;
  headers: Headers;
  seen: UpstreamRequest | undefined;
}

async function ask([path, body]: [string, Json], plan: Plan, headers: Record<string, string> = {}): Promise<Outcome> {
  upstream.setScript(plan);
  const before = upstream.requests.length;
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { ...json, ...headers },
    body: JSON.stringify(body),
  });
  const chunks: Buffer[] = [];
  let broken = false;
  try {
    for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk));
  } catch {
    broken = true;
  }
  const text = Buffer.concat(chunks).toString();
  return { status: response.status, text, broken, headers: response.headers, seen: upstream.requests[before] };
}

describe("what the client is told", () => {
  it("20 maximhq/bifrost#1136: a dropped parameter stands in a header of the answer", async () => {
    const { status, headers } = await ask(
      chatAsk("anthropic/claude-test", { seed: 7, user: "u" }),
      whole(claudeAnswer),
    );
    expect(status).toBe(200);
    expect(headers.get("x-outrider-loss")).toBe("/seed;unsupported");
  });

  it("18 langwatch/langwatch#6290: json_object to Claude is refused before anything is sent", async () => {
    const before = upstream.requests.length;
    const asked = chatAsk("anthropic/claude-test", { response_format: { type: "json_object" } });
    const { status, text } = await ask(asked, whole(claudeAnswer));
    expect(status).toBe(422);
    expect((JSON.parse(text) as { error: Json }).error).toMatchObject({ code: "request_lossy" });
    expect(text).toContain("/response_format");
    expect(upstream.requests.length).toBe(before);
  });

  it("43 anthropics/claude-code#82549: betas that the target lacks are taken away, and told", async () => {
    const asked = claudeAsk("openai/gpt-test");
    const betas = { "anthropic-beta": "context-1m-2025-08-07", "anthropic-version": "2023-06-01" };
    const { status, headers, seen } = await ask(asked, whole(chatAnswer), betas);
    expect(status).toBe(200);
    expect(seen?.rawHeaders.filter((item) => item.toLowerCase().startsWith("anthropic-"))).toEqual([]);
    expect(headers.get("x-outrider-loss")).toBe("header:anthropic-beta;unsupported");
    const { seen: overConverse, headers: told } = await ask(claudeAsk(overBedrock), whole("{}"), betas);
    expect(overConverse?.header("anthropic-beta")).toBeUndefined();
    expect(told.get("x-outrider-loss")).toBe("header:anthropic-beta;unsupported");
  });

  it("44 pollinations/pollinations#11319: a temperature that the model refuses is the provider's 400, by its name", async () => {
    const message = "temperature: Only the default (1) is supported for this model.";
    const refusal = JSON.stringify({ type: "error", error: { type: "invalid_request_error", message } });
    const asked = chatAsk("anthropic/claude-opus-4-7", { temperature: 0.2 });
    const { status, text, seen } = await ask(asked, whole(refusal, 400));
    expect(JSON.parse(seen?.body.toString() ?? "")).toMatchObject({ temperature: 0.2 });
    expect(status).toBe(400);
    expect((JSON.parse(text) as { error: Json }).error["message"]).toBe(message);
    const plain = await ask(chatAsk("anthropic/claude-opus-4-7"), whole(claudeAnswer));
    expect(plain.seen?.body.toString()).not.toMatch(/temperature|top_/);
  });

  it("51 envoyproxy/ai-gateway#2546: an error on the way to Bedrock has Anthropic's envelope, counting tokens too", async () => {
    const envelope = (text: string): Json => JSON.parse(text) as Json;
    const refusal = '{"message":"The provided model identifier is invalid."}';
    const plan = whole(refusal, 400, { "x-amzn-errortype": "ValidationException:http://internal.amazon.com/" });
    const asked = await ask(claudeAsk(overBedrock), plan);
    expect(asked.status).toBe(400);
    expect(envelope(asked.text)).toMatchObject({
      type: "error",
      error: { type: "invalid_request_error", message: "The provided model identifier is invalid." },
    });
    const [, body] = claudeAsk(overBedrock);
    const counted = await ask(["/v1/messages/count_tokens", body], plan);
    expect(counted.status).toBeGreaterThanOrEqual(400);
    expect(counted.status).toBeLessThan(500);
    expect(envelope(counted.text)).toMatchObject({ type: "error", error: { message: expect.any(String) as unknown } });
  });
});

describe("the provider's status and end", () => {
  const streams = { stream: true };

  it("31 Portkey-AI/gateway#1047: a 200 stream that is only an exception is a status of its own, in the client's dialect", async () => {
    const only = { headers: frames, chunks: [converseException("throttlingException", "Too many requests")] };
    const chat = await ask(chatAsk(overBedrock, streams), only);
    expect(chat.status).toBe(429);
    expect((JSON.parse(chat.text) as { error: Json }).error).toMatchObject({
      message: expect.stringContaining("Too many") as unknown,
    });
    const claude = await ask(claudeAsk(overBedrock, streams), only);
    expect([claude.status, (JSON.parse(claude.text) as Json)["type"]]).toEqual([429, "error"]);
    expect(((JSON.parse(claude.text) as Json)["error"] as Json)["type"]).toBe("rate_limit_error");
  });

  it("32 BerriAI/litellm#28551: a JSON error in answer to a stream is that error", async () => {
    const refusal = '{"message":"The model is not ready."}';
    const plan = whole(refusal, 400, { "x-amzn-errortype": "ValidationException" });
    const { status, text } = await ask(claudeAsk(overBedrock, streams), plan);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ type: "error", error: { message: "The model is not ready." } });
  });

  it("33 BerriAI/litellm#32686: a ConverseStream without its end is an error and an abort", async () => {
    const plan = { headers: frames, chunks: [Buffer.concat(converseBeginning)] };
    const claude = await ask(claudeAsk(overBedrock, streams), plan);
    expect([claude.status, claude.broken]).toEqual([200, true]);
    expect(claude.text).toContain("Hi");
    expect(claude.text).toContain("event: error");
    expect(claude.text).not.toMatch(/message_delta|message_stop|end_turn/);
    const chat = await ask(chatAsk(overBedrock, streams), plan);
    expect(chat.broken).toBe(true);
    expect(chat.text).not.toMatch(/\[DONE\]|"finish_reason":"/);
  });

  it("34 Portkey-AI/gateway#949: overloaded in the middle is an error to the client, not an end", async () => {
    const [start] = messagesStream([]).split("event: message_delta");
    const said = streamedBlock(0, { type: "text", text: "" }, { type: "text_delta", text: "Hi" }).slice(0, 2);
    const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
    const plan = {
      headers: eventStream,
      chunks: [{ bytes: start + sse(...said) }, { bytes: sse(error), afterMs: 50 }],
    };
    const { text } = await ask(chatAsk("anthropic/claude-test", streams), plan);
    expect(text).toContain("Hi");
    expect(text).toMatch(/data: \{"error":\{/);
    expect(text).not.toMatch(/\[DONE\]|"finish_reason":"/);
  });

  it("36 qualixar/superlocalmemory#79: a compressed answer is read and sent plain, success and error", async () => {
    const gzip = { "content-encoding": "gzip" };
    const good = await ask(claudeAsk("openai/gpt-test"), whole(gzipSync(chatAnswer), 200, gzip));
    expect(good.headers.get("content-encoding")).toBeNull();
    expect(JSON.parse(good.text)).toMatchObject({ type: "message", content: [{ type: "text", text: "Hi" }] });
    const refusal = '{"error":{"message":"No such model","type":"invalid_request_error","param":null,"code":null}}';
    const bad = await ask(claudeAsk("openai/gpt-test"), whole(gzipSync(refusal), 404, gzip));
    expect(bad.headers.get("content-encoding")).toBeNull();
    expect([bad.status, JSON.parse(bad.text)]).toMatchObject([
      404,
      { type: "error", error: { message: "No such model" } },
    ]);
  });

  it("49 openai/codex#41340: a provider that breaks off is an abort to a Responses client", async () => {
    const plan: Plan = { headers: eventStream, chunks: [sse(chatChunk({ content: "Hi" }))], ending: "destroy" };
    for (const model of ["anthropic/claude-test", overBedrock]) {
      const cut: Plan =
        model === overBedrock
          ? { headers: frames, chunks: [Buffer.concat(converseBeginning)], ending: "destroy" }
          : { ...plan, chunks: [messagesStream([]).split("event: message_delta")[0] ?? ""] };
      const { broken, text } = await ask(
        ["/v1/responses", { model, stream: true, input: "Look.", max_output_tokens: 99 }],
        cut,
      );
      expect(broken).toBe(true);
      expect(text).not.toMatch(/response\.completed|invalid_request_error/);
    }
  });

  it("52 BerriAI/litellm#30245: a client that leaves ends the call within a second, translated too", async () => {
    const begun = { headers: eventStream, chunks: [sse(chatChunk({ content: "Hi" }))], ending: "stall" } as const;
    for (const [stream, plan] of [
      [true, { kind: "raw", chunks: [], ending: "stall" }],
      [true, begun],
      [false, { headers: json, chunks: ['{"id":'], ending: "stall" }],
    ] as const) {
      upstream.setScript(plan);
      const before = upstream.requests.length;
      const controller = new AbortController();
      const [path, body] = claudeAsk("openai/gpt-test", { stream });
      const asked = fetch(outrider.url + path, {
        method: "POST",
        headers: json,
        body: JSON.stringify(body),
        signal: controller.signal,
      }).then((response) => response.text());
      await upstream.waitFor(() => (upstream.requests[before]?.bodyEndedAt ?? 0) > 0);
      await sleep(100);
      const leftAt = performance.now();
      controller.abort();
      await expect(asked).rejects.toThrow("aborted");
      await upstream.waitFor(() => upstream.requests[before]?.abortedAt !== undefined);
      expect((upstream.requests[before]?.abortedAt ?? Infinity) - leftAt).toBeLessThan(1000);
    }
  });
});

describe("Bedrock's own ways", () => {
  it("42 vercel/ai#14117: a model that is an ARN is one segment, and the signature holds", async () => {
    const arn = "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc";
    const answer =
      '{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn","usage":{}}';
    const { status, seen, text } = await ask(chatAsk(`bedrock/${arn}`), whole(answer));
    expect(status, text).toBe(200);
    const request = seen as UpstreamRequest;
    expect(request.path).toBe(
      "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aapplication-inference-profile%2Fabc/converse",
    );
    expect(request.header("authorization")).toContain(
      `Signature=${expectedSignature(request, "eu-west-1", secretKey)}`,
    );
  });

  it("53 anthropics/anthropic-sdk-typescript#1199: an Anthropic client gets events and their media type, not frames", async () => {
    const plan = { headers: frames, chunks: [converseStream()] };
    const { headers, text } = await ask(claudeAsk(overBedrock, { stream: true }), plan);
    expect(headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(text.startsWith("event: message_start\ndata: ")).toBe(true);
    expect(text).toContain("event: message_stop");
  });

  it("50 agentgateway/agentgateway#2760: a translated stream's usage is recorded as its provider states it", async () => {
    const stream = sse(chatChunk({ content: "Hi" }), chatChunk({}, "stop"), chatUsage, "[DONE]");
    const streamed = await ask(claudeAsk("openai/gpt-test", { stream: true }), {
      headers: eventStream,
      chunks: [stream],
    });
    const twin = await ask(claudeAsk("openai/gpt-test"), whole(chatAnswer));
    for (const { headers } of [streamed, twin]) {
      const told = await waitForExchange(outrider, headers.get("x-outrider-request-id") ?? "");
      expect(told).toMatchObject({
        relayMode: "translate",
        usage: { source: "provider", inputTokens: 20, outputTokens: 9 },
      });
    }
  });
});

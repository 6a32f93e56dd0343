// A real small model behind a server nobody here wrote (llama.cpp's), as the provider of the official SDKs.
// Wire shape and token counts only, never meaning: the span says what the server stated, and the text is the server's.
import { rmSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTempDir } from "../support/components/child.ts";
import { type CollectedSpan, waitForTree } from "../support/collector-output.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type Collector, type Model, startCollector, startModel } from "../support/real-components.ts";
import { createTraceParent } from "../support/trace-parent.ts";

const outDir = createTempDir("model");
const modelName = "smollm2-135m-instruct";
const maxTokens = 24;
let model: Model;
let collector: Collector;
let outrider: OutriderProcess;

beforeAll(async () => {
  model = await startModel();
  collector = await startCollector({ outDir });
  outrider = await startOutrider({
    options: {
      providers: { openai: { baseUrl: `${model.url}/v1` }, anthropic: { baseUrl: model.url } },
      prices: {
        overrides: ["openai", "anthropic"].map((provider) => ({
          provider,
          model: "smollm2*",
          inputUsdPerMillion: 2,
          outputUsdPerMillion: 10,
        })),
      },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttpUrl, OTEL_BSP_SCHEDULE_DELAY: "100" },
  });
}, 180_000);

afterAll(async () => {
  await outrider?.stop();
  await collector?.stop();
  await model?.stop();
  rmSync(outDir, { recursive: true, force: true });
}, 60_000);

/** What an SDK read: the text, and the usage that the server stated. */
interface Read {
  id: string;
  text: string;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
}

type Ask = (baseUrl: string, headers: Record<string, string>) => Promise<Read>;
const messages = [{ role: "user" as const, content: "Write one sentence about the sea." }];

const chatClient = (baseUrl: string) => new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: "test-key", maxRetries: 0 });
const chat: Ask = async (baseUrl, headers) => {
  const answer = await chatClient(baseUrl).chat.completions.create(
    { model: modelName, max_tokens: maxTokens, messages },
    { headers },
  );
  return { id: answer.id, text: answer.choices[0]?.message.content ?? "", ...readChatUsage(answer.usage) };
};
const chatStream: Ask = async (baseUrl, headers) => {
  const stream = await chatClient(baseUrl).chat.completions.create(
    { model: modelName, max_tokens: maxTokens, messages, stream: true, stream_options: { include_usage: true } },
    { headers },
  );
  let read: Read = { id: "", text: "", inputTokens: NaN, outputTokens: NaN, cachedTokens: NaN };
  for await (const chunk of stream) {
    read = { ...read, id: chunk.id, text: read.text + (chunk.choices[0]?.delta.content ?? "") };
    if (chunk.usage) read = { ...read, ...readChatUsage(chunk.usage) };
  }
  return read;
};

function readChatUsage(usage: OpenAI.CompletionUsage | undefined): Omit<Read, "id" | "text"> {
  return {
    inputTokens: usage?.prompt_tokens ?? NaN,
    outputTokens: usage?.completion_tokens ?? NaN,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
  };
}

const messagesClient = (baseURL: string) => new Anthropic({ baseURL, apiKey: "test-key", maxRetries: 0 });
const message: Ask = async (baseUrl, headers) =>
  readMessage(
    await messagesClient(baseUrl).messages.create({ model: modelName, max_tokens: maxTokens, messages }, { headers }),
  );
const messageStream: Ask = async (baseUrl, headers) =>
  readMessage(
    await messagesClient(baseUrl)
      .messages.stream({ model: modelName, max_tokens: maxTokens, messages }, { headers })
      .finalMessage(),
  );

function readMessage({ id, content, usage }: Anthropic.Message): Read {
  const cachedTokens = usage.cache_read_input_tokens ?? 0;
  return {
    id,
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    // Anthropic's input tokens leave the cached ones out; telemetry's do not.
    inputTokens: usage.input_tokens + cachedTokens + (usage.cache_creation_input_tokens ?? 0),
    outputTokens: usage.output_tokens,
    cachedTokens,
  };
}

async function askThroughOutrider(ask: Ask): Promise<{ read: Read; server: CollectedSpan; call: CollectedSpan }> {
  const { traceId, traceparent } = createTraceParent();
  const read = await ask(outrider.url, { traceparent });
  const { server, groups } = await waitForTree(outDir, traceId);
  return { read, server, call: groups[0]?.span as CollectedSpan };
}

describe.each([
  { name: "chat", ask: chat, provider: "openai", streamed: false },
  { name: "chat, streamed", ask: chatStream, provider: "openai", streamed: true },
  { name: "messages", ask: message, provider: "anthropic", streamed: false },
  { name: "messages, streamed", ask: messageStream, provider: "anthropic", streamed: true },
])("$name", ({ ask, provider, streamed }) => {
  test("says the same through Outrider as without it, and the span has the server's own counts", async () => {
    const direct = await ask(model.url, {});
    const { read, server, call } = await askThroughOutrider(ask);
    expect(read.text.length).toBeGreaterThan(5);
    expect(read.text).toBe(direct.text);
    expect(read).toMatchObject({ inputTokens: direct.inputTokens, outputTokens: direct.outputTokens });
    expect(call.attributes).toMatchObject({
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": modelName,
      "gen_ai.request.max_tokens": maxTokens,
      "gen_ai.response.id": read.id,
      "gen_ai.usage.input_tokens": read.inputTokens,
      "gen_ai.usage.output_tokens": read.outputTokens,
      "outrider.usage.source": "provider",
      "outrider.cost.status": "exact",
    });
    if (read.cachedTokens > 0) {
      expect(call.attributes["gen_ai.usage.cache_read.input_tokens"]).toBe(read.cachedTokens);
    }
    expect(call.attributes["outrider.cost.total"]).toBeCloseTo(
      (read.inputTokens * 2 + read.outputTokens * 10) / 1e6,
      9,
    );
    // The model stops by itself or at the limit; which of the two it is, is its own business.
    const reason = read.outputTokens >= maxTokens ? "length" : "stop";
    expect(call.attributes["gen_ai.response.finish_reasons"]).toEqual([reason]);
    expect(server.attributes["outrider.stream.end"]).toBe(streamed ? "complete" : undefined);
    if (streamed) {
      const firstChunk = call.attributes["gen_ai.response.time_to_first_chunk"];
      expect(firstChunk).toBeGreaterThan(0);
      expect(firstChunk).toBeLessThan(Number(call.endNs - call.startNs) / 1e9);
    }
  });
});

test("a stream that did not ask for usage gets none, and the span has it all the same", async () => {
  const { traceId, traceparent } = createTraceParent();
  const stream = await chatClient(outrider.url).chat.completions.create(
    { model: modelName, max_tokens: maxTokens, messages, stream: true },
    { headers: { traceparent } },
  );
  let usageFrames = 0;
  for await (const chunk of stream) if (chunk.usage) usageFrames += 1;
  expect(usageFrames).toBe(0);
  const whole = await chat(model.url, {});
  const { groups } = await waitForTree(outDir, traceId);
  expect(groups[0]?.span.attributes).toMatchObject({
    "gen_ai.usage.input_tokens": whole.inputTokens,
    "gen_ai.usage.output_tokens": whole.outputTokens,
    "outrider.usage.source": "provider",
  });
});

test("the server's own refusal of broken JSON reaches the client as it is", async () => {
  const send = (baseUrl: string) =>
    fetch(`${baseUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: modelName,
        messages: [{ role: "user" }],
        max_tokens: -7,
        response_format: { type: "none" },
      }),
    });
  const [direct, through] = [await send(model.url), await send(outrider.url)];
  expect(direct.status).toBeGreaterThanOrEqual(400);
  expect(through.status).toBe(direct.status);
  expect(await through.text()).toBe(await direct.text());
});

// Clients of Bedrock's InvokeModel with Claude's body, through the built bundle, at providers of other dialects: what the provider is
// asked, what the client reads. The provider's answers are written here in its own words, by hand.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAwsEventStreamDecoder } from "../../src/dialects/framing/aws-eventstream.ts";
import { readEvents } from "../support/bedrock-reading.ts";
import type { UpstreamRequest } from "../support/scripted-upstream.ts";
import { startTranslatingOutrider, type TranslatingOutrider } from "../support/translating-outrider.ts";

type Json = Record<string, unknown>;

let sidecar: TranslatingOutrider;
let upstream: TranslatingOutrider["upstream"];
let outrider: TranslatingOutrider["outrider"];

beforeAll(async () => {
  sidecar = await startTranslatingOutrider(["openai", "anthropic", "google"]);
  ({ upstream, outrider } = sidecar);
});

afterAll(() => sidecar?.stop());

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const question: Json = {
  anthropic_version: "bedrock-2023-05-31",
  max_tokens: 100,
  system: "Be brief.",
  messages: [{ role: "user", content: "Weather in Paris?" }],
  tools: [{ name: "get_weather", description: "Weather", input_schema: parameters }],
};

async function ask(
  model: string,
  body: Json,
  action = "invoke",
  headers: Record<string, string> = {},
): Promise<{ response: Response; seen: UpstreamRequest | undefined }> {
  const before = upstream.requests.length;
  const response = await fetch(`${outrider.url}/model/${encodeURIComponent(model)}/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer test-key-of-the-client", ...headers },
    body: JSON.stringify(body),
  });
  return { response, seen: upstream.requests[before] };
}

const answer = (whole: Json): void =>
  upstream.setScript({
    headers: { "content-type": "application/json" },
    contentLength: true,
    chunks: [JSON.stringify(whole)],
  });
const answerAsStream = (events: (Json | string)[]): void => {
  const lines = events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
  upstream.setScript({ headers: { "content-type": "text/event-stream" }, chunks: [lines.join("")] });
};

const call = { id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Paris"}' } };
const chunk = (delta: Json, finish: string | null = null): Json => ({
  id: "chatcmpl-abc",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-test-1",
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const usage = { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 };

/** What OpenAI is to be asked. */
function expectChat(seen: UpstreamRequest | undefined): void {
  expect(seen?.path).toBe("/v1/chat/completions");
  const asked = JSON.parse(seen?.body.toString() ?? "{}") as Json;
  expect(asked).toMatchObject({
    model: "gpt-test-1",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Weather in Paris?" },
    ],
    tools: [{ type: "function", function: { name: "get_weather", description: "Weather", parameters } }],
  });
  expect(JSON.stringify(asked)).not.toContain("anthropic_version");
  expect(JSON.stringify(seen)).not.toContain("test-key-of-the-client");
}

describe("InvokeModel at openai", () => {
  it("answers with a message of Claude's form", async () => {
    const message = { role: "assistant", content: "Let me look.", tool_calls: [call] };
    const choices = [{ index: 0, message, finish_reason: "tool_calls" }];
    answer({ id: "chatcmpl-abc", object: "chat.completion", created: 1, model: "gpt-test-1", choices, usage });
    const { response, seen } = await ask("openai/gpt-test-1", question);
    expect(response.status, await response.clone().text()).toBe(200);
    expect(response.headers.get("x-outrider-served-by")).toBe("openai/gpt-test-1");
    expect(response.headers.get("x-outrider-loss")).toBeNull();
    expectChat(seen);
    expect(await response.json()).toMatchObject({
      type: "message",
      role: "assistant",
      model: "gpt-test-1",
      content: [
        { type: "text", text: "Let me look." },
        { type: "tool_use", id: "call_1", name: "get_weather", input: { city: "Paris" } },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 20, output_tokens: 9 },
    });
  });

  it("streams Anthropic's events in chunks of an AWS event stream", async () => {
    answerAsStream([
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "Let me " }),
      chunk({ content: "look." }),
      chunk({ tool_calls: [{ index: 0, ...call }] }),
      chunk({}, "tool_calls"),
      { ...chunk({}), choices: [], usage },
      "[DONE]",
    ]);
    const { response, seen } = await ask("openai/gpt-test-1", question, "invoke-with-response-stream");
    expect(response.status, await response.clone().text()).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/vnd.amazon.eventstream");
    expectChat(seen);
    const events = readEvents(Buffer.from(await response.arrayBuffer()));
    const deltas = events.flatMap(({ body }) =>
      body["type"] === "content_block_delta" ? [body["delta"] as Json] : [],
    );
    expect(deltas.map(({ text = "" }) => text).join("")).toBe("Let me look.");
    expect(JSON.parse(deltas.map(({ partial_json: json = "" }) => json).join(""))).toEqual({ city: "Paris" });
    expect(events.at(-2)?.body).toMatchObject({
      type: "message_delta",
      delta: { stop_reason: "tool_use" },
      usage: { input_tokens: 20, output_tokens: 9 },
    });
    expect(events.at(-1)?.body).toMatchObject({
      type: "message_stop",
      "amazon-bedrock-invocationMetrics": { inputTokenCount: 20, outputTokenCount: 9 },
    });
  });

  it("breaks off with an exception where the provider's stream does", async () => {
    answerAsStream([chunk({ role: "assistant", content: "Let me " })]);
    const { response } = await ask("openai/gpt-test-1", question, "invoke-with-response-stream");
    const frames = createAwsEventStreamDecoder();
    const events: (string | undefined)[] = [];
    // The connection breaks after the exception.
    const read = async (): Promise<void> => {
      for await (const bytes of response.body ?? [])
        events.push(...frames.push(Buffer.from(bytes)).map(({ event }) => event));
    };
    await expect(read()).rejects.toThrow(/terminated|closed|aborted/);
    expect(events.at(-1)).toBe("modelStreamErrorException");
    expect(new Set(events.slice(0, -1))).toEqual(new Set(["chunk"]));
  });

  it("tells the provider's refusal as Bedrock words it", async () => {
    upstream.setScript({
      status: 429,
      headers: { "content-type": "application/json" },
      chunks: [JSON.stringify({ error: { message: "slow down", type: "rate_limit_error" } })],
    });
    const { response } = await ask("openai/gpt-test-1", question);
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ message: "slow down", __type: "ThrottlingException" });
  });

  it.each([
    ["Titan's body", { inputText: "Weather?" }],
    ["Nova's body", { messages: [{ role: "user", content: [{ text: "Weather?" }] }], inferenceConfig: {} }],
  ])("refuses %s with the reason, and asks nobody", async (_name, body) => {
    const { response, seen } = await ask("openai/gpt-test-1", body);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: "operation_unsupported",
      message: expect.stringContaining("anthropic_version"),
    });
    expect(seen).toBeUndefined();
  });
});

describe("what InvokeModel is asked in headers", () => {
  const message = { role: "assistant", content: "Sunny." };
  const whole = {
    id: "chatcmpl-abc",
    model: "gpt-test-1",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage,
  };

  it("is refused where it is a guardrail, before anybody is asked", async () => {
    const headers = { "x-amzn-bedrock-guardrailidentifier": "gr-1", "x-amzn-bedrock-guardrailversion": "1" };
    const { response, seen } = await ask("openai/gpt-test-1", question, "invoke", headers);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      message: expect.stringContaining("header:x-amzn-bedrock-guardrailidentifier"),
    });
    expect(seen).toBeUndefined();
  });

  it("is told as lost where it only tunes", async () => {
    answer(whole);
    const headers = { "x-amzn-bedrock-performanceconfig-latency": "optimized" };
    const { response } = await ask("openai/gpt-test-1", question, "invoke", headers);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-outrider-loss")).toContain("header:x-amzn-bedrock-performanceconfig-latency");
  });
});

describe("InvokeModel at anthropic", () => {
  const message = {
    id: "msg_abc",
    type: "message",
    role: "assistant",
    model: "claude-test-1",
    content: [
      { type: "thinking", thinking: "Hm", signature: "c2lnbmVk" },
      { type: "text", text: "Sunny." },
    ],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 20, output_tokens: 9 },
  };

  it("asks the same question under the model, and answers with the provider's own message", async () => {
    answer(message);
    const body = { ...question, anthropic_beta: ["context-1m-2025-08-07"] };
    const { response, seen } = await ask("anthropic/claude-test-1", body);
    expect(await response.json()).toEqual(message);
    const { anthropic_version: _version, ...rest } = question;
    expect(JSON.parse(seen?.body.toString() ?? "{}")).toEqual({ model: "claude-test-1", ...rest });
    expect(JSON.stringify(seen)).toContain("context-1m-2025-08-07");
  });
});

describe("InvokeModel at google", () => {
  it("answers with a message of Claude's form", async () => {
    const content = { role: "model", parts: [{ text: "Sunny." }] };
    answer({
      candidates: [{ content, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
      modelVersion: "gemini-test-1",
      responseId: "abc",
    });
    const { response, seen } = await ask("google/gemini-test-1", question);
    expect(seen?.path).toBe("/v1beta/models/gemini-test-1:generateContent");
    expect(await response.json()).toMatchObject({
      model: "gemini-test-1",
      content: [{ type: "text", text: "Sunny." }],
      stop_reason: "end_turn",
      usage: { input_tokens: 20, output_tokens: 9 },
    });
  });
});

// A mock server that nobody here wrote as the upstream, the official SDKs as clients, the built bundle between them:
// what the application sees is what telemetry says. And our simulator beside it: the same requests get answers of the same shape.
import Anthropic, { APIError as AnthropicError } from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import OpenAI, { APIError as OpenAIError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { createTraceParent } from "../support/trace-parent.ts";

// The mock server counts nothing by itself: usage is what the fixture says, under both providers' names.
const [inputTokens, outputTokens] = [11, 7];
const usage = {
  input_tokens: inputTokens,
  output_tokens: outputTokens,
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
};
const text = "Three rivers: Niger, Nile, Orange.";
const [gpt, claude] = ["gpt-4o-mini", "claude-haiku-4-5"];
// The simulator's order for a 429; the mock server takes any name.
const [limitedGpt, limitedClaude] = [`sim-429-${gpt}`, `sim-429-${claude}`];

let mock: LLMock;
let simulator: Simulator;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

beforeAll(async () => {
  mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent", chunkSize: 6 });
  const limited = {
    error: { message: "Too fast", type: "rate_limit_error", code: "rate_limit_exceeded" },
    status: 429,
  };
  mock.addFixtures([
    { match: { model: /^sim-429-/ }, response: limited },
    { match: { userMessage: "rivers" }, response: { content: text, usage } },
    {
      match: { userMessage: "weather" },
      response: { toolCalls: [{ name: "get_weather", arguments: '{"city":"Lagos"}' }], usage },
    },
    // Without latency the mock server cuts before anything left its socket.
    { match: { userMessage: "cut" }, response: { content: text, usage }, truncateAfterChunks: 3, latency: 5 },
  ]);
  await mock.start();
  simulator = await startSimulator({ pace: { firstByteMs: 0, chunkMs: 0 } });
  receiver = await startOtlpReceiver();
  outrider = await startOutrider({
    options: { providers: { openai: { baseUrl: `${mock.url}/v1` }, anthropic: { baseUrl: mock.url } } },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
});

afterAll(async () => {
  await outrider?.stop("SIGKILL");
  await receiver?.close();
  await simulator?.close();
  await mock?.stop();
});

const ask = (content: string) => [{ role: "user" as const, content }];
const parameters = { type: "object" as const, properties: { city: { type: "string" } } };
const openaiTools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];
const anthropicTools = [{ name: "get_weather", input_schema: parameters }];

/** Runs one call under a trace of its own; gives what it returned or threw, and the span of the model call. */
async function traced<T>(call: (headers: Record<string, string>) => Promise<T>): Promise<{
  seen: T | undefined;
  error: unknown;
  span: ReceivedSpan;
  server: ReceivedSpan;
}> {
  const { traceId, traceparent } = createTraceParent();
  let seen: T | undefined;
  let error: unknown;
  try {
    seen = await call({ traceparent });
  } catch (thrown) {
    error = thrown;
  }
  const find = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await expect.poll(() => find().length, { timeout: 5000 }).toBe(3);
  const server = find().find(({ kind }) => kind === 2);
  const span = find().find(({ attributes }) => attributes["gen_ai.operation.name"] === "chat");
  if (server === undefined || span === undefined) throw new Error("the trace lacks a span");
  return { seen, error, span, server };
}

const counted = { "gen_ai.usage.input_tokens": inputTokens, "gen_ai.usage.output_tokens": outputTokens };
const metered = { ...counted, "outrider.usage.source": "provider" };

describe("the openai package through Outrider to aimock", () => {
  const client = (): OpenAI => new OpenAI({ apiKey: "test-key", baseURL: `${outrider.url}/v1`, maxRetries: 0 });
  const told = {
    ...metered,
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": gpt,
    "gen_ai.response.model": gpt,
  };

  it("is told the plain answer, and so is telemetry", async () => {
    const { seen, span } = await traced((headers) =>
      client().chat.completions.create({ model: gpt, messages: ask("rivers") }, { headers }),
    );
    expect(seen?.choices[0]?.message.content).toBe(text);
    expect(span.attributes).toMatchObject({
      ...told,
      "gen_ai.response.id": seen?.id,
      "gen_ai.response.finish_reasons": ["stop"],
    });
    expect(span.attributes).not.toHaveProperty("error.type");
  });

  it.each([true, false])("is told the stream; it asked for usage: %s", async (asksUsage) => {
    const { seen, span, server } = await traced(async (headers) => {
      const stream = await client().chat.completions.create(
        {
          model: gpt,
          messages: ask("rivers"),
          stream: true,
          ...(asksUsage ? { stream_options: { include_usage: true } } : {}),
        },
        { headers },
      );
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    });
    expect(seen?.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(text);
    expect(seen?.flatMap((chunk) => chunk.usage?.total_tokens ?? [])).toEqual(
      asksUsage ? [inputTokens + outputTokens] : [],
    );
    expect(span.attributes).toMatchObject({
      ...told,
      "gen_ai.request.stream": true,
      "gen_ai.response.finish_reasons": ["stop"],
    });
    expect(server.attributes).toMatchObject({
      "outrider.stream.end": "complete",
      "outrider.relay.mode": asksUsage ? "passthrough" : "splice",
    });
  });

  it.each([false, true])("calls a tool; stream: %s", async (streamed) => {
    const { seen, span } = await traced((headers) =>
      streamed
        ? client()
            .chat.completions.stream({ model: gpt, messages: ask("weather"), tools: openaiTools }, { headers })
            .finalChatCompletion()
        : client().chat.completions.create({ model: gpt, messages: ask("weather"), tools: openaiTools }, { headers }),
    );
    const call = seen?.choices[0]?.message.tool_calls?.[0];
    expect(call).toMatchObject({ function: { name: "get_weather", arguments: '{"city":"Lagos"}' } });
    expect(span.attributes).toMatchObject({ ...told, "gen_ai.response.finish_reasons": ["tool_call"] });
  });

  it.each([false, true])("gets the 429 with its wait hint; stream: %s", async (stream) => {
    const { error, span } = await traced((headers) =>
      client().chat.completions.create({ model: limitedGpt, messages: ask("rivers"), stream }, { headers }),
    );
    expect(error).toBeInstanceOf(OpenAIError);
    const failure = error as OpenAIError;
    expect([failure.status, failure.code, failure.headers?.get("retry-after")]).toEqual([
      429,
      "rate_limit_exceeded",
      "1",
    ]);
    expect(span.statusCode).toBe(2);
    expect(span.attributes).toMatchObject({
      "error.type": "upstream_rate_limited",
      "outrider.provider_error.type": "rate_limit_error",
      "outrider.provider_error.code": "rate_limit_exceeded",
    });
  });

  it("is told that a stream broke off, and never that it ended well", async () => {
    let begun = "";
    const { error, span, server } = await traced(async (headers) => {
      const stream = await client().chat.completions.create(
        { model: gpt, messages: ask("cut"), stream: true },
        { headers },
      );
      for await (const { choices } of stream) begun += choices[0]?.delta.content ?? "";
    });
    expect(error).toBeInstanceOf(Error);
    expect(begun).not.toBe("");
    expect(text.startsWith(begun)).toBe(true);
    expect(span.attributes["error.type"]).toBe("stream_truncated");
    expect(span.attributes["outrider.usage.source"]).toBe("estimated");
    expect(server.attributes["outrider.stream.end"]).toBe("truncated");
  });
});

describe("the @anthropic-ai/sdk package through Outrider to aimock", () => {
  const client = (): Anthropic => new Anthropic({ apiKey: "test-key", baseURL: outrider.url, maxRetries: 0 });
  const request = { model: claude, max_tokens: 50 };
  const told = {
    ...metered,
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": claude,
    "gen_ai.response.model": claude,
  };

  it.each([false, true])("is told the answer, and so is telemetry; stream: %s", async (streamed) => {
    const { seen, span, server } = await traced((headers) => {
      const body = { ...request, messages: ask("rivers") };
      return streamed
        ? client().messages.stream(body, { headers }).finalMessage()
        : client().messages.create(body, { headers });
    });
    expect(seen?.content).toMatchObject([{ type: "text", text }]);
    expect(seen?.usage).toMatchObject({ input_tokens: inputTokens, output_tokens: outputTokens });
    expect(span.attributes).toMatchObject({
      ...told,
      "gen_ai.response.id": seen?.id,
      "gen_ai.response.finish_reasons": ["stop"],
    });
    expect(server.attributes["outrider.stream.end"]).toBe(streamed ? "complete" : undefined);
  });

  it.each([false, true])("calls a tool; stream: %s", async (streamed) => {
    const { seen, span } = await traced((headers) => {
      const body = { ...request, messages: ask("weather"), tools: anthropicTools };
      return streamed
        ? client().messages.stream(body, { headers }).finalMessage()
        : client().messages.create(body, { headers });
    });
    expect(seen?.content).toMatchObject([{ type: "tool_use", name: "get_weather", input: { city: "Lagos" } }]);
    expect(span.attributes).toMatchObject({ ...told, "gen_ai.response.finish_reasons": ["tool_call"] });
  });

  it.each([false, true])("gets the 429; stream: %s", async (stream) => {
    const { error, span } = await traced((headers) =>
      client().messages.create({ ...request, model: limitedClaude, messages: ask("rivers"), stream }, { headers }),
    );
    expect(error).toBeInstanceOf(AnthropicError);
    expect((error as AnthropicError).status).toBe(429);
    expect(span.attributes).toMatchObject({
      "error.type": "upstream_rate_limited",
      "outrider.provider_error.type": "rate_limit_error",
    });
  });

  it("is told that a stream broke off, and never that it ended well", async () => {
    const { error, span, server } = await traced((headers) =>
      client()
        .messages.stream({ ...request, messages: ask("cut") }, { headers })
        .finalMessage(),
    );
    expect(error).toBeInstanceOf(Error);
    expect(span.attributes["error.type"]).toBe("stream_truncated");
    expect(server.attributes["outrider.stream.end"]).toBe("truncated");
  });
});

/** Every member of a JSON value as a path; array items are one. */
function listMembers(value: unknown, path = "", members = new Set<string>()): Set<string> {
  if (Array.isArray(value)) {
    for (const item of value) listMembers(item, `${path}[]`, members);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      members.add(`${path}.${name}`);
      listMembers(inner, `${path}.${name}`, members);
    }
  }
  return members;
}

interface Shape {
  status: number;
  mediaType: string | undefined;
  /** Members of the whole answer, or of all its events. */
  members: Set<string>;
  /** What each event of a stream carries, repetitions left out. */
  events: string[];
}

/** The event's name, or for chat chunks what the delta carries. */
function nameEvent(event: string | undefined, value: Record<string, unknown>): string[] {
  if (event !== undefined) return [event];
  const [choice] = value["choices"] as { delta: Record<string, unknown>; finish_reason: string | null }[];
  if (choice === undefined) return ["usage"];
  const calls = choice.delta["tool_calls"] as { id?: string }[] | undefined;
  if (choice.finish_reason !== null) return [choice.finish_reason];
  return [
    ...("role" in choice.delta ? ["role"] : []),
    ...(typeof choice.delta["content"] === "string" && choice.delta["content"] !== "" ? ["content"] : []),
    ...(calls?.[0] === undefined ? [] : [calls[0].id === undefined ? "arguments" : "tool call"]),
  ];
}

async function fetchShape(base: string, path: string, body: object): Promise<Shape> {
  const response = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer x", "anthropic-version": "2023-06-01" },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  const mediaType = response.headers.get("content-type")?.split(";")[0];
  const shape: Shape = { status: response.status, mediaType, members: new Set(), events: [] };
  if (mediaType !== "text/event-stream") return { ...shape, members: listMembers(JSON.parse(answer)) };
  for (const frame of answer.split("\n\n").filter((part) => part !== "")) {
    const event = /^event: (.*)$/m.exec(frame)?.[1];
    const payload = /^data: (.*)$/m.exec(frame)?.[1] ?? "";
    const value = payload === "[DONE]" ? undefined : (JSON.parse(payload) as Record<string, unknown>);
    if (value !== undefined) listMembers(value, event === undefined ? "" : event, shape.members);
    for (const name of value === undefined ? ["[DONE]"] : nameEvent(event, value)) {
      if (shape.events.at(-1) !== name) shape.events.push(name);
    }
  }
  return shape;
}

/** What the simulator has beyond the mock server, each with its reason; the other way round there is nothing. */
const promptDetails = ["audio_tokens", "cached_tokens"].map((name) => `.prompt_tokens_details.${name}`);
const completionDetails = [
  "accepted_prediction_tokens",
  "audio_tokens",
  "reasoning_tokens",
  "rejected_prediction_tokens",
].map((name) => `.completion_tokens_details.${name}`);
// OpenAI breaks tokens down in every usage; aimock only where a fixture does. The prices of cached and reasoning tokens hang on it.
const openaiUsage = [
  ".prompt_tokens_details",
  ".completion_tokens_details",
  ...promptDetails,
  ...completionDetails,
].map((name) => `.usage${name}`);
// OpenAI sends both in every answer and chunk; aimock leaves out what it has no fixture field for.
const openaiEnvelope = [".service_tier", ".system_fingerprint"];
const openaiPlain = [...openaiUsage, ...openaiEnvelope, ".choices[].message.annotations"];
// `obfuscation` pads each chunk; `refusal` comes with the first delta; `usage: null` with each chunk once usage was asked for
// (that member is in aimock's usage chunk too, so it does not show here).
const openaiStream = [...openaiUsage, ...openaiEnvelope, ".obfuscation", ".choices[].delta.refusal"];
// Anthropic states its cache in every usage, and in its streams at both ends.
const anthropicCache = [
  "cache_creation",
  "cache_creation.ephemeral_1h_input_tokens",
  "cache_creation.ephemeral_5m_input_tokens",
  "cache_creation_input_tokens",
  "cache_read_input_tokens",
];
const anthropicThinking = ["output_tokens_details", "output_tokens_details.thinking_tokens"];
const anthropicPlace = ["inference_geo", "service_tier"];
const anthropicPlain = [
  ".stop_details",
  ...[...anthropicCache, ...anthropicThinking, ...anthropicPlace].map((name) => `.usage.${name}`),
];
const anthropicStream = [
  "message_start.message.stop_details",
  ...[...anthropicCache, ...anthropicPlace].map((name) => `message_start.message.usage.${name}`),
  "message_delta.delta.stop_details",
  ...[...anthropicCache, "input_tokens", ...anthropicThinking].map((name) => `message_delta.usage.${name}`),
  // Anthropic sends a ping after the first block start.
  "ping.type",
];

const chatPath = "/v1/chat/completions";
const messagesPath = "/v1/messages";
const streamedChat = { stream: true, stream_options: { include_usage: true } };
const [gptAsks, claudeAsks] = [{ model: gpt }, { model: claude, max_tokens: 50 }];
const [rivers, weather] = [{ messages: ask("rivers") }, { messages: ask("weather") }];

describe("the simulator beside aimock", () => {
  it.each<[string, string, object, string[]]>([
    ["chat", chatPath, { ...gptAsks, ...rivers }, openaiPlain],
    ["chat, streamed", chatPath, { ...gptAsks, ...rivers, ...streamedChat }, openaiStream],
    ["chat with a tool", chatPath, { ...gptAsks, ...weather, tools: openaiTools }, openaiPlain],
    [
      "chat with a tool, streamed",
      chatPath,
      { ...gptAsks, ...weather, tools: openaiTools, ...streamedChat },
      openaiStream,
    ],
    ["chat refused by rate", chatPath, { ...rivers, model: limitedGpt }, []],
    ["messages", messagesPath, { ...claudeAsks, ...rivers }, anthropicPlain],
    ["messages, streamed", messagesPath, { ...claudeAsks, ...rivers, stream: true }, anthropicStream],
    ["messages with a tool", messagesPath, { ...claudeAsks, ...weather, tools: anthropicTools }, anthropicPlain],
    [
      "messages with a tool, streamed",
      messagesPath,
      { ...claudeAsks, ...weather, tools: anthropicTools, stream: true },
      anthropicStream,
    ],
    // Anthropic puts the request id in the body of its errors too.
    ["messages refused by rate", messagesPath, { ...claudeAsks, ...rivers, model: limitedClaude }, [".request_id"]],
    ["embeddings", "/v1/embeddings", { model: "text-embedding-3-small", input: "rivers" }, []],
  ])("answers %s in the same shape, but for what is listed", async (_name, path, body, beyond) => {
    const [theirs, ours] = await Promise.all([fetchShape(mock.url, path, body), fetchShape(simulator.url, path, body)]);
    expect([ours.status, ours.mediaType]).toEqual([theirs.status, theirs.mediaType]);
    expect([...theirs.members].filter((member) => !ours.members.has(member))).toEqual([]);
    expect([...ours.members].filter((member) => !theirs.members.has(member)).sort()).toEqual([...beyond].sort());
    expect(ours.events.filter((event) => event !== "ping")).toEqual(theirs.events);
  });
});

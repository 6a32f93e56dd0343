// Any client to any provider, through the built bundle: what the provider is asked, what the client reads, what the span tells.
// The provider's answers are written here in its own words, by hand, one with a tool call each.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFold, type InferenceResponse } from "../../src/canonical/index.ts";
import { createFrameDecoder, type Dialect, findDialect, matchDialect } from "../../src/dialects/index.ts";
import type { UpstreamRequest } from "../support/scripted-upstream.ts";
import { startTranslatingOutrider, type TranslatingOutrider } from "../support/translating-outrider.ts";

type Json = Record<string, unknown>;

const tool = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

/** A question in each dialect, with one tool, for the provider and model given; `stream` as the dialect asks for it. */
const clients: Record<string, (model: string, stream: boolean) => { path: string; body: Json }> = {
  "openai-chat": (model, stream) => ({
    path: "/v1/chat/completions",
    body: {
      model,
      ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
      max_completion_tokens: 100,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Weather in Paris?" },
      ],
      tools: [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: tool } }],
    },
  }),
  "openai-responses": (model, stream) => ({
    path: "/v1/responses",
    body: {
      model,
      ...(stream ? { stream } : {}),
      max_output_tokens: 100,
      instructions: "Be brief.",
      input: "Weather in Paris?",
      tools: [{ type: "function", name: "get_weather", description: "Weather", parameters: tool }],
    },
  }),
  "anthropic-messages": (model, stream) => ({
    path: "/v1/messages",
    body: {
      model,
      ...(stream ? { stream } : {}),
      max_tokens: 100,
      system: "Be brief.",
      messages: [{ role: "user", content: "Weather in Paris?" }],
      tools: [{ name: "get_weather", description: "Weather", input_schema: tool }],
    },
  }),
  "gemini-generate-content": (model, stream) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    body: {
      systemInstruction: { parts: [{ text: "Be brief." }] },
      contents: [{ role: "user", parts: [{ text: "Weather in Paris?" }] }],
      generationConfig: { maxOutputTokens: 100 },
      tools: [{ functionDeclarations: [{ name: "get_weather", description: "Weather", parametersJsonSchema: tool }] }],
    },
  }),
  "bedrock-converse": (model, stream) => ({
    path: `/model/${encodeURIComponent(model)}/${stream ? "converse-stream" : "converse"}`,
    body: {
      system: [{ text: "Be brief." }],
      messages: [{ role: "user", content: [{ text: "Weather in Paris?" }] }],
      inferenceConfig: { maxTokens: 100 },
      toolConfig: {
        tools: [{ toolSpec: { name: "get_weather", description: "Weather", inputSchema: { json: tool } } }],
      },
    },
  }),
  "cohere-chat": (model, stream) => ({
    path: "/v2/chat",
    body: {
      model,
      stream,
      max_tokens: 100,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Weather in Paris?" },
      ],
      tools: [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: tool } }],
    },
  }),
  "ollama-chat": (model, stream) => ({
    path: "/api/chat",
    body: {
      model,
      stream,
      options: { num_predict: 100 },
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Weather in Paris?" },
      ],
      tools: [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: tool } }],
    },
  }),
};

const sse = (...events: [name: string | undefined, data: Json | string][]): string =>
  events
    .map(([name, data]) => {
      const text = typeof data === "string" ? data : JSON.stringify(data);
      return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
    })
    .join("");

interface ProviderAnswers {
  model: string;
  whole: Json;
  streamType: string;
  stream: string;
}

const chunk = (delta: Json, finish: string | null = null): Json => ({
  id: "chatcmpl-abc",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-test-1",
  choices: [{ index: 0, delta, finish_reason: finish }],
});

/** Each says "Let me look." and calls get_weather for Paris: 20 tokens in, 9 out. */
const providers: Record<string, ProviderAnswers> = {
  openai: {
    model: "gpt-test-1",
    whole: {
      id: "chatcmpl-abc",
      object: "chat.completion",
      created: 1,
      model: "gpt-test-1",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "Let me look.",
            tool_calls: [
              { id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Paris"}' } },
            ],
          },
          finish_reason: "tool_calls",
        },
      ],
      usage: { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 },
    },
    streamType: "text/event-stream",
    stream: sse(
      [undefined, chunk({ role: "assistant", content: "" })],
      [undefined, chunk({ content: "Let me " })],
      [undefined, chunk({ content: "look." })],
      [
        undefined,
        chunk({
          tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "get_weather", arguments: "" } }],
        }),
      ],
      [undefined, chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] })],
      [undefined, chunk({ tool_calls: [{ index: 0, function: { arguments: '"Paris"}' } }] })],
      [undefined, chunk({}, "tool_calls")],
      [undefined, { ...chunk({}), choices: [], usage: { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 } }],
      [undefined, "[DONE]"],
    ),
  },
  anthropic: {
    model: "claude-test-1",
    whole: {
      id: "msg_abc",
      type: "message",
      role: "assistant",
      model: "claude-test-1",
      content: [
        { type: "text", text: "Let me look." },
        { type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Paris" } },
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: { input_tokens: 20, output_tokens: 9 },
    },
    streamType: "text/event-stream",
    stream: sse(
      [
        "message_start",
        {
          type: "message_start",
          message: {
            id: "msg_abc",
            type: "message",
            role: "assistant",
            model: "claude-test-1",
            content: [],
            stop_reason: null,
            stop_sequence: null,
            usage: { input_tokens: 20, output_tokens: 1 },
          },
        },
      ],
      ["content_block_start", { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }],
      ["ping", { type: "ping" }],
      [
        "content_block_delta",
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Let me " } },
      ],
      ["content_block_delta", { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "look." } }],
      ["content_block_stop", { type: "content_block_stop", index: 0 }],
      [
        "content_block_start",
        {
          type: "content_block_start",
          index: 1,
          content_block: { type: "tool_use", id: "toolu_1", name: "get_weather", input: {} },
        },
      ],
      [
        "content_block_delta",
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"city":' } },
      ],
      [
        "content_block_delta",
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '"Paris"}' } },
      ],
      ["content_block_stop", { type: "content_block_stop", index: 1 }],
      [
        "message_delta",
        { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 9 } },
      ],
      ["message_stop", { type: "message_stop" }],
    ),
  },
  google: {
    model: "gemini-test-1",
    whole: {
      candidates: [
        {
          content: {
            role: "model",
            parts: [{ text: "Let me look." }, { functionCall: { name: "get_weather", args: { city: "Paris" } } }],
          },
          finishReason: "STOP",
          index: 0,
        },
      ],
      usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
      modelVersion: "gemini-test-1",
      responseId: "abc",
    },
    streamType: "text/event-stream",
    stream: sse(
      [
        undefined,
        {
          candidates: [{ content: { role: "model", parts: [{ text: "Let me " }] }, index: 0 }],
          modelVersion: "gemini-test-1",
          responseId: "abc",
        },
      ],
      [
        undefined,
        {
          candidates: [
            {
              content: {
                role: "model",
                parts: [{ text: "look." }, { functionCall: { name: "get_weather", args: { city: "Paris" } } }],
              },
              index: 0,
            },
          ],
          modelVersion: "gemini-test-1",
        },
      ],
      [
        undefined,
        {
          candidates: [{ content: { role: "model", parts: [] }, finishReason: "STOP", index: 0 }],
          usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 9, totalTokenCount: 29 },
          modelVersion: "gemini-test-1",
        },
      ],
    ),
  },
  cohere: {
    model: "command-test-1",
    whole: {
      id: "abc",
      message: {
        role: "assistant",
        content: [{ type: "text", text: "Let me look." }],
        tool_calls: [
          { id: "get_weather_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Paris"}' } },
        ],
      },
      finish_reason: "TOOL_CALL",
      usage: { tokens: { input_tokens: 20, output_tokens: 9 } },
    },
    streamType: "text/event-stream",
    stream: sse(
      [
        "message-start",
        {
          id: "abc",
          type: "message-start",
          delta: { message: { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] } },
        },
      ],
      [
        "content-start",
        { type: "content-start", index: 0, delta: { message: { content: { type: "text", text: "" } } } },
      ],
      ["content-delta", { type: "content-delta", index: 0, delta: { message: { content: { text: "Let me " } } } }],
      ["content-delta", { type: "content-delta", index: 0, delta: { message: { content: { text: "look." } } } }],
      ["content-end", { type: "content-end", index: 0 }],
      [
        "tool-call-start",
        {
          type: "tool-call-start",
          index: 0,
          delta: {
            message: {
              tool_calls: { id: "get_weather_1", type: "function", function: { name: "get_weather", arguments: "" } },
            },
          },
        },
      ],
      [
        "tool-call-delta",
        {
          type: "tool-call-delta",
          index: 0,
          delta: { message: { tool_calls: { function: { arguments: '{"city":"Paris"}' } } } },
        },
      ],
      ["tool-call-end", { type: "tool-call-end", index: 0 }],
      [
        "message-end",
        {
          type: "message-end",
          delta: { finish_reason: "TOOL_CALL", usage: { tokens: { input_tokens: 20, output_tokens: 9 } } },
        },
      ],
    ),
  },
};

let sidecar: TranslatingOutrider;
let upstream: TranslatingOutrider["upstream"];
let outrider: TranslatingOutrider["outrider"];

beforeAll(async () => {
  sidecar = await startTranslatingOutrider(["openai", "anthropic", "google", "cohere"]);
  ({ upstream, outrider } = sidecar);
});

afterAll(() => sidecar?.stop());

function answerWith({ whole, streamType, stream }: ProviderAnswers, streams: boolean): void {
  upstream.setScript(
    streams
      ? { headers: { "content-type": streamType }, chunks: [stream] }
      : {
          headers: { "content-type": "application/json", "x-request-id": "up-1" },
          contentLength: true,
          chunks: [JSON.stringify(whole)],
        },
  );
}

/** The answer as the client's own dialect reads it. */
async function readAnswer(
  client: Dialect,
  path: string,
  response: Response,
  streams: boolean,
): Promise<InferenceResponse> {
  const operation = client.match("POST", path.split("?", 1)[0] ?? "");
  if (operation === undefined) throw new Error(`no operation at ${path}`);
  if (!streams) return client.decodeResponse((await response.json()) as Json, operation);
  const framing = client.framings[0] ?? "sse";
  const frames = createFrameDecoder(framing);
  const bytes = Buffer.from(await response.arrayBuffer());
  const events = client.eventDecoder(operation);
  const fold = createFold({ keepContent: true });
  for (const frame of [...frames.push(bytes), ...frames.end()])
    for (const event of events.push(frame)) fold.push(event);
  for (const event of events.end()) fold.push(event);
  expect(fold.unrecognizedEvents, bytes.toString()).toBe(0);
  expect(fold.error, bytes.toString()).toBeUndefined();
  return fold.result();
}

async function ask(path: string, body: Json): Promise<{ response: Response; seen: UpstreamRequest | undefined }> {
  const before = upstream.requests.length;
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer test-key-of-the-client" },
    body: JSON.stringify(body),
  });
  return { response, seen: upstream.requests[before] };
}

for (const [clientId, write] of Object.entries(clients)) {
  const client = findDialect(clientId as Dialect["id"]);
  for (const [providerId, answers] of Object.entries(providers)) {
    const target = providerId === "google" ? "gemini-generate-content" : `${providerId}-`;
    if (clientId.startsWith(target)) continue;
    // These speak the client's dialect too: nothing is translated.
    if (clientId === "openai-responses" && providerId === "openai") continue;
    if (clientId === "openai-chat" && providerId === "google") continue;
    describe(`${clientId} at ${providerId}`, () => {
      it.each([
        { form: "whole", streams: false },
        { form: "as a stream", streams: true },
      ])("answers $form", async ({ streams }) => {
        answerWith(answers, streams);
        const { path, body } = write(`${providerId}/${answers.model}`, streams);
        const { response, seen } = await ask(path, body);
        expect(response.status, await response.clone().text()).toBe(200);
        expect(response.headers.get("x-outrider-served-by")).toBe(`${providerId}/${answers.model}`);

        const { choices, usage, model } = await readAnswer(client, path, response, streams);
        const parts = choices[0]?.message.parts ?? [];
        expect(parts.map((part) => (part.type === "text" ? part.content : "")).join("")).toBe("Let me look.");
        const calls = parts.filter((part) => part.type === "tool_call");
        expect(calls.map(({ name, arguments: args }) => [name, args])).toEqual([["get_weather", { city: "Paris" }]]);
        expect(choices[0]?.finishReason?.unified).toBe("tool_call");
        expect([usage?.inputTokens, usage?.outputTokens]).toEqual([20, 9]);
        // Converse and Cohere have no place for it.
        if (clientId !== "bedrock-converse" && clientId !== "cohere-chat") expect(model).toBe(answers.model);

        const asked = JSON.parse(seen?.body.toString() ?? "{}") as Json;
        const call = matchDialect("POST", (seen?.path ?? "").split("?", 1)[0] ?? "");
        const read = call?.dialect.decodeRequest(asked, call.operation);
        expect(read?.model).toBe(answers.model);
        expect(read?.maxOutputTokens).toBe(100);
        expect(read?.tools?.map(({ name, parameters }) => [name, parameters])).toEqual([["get_weather", tool]]);
        expect(JSON.stringify(asked)).toContain("Weather in Paris?");
        expect(JSON.stringify(asked)).toContain("Be brief.");
        expect(JSON.stringify(seen)).not.toContain("test-key-of-the-client");
      });
    });
  }
}

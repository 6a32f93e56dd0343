// The simulator's OpenAI endpoints, seen by the official client.

import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSimulator, type Simulator } from "../../../src/simulator/index.ts";

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator({ seed: 1, pace: { firstByteMs: 0, chunkMs: 0 } });
  client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "test-key-openai", maxRetries: 0 });
});
afterAll(() => simulator.close());

const ask = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: "user", content }];
const weather: OpenAI.ChatCompletionTool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
      required: ["city"],
    },
  },
};
const time: OpenAI.ChatCompletionTool = {
  type: "function",
  function: { name: "get_time", parameters: { type: "object", properties: {} } },
};

describe("chat", () => {
  it("answers with an id, the dated model name, text and usage that adds up", async () => {
    const { data: answer, response } = await client.chat.completions
      .create({ model: "gpt-4o-mini", messages: ask("Say something.") })
      .withResponse();
    expect(answer.id).toMatch(/^chatcmpl-[0-9A-Za-z]{29}$/);
    expect(answer.model).toBe("gpt-4o-mini-2024-07-18");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    const text = answer.choices[0]?.message.content ?? "";
    expect(text.length).toBeGreaterThan(40);
    expect(answer.usage?.completion_tokens).toBe(Math.ceil(text.length / 4));
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("499");
  });

  it("gives the same question the same text, and another question another", async () => {
    const textOf = async (content: string): Promise<string | null | undefined> =>
      (await client.chat.completions.create({ model: "gpt-4.1-mini", messages: ask(content) })).choices[0]?.message
        .content;
    expect(await textOf("one")).toBe(await textOf("one"));
    expect(await textOf("one")).not.toBe(await textOf("two"));
  });

  it("streams the very text of the plain answer", async () => {
    const request = { model: "gpt-4o", messages: ask("Tell me a story in 60 words") };
    const plain = await client.chat.completions.create(request);
    let text = "";
    let chunks = 0;
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      expect(chunk).not.toHaveProperty("usage");
      text += chunk.choices[0]?.delta.content ?? "";
      chunks += 1;
    }
    expect(text).toBe(plain.choices[0]?.message.content);
    expect(chunks).toBe(62);
  });

  it("ends a stream with a usage chunk when asked, and has null usage in all others", async () => {
    const request = { model: "gpt-4o", messages: ask("Hello"), stream_options: { include_usage: true } };
    const usages: unknown[] = [];
    let lastChoices = -1;
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      usages.push(chunk.usage);
      lastChoices = chunk.choices.length;
    }
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true);
    expect(lastChoices).toBe(0);
    const plain = await client.chat.completions.create({ model: "gpt-4o", messages: ask("Hello") });
    expect(usages.at(-1)).toEqual(plain.usage);
  });

  it("calls the tools that the user's message names, in parallel, and not otherwise", async () => {
    const tools = [weather, time];
    const both = await client.chat.completions.create({
      model: "gpt-4o",
      messages: ask("Weather and time in Oslo?"),
      tools,
    });
    const calls = both.choices[0]?.message.tool_calls?.filter((call) => call.type === "function") ?? [];
    expect(both.choices[0]?.finish_reason).toBe("tool_calls");
    expect(both.choices[0]?.message.content).toBeNull();
    expect(calls.map((call) => call.function.name)).toEqual(["get_weather", "get_time"]);
    expect(Object.keys(JSON.parse(calls[0]?.function.arguments ?? ""))).toEqual(["city", "unit"]);
    const none = await client.chat.completions.create({ model: "gpt-4o", messages: ask("Good morning"), tools });
    expect(none.choices[0]?.message.tool_calls).toBeUndefined();
    const forced = await client.chat.completions.create({
      model: "gpt-4o",
      messages: ask("Good morning"),
      tools,
      tool_choice: "required",
    });
    expect(forced.choices[0]?.message.tool_calls).toHaveLength(1);
  });

  it("streams tool calls that the client's own accumulator puts together", async () => {
    const request = { model: "sim-tools-gpt-4o", messages: ask("Go"), tools: [weather, time] };
    const plain = await client.chat.completions.create(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    const shape = (answer: OpenAI.ChatCompletion): unknown =>
      answer.choices[0]?.message.tool_calls?.map((call) =>
        call.type === "function" ? [call.function.name, call.function.arguments] : [],
      );
    expect(shape(streamed)).toEqual(shape(plain));
    expect(shape(streamed)).toHaveLength(2);
  });

  it("answers a tool result with text", async () => {
    const answer = await client.chat.completions.create({
      model: "sim-tools",
      tools: [weather],
      messages: [
        ...ask("weather?"),
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "call_1", content: "sunny weather" },
      ],
    });
    expect(answer.choices[0]?.finish_reason).toBe("stop");
  });

  it("reports cached tokens for a prefix of 1,024 tokens it has seen, and never for a shorter one", async () => {
    const prefix = "All work and no play makes a dull proxy. ".repeat(150);
    const cachedOf = async (content: string): Promise<number | undefined> =>
      (await client.chat.completions.create({ model: "gpt-4o", messages: ask(content) })).usage?.prompt_tokens_details
        ?.cached_tokens;
    expect(await cachedOf(`${prefix} First?`)).toBe(0);
    const second = (await cachedOf(`${prefix} Second?`)) ?? 0;
    expect(second).toBeGreaterThanOrEqual(1024);
    expect(second % 128).toBe(0);
    expect(await cachedOf("short")).toBe(0);
    expect(await cachedOf("short")).toBe(0);
  });

  it("stops at the token limit and at a stop word", async () => {
    const short = await client.chat.completions.create({
      model: "gpt-4o",
      messages: ask("Hi"),
      max_completion_tokens: 3,
    });
    expect(short.choices[0]?.finish_reason).toBe("length");
    expect(short.usage?.completion_tokens).toBeLessThanOrEqual(3);
    const stopped = await client.chat.completions.create({ model: "gpt-4o", messages: ask("Hi"), stop: ["."] });
    expect(stopped.choices[0]?.message.content).not.toContain(".");
  });

  it("answers JSON of the asked schema, several choices, and reasoning tokens where the model reasons", async () => {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, count: { type: "integer" } },
      required: ["city", "count"],
    };
    const answer = await client.chat.completions.create({
      model: "gpt-5-mini",
      n: 2,
      messages: ask("Which city?"),
      response_format: { type: "json_schema", json_schema: { name: "city", schema } },
    });
    expect(answer.choices).toHaveLength(2);
    expect(JSON.parse(answer.choices[1]?.message.content ?? "")).toMatchObject({
      city: expect.any(String),
      count: expect.any(Number),
    });
    expect(answer.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
  });
});

describe("other endpoints", () => {
  it("completes text, plain and streamed alike", async () => {
    const request = { model: "gpt-3.5-turbo-instruct", prompt: "Once upon a time" };
    const plain = await client.completions.create(request);
    expect(plain.id).toMatch(/^cmpl-/);
    expect(plain.usage?.prompt_tokens).toBeGreaterThan(0);
    let text = "";
    let usage: unknown;
    for await (const chunk of await client.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.text ?? "";
      usage = chunk.usage;
    }
    expect(text).toBe(plain.choices[0]?.text);
    expect(usage).toEqual(plain.usage);
  });

  it("embeds as floats and as base64 with the same values, in the asked size", async () => {
    const request = { model: "text-embedding-3-small", input: ["one", "two"], dimensions: 64 };
    const floats = await client.embeddings.create({ ...request, encoding_format: "float" });
    const packed = await client.embeddings.create({ ...request, encoding_format: "base64" });
    expect(floats.data).toHaveLength(2);
    expect(floats.data[0]?.embedding).toHaveLength(64);
    expect(Math.hypot(...(floats.data[0]?.embedding ?? []))).toBeCloseTo(1, 5);
    const raw: unknown = packed.data[0]?.embedding;
    const bytes = Buffer.from(typeof raw === "string" ? raw : "", "base64");
    expect(Array.from({ length: 64 }, (_, i) => bytes.readFloatLE(i * 4))).toEqual(floats.data[0]?.embedding);
    expect(floats.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
    expect(
      (await client.embeddings.create({ model: "text-embedding-3-large", input: "x" })).data[0]?.embedding,
    ).toHaveLength(3072);
  });

  it("lists its models, faults included", async () => {
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toEqual(expect.arrayContaining(["gpt-4o-mini", "sim-429", "sim-truncate"]));
  });

  it("refuses malformed JSON, a missing field, an unknown model and an unknown path in OpenAI's shape", async () => {
    const post = async (path: string, body: string): Promise<unknown[]> => {
      const response = await fetch(`${simulator.url}${path}`, { method: "POST", body });
      return [response.status, await response.json()];
    };
    expect(await post("/v1/chat/completions", "{")).toMatchObject([
      400,
      { error: { type: "invalid_request_error", code: null } },
    ]);
    expect(await post("/v1/chat/completions", '{"model":"gpt-4o"}')).toMatchObject([
      400,
      { error: { type: "invalid_request_error", code: "missing_required_parameter" } },
    ]);
    expect(await post("/v1/chat/completions", '{"model":"sim-nonsense"}')).toMatchObject([
      404,
      { error: { type: "invalid_request_error", code: "model_not_found" } },
    ]);
    expect(await post("/v1/nothing", "{}")).toMatchObject([
      404,
      { error: { type: "invalid_request_error", code: "unknown_url" } },
    ]);
  });

  it("refuses to listen beyond loopback", async () => {
    await expect(startSimulator({ host: "0.0.0.0" })).rejects.toThrow("loopback only");
  });
});

// A small application on the official `openai` package, run as a process of its own with nothing but environment variables.
// Prints one JSON line per call: what the application saw (`SeenCall` of test/support/sdk-scenarios.ts).
import OpenAI, { APIError } from "openai";
import { createTraceParent } from "../../support/trace-parent.ts";

const client = new OpenAI({ apiKey: "test-key", maxRetries: 0 });
const tool = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const ask = (content: string) => [{ role: "user" as const, content }];

type Seen = Record<string, unknown>;
const calls: Record<string, (headers: { headers: Record<string, string> }) => Promise<Seen>> = {
  async plain(options) {
    const answer = await client.chat.completions.create(
      { model: "gpt-4o-mini", messages: ask("Name three rivers.") },
      options,
    );
    return {
      text: answer.choices[0]?.message.content,
      responseId: answer.id,
      model: answer.model,
      inputTokens: answer.usage?.prompt_tokens,
      outputTokens: answer.usage?.completion_tokens,
    };
  },
  async stream(options) {
    const stream = await client.chat.completions.create(
      { model: "gpt-4o", stream: true, stream_options: { include_usage: true }, messages: ask("Tell me a story.") },
      options,
    );
    let text = "";
    const seen: Seen = {};
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      seen["responseId"] = chunk.id;
      seen["model"] = chunk.model;
      seen["inputTokens"] = chunk.usage?.prompt_tokens;
      seen["outputTokens"] = chunk.usage?.completion_tokens;
    }
    return { ...seen, text };
  },
  /** Asks for no usage, so it must see none, although Outrider does. */
  async "stream-without-usage"(options) {
    const stream = await client.chat.completions.create(
      { model: "gpt-4o", stream: true, messages: ask("And another.") },
      options,
    );
    let text = "";
    let usageFrames = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.usage) usageFrames += 1;
    }
    return { text, usageFrames };
  },
  async tools(options) {
    const answer = await client.chat.completions.create(
      { model: "gpt-4.1", messages: ask("Weather in Nairobi?"), tools: [tool], tool_choice: "required" },
      options,
    );
    const call = answer.choices[0]?.message.tool_calls?.[0];
    return { tool: call?.type === "function" ? call.function.name : undefined, ...readArguments(call) };
  },
  async "tools-stream"(options) {
    const runner = client.chat.completions.stream(
      { model: "gpt-4.1", messages: ask("Weather in Lagos?"), tools: [tool], tool_choice: "required" },
      options,
    );
    const answer = await runner.finalChatCompletion();
    const call = answer.choices[0]?.message.tool_calls?.[0];
    return { tool: call?.type === "function" ? call.function.name : undefined, ...readArguments(call) };
  },
  async embeddings(options) {
    const answer = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] }, options);
    return { vectors: answer.data.length, model: answer.model, inputTokens: answer.usage.prompt_tokens };
  },
  async error(options) {
    return catchStatus(
      client.chat.completions.create({ model: "sim-429-gpt-4o-mini", messages: ask("Too much?") }, options),
    );
  },
  async "error-stream"(options) {
    const failing = async () => {
      const stream = await client.chat.completions.create(
        { model: "sim-error-event-gpt-4o-mini", stream: true, messages: ask("Half?") },
        options,
      );
      for await (const chunk of stream) void chunk;
    };
    return catchStatus(failing());
  },
  async abort(options) {
    const stream = await client.chat.completions.create(
      { model: "gpt-4o", stream: true, messages: ask("A long story in 4000 words.") },
      options,
    );
    let chunks = 0;
    for await (const chunk of stream) {
      void chunk;
      chunks += 1;
      if (chunks === 5) break; // the SDK then closes the connection
    }
    return { chunks };
  },
};

function readArguments(call: unknown): Seen {
  const text = (call as { function?: { arguments?: string } } | undefined)?.function?.arguments ?? "{}";
  return { toolArguments: Object.keys(JSON.parse(text) as object) };
}

async function catchStatus(promise: Promise<unknown>): Promise<Seen> {
  try {
    await promise;
    return {};
  } catch (error) {
    return error instanceof APIError
      ? { errorStatus: error.status ?? 0, errorName: error.constructor.name }
      : { errorName: String(error) };
  }
}

for (const [call, run] of Object.entries(calls)) {
  const { traceId, spanId, traceparent } = createTraceParent();
  const seen = await run({ headers: { traceparent } });
  console.log(JSON.stringify({ call, traceId, spanId, ...seen }));
}

// A small application on the official `@anthropic-ai/sdk`, run as a process of its own with nothing but environment variables.
// Prints one JSON line per call: what the application saw (`SeenCall` of test/support/sdk-scenarios.ts).
import Anthropic, { APIError } from "@anthropic-ai/sdk";
import { createTraceParent } from "../../support/trace-parent.ts";

const client = new Anthropic({ apiKey: "test-key", maxRetries: 0 });
const tool = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] },
};
const ask = (content: string) => [{ role: "user" as const, content }];

type Seen = Record<string, unknown>;

/** Anthropic states uncached and cached input apart; telemetry adds them up. */
function readMessage(message: Anthropic.Message): Seen {
  const { usage } = message;
  const used = message.content.find((block) => block.type === "tool_use");
  return {
    text: message.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    responseId: message.id,
    model: message.model,
    inputTokens: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
    outputTokens: usage.output_tokens,
    ...(used === undefined ? {} : { tool: used.name, toolArguments: Object.keys(used.input as object) }),
  };
}

const calls: Record<string, (options: { headers: Record<string, string> }) => Promise<Seen>> = {
  async plain(options) {
    return readMessage(
      await client.messages.create(
        { model: "claude-sonnet-4-5", max_tokens: 300, messages: ask("Name three rivers.") },
        options,
      ),
    );
  },
  async stream(options) {
    const stream = client.messages.stream(
      { model: "claude-haiku-4-5", max_tokens: 300, messages: ask("Tell me a story.") },
      options,
    );
    return readMessage(await stream.finalMessage());
  },
  async tools(options) {
    const body = {
      model: "claude-sonnet-4-5",
      max_tokens: 300,
      messages: ask("Weather in Nairobi?"),
      tools: [tool],
      tool_choice: { type: "any" as const },
    };
    return readMessage(await client.messages.create(body, options));
  },
  async "tools-stream"(options) {
    const body = {
      model: "claude-sonnet-4-5",
      max_tokens: 300,
      messages: ask("Weather in Lagos?"),
      tools: [tool],
      tool_choice: { type: "any" as const },
    };
    return readMessage(await client.messages.stream(body, options).finalMessage());
  },
  async "count-tokens"(options) {
    const answer = await client.messages.countTokens(
      { model: "claude-sonnet-4-5", messages: ask("How long?") },
      options,
    );
    return { counted: answer.input_tokens };
  },
  async error(options) {
    return catchStatus(
      client.messages.create(
        { model: "sim-overloaded-claude-sonnet-4-5", max_tokens: 300, messages: ask("Too much?") },
        options,
      ),
    );
  },
  async "error-stream"(options) {
    const stream = client.messages.stream(
      { model: "sim-error-event-claude-haiku-4-5", max_tokens: 300, messages: ask("Half?") },
      options,
    );
    return catchStatus(stream.finalMessage());
  },
  async abort(options) {
    const stream = await client.messages.create(
      { model: "claude-sonnet-4-5", max_tokens: 8000, stream: true, messages: ask("A long story in 4000 words.") },
      options,
    );
    let chunks = 0;
    for await (const event of stream) {
      if (event.type === "content_block_delta") chunks += 1;
      if (chunks === 5) break; // the SDK then closes the connection
    }
    return { chunks };
  },
};

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

// @anthropic-ai/sdk: its stream helper adds the events up.
import Anthropic from "@anthropic-ai/sdk";
import { consumeAnswers, prompt, url } from "./consume.mjs";

const client = new Anthropic({ apiKey: "test-key", authToken: null, maxRetries: 0, baseURL: url });
const request = (model) => ({ model, max_tokens: 300, messages: [{ role: "user", content: prompt }] });

function read({ content, stop_reason: finish, usage }) {
  return {
    text: content.map(({ type, text }) => (type === "text" ? text : "")).join(""),
    calls: content.filter(({ type }) => type === "tool_use").map(({ name, input }) => ({ name, arguments: input })),
    finish,
    inputTokens: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
    outputTokens: usage.output_tokens,
  };
}

await consumeAnswers({
  ask: async (model) => read(await client.messages.create(request(model))),
  stream: async (model) => read(await client.messages.stream(request(model)).finalMessage()),
});

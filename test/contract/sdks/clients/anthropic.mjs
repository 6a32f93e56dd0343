// @anthropic-ai/sdk.
import Anthropic from "@anthropic-ai/sdk";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new Anthropic({ apiKey: "test-key", maxRetries: 0 });
const request = (prompt) => ({ model, max_tokens: 300, messages: [{ role: "user", content: prompt }] });
const textOf = ({ content }) => content.map(({ text = "" }) => text).join("");

await runScenarios({
  async ask(prompt) {
    return textOf(await client.messages.create(request(prompt)));
  },
  async *stream(prompt, signal) {
    for await (const event of await client.messages.create({ ...request(prompt), stream: true }, { signal })) {
      if (event.delta?.type === "text_delta") yield event.delta.text;
    }
  },
  async callTool(prompt) {
    const { name, description, parameters } = tool;
    const body = { ...request(prompt), tools: [{ name, description, input_schema: parameters }] };
    const { content } = await client.messages.create(body);
    const called = content.find(({ type }) => type === "tool_use");
    const result = { type: "tool_result", tool_use_id: called.id, content: toolResult };
    body.messages.push({ role: "assistant", content }, { role: "user", content: [result] });
    return { called, text: textOf(await client.messages.create(body)) };
  },
});

// openai, Chat Completions: at OpenAI, or at Azure where SDK_PROVIDER says so.
import OpenAI, { AzureOpenAI } from "openai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const Client = process.env.SDK_PROVIDER === "azure" ? AzureOpenAI : OpenAI;
const client = new Client({ apiKey: "test-key", maxRetries: 0 });
const user = (content) => ({ role: "user", content });

await runScenarios({
  async ask(prompt) {
    const answer = await client.chat.completions.create({ model, messages: [user(prompt)] });
    return answer.choices[0].message.content;
  },
  async *stream(prompt, signal) {
    const body = { model, messages: [user(prompt)], stream: true, stream_options: { include_usage: true } };
    const chunks = await client.chat.completions.create(body, { signal });
    for await (const chunk of chunks) yield chunk.choices[0]?.delta.content ?? "";
  },
  async callTool(prompt) {
    const request = { model, messages: [user(prompt)], tools: [{ type: "function", function: tool }] };
    const { message } = (await client.chat.completions.create(request)).choices[0];
    const [{ id, function: called }] = message.tool_calls;
    request.messages.push(message, { role: "tool", tool_call_id: id, content: toolResult });
    const answer = await client.chat.completions.create(request);
    return { called, text: answer.choices[0].message.content };
  },
});

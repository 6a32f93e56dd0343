// ollama; the package for Node leaves reading OLLAMA_HOST to the application.
import { Ollama } from "ollama";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new Ollama({ host: process.env.OLLAMA_HOST });
const user = (content) => ({ role: "user", content });

await runScenarios({
  async ask(prompt) {
    return (await client.chat({ model, messages: [user(prompt)] })).message.content;
  },
  async *stream(prompt, signal) {
    const parts = await client.chat({ model, messages: [user(prompt)], stream: true });
    signal.addEventListener("abort", () => parts.abort());
    for await (const { message } of parts) yield message.content;
  },
  async callTool(prompt) {
    const request = { model, messages: [user(prompt)], tools: [{ type: "function", function: tool }] };
    const { message } = await client.chat(request);
    request.messages.push(message, { role: "tool", tool_name: tool.name, content: toolResult });
    return { called: message.tool_calls[0].function, text: (await client.chat(request)).message.content };
  },
});

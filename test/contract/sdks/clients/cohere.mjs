// cohere-ai, v2; the package for Node reads no variable for its base URL (the one for Python does).
import { CohereClientV2 } from "cohere-ai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new CohereClientV2({ token: "test-key", environment: process.env.CO_API_URL });
const once = { maxRetries: 0 };
const user = (content) => ({ role: "user", content });
const textOf = ({ message }) => message.content.map(({ text = "" }) => text).join("");

await runScenarios({
  async ask(prompt) {
    return textOf(await client.chat({ model, messages: [user(prompt)] }, once));
  },
  async *stream(prompt, abortSignal) {
    const events = await client.chatStream({ model, messages: [user(prompt)] }, { ...once, abortSignal });
    for await (const event of events) if (event.type === "content-delta") yield event.delta.message.content.text;
  },
  async callTool(prompt) {
    const request = { model, messages: [user(prompt)], tools: [{ type: "function", function: tool }] };
    const { message } = await client.chat(request, once);
    const [call] = message.toolCalls;
    request.messages.push(message, { role: "tool", toolCallId: call.id, content: toolResult });
    return { called: call.function, text: textOf(await client.chat(request, once)) };
  },
});

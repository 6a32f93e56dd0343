// @mistralai/mistralai; it reads no variable for its base URL.
import { Mistral } from "@mistralai/mistralai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new Mistral({ apiKey: "test-key", serverURL: `${process.env.OUTRIDER_URL}/mistral` });
const user = (content) => ({ role: "user", content });

await runScenarios({
  async ask(prompt) {
    return (await client.chat.complete({ model, messages: [user(prompt)] })).choices[0].message.content;
  },
  async *stream(prompt, signal) {
    const events = await client.chat.stream({ model, messages: [user(prompt)] }, { signal });
    for await (const { data } of events) yield data.choices[0].delta.content ?? "";
  },
  async callTool(prompt) {
    const request = { model, messages: [user(prompt)], tools: [{ type: "function", function: tool }] };
    const { message } = (await client.chat.complete(request)).choices[0];
    const [call] = message.toolCalls;
    request.messages.push(message, { role: "tool", toolCallId: call.id, name: tool.name, content: toolResult });
    const answer = await client.chat.complete(request);
    return { called: call.function, text: answer.choices[0].message.content };
  },
});

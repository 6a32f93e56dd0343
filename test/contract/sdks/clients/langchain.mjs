// LangChain (@langchain/core) with the provider package that SDK_PROVIDER names.
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const settings = { model, apiKey: "test-key", maxRetries: 0, maxTokens: 300 };
const chat = process.env.SDK_PROVIDER === "openai" ? new ChatOpenAI(settings) : new ChatAnthropic(settings);

await runScenarios({
  async ask(prompt) {
    return (await chat.invoke(prompt)).text;
  },
  async *stream(prompt, signal) {
    for await (const chunk of await chat.stream(prompt, { signal })) yield chunk.text;
  },
  async callTool(prompt) {
    const bound = chat.bindTools([{ type: "function", function: tool }]);
    const messages = [new HumanMessage(prompt)];
    const message = await bound.invoke(messages);
    const [call] = message.tool_calls;
    messages.push(message, new ToolMessage({ tool_call_id: call.id, name: call.name, content: toolResult }));
    return { called: call.args, text: (await bound.invoke(messages)).text };
  },
});

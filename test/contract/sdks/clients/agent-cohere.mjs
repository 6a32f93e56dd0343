// An agent on cohere-ai, v2: the message goes back as it is; of a stream, which the package does not put together, what its events say.
import { CohereClientV2 } from "cohere-ai";
import { countTurn, finish, instructions, model, question, runTool, streams, tools, url } from "./agent.mjs";

const client = new CohereClientV2({ token: "test-key", environment: url });
const once = { maxRetries: 0 };
const request = {
  model,
  thinking: { type: "enabled", tokenBudget: 2000 },
  messages: [
    { role: "system", content: instructions },
    { role: "user", content: question },
  ],
  tools: tools.map(({ name, description, parameters }) => ({
    type: "function",
    function: { name, description, parameters },
  })),
};

async function ask() {
  if (!streams) return client.chat(request, once);
  const message = { role: "assistant" };
  for await (const event of await client.chatStream(request, once)) {
    const delta = event.delta?.message;
    switch (event.type) {
      case "content-start":
        (message.content ??= [])[event.index] = { ...delta.content };
        break;
      case "content-delta":
        for (const [kind, text] of Object.entries(delta.content)) {
          if (kind !== "type") message.content[event.index][kind] = (message.content[event.index][kind] ?? "") + text;
        }
        break;
      case "tool-plan-delta":
        message.toolPlan = (message.toolPlan ?? "") + delta.toolPlan;
        break;
      case "tool-call-start":
        (message.toolCalls ??= [])[event.index] = delta.toolCalls;
        break;
      case "tool-call-delta":
        message.toolCalls[event.index].function.arguments += delta.toolCalls.function.arguments;
        break;
      case "message-end":
        return { message, finishReason: event.delta.finishReason, usage: event.delta.usage };
    }
  }
  throw new Error("the stream did not come to its end");
}

for (;;) {
  const { message, finishReason, usage } = await ask();
  countTurn(usage.tokens.inputTokens, usage.tokens.outputTokens);
  request.messages.push(message);
  if (finishReason !== "TOOL_CALL") {
    finish(message.content.map(({ text = "" }) => text).join(""));
    break;
  }
  for (const { id, function: called } of message.toolCalls) {
    const result = runTool(called.name, JSON.parse(called.arguments));
    request.messages.push({ role: "tool", toolCallId: id, content: JSON.stringify(result) });
  }
}

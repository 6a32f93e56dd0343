// An agent on openai, Chat Completions: the SDK's own message goes back into the history as it is.
import OpenAI from "openai";
import { countTurn, finish, instructions, model, question, runTool, streams, tools, url } from "./agent.mjs";

const client = new OpenAI({ apiKey: "test-key", baseURL: `${url}/v1`, maxRetries: 0 });
const request = {
  model,
  reasoning_effort: "medium",
  messages: [
    { role: "system", content: instructions },
    { role: "user", content: question },
  ],
  tools: tools.map(({ name, description, parameters }) => ({
    type: "function",
    function: { name, description, parameters },
  })),
};

const ask = () =>
  streams
    ? client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion()
    : client.chat.completions.create(request);

for (;;) {
  const { choices, usage } = await ask();
  const [{ message, finish_reason: reason }] = choices;
  countTurn(usage.prompt_tokens, usage.completion_tokens);
  request.messages.push(message);
  if (reason !== "tool_calls") {
    finish(message.content);
    break;
  }
  for (const { id, function: called } of message.tool_calls) {
    const result = runTool(called.name, JSON.parse(called.arguments));
    request.messages.push({ role: "tool", tool_call_id: id, content: JSON.stringify(result) });
  }
}

// openai, Chat Completions: its stream helper adds the chunks up.
import OpenAI from "openai";
import { consumeAnswers, parse, prompt, url } from "./consume.mjs";

const client = new OpenAI({ apiKey: "test-key", maxRetries: 0, baseURL: `${url}/v1` });
const request = (model) => ({ model, messages: [{ role: "user", content: prompt }] });

function read({ choices: [choice], usage }) {
  const { content, refusal, tool_calls: calls = [] } = choice.message;
  return {
    text: (content ?? "") + (refusal ?? ""),
    calls: calls.map(({ function: called, custom }) =>
      called
        ? { name: called.name, arguments: parse(called.arguments) }
        : { name: custom.name, arguments: custom.input },
    ),
    finish: choice.finish_reason,
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
  };
}

await consumeAnswers({
  ask: async (model) => read(await client.chat.completions.create(request(model))),
  async stream(model) {
    const body = { ...request(model), stream_options: { include_usage: true } };
    return read(await client.chat.completions.stream(body).finalChatCompletion());
  },
});

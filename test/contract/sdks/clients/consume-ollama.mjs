// ollama: it leaves adding parts up to the application, but throws for a stream without a last one.
import { Ollama } from "ollama";
import { consumeAnswers, prompt, url } from "./consume.mjs";

const client = new Ollama({ host: url });
const request = (model) => ({ model, messages: [{ role: "user", content: prompt }] });

function read(parts) {
  const calls = parts.flatMap(({ message }) => message.tool_calls ?? []);
  const { done_reason: finish, prompt_eval_count: inputTokens, eval_count: outputTokens } = parts.at(-1);
  return {
    text: parts.map(({ message }) => message.content).join(""),
    calls: calls.map(({ function: { name, arguments: given } }) => ({ name, arguments: given })),
    finish,
    inputTokens,
    outputTokens,
  };
}

await consumeAnswers({
  ask: async (model) => read([await client.chat(request(model))]),
  stream: async (model) => read(await Array.fromAsync(await client.chat({ ...request(model), stream: true }))),
});

// @mistralai/mistralai, which checks every answer against its schema; it leaves adding chunks up to the application.
import { Mistral } from "@mistralai/mistralai";
import { consumeAnswers, join, parse, prompt, url } from "./consume.mjs";

const client = new Mistral({ apiKey: "test-key", serverURL: url, retryConfig: { strategy: "none" } });
const request = (model) => ({ model, messages: [{ role: "user", content: prompt }] });
const textOf = (content) =>
  Array.isArray(content) ? content.map(({ type, text }) => (type === "text" ? text : "")).join("") : (content ?? "");

function read({ text, calls, finish, usage }) {
  return {
    text,
    calls: calls.map(({ name, arguments: given }) => ({
      name,
      arguments: typeof given === "string" ? parse(given) : given,
    })),
    finish,
    inputTokens: usage?.promptTokens,
    outputTokens: usage?.completionTokens,
  };
}

await consumeAnswers({
  async ask(model) {
    const { choices, usage } = await client.chat.complete(request(model));
    const { message, finishReason: finish } = choices[0];
    const calls = (message.toolCalls ?? []).map((call) => call.function);
    return read({ text: textOf(message.content), calls, finish, usage });
  },
  async stream(model) {
    const [texts, calls] = [[], []];
    let finish, usage;
    for await (const { data } of await client.chat.stream(request(model))) {
      usage = data.usage ?? usage;
      const choice = data.choices.find(({ index }) => index === 0);
      if (choice === undefined) continue;
      finish = choice.finishReason ?? finish;
      texts.push(textOf(choice.delta.content));
      for (const { index, function: called } of choice.delta.toolCalls ?? []) {
        const call = (calls[index] ??= { name: "", arguments: "" });
        call.name += called.name;
        call.arguments += called.arguments;
      }
    }
    return read({ text: join(texts), calls, finish, usage });
  },
});

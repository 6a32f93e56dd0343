// openai, legacy Completions: it has no helper for streams, and no tools.
import OpenAI from "openai";
import { consumeAnswers, join, prompt, url } from "./consume.mjs";

const client = new OpenAI({ apiKey: "test-key", maxRetries: 0, baseURL: `${url}/v1` });

function read({ choices, usage }) {
  return {
    text: choices[0].text,
    calls: [],
    finish: choices[0].finish_reason,
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
  };
}

await consumeAnswers({
  ask: async (model) => read(await client.completions.create({ model, prompt })),
  async stream(model) {
    const body = { model, prompt, stream: true, stream_options: { include_usage: true } };
    const chunks = await Array.fromAsync(await client.completions.create(body));
    const choices = chunks.flatMap((chunk) => chunk.choices).filter(({ index }) => index === 0);
    const finish_reason = choices.findLast((choice) => choice.finish_reason)?.finish_reason;
    const usage = chunks.findLast((chunk) => chunk.usage)?.usage;
    return read({ choices: [{ text: join(choices.map(({ text }) => text)), finish_reason }], usage });
  },
});

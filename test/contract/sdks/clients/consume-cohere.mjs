// cohere-ai, v2: it leaves adding events up to the application.
import { CohereClientV2 } from "cohere-ai";
import { consumeAnswers, parse, prompt, url } from "./consume.mjs";

const client = new CohereClientV2({ token: "test-key", environment: url });
const once = { maxRetries: 0 };
const request = (model) => ({ model, messages: [{ role: "user", content: prompt }] });

function read({ texts, calls, finishReason, usage }) {
  return {
    text: texts.join(""),
    calls: calls.map(({ name, arguments: text }) => ({ name, arguments: parse(text) })),
    finish: finishReason,
    // Images stand beside the text; the client passes on that count without a name of its own.
    inputTokens: usage?.tokens && usage.tokens.inputTokens + (usage.tokens.image_tokens ?? 0),
    outputTokens: usage?.tokens?.outputTokens,
  };
}

await consumeAnswers({
  async ask(model) {
    const { message, finishReason, usage } = await client.chat(request(model), once);
    const texts = (message.content ?? []).map(({ text }) => text ?? "");
    return read({ texts, calls: (message.toolCalls ?? []).map((call) => call.function), finishReason, usage });
  },
  async stream(model) {
    const [texts, calls] = [[], []];
    let end;
    for await (const event of await client.chatStream(request(model), once)) {
      if (event.type === "content-delta") texts.push(event.delta.message.content.text ?? "");
      if (event.type === "tool-call-start") calls.push({ ...event.delta.message.toolCalls.function });
      if (event.type === "tool-call-delta") calls.at(-1).arguments += event.delta.message.toolCalls.function.arguments;
      if (event.type === "message-end") end = event.delta;
    }
    if (end.finishReason === "ERROR" && end.error) throw new Error(end.error);
    return read({ texts, calls, ...end });
  },
});

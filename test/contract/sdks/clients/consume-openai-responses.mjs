// openai, Responses: its stream helper adds the events up.
import OpenAI from "openai";
import { consumeAnswers, parse, prompt, url } from "./consume.mjs";

const client = new OpenAI({ apiKey: "test-key", maxRetries: 0, baseURL: `${url}/v1` });

function read(response) {
  const contents = response.output.flatMap((item) => (item.type === "message" ? item.content : []));
  const calls = response.output.filter(({ type }) => type === "function_call" || type === "custom_tool_call");
  return {
    text: contents.map(({ text, refusal }) => text ?? refusal).join(""),
    calls: calls.map((call) => ({
      name: call.name,
      arguments: call.type === "function_call" ? parse(call.arguments) : call.input,
    })),
    finish: response.incomplete_details?.reason ?? response.status,
    inputTokens: response.usage?.input_tokens,
    outputTokens: response.usage?.output_tokens,
  };
}

await consumeAnswers({
  ask: async (model) => read(await client.responses.create({ model, input: prompt })),
  stream: async (model) => read(await client.responses.stream({ model, input: prompt }).finalResponse()),
});

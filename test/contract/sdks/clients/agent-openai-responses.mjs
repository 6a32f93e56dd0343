// An agent on openai, Responses, that keeps its own history: all items of the output go back as they are.
import OpenAI from "openai";
import { countTurn, finish, instructions, model, question, runTool, streams, tools, url } from "./agent.mjs";

const client = new OpenAI({ apiKey: "test-key", baseURL: `${url}/v1`, maxRetries: 0 });
const request = {
  model,
  store: false,
  include: ["reasoning.encrypted_content"],
  reasoning: { effort: "medium" },
  instructions,
  input: [{ role: "user", content: question }],
  tools: tools.map(({ name, description, parameters }) => ({
    type: "function",
    name,
    description,
    parameters,
    strict: false,
  })),
};

const ask = () => (streams ? client.responses.stream(request).finalResponse() : client.responses.create(request));

for (;;) {
  const { output, output_text: text, usage } = await ask();
  countTurn(usage.input_tokens, usage.output_tokens);
  request.input.push(...output);
  const calls = output.filter(({ type }) => type === "function_call");
  if (calls.length === 0) {
    finish(text);
    break;
  }
  for (const { call_id, name, arguments: given } of calls) {
    const result = runTool(name, JSON.parse(given));
    request.input.push({ type: "function_call_output", call_id, output: JSON.stringify(result) });
  }
}

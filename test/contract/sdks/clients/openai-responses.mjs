// openai, Responses.
import OpenAI from "openai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new OpenAI({ apiKey: "test-key", maxRetries: 0 });

await runScenarios({
  async ask(prompt) {
    return (await client.responses.create({ model, input: prompt })).output_text;
  },
  async *stream(prompt, signal) {
    const events = await client.responses.create({ model, input: prompt, stream: true }, { signal });
    for await (const event of events) if (event.type === "response.output_text.delta") yield event.delta;
  },
  async callTool(prompt) {
    const request = {
      model,
      input: [{ role: "user", content: prompt }],
      tools: [{ type: "function", strict: false, ...tool }],
    };
    const { output } = await client.responses.create(request);
    const called = output.find(({ type }) => type === "function_call");
    request.input.push(...output, { type: "function_call_output", call_id: called.call_id, output: toolResult });
    return { called, text: (await client.responses.create(request)).output_text };
  },
});

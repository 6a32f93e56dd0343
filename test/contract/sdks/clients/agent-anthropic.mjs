// An agent on @anthropic-ai/sdk: the content of each message goes back as it is, thinking included.
import Anthropic from "@anthropic-ai/sdk";
import { countTurn, finish, instructions, model, question, runTool, streams, tools, url } from "./agent.mjs";

const client = new Anthropic({ apiKey: "test-key", baseURL: url, maxRetries: 0 });
const request = {
  model,
  max_tokens: 4000,
  thinking: { type: "enabled", budget_tokens: 2000 },
  system: instructions,
  messages: [{ role: "user", content: question }],
  tools: tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })),
};

const ask = () => (streams ? client.messages.stream(request).finalMessage() : client.messages.create(request));

for (;;) {
  const { role, content, stop_reason: reason, usage } = await ask();
  countTurn(usage.input_tokens, usage.output_tokens);
  request.messages.push({ role, content });
  if (reason !== "tool_use") {
    finish(content.map(({ text = "" }) => text).join(""));
    break;
  }
  const results = content
    .filter(({ type }) => type === "tool_use")
    .map(({ id, name, input }) => ({
      type: "tool_result",
      tool_use_id: id,
      content: JSON.stringify(runTool(name, input)),
    }));
  request.messages.push({ role: "user", content: results });
}

// An agent on @google/genai: the model's parts go back as they are, those of a stream all in one turn.
import { GoogleGenAI } from "@google/genai";
import { countTurn, finish, instructions, model, question, runTool, streams, tools, url } from "./agent.mjs";

const client = new GoogleGenAI({ apiKey: "test-key", httpOptions: { baseUrl: url } });
const request = {
  model,
  contents: [{ role: "user", parts: [{ text: question }] }],
  config: {
    systemInstruction: instructions,
    thinkingConfig: { thinkingBudget: 2000, includeThoughts: true },
    tools: [
      {
        functionDeclarations: tools.map(({ name, description, parameters }) => ({
          name,
          description,
          parametersJsonSchema: parameters,
        })),
      },
    ],
  },
};

async function ask() {
  if (!streams) {
    const { candidates, usageMetadata } = await client.models.generateContent(request);
    return { parts: candidates[0].content.parts, usage: usageMetadata };
  }
  const parts = [];
  let usage;
  for await (const chunk of await client.models.generateContentStream(request)) {
    parts.push(...(chunk.candidates?.[0].content?.parts ?? []));
    usage = chunk.usageMetadata ?? usage;
  }
  return { parts, usage };
}

for (;;) {
  const { parts, usage } = await ask();
  countTurn(usage.promptTokenCount, usage.candidatesTokenCount);
  request.contents.push({ role: "model", parts });
  const calls = parts.flatMap(({ functionCall }) => functionCall ?? []);
  if (calls.length === 0) {
    finish(parts.map(({ text = "", thought }) => (thought ? "" : text)).join(""));
    break;
  }
  const results = calls.map(({ id, name, args }) => ({
    functionResponse: { id, name, response: runTool(name, args) },
  }));
  request.contents.push({ role: "user", parts: results });
}

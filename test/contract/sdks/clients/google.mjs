// @google/genai.
import { GoogleGenAI } from "@google/genai";
import { model, runScenarios, tool, toolResult } from "./scenarios.mjs";

const client = new GoogleGenAI({ apiKey: "test-key" });
const user = (text) => ({ role: "user", parts: [{ text }] });

await runScenarios({
  async ask(prompt) {
    return (await client.models.generateContent({ model, contents: prompt })).text;
  },
  async *stream(prompt, abortSignal) {
    const chunks = await client.models.generateContentStream({ model, contents: prompt, config: { abortSignal } });
    for await (const chunk of chunks) yield chunk.text ?? "";
  },
  async callTool(prompt) {
    const { name, description, parameters: parametersJsonSchema } = tool;
    const config = { tools: [{ functionDeclarations: [{ name, description, parametersJsonSchema }] }] };
    const contents = [user(prompt)];
    const { candidates, functionCalls } = await client.models.generateContent({ model, contents, config });
    const result = { functionResponse: { name, response: { output: toolResult } } };
    contents.push(candidates[0].content, { role: "user", parts: [result] });
    return { called: functionCalls[0], text: (await client.models.generateContent({ model, contents, config })).text };
  },
});

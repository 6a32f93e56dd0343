// @google/genai: it leaves adding chunks up to the application.
import { GoogleGenAI } from "@google/genai";
import { consumeAnswers, prompt, url } from "./consume.mjs";

const client = new GoogleGenAI({ apiKey: "test-key", httpOptions: { baseUrl: url } });
const request = (model) => ({ model, contents: prompt });

function read(chunks) {
  const candidates = chunks.flatMap((chunk) => chunk.candidates?.filter(({ index = 0 }) => index === 0) ?? []);
  const parts = candidates.flatMap(({ content }) => content?.parts ?? []);
  const calls = parts.flatMap(({ functionCall }) => functionCall ?? []);
  const usage = chunks.findLast((chunk) => chunk.usageMetadata)?.usageMetadata;
  const blocked = chunks.findLast((chunk) => chunk.promptFeedback?.blockReason)?.promptFeedback.blockReason;
  const { promptTokenCount, toolUsePromptTokenCount = 0, candidatesTokenCount, thoughtsTokenCount } = usage ?? {};
  const output = [candidatesTokenCount, thoughtsTokenCount].filter((count) => count !== undefined);
  return {
    // Not `chunk.text`: it is the first candidate's of each chunk, whichever that is.
    text: parts.map(({ text, thought }) => (thought ? "" : (text ?? ""))).join(""),
    calls: calls.map(({ name, args = {} }) => ({ name, arguments: args })),
    finish: candidates.findLast(({ finishReason }) => finishReason)?.finishReason ?? blocked,
    inputTokens: promptTokenCount === undefined ? undefined : promptTokenCount + toolUsePromptTokenCount,
    outputTokens: output.length === 0 ? undefined : output.reduce((sum, count) => sum + count, 0),
  };
}

await consumeAnswers({
  ask: async (model) => read([await client.models.generateContent(request(model))]),
  stream: async (model) => read(await Array.fromAsync(await client.models.generateContentStream(request(model)))),
});

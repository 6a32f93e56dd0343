// Vercel's AI SDK (ai) with the provider package that SDK_PROVIDER names. @ai-sdk/google reads no variable for its base URL.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, jsonSchema, streamText } from "ai";
import { model as modelName, runScenarios, tool, toolResult } from "./scenarios.mjs";

const apiKey = "test-key";
const providers = {
  openai: () => createOpenAI({ apiKey }),
  // The package's variable has the version, Anthropic's own has not.
  anthropic: () => createAnthropic({ apiKey, baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` }),
  google() {
    const baseURL = `${process.env.GOOGLE_GEMINI_BASE_URL}/v1beta`;
    return createGoogleGenerativeAI({ apiKey, baseURL, generateId: () => "call-1" }); // else a random id for each tool call
  },
};
const model = providers[process.env.SDK_PROVIDER]()(modelName);
const settings = { model, maxRetries: 0, maxOutputTokens: 300 };

await runScenarios({
  async ask(prompt) {
    return (await generateText({ ...settings, prompt })).text;
  },
  async *stream(prompt, abortSignal) {
    yield* streamText({ ...settings, prompt, abortSignal }).textStream;
  },
  async callTool(prompt) {
    let called;
    const execute = (input) => {
      called = input;
      return toolResult;
    };
    const { description, name, parameters } = tool;
    const tools = { [name]: { description, inputSchema: jsonSchema(parameters), execute } };
    const { text } = await generateText({ ...settings, prompt, tools, stopWhen: isStepCount(2) });
    return { called, text };
  },
});

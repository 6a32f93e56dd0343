// Recorded answers, translated, as the official Python clients end up with them: what test/support/answer-clients.ts asks of every client.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { type AnswerClient, clientDialects, describeAnswerClients } from "../support/answer-clients.ts";
import { createTempDir } from "../support/components/child.ts";

const home = createTempDir("sdks-python");
afterAll(() => rmSync(home, { recursive: true, force: true }));

const clients: AnswerClient[] = [
  { ...clientDialects.openaiChat, sdk: "openai (chat)", script: "consume_openai_chat.py" },
  { ...clientDialects.openaiCompletions, sdk: "openai (completions)", script: "consume_openai_completions.py" },
  { ...clientDialects.mistral, sdk: "mistralai", script: "consume_mistral.py" },
  { ...clientDialects.openaiResponses, sdk: "openai (responses)", script: "consume_openai_responses.py" },
  { ...clientDialects.anthropic, sdk: "anthropic", script: "consume_anthropic.py" },
  { ...clientDialects.google, sdk: "google-genai", script: "consume_google.py" },
  { ...clientDialects.bedrock, sdk: "boto3", script: "consume_bedrock.py" },
  { ...clientDialects.bedrockInvoke, sdk: "anthropic (AnthropicBedrock)", script: "consume_anthropic_bedrock.py" },
  { ...clientDialects.cohere, sdk: "cohere", script: "consume_cohere.py" },
  { ...clientDialects.ollamaPython, sdk: "ollama", script: "consume_ollama.py" },
];

const find = (script: string): string => fileURLToPath(new URL(`python/clients/${script}`, import.meta.url));

describeAnswerClients(clients, async () => {
  const { python } = await ensureComponents(["python"]);
  return { home, command: (script) => [python.python, "-B", find(script)] };
});

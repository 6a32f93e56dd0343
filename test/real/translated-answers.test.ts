// Recorded answers, translated, as the official Node clients end up with them: what test/support/answer-clients.ts asks of every client.
import { cpSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { type AnswerClient, clientDialects, describeAnswerClients } from "../support/answer-clients.ts";
import { createTempDir } from "../support/components/child.ts";

const home = createTempDir("sdks-node");
afterAll(() => rmSync(home, { recursive: true, force: true }));

const clients: AnswerClient[] = [
  { ...clientDialects.openaiChat, sdk: "openai (chat)", script: "consume-openai-chat.mjs" },
  { ...clientDialects.openaiCompletions, sdk: "openai (completions)", script: "consume-openai-completions.mjs" },
  { ...clientDialects.mistral, sdk: "@mistralai/mistralai", script: "consume-mistral.mjs" },
  { ...clientDialects.openaiResponses, sdk: "openai (responses)", script: "consume-openai-responses.mjs" },
  { ...clientDialects.anthropic, sdk: "@anthropic-ai/sdk", script: "consume-anthropic.mjs" },
  { ...clientDialects.google, sdk: "@google/genai", script: "consume-google.mjs" },
  { ...clientDialects.bedrock, sdk: "@aws-sdk/client-bedrock-runtime", script: "consume-bedrock.mjs" },
  {
    ...clientDialects.bedrockInvoke,
    sdk: "@aws-sdk (InvokeModel)",
    script: "consume-bedrock-invoke.mjs",
  },
  { ...clientDialects.cohere, sdk: "cohere-ai", script: "consume-cohere.mjs" },
  { ...clientDialects.ollama, sdk: "ollama", script: "consume-ollama.mjs" },
];

const scripts = fileURLToPath(new URL("../contract/sdks/clients", import.meta.url));

describeAnswerClients(clients, async () => {
  const { node } = await ensureComponents(["node"]);
  cpSync(scripts, home, { recursive: true });
  symlinkSync(node.modules, join(home, "node_modules"));
  return { home, command: (script) => [process.execPath, join(home, script)] };
});

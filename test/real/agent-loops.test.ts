// An agent's whole loop – two parallel tool calls, a third, the answer – by five official clients at five providers that speak
// different dialects, whole and streamed: the final state is the same 50 times, and no provider finds anything wrong with its history.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import type { AgentProvider } from "../support/agent-answers.ts";
import { type AgentUpstream, startAgentUpstream } from "../support/agent-upstream.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";

const scripts = fileURLToPath(new URL("../contract/sdks/clients", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "outrider-agents-"));

const models: Readonly<Record<Exclude<AgentProvider, "google-chat">, string>> = {
  openai: "gpt-test-1",
  anthropic: "claude-test-1",
  google: "gemini-3-test",
  bedrock: "us.anthropic.claude-test-1",
  cohere: "command-test-1",
};

type Target = keyof typeof models;

interface Client {
  sdk: string;
  script: string;
  /** Whose dialect it speaks: the model is named without its provider there, and nothing is translated. */
  home: Target | undefined;
  /** What a provider signed or encrypted comes back with the client's own objects. */
  keepsSealed: boolean;
}

const clients: readonly Client[] = [
  { sdk: "openai, Chat Completions", script: "agent-openai-chat.mjs", home: "openai", keepsSealed: true },
  { sdk: "openai, Responses", script: "agent-openai-responses.mjs", home: undefined, keepsSealed: true },
  { sdk: "@anthropic-ai/sdk", script: "agent-anthropic.mjs", home: "anthropic", keepsSealed: true },
  { sdk: "@google/genai", script: "agent-google.mjs", home: "google", keepsSealed: true },
  // Drops what it does not know.
  { sdk: "cohere-ai", script: "agent-cohere.mjs", home: "cohere", keepsSealed: false },
];

/** The model as the client names it, and who is asked. */
function address({ script, home }: Client, target: Target): { name: string; provider: AgentProvider } {
  const model = models[target];
  if (target === home) return { name: model, provider: target };
  // OpenAI takes Responses as they are: Cerebras speaks Chat Completions alone.
  if (target === "openai" && home === undefined) return { name: `cerebras/${model}`, provider: target };
  // Google takes Chat Completions too.
  const isChatAtGoogle = target === "google" && script === "agent-openai-chat.mjs";
  return { name: `${target}/${model}`, provider: isChatAtGoogle ? "google-chat" : target };
}

const finalState = {
  text: "Paris 7, Oslo 12, together 19.",
  calls: [
    ["get_weather", { city: "Paris" }],
    ["get_weather", { city: "Oslo" }],
    ["add", { a: 7, b: 12 }],
  ],
  turns: 3,
  inputTokens: 450,
  outputTokens: 45,
};

let upstream: AgentUpstream;
let outrider: OutriderProcess;

beforeAll(async () => {
  const { node } = await ensureComponents(["node"]);
  // Beside their packages, as in an application; the packages stay in the components' cache.
  cpSync(scripts, home, { recursive: true });
  symlinkSync(node.modules, join(home, "node_modules"));
  upstream = await startAgentUpstream();
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        cerebras: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        google: { baseUrl: upstream.url },
        bedrock: { baseUrl: upstream.url },
        cohere: { baseUrl: upstream.url },
      },
    },
    environment: {
      OPENAI_API_KEY: "test-key-openai",
      CEREBRAS_API_KEY: "test-key-cerebras",
      ANTHROPIC_API_KEY: "test-key-anthropic",
      GEMINI_API_KEY: "test-key-google",
      CO_API_KEY: "test-key-cohere",
      AWS_REGION: "us-east-1",
      OUTRIDER_CREDENTIAL_BEDROCK_ENV: "HELD_TOKEN",
      HELD_TOKEN: "test-key-bedrock",
    },
  });
}, 300_000);

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
  rmSync(home, { recursive: true, force: true });
});

/** The final state that the client prints. */
async function runAgent(script: string, model: string, streams: boolean): Promise<unknown> {
  const child = spawn(process.execPath, [join(home, script)], {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      AGENT_URL: outrider.url,
      AGENT_MODEL: model,
      AGENT_STREAM: streams ? "1" : "0",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  const line = out.split("\n").find((each) => each.startsWith("{"));
  if (code !== 0 || line === undefined) {
    throw new Error(`${script} ended with ${String(code)}:\n${errors}\n${out}\n${upstream.wrong().join("\n")}`);
  }
  return JSON.parse(line) as unknown;
}

describe.each(clients)("$sdk", (client) => {
  for (const [target, model] of Object.entries(models) as [Target, string][]) {
    for (const streams of [false, true]) {
      it(`comes to the same end at ${target}${streams ? ", streaming" : ""}`, async () => {
        const { name, provider } = address(client, target);
        upstream.play({ provider, model, streams, keepsSealed: client.keepsSealed });
        const state = await runAgent(client.script, name, streams);
        expect(upstream.wrong()).toEqual([]);
        expect(state).toEqual(finalState);
        expect(upstream.count()).toBe(3);
      });
    }
  }
});

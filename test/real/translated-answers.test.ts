// Recorded answers, translated, as the official Node clients end up with them: the canonical answer, or an exception where it broke.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import type { UnifiedFinishReason } from "../../src/canonical/index.ts";
import { type DialectId, findDialect } from "../../src/dialects/index.ts";
import {
  breakOff,
  expectedOf,
  type ProviderAnswer,
  readProviderAnswers,
  serveAnswers,
  writeAnswer,
} from "../support/translated-answers.ts";

/** What a client printed of one answer. */
interface Seen {
  model: string;
  error?: string;
  text?: string;
  calls?: { name: string; arguments: unknown }[];
  finish?: string;
  inputTokens?: number;
  outputTokens?: number;
}

interface Client {
  sdk: string;
  script: string;
  dialect: DialectId;
  operationKind: string;
  /** The dialect's words for why an answer ended, each with what it means (the vendors' references, read 2026-11-21). */
  finish: Record<string, UnifiedFinishReason>;
  /** What it says instead of what it has no word for. */
  instead?: Partial<Record<UnifiedFinishReason, UnifiedFinishReason>>;
  /** Answers that it refuses from OpenAI too. */
  cannotRead?: (answer: ProviderAnswer) => boolean;
}

type Expected = ReturnType<typeof expectedOf>;

const openaiFinish = {
  stop: "stop",
  tool_calls: "tool_call",
  length: "length",
  content_filter: "content_filter",
} as const;
const openai = { dialect: "openai-chat", finish: openaiFinish } as const;

const clients: Client[] = [
  { ...openai, sdk: "openai (chat)", script: "consume-openai-chat.mjs", operationKind: "chat" },
  {
    ...openai,
    sdk: "openai (completions)",
    script: "consume-openai-completions.mjs",
    operationKind: "text_completion",
  },
  {
    ...openai,
    sdk: "@mistralai/mistralai",
    script: "consume-mistral.mjs",
    operationKind: "chat",
    // Mistral streams a call as one piece, and its client wants a name in each; it knows neither custom tools nor refusals.
    cannotRead(answer) {
      if (answer.kind !== "body" && answer.kind !== "stream") return false;
      const { calls, isRefusal } = expectedOf(answer.response);
      const isStreamedCall = answer.kind === "stream" && calls.length > 0;
      return isStreamedCall || isRefusal || calls.some((call) => typeof call.arguments === "string");
    },
  },
  {
    sdk: "openai (responses)",
    script: "consume-openai-responses.mjs",
    dialect: "openai-responses",
    operationKind: "chat",
    finish: { completed: "stop", max_output_tokens: "length", content_filter: "content_filter", failed: "error" },
  },
  {
    sdk: "@anthropic-ai/sdk",
    script: "consume-anthropic.mjs",
    dialect: "anthropic-messages",
    operationKind: "chat",
    finish: {
      end_turn: "stop",
      stop_sequence: "stop",
      pause_turn: "stop",
      tool_use: "tool_call",
      max_tokens: "length",
      model_context_window_exceeded: "length",
      refusal: "content_filter",
      compaction: "compaction",
    },
  },
  {
    sdk: "@google/genai",
    script: "consume-google.mjs",
    dialect: "gemini-generate-content",
    operationKind: "generate_content",
    finish: { STOP: "stop", MAX_TOKENS: "length", SAFETY: "content_filter", OTHER: "error" },
  },
  {
    sdk: "@aws-sdk/client-bedrock-runtime",
    script: "consume-bedrock.mjs",
    dialect: "bedrock-converse",
    operationKind: "chat",
    finish: {
      end_turn: "stop",
      stop_sequence: "stop",
      tool_use: "tool_call",
      max_tokens: "length",
      guardrail_intervened: "content_filter",
      content_filtered: "content_filter",
      model_context_window_exceeded: "length",
      malformed_model_output: "error",
      malformed_tool_use: "error",
    },
  },
  {
    sdk: "cohere-ai",
    script: "consume-cohere.mjs",
    dialect: "cohere-chat",
    operationKind: "chat",
    finish: { COMPLETE: "stop", STOP_SEQUENCE: "stop", TOOL_CALL: "tool_call", MAX_TOKENS: "length", ERROR: "error" },
    instead: { content_filter: "error" },
  },
  {
    sdk: "ollama",
    script: "consume-ollama.mjs",
    dialect: "ollama-chat",
    operationKind: "chat",
    finish: { stop: "stop", length: "length", content_filter: "content_filter" },
  },
];

const scripts = fileURLToPath(new URL("../contract/sdks/clients", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "outrider-sdks-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

beforeAll(async () => {
  const { node } = await ensureComponents(["node"]);
  cpSync(scripts, home, { recursive: true });
  symlinkSync(node.modules, join(home, "node_modules"));
});

/** Recordings in which an image was cut short, so that it is no base64 (aws-sdk throws while it reads). */
const brokenMedia = new Set(["openai-responses/openai/ai-openai-image-generation-tool-1-chunks-0-3b682e89"]);

const recorded = readProviderAnswers().filter(({ id }) => !brokenMedia.has(id));
const whole = recorded.filter((answer) => answer.kind === "body" || answer.kind === "stream");
/** Recorded refusals and errors, and every third stream broken off half-way. */
const broken = [
  ...recorded.filter(({ kind }) => kind === "refusal" || kind === "broken"),
  ...whole.flatMap((answer, index) => (answer.kind === "stream" && index % 3 === 0 ? [breakOff(answer, 0.5)] : [])),
];

describe.each(clients)("$sdk", (client) => {
  it("ends up with the canonical answer of whatever other dialect", async () => {
    const given = whole.filter((answer) => answer.source.id !== client.dialect && !client.cannotRead?.(answer));
    expect(given.length).toBeGreaterThan(500);
    const seen = await consume(client, given);
    const differences = given.flatMap((answer, index) => {
      const found = compare(client, expectedOf(answer.response), seen[index] as Seen);
      return found.length === 0 ? [] : [{ id: answer.id, kind: answer.kind, found }];
    });
    expect(differences).toEqual([]);
  });

  it("throws for an error and for a stream that broke off", async () => {
    const given = broken.filter(({ source }) => source.id !== client.dialect);
    expect(given.length).toBeGreaterThan(100);
    const seen = await consume(client, given);
    expect(given.filter((_, index) => seen[index]?.error === undefined).map(({ id, kind }) => [id, kind])).toEqual([]);
  });
});

/** What differs between the canonical answer and what the client ended up with, each as `[fact, expected, seen]`. */
function compare(client: Client, expected: Expected, seen: Seen): unknown[][] {
  if (seen.error !== undefined) return [["error", undefined, seen.error]];
  const facts: [string, unknown, unknown, boolean][] = [
    ["text", expected.text, seen.text, expected.text === seen.text],
    ["finish", expected.finish, seen.finish, isSameFinish(client, expected, seen)],
    ["input", expected.input, seen.inputTokens, isSameInput(expected, seen.inputTokens)],
    ["output", expected.output, seen.outputTokens, (expected.output ?? 0) === (seen.outputTokens ?? 0)],
  ];
  // Legacy completions have no calls.
  if (client.operationKind !== "text_completion") {
    facts.push(["calls", expected.calls, seen.calls, areSameCalls(expected, seen.calls ?? [])]);
  }
  return facts.filter(([, , , isSame]) => !isSame).map((fact) => fact.slice(0, 3));
}

function isSameFinish(client: Client, { finish, calls, isRefusal }: Expected, { finish: word = "" }: Seen): boolean {
  const seen = client.finish[word];
  const isCall = seen === "tool_call";
  // Some dialects have no word for calls, some providers do not use theirs, and Snowflake gives no reason at all.
  const plain = finish === undefined || finish === "tool_call" ? "stop" : finish;
  const hasWord = Object.values(client.finish).includes("tool_call");
  if (plain === "stop" && isCall !== (hasWord && calls.length > 0)) return false;
  if (isRefusal && client.dialect === "anthropic-messages") return seen === "content_filter";
  return (isCall ? "stop" : seen) === (client.instead?.[plain] ?? plain);
}

/** What was not counted may be 0; and where more was read from the cache than there was input (Grok at Azure), a sum of both is that. */
function isSameInput({ input = 0, cached }: Expected, seen: number | null = 0): boolean {
  return (seen ?? 0) === input || (cached > input && seen === cached);
}

function areSameCalls({ calls, finish }: Expected, seen: { name: string; arguments: unknown }[]): boolean {
  return (
    calls.length === seen.length &&
    calls.every(({ name, arguments: given }, index) => {
      const call = seen[index];
      if (call?.name !== name) return false;
      if (typeof given !== "string") return isDeepStrictEqual(call.arguments, given);
      // A text that is no JSON: of a custom tool, in an object where a dialect has nothing else; or arguments that were cut short, of
      // which Anthropic's client makes an empty object.
      const texts = [given, { input: given }, ...(finish === "length" ? [{}] : [])];
      return texts.some((text) => isDeepStrictEqual(call.arguments, text));
    })
  );
}

/** Has one process of the client read all answers of other dialects; what it saw of each, in order. */
async function consume(client: Client, given: readonly ProviderAnswer[]): Promise<Seen[]> {
  const dialect = findDialect(client.dialect);
  const written = given.map((answer) => writeAnswer(answer, dialect, client.operationKind));
  const list = written.map(({ streamed }, index) => ({ model: `answer-${index}`, stream: streamed }));
  const server = await serveAnswers(written);
  try {
    const lines = await run(client.script, server.url, JSON.stringify(list));
    return lines.map((line) => JSON.parse(line) as Seen);
  } finally {
    await server.close();
  }
}

async function run(script: string, url: string, input: string): Promise<string[]> {
  const environment = { PATH: process.env["PATH"], HOME: home, OUTRIDER_URL: url };
  const child = spawn(process.execPath, [join(home, script)], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${script} ended with ${String(code)}: ${errors.slice(-2000)}`);
  return output.trimEnd().split("\n");
}

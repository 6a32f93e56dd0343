// Recorded answers, translated, as official clients end up with them: the canonical answer, or an exception where it broke.
// Which clients, and by what command they run, is the test's; what must hold of them is here, the same for every language.
// Invariant: every answer is read by an unmodified client in a process of its own.
import { spawn } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { UnifiedFinishReason } from "../../src/canonical/index.ts";
import { type DialectId, findDialect } from "../../src/dialects/index.ts";
import {
  breakOff,
  expectedOf,
  type ProviderAnswer,
  readProviderAnswers,
  serveAnswers,
  writeAnswer,
} from "./translated-answers.ts";

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

/** What a dialect says to its clients. */
interface ClientDialect {
  dialect: DialectId;
  operationKind: string;
  /** The dialect's words for why an answer ended, each with what it means (the vendors' references, read 2026-11-21). */
  finish: Record<string, UnifiedFinishReason>;
  /** What it says instead of what it has no word for. */
  instead?: Partial<Record<UnifiedFinishReason, UnifiedFinishReason>>;
  /** Answers that the client refuses from its own provider too, or from OpenAI, whose dialect it speaks. */
  cannotRead?: (answer: ProviderAnswer) => boolean;
}

/** A client and the program that reads answers through it. */
export interface AnswerClient extends ClientDialect {
  sdk: string;
  script: string;
}

/** How the clients of one language are run. */
interface Runner {
  /** Their home folder. */
  home: string;
  command(script: string): string[];
}

type Expected = ReturnType<typeof expectedOf>;

const openaiChat: ClientDialect = {
  dialect: "openai-chat",
  operationKind: "chat",
  finish: { stop: "stop", tool_calls: "tool_call", length: "length", content_filter: "content_filter" },
};

const anthropic: ClientDialect = {
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
};

const ollamaChat: ClientDialect = {
  dialect: "ollama-chat",
  operationKind: "chat",
  finish: { stop: "stop", length: "length", content_filter: "content_filter" },
};

/** What the clients of each dialect are given, by the client's vendor. */
export const clientDialects = {
  openaiChat,
  openaiCompletions: { ...openaiChat, operationKind: "text_completion" },
  mistral: {
    ...openaiChat,
    // Mistral streams a call as one piece, and its clients want a name in each: others would add it up, or take an empty one for the
    // name (Wei-Shaw/sub2api#5632). They know neither custom tools nor refusals.
    cannotRead(answer) {
      if (answer.kind !== "body" && answer.kind !== "stream") return false;
      const { calls, isRefusal } = expectedOf(answer.response);
      const isStreamedCall = answer.kind === "stream" && calls.length > 0;
      return isStreamedCall || isRefusal || calls.some((call) => typeof call.arguments === "string");
    },
  },
  openaiResponses: {
    dialect: "openai-responses",
    operationKind: "chat",
    finish: { completed: "stop", max_output_tokens: "length", content_filter: "content_filter", failed: "error" },
  },
  anthropic,
  /** Claude at InvokeModel. */
  bedrockInvoke: { ...anthropic, dialect: "bedrock-invoke" },
  google: {
    dialect: "gemini-generate-content",
    operationKind: "generate_content",
    finish: { STOP: "stop", MAX_TOKENS: "length", SAFETY: "content_filter", OTHER: "error" },
  },
  bedrock: {
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
  cohere: {
    dialect: "cohere-chat",
    operationKind: "chat",
    finish: { COMPLETE: "stop", STOP_SEQUENCE: "stop", TOOL_CALL: "tool_call", MAX_TOKENS: "length", ERROR: "error" },
    instead: { content_filter: "error" },
  },
  ollama: ollamaChat,
  ollamaPython: {
    ...ollamaChat,
    // It takes no image as Ollama's reference has them in answers, a text (ollama 0.6.3).
    cannotRead(answer) {
      if (answer.kind !== "body" && answer.kind !== "stream") return false;
      const parts = answer.response.choices[0]?.message.parts ?? [];
      return parts.some((part) => part.type === "blob" && part.modality === "image");
    },
  },
} as const satisfies Record<string, ClientDialect>;

/** Recordings in which an image was cut short, so that it is no base64 (aws-sdk throws while it reads). */
const brokenMedia = new Set(["openai-responses/openai/ai-openai-image-generation-tool-1-chunks-0-3b682e89"]);

/** Declares the tests of every client; `openRunner` is called once, before them. */
export function describeAnswerClients(clients: readonly AnswerClient[], openRunner: () => Promise<Runner>): void {
  const recorded = readProviderAnswers().filter(({ id }) => !brokenMedia.has(id));
  const whole = recorded.filter((answer) => answer.kind === "body" || answer.kind === "stream");
  // Recorded refusals and errors, and every third stream broken off half-way.
  const broken = [
    ...recorded.filter(({ kind }) => kind === "refusal" || kind === "broken"),
    ...whole.flatMap((answer, index) => (answer.kind === "stream" && index % 3 === 0 ? [breakOff(answer, 0.5)] : [])),
  ];
  let runner: Runner;
  beforeAll(async () => {
    runner = await openRunner();
  }, 300_000);

  describe.each(clients)("$sdk", (client) => {
    it("ends up with the canonical answer of whatever other dialect", async () => {
      const given = whole.filter((answer) => answer.source.id !== client.dialect && !client.cannotRead?.(answer));
      expect(given.length).toBeGreaterThan(500);
      const seen = await consume(client, runner, given);
      const differences = given.flatMap((answer, index) => {
        const found = compare(client, expectedOf(answer.response), seen[index] as Seen);
        return found.length === 0 ? [] : [{ id: answer.id, kind: answer.kind, found }];
      });
      expect(differences).toEqual([]);
    });

    it("throws for an error and for a stream that broke off", async () => {
      const given = broken.filter(({ source }) => source.id !== client.dialect);
      expect(given.length).toBeGreaterThan(100);
      const seen = await consume(client, runner, given);
      expect(given.filter((_, index) => seen[index]?.error === undefined).map(({ id, kind }) => [id, kind])).toEqual(
        [],
      );
    });
  });
}

/** What differs between the canonical answer and what the client ended up with, each as `[fact, expected, seen]`. */
function compare(client: AnswerClient, expected: Expected, seen: Seen): unknown[][] {
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

function isSameFinish(
  client: AnswerClient,
  { finish, calls, isRefusal }: Expected,
  { finish: word = "" }: Seen,
): boolean {
  const seen = client.finish[word];
  const isCall = seen === "tool_call";
  // Some dialects have no word for calls, some providers do not use theirs, and Snowflake gives no reason at all.
  const plain = finish === undefined || finish === "tool_call" ? "stop" : finish;
  const hasWord = Object.values(client.finish).includes("tool_call");
  if (plain === "stop" && isCall !== (hasWord && calls.length > 0)) return false;
  if (isRefusal && client.finish === anthropic.finish) return seen === "content_filter";
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
async function consume(client: AnswerClient, runner: Runner, given: readonly ProviderAnswer[]): Promise<Seen[]> {
  const dialect = findDialect(client.dialect);
  const written = given.map((answer) => writeAnswer(answer, dialect, client.operationKind));
  const list = written.map(({ streamed }, index) => ({ model: `answer-${index}`, stream: streamed }));
  const server = await serveAnswers(written);
  try {
    const environment = { PATH: process.env["PATH"], HOME: runner.home, OUTRIDER_URL: server.url };
    const lines = await run(runner.command(client.script), environment, JSON.stringify(list));
    return lines.map((line) => JSON.parse(line) as Seen);
  } finally {
    await server.close();
  }
}

async function run(command: readonly string[], environment: NodeJS.ProcessEnv, input: string): Promise<string[]> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${args.at(-1)} ended with ${String(code)}: ${errors.slice(-2000)}`);
  return output.trimEnd().split("\n");
}

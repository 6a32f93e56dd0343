// Recorded requests, translated, against the types of the target's official Node client, by the TypeScript compiler.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import {
  mapObjects,
  type RequestTyping,
  translateRecordedRequests,
  writeTypeScript,
} from "../support/translated-requests.ts";

type Json = Record<string, unknown>;

const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

const typings: RequestTyping[] = [
  {
    target: "openai-chat",
    head: 'import OpenAI from "openai";\ntype Request = OpenAI.ChatCompletionCreateParams;',
    // What DeepSeek and its like call the reasoning of earlier turns, and OpenAI does not know.
    toClient: (body) => mapObjects(body, ({ reasoning_content: _reasoning, ...rest }) => rest) as Json,
  },
  {
    target: "openai-responses",
    head: 'import OpenAI from "openai";\ntype Request = OpenAI.Responses.ResponseCreateParams;',
    // The types want of a message of the model what the API itself makes up for it.
    toClient: (body) =>
      mapObjects(body, (object) => {
        if (object["type"] === "output_text") return { annotations: [], ...object };
        const isAnswer = object["role"] === "assistant" && Array.isArray(object["content"]);
        return isAnswer ? { id: "msg_1", type: "message", status: "completed", ...object } : object;
      }) as Json,
  },
  {
    target: "anthropic-messages",
    // The API takes these for older models; the client dropped them with its version 1.
    head: `import Anthropic from "@anthropic-ai/sdk";
type Request = Anthropic.MessageCreateParams & { temperature?: number; top_p?: number; top_k?: number };`,
  },
  {
    target: "bedrock-converse",
    head: 'import type { ConverseCommandInput } from "@aws-sdk/client-bedrock-runtime";\ntype Request = ConverseCommandInput;',
    toClient: (body) => ({
      modelId: "served-model",
      ...(mapObjects(body, (object) =>
        Object.fromEntries(
          Object.entries(object).map(([key, value]) => [key, isBytes(key, value) ? new Uint8Array() : value]),
        ),
      ) as Json),
    }),
  },
  {
    target: "cohere-chat",
    head: `import type { Cohere } from "cohere-ai";
type Request = (Cohere.V2ChatRequest | Cohere.V2ChatStreamRequest) & { stream?: boolean };`,
    toClient: (body) => toCamelCase(body) as Json,
  },
  {
    target: "ollama-chat",
    head: 'import type { ChatRequest } from "ollama";\ntype Request = ChatRequest;',
    // Ollama's API has ids of calls (api/types.go), its client does not yet; and that knows only the plainest JSON Schema.
    toClient: ({ tools, ...body }) => ({
      ...(mapObjects(body, ({ tool_call_id: _id, ...object }) => withoutCallId(object)) as Json),
      ...(tools === undefined ? {} : { tools: (tools as Json[]).map(withoutParameters) }),
    }),
  },
  {
    target: "gemini-generate-content",
    // Words of the client's enumerations stand as words in the body.
    head: `import type { GenerateContentParameters } from "@google/genai";
type Words<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Words<U>[] : T extends object ? { [K in keyof T]: Words<T[K]> } : T;
type Request = Words<GenerateContentParameters>;`,
    toClient: ({ contents, generationConfig, ...rest }) => {
      return { model: "served-model", contents, config: { ...(generationConfig as Json | undefined), ...rest } };
    },
  },
];

function isBytes(key: string, value: unknown): boolean {
  return (key === "bytes" || key === "redactedContent") && typeof value === "string";
}

function withoutCallId({ id, ...object }: Json): Json {
  return id === undefined || "function" in object ? object : { id, ...object };
}

function withoutParameters(tool: Json): Json {
  const { parameters: _schema, ...definition } = tool["function"] as Json;
  return { ...tool, function: definition };
}

/** As cohere-ai names members; what the user made up keeps its names. */
function toCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCamelCase);
  if (typeof value !== "object" || value === null) return value;
  const own = new Set(["parameters", "json_schema", "data"]);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      own.has(key) ? (item as unknown) : toCamelCase(item),
    ]),
  );
}

const home = mkdtempSync(join(tmpdir(), "outrider-types-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

beforeAll(async () => {
  const { node } = await ensureComponents(["node"]);
  symlinkSync(node.modules, join(home, "node_modules"));
  writeFileSync(join(home, "package.json"), '{"type":"module"}');
});

describe.each(typings)("requests for $target", (typing) => {
  const bodies = translateRecordedRequests(typing.target);

  it("are what the official client takes", async () => {
    expect(bodies.size).toBeGreaterThan(400);
    const ids = [...bodies.keys()];
    const errors = await compile(`${typing.target}.ts`, writeTypeScript(typing, bodies.values()));
    const lines = typing.head.split("\n").length;
    expect(errors.map(({ line, message }) => ({ id: ids[line - lines - 1], message }))).toEqual([]);
  });

  it("would not be, with a word more or a type other", async () => {
    const [body = {}] = bodies.values();
    const wrong = [
      { ...body, notAMember: true },
      mapObjects(body, ({ role, ...rest }) => ({ ...rest, ...(role === undefined ? {} : { role: 1 }) })),
    ];
    const errors = await compile(`${typing.target}-wrong.ts`, writeTypeScript(typing, wrong as Json[]));
    const lines = typing.head.split("\n").length;
    expect(new Set(errors.map(({ line }) => line - lines - 1))).toEqual(new Set([0, 1]));
  });
});

/** The compiler's errors, each with its line, from 1. */
async function compile(name: string, text: string): Promise<{ line: number; message: string }[]> {
  writeFileSync(join(home, name), text);
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "esnext"];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [compiler, ...flags, "--types", "node", name], { cwd: home }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  return output.split("\n").flatMap((text_) => {
    const [, line, message] = /^[^(]+\((\d+),\d+\): error (.*)$/.exec(text_) ?? [];
    if (line !== undefined) return [{ line: Number(line), message: String(message) }];
    return text_.startsWith("error") ? [{ line: 0, message: text_ }] : [];
  });
}

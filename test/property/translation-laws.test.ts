// Laws 4 and 6 of DESIGN §5 on every recorded request, for every pair of dialects: nothing disappears in silence, and what comes out is a
// request of the target that reads as the client's did.
import { describe, expect, it } from "vitest";
import type { InferenceRequest, Part } from "../../src/canonical/index.ts";
import { type Dialect, dialects, findDialect, matchDialect, translateRequest } from "../../src/dialects/index.ts";
import { SidecarError } from "../../src/errors.ts";
import { loadRecordings, type Recording } from "../support/recordings.ts";
import { findSilentLosses } from "../support/translation-walk.ts";

const folders = ["openai-chat", "openai-completions", "mistral", "openai-responses", "anthropic-messages", "gemini"];
const others = ["bedrock-converse", "bedrock-invoke", "cohere-v2", "ollama"];
const targets = dialects.filter(({ encoder }) => encoder !== undefined);
const facts = {
  model: "target-model",
  exchangeId: "0123456789abcdef".repeat(2),
  epochSeconds: 1_700_000_000,
  maxOutputTokens: 4096,
};

interface Source {
  recording: Recording;
  dialect: Dialect;
  body: Record<string, unknown>;
  request: InferenceRequest;
}

const translatable = new Set(["chat", "generate_content", "text_completion"]);

/** Settings that are compared as decoded, with the names that any dialect's pointer has for them. */
const settings = [
  ["temperature", /temperature/],
  ["topP", /top_?p|\/p$/i],
  ["topK", /top_?k|\/k$/i],
  ["seed", /seed/],
  ["maxOutputTokens", /max|num_predict/i],
  ["stopSequences", /stop/i],
] as const satisfies readonly (readonly [keyof InferenceRequest, RegExp])[];

/** Recorded calls that a client may make of another provider. */
const sources: Source[] = loadRecordings(...folders, ...others).flatMap((recording) => {
  const { body, method, url } = recording.request;
  const call = matchDialect(method, new URL(url).pathname);
  if (call === undefined || call.dialect.encoder === undefined || !translatable.has(call.operation.name ?? ""))
    return [];
  if (typeof body !== "object" || body === null || Array.isArray(body)) return [];
  const fields = body as Record<string, unknown>;
  // Of InvokeModel's bodies only Claude's is translated.
  if (call.dialect.id === "bedrock-invoke" && fields["anthropic_version"] === undefined) return [];
  return [
    { recording, dialect: call.dialect, body: fields, request: call.dialect.decodeRequest(fields, call.operation) },
  ];
});

/** Undefined where the request was refused, with the reason told. */
function translate(
  { dialect, body, request }: Source,
  target: Dialect,
): ReturnType<typeof translateRequest> | undefined {
  try {
    return translateRequest(dialect, target, { body, request }, facts);
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_lossy") return undefined;
    throw error;
  }
}

/** Decodes what was made as the target's own server would be asked it. */
function readBack(target: Dialect, { path, body }: ReturnType<typeof translateRequest>): InferenceRequest {
  const operation = target.match("POST", path.split("?", 1)[0] ?? "");
  if (operation === undefined) throw new Error(`${target.id} does not know ${path}`);
  return target.decodeRequest(JSON.parse(JSON.stringify(body)) as Record<string, unknown>, operation);
}

function partsOf({ systemInstructions, messages }: InferenceRequest): Part[] {
  return [...(systemInstructions ?? []), ...messages.flatMap(({ parts }) => parts)];
}

describe("recorded requests are plenty", () => {
  it("has sources of every dialect with an encode half", () => {
    expect(sources.length).toBeGreaterThan(300);
    expect(targets.length).toBeGreaterThanOrEqual(7);
  });
});

for (const source of new Set(sources.map(({ dialect }) => dialect.id))) {
  for (const target of targets) {
    if (target.id === source) continue;
    describe(`${source} to ${target.id}`, () => {
      const ofSource = sources.filter(({ dialect }) => dialect.id === source);

      it("loses nothing in silence", () => {
        const silent = ofSource.flatMap((one) => {
          const translated = translate(one, target);
          if (translated === undefined) return [];
          return findSilentLosses(one.body, translated.body, translated.losses).map(
            (at) => `${one.recording.id} ${at}`,
          );
        });
        expect(silent).toEqual([]);
      });

      it("keeps texts, tools and calls, or says which are lost", () => {
        for (const one of ofSource) {
          const translated = translate(one, target);
          if (translated === undefined) continue;
          const { request } = one;
          const made = readBack(target, translated);
          const told = translated.losses.map(({ pointer, detail }) => `${pointer} ${detail}`).join("\n");
          const context = `${one.recording.id}\n${told}`;
          expect(made.stream, context).toBe(request.stream);
          const names = (parts: Part[]): string[] =>
            parts.flatMap((part) => (part.type === "tool_call" ? [part.name] : []));
          expect(names(partsOf(made)), context).toEqual(names(partsOf(request)));
          if (request.tools !== undefined && request.tools.length > 0 && !/tool/i.test(told)) {
            expect(
              made.tools?.map(({ name }) => name),
              context,
            ).toEqual(request.tools.map(({ name }) => name));
          }
          for (const [field, names] of settings) {
            // An empty list says what none says.
            const isSaid = request[field] !== undefined && JSON.stringify(request[field]) !== "[]";
            const isTold = translated.losses.some(({ pointer }) => names.test(pointer));
            if (isSaid && !isTold) expect(made[field], `${field} ${context}`).toEqual(request[field]);
          }
        }
      });
    });
  }
}

it("every encoder knows the call that it makes", () => {
  for (const { id } of targets) {
    const dialect = findDialect(id);
    for (const stream of [false, true]) {
      const path = dialect.encoder?.path("some/model:1", stream) ?? "";
      expect(matchDialect("POST", path.split("?", 1)[0] ?? "")?.dialect.id, path).toBe(id);
    }
  }
});

// Laws 4 and 6 of DESIGN §5 on requests that nobody recorded, for every pair of dialects: nothing disappears in silence, the calls of the
// history stay what they were, and the same request is always the same translation. Rerun with OUTRIDER_SEED.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InferenceRequest, Part } from "../../src/canonical/index.ts";
import { type Dialect, type DialectId, findDialect, translateRequest } from "../../src/dialects/index.ts";
import { safeName } from "../../src/dialects/names.ts";
import { SidecarError } from "../../src/errors.ts";
import { type Wire, wires } from "../support/generated-requests.ts";
import { type Json, type Talk, talk } from "../support/generated-talk.ts";
import { findSilentLosses } from "../support/translation-walk.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const numRuns = 200;

const facts = {
  model: "target-model",
  exchangeId: "0123456789abcdef".repeat(2),
  epochSeconds: 1_700_000_000,
  maxOutputTokens: 4096,
};

type Translated = ReturnType<typeof translateRequest>;

interface Asked {
  body: Json;
  request: InferenceRequest;
}

/** The talk as a client of the dialect would send it. */
function ask(dialect: Dialect, { path, write }: Wire, said: Talk): Asked {
  const body = JSON.parse(JSON.stringify(write(said))) as Json;
  const operation = dialect.match("POST", path(said.stream));
  if (operation === undefined) throw new Error(`${dialect.id} does not know its own call`);
  return { body, request: dialect.decodeRequest(body, operation) };
}

/** Undefined where the request was refused, with the reason told. */
function translate(source: Dialect, target: Dialect, asked: Asked): Translated | undefined {
  try {
    return translateRequest(source, target, asked, facts);
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_lossy") return undefined;
    throw error;
  }
}

/** What the target's own server would read. */
function readBack(target: Dialect, { path, body }: Translated): InferenceRequest {
  const operation = target.match("POST", path.split("?", 1)[0] ?? "");
  if (operation === undefined) throw new Error(`${target.id} does not know ${path}`);
  return target.decodeRequest(JSON.parse(JSON.stringify(body)) as Json, operation);
}

/** The calls of the history. Arguments that are no object have no one form everywhere, so their texts are not compared here. */
function callsOf({ messages }: InferenceRequest): [name: string, args: unknown][] {
  const isCall = (part: Part) => part.type === "tool_call";
  return messages
    .flatMap(({ parts }) => parts.filter(isCall))
    .map(({ name, arguments: args }) => [safeName(name), isObject(args) ? args : "no object"]);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A tool's name that the target refuses is told where the tool is defined or called; whatever refers to it goes along. */
function isRenamed(value: unknown, { body, losses }: Translated): boolean {
  if (typeof value !== "string" || safeName(value) === value) return false;
  const isTold = losses.some(({ reason, detail }) => reason === "approximated" && /name/.test(detail));
  return isTold && JSON.stringify(body).includes(JSON.stringify(safeName(value)));
}

/** A budget of 0 for thoughts, in other words. */
function isThoughtless({ reasoning }: InferenceRequest): boolean {
  return reasoning?.enabled === false || reasoning?.effort === "none";
}

function valueAt(body: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((node: unknown, step) => (node as Json | undefined)?.[step], body);
}

const oddTexts = new Set(['{"a":', "not json", "[1,2]", "7"]);
const hasOddCalls = ({ turns }: Talk): boolean =>
  turns.some((turn) => turn.role === "assistant" && turn.calls.some(({ text }) => oddTexts.has(text)));

const entries = Object.entries(wires) as [DialectId, Wire][];
const pairs = entries.flatMap(([source, wire]) =>
  entries.filter(([target]) => target !== source).map(([target]) => ({ source, target, wire })),
);

describe.for(pairs)("$source to $target", ({ source, target, wire }) => {
  const [from, to] = [findDialect(source), findDialect(target)];

  it("translates any request alike each time, loses nothing in silence and keeps tools and calls", () => {
    let refused = 0;
    fc.assert(
      fc.property(talk, (said) => {
        const asked = ask(from, wire, said);
        const before = JSON.stringify(asked);
        const translated = translate(from, to, asked);
        if (translated === undefined) {
          refused++;
          return;
        }
        expect(JSON.stringify(asked), "what was asked is left as it was").toBe(before);
        expect(translate(from, to, asked), "twice the same").toEqual(translated);

        const { losses } = translated;
        const told = losses.map(({ pointer, reason, detail }) => `${pointer} ${reason} ${detail}`).join("\n");
        const { request } = asked;
        const made = readBack(to, translated);
        const silent = findSilentLosses(asked.body, translated.body, losses)
          .filter((pointer) => !isRenamed(valueAt(asked.body, pointer), translated))
          .filter((pointer) => !pointer.endsWith("/thinkingBudget") || !isThoughtless(made));
        expect(silent.join("\n"), told).toBe("");
        expect(made.stream).toBe(request.stream);
        if (hasOddCalls(said)) {
          expect(callsOf(made).map(([name]) => name)).toEqual(callsOf(request).map(([name]) => name));
        } else expect(callsOf(made), told).toEqual(callsOf(request));
        const names = (tools: InferenceRequest["tools"]) => tools?.map(({ name }) => safeName(name)) ?? [];
        const wanted = names(request.tools);
        // Tools are left out where none may be called, and made for calls of the history: either is told.
        if (!losses.some(({ pointer, reason }) => /tool/i.test(pointer) && reason !== "injected")) {
          expect(names(made.tools).slice(0, wanted.length), told).toEqual(wanted);
        }
        if (!losses.some(({ reason }) => reason === "injected")) {
          expect(
            names(made.tools).filter((name) => !wanted.includes(name)),
            told,
          ).toEqual([]);
        }
        for (const [field, pattern] of [
          ["toolChoice", /tool_?(choice|config)/i],
          ["outputFormat", /format|mime|schema|output_config/i],
        ] as const) {
          const wish = request[field]?.type ?? "none said";
          if (["auto", "text", "none said"].includes(wish) || losses.some(({ pointer }) => pattern.test(pointer)))
            continue;
          expect(made[field]?.type, `${field}\n${told}`).toBe(wish);
        }
      }),
      { seed, numRuns, includeErrorInReport: true },
    );
    // A law over refusals alone would say nothing.
    expect(refused).toBeLessThan(numRuns / 2);
  });
});

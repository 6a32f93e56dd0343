// Room dialects, gemini-generate-content: where in a request body a canonical field stood.
// Invariant: every pointer is of a value that the body has: of the nearest ancestor where the field has none of its own.

import type { CanonicalPath } from "../encoding.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { camelCase } from "./schema.ts";

type Step = string | number;

const inConfig = (...names: string[]): readonly Step[] => ["generationConfig", ...names];

/** Canonical fields whose place has another name. */
const places: ReadonlyMap<Step, readonly Step[]> = new Map<Step, readonly Step[]>([
  ["messages", ["contents"]],
  ["systemInstructions", ["systemInstruction", "parts"]],
  ["toolChoice", ["toolConfig", "functionCallingConfig"]],
  ["metadata", ["labels"]],
  ["outputFormat", inConfig("responseMimeType")],
  ["reasoning", inConfig("thinkingConfig")],
  ["choiceCount", inConfig("candidateCount")],
  ["logprobs", inConfig("responseLogprobs")],
  ["topLogprobs", inConfig("logprobs")],
  ...[
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "frequencyPenalty",
    "presencePenalty",
    "stopSequences",
  ].map((name): [string, readonly Step[]] => [name, inConfig(name)]),
]);

/** Members of a part whose holder says its kind. */
const partMembers: ReadonlyMap<Step, readonly Step[]> = new Map<Step, readonly Step[]>([
  ["arguments", ["functionCall", "args"]],
  ["name", ["functionCall", "name"]],
  ["response", ["functionResponse", "response"]],
  ["mime_type", ["inlineData", "mimeType"]],
]);

/** JSON pointer (RFC 6901) of a canonical path; empty for the body itself. */
export function locate(path: CanonicalPath, body: JsonObject): string {
  const [field, ...rest] = path;
  if (field === undefined) return "";
  if (field === "tools" && typeof rest[0] === "number") return locateTool(rest[0], rest.slice(1), body);
  const wire: Step[] = [...(places.get(field) ?? [field])];
  for (const [place, step] of rest.entries()) {
    const isInPart = rest[place - 2] === "parts" || (field === "systemInstructions" && place === 1);
    wire.push(...((isInPart ? partMembers.get(step) : undefined) ?? [step]));
  }
  return walk(wire, body);
}

/** Definitions are counted over the objects of the list, and over the declarations in each. */
function locateTool(index: number, rest: readonly Step[], body: JsonObject): string {
  const { tools } = body;
  const list: unknown[] = Array.isArray(tools) ? tools : [tools];
  let count = 0;
  for (const [place, tool] of list.entries()) {
    if (!isJsonObject(tool)) {
      if (count++ === index) return walk(["tools", place], body);
      continue;
    }
    for (const [key, value] of Object.entries(tool)) {
      const declarations: unknown[] = camelCase(key) === "functionDeclarations" && Array.isArray(value) ? value : [];
      const size =
        declarations.length === 0 && camelCase(key) !== "functionDeclarations"
          ? 1
          : Math.max(declarations.length, isJsonObject(value) ? 1 : 0);
      if (index < count + size) {
        const at = declarations.length === 0 ? [] : [index - count];
        return walk(["tools", place, key, ...at, ...rest], body);
      }
      count += size;
    }
  }
  return walk(["tools"], body);
}

/** Follows the steps as far as the body goes, in its spelling; where it has one item instead of a list, the number is no step. */
function walk(steps: readonly Step[], body: JsonObject): string {
  let node: unknown = body;
  let pointer = "";
  for (const step of steps) {
    if (typeof step === "number") {
      if (!Array.isArray(node)) continue;
      if (step >= node.length) break;
      node = (node as unknown[])[step];
      pointer += `/${step}`;
      continue;
    }
    if (!isJsonObject(node)) break;
    const name =
      Object.keys(node).find((key) => key === step) ?? Object.keys(node).find((key) => camelCase(key) === step);
    if (name === undefined) break;
    node = node[name];
    pointer += `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  }
  return pointer;
}

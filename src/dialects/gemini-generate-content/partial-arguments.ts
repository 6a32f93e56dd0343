// Room dialects, gemini-generate-content: the arguments of one call that come in pieces (`streamFunctionCallArguments`).
// Each piece names its place by a JSON path and gives one value; a text may go on in the next piece (recorded at Vertex).
// Invariant: never throws; a piece whose path is not understood is told to the caller and changes nothing.

import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** Deeper places and longer lists are not built: whatever walks them would exhaust the stack or the memory. */
const maxDepth = 64;
const maxItems = 10_000;

/** Collects one call's pieces. */
export class PartialArguments {
  readonly #root = createObject();

  /** Adds one item of `partialArgs`; false when it cannot be read. */
  add(piece: unknown): boolean {
    if (!isJsonObject(piece)) return false;
    const path = parsePath(piece["jsonPath"]);
    const value = readValue(piece);
    if (path === undefined || value === undefined || !isPlaceable(this.#root, path)) return false;
    place(this.#root, path, value);
    return true;
  }

  /** The arguments so far as JSON text; empty when there are none. */
  text(): string {
    return Object.keys(this.#root).length === 0 ? "" : JSON.stringify(this.#root);
  }
}

type Step = string | number;

/** `$.name`, `$.list[0].name`, `$['any name']`. */
function parsePath(path: unknown): Step[] | undefined {
  if (typeof path !== "string" || !path.startsWith("$")) return undefined;
  const steps: Step[] = [];
  const step = /\.([^.[\]]+)|\[(\d{1,5})\]|\['([^']*)'\]|\["([^"]*)"\]/y;
  step.lastIndex = 1;
  while (step.lastIndex < path.length) {
    const found = step.exec(path);
    if (found === null) return undefined;
    const [, plain, index, single, double] = found;
    const name = plain ?? single ?? double;
    if (name === "__proto__" || steps.length === maxDepth) return undefined;
    steps.push(name ?? Number(index));
  }
  return steps.length === 0 || typeof steps[0] === "number" ? undefined : steps;
}

function readValue(piece: JsonObject): string | number | boolean | null | undefined {
  const { stringValue, numberValue, boolValue } = piece;
  if (typeof stringValue === "string") return stringValue;
  if (typeof numberValue === "number") return numberValue;
  if (typeof boolValue === "boolean") return boolValue;
  return "nullValue" in piece ? null : undefined;
}

type Node = Record<Step, unknown>;

/** Whether the path leads through what is there, and what it would make anew has no gaps. */
function isPlaceable(root: JsonObject, path: readonly Step[]): boolean {
  let node: unknown = root;
  for (const step of path) {
    const isIndex = typeof step === "number";
    if (node === undefined ? isIndex && step !== 0 : Array.isArray(node) !== isIndex) return false;
    if (Array.isArray(node) && isIndex && step > Math.min(node.length, maxItems)) return false;
    if (node === null || (typeof node !== "object" && node !== undefined)) return false;
    node = (node as Node | undefined)?.[step];
  }
  return true;
}

function place(root: JsonObject, path: readonly Step[], value: string | number | boolean | null): void {
  let node: Node = root;
  for (const [depth, step] of path.entries()) {
    const next = path[depth + 1];
    if (next === undefined) {
      const earlier = node[step];
      node[step] = typeof earlier === "string" && typeof value === "string" ? earlier + value : value;
    } else {
      node[step] ??= typeof next === "number" ? [] : createObject();
      node = node[step] as Node;
    }
  }
}

/** Without a prototype, so that no name leads out of it. */
function createObject(): JsonObject {
  return Object.create(null) as JsonObject;
}

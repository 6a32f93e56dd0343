// Recorded requests of every dialect in the words of another, as TypeScript: one file for each target, in which the target's official client
// types every body. Bodies of the same shape are there once, and texts are cut short.
// Invariant: a body is put as the client's user would write it (camel case, bytes, `config`); what else a client's types do not know is
// listed where it is taken out.
import { type Dialect, findDialect, translateRequest } from "../../src/dialects/index.ts";
import { SidecarError } from "../../src/errors.ts";
import { loadRecordings } from "./recordings.ts";
import { answerFolders, findRecordedCall } from "./translated-answers.ts";

type Json = Record<string, unknown>;

/** How a target's client types a request. */
export interface RequestTyping {
  target: Dialect["id"];
  /** Statements before the bodies; they say what `Request` is. */
  head: string;
  /** The client's form of a body on the wire. */
  toClient?: (body: Json) => Json;
}

const facts = {
  model: "served-model",
  maxOutputTokens: 4096,
  exchangeId: "0123456789abcdef0123456789abcdef",
  epochSeconds: 1_700_000_000,
};

/** A tool whose whole schema is `true`, recorded to show that Anthropic refuses it: every client's types do so too. */
const misfits = new Set(["anthropic-messages/anthropic/rig-boolean-root-schema-is-rejected-for-tool-input-0-b263ab3c"]);

/**
 * Client requests of other dialects for a target, each shape once, by the first recording that has it. `sent`: those alone that a sidecar
 * sends with its defaults, so none that loses what was asked.
 */
export function translateRecordedRequests(target: Dialect["id"], which: "all" | "sent" = "all"): Map<string, Json> {
  const [found, shapes] = [new Map<string, Json>(), new Set<string>()];
  for (const recording of loadRecordings(...answerFolders)) {
    const call = findRecordedCall(recording);
    const { body } = recording.request;
    if (misfits.has(recording.id)) continue;
    if (call === undefined || call.dialect.id === target || !isObject(body)) continue;
    const translated = translate(call.dialect, target, body, call.dialect.decodeRequest(body, call.operation));
    if (translated === undefined) continue;
    if (which === "sent" && translated.losses.some(({ severity }) => severity === "semantic")) continue;
    const shape = JSON.stringify(translated.body, (key, value: unknown) => (isText(key, value) ? "" : value));
    if (shapes.has(shape)) continue;
    shapes.add(shape);
    found.set(recording.id, shorten(translated.body) as Json);
  }
  return found;
}

function translate(
  source: Dialect,
  target: Dialect["id"],
  body: Json,
  request: ReturnType<Dialect["decodeRequest"]>,
): ReturnType<typeof translateRequest> | undefined {
  try {
    return translateRequest(source, findDialect(target), { body, request }, facts);
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_lossy") return undefined;
    throw error;
  }
}

/** Each body a constant on a line of its own, in the order given. */
export function writeTypeScript({ head, toClient = (body) => body }: RequestTyping, bodies: Iterable<Json>): string {
  const lines = [...bodies].map(
    (body, index) => `export const request${index} = ${writeValue(toClient(body))} satisfies Request;`,
  );
  return `${head}\n${lines.join("\n")}\n`;
}

/** Bytes are written as such. */
function writeValue(value: unknown): string {
  if (value instanceof Uint8Array) return "new Uint8Array()";
  if (Array.isArray(value)) return `[${value.map(writeValue).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "undefined";
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${writeValue(item)}`)
    .join(",")}}`;
}

/** Words of a dialect have no blanks and are short; texts, names and ids may be any. */
function isText(key: string, value: unknown): boolean {
  return typeof value === "string" && (/[^\w.:/-]/.test(value) || value.length > 40 || texts.has(key));
}

const texts = new Set(["id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "name", "text", "content", "data"]);

function shorten(value: unknown): unknown {
  if (typeof value === "string") return value.length > 60 ? value.slice(0, 40) : value;
  if (Array.isArray(value)) return value.map(shorten);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shorten(item)]));
}

/** Applies `change` to every object of a tree, from the leaves up; `change` may give anything. */
export function mapObjects(value: unknown, change: (object: Json) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, change));
  if (!isObject(value)) return value;
  return change(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapObjects(item, change)])));
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Room cli: `outrider translate --from A --to B`: one body in another dialect's words, and what is lost on the way.
// The body goes to stdout, the losses to stderr. Exit 0: translated; 1: it cannot be; 2: not a body, or no such dialect.

import { dialectIds, type DialectId, findDialect, translateRequest, translateResponse } from "../dialects/index.ts";
import type { Dialect } from "../dialects/index.ts";
import type { Loss } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import { nearestName, quote } from "../options.ts";
import { findOutputLimit } from "../providers/index.ts";
import { exitCodes, type Shell } from "./shell.ts";

export interface TranslateFlags {
  from: string;
  to: string;
  /** The body is an answer. */
  response?: boolean;
  /** What the target calls the model; the body's own without it. */
  model?: string;
}

/** Short names that people write. */
const shortNames = new Map<string, DialectId>([
  ["openai", "openai-chat"],
  ["chat", "openai-chat"],
  ["responses", "openai-responses"],
  ["anthropic", "anthropic-messages"],
  ["messages", "anthropic-messages"],
  ["gemini", "gemini-generate-content"],
  ["google", "gemini-generate-content"],
  ["bedrock", "bedrock-converse"],
  ["converse", "bedrock-converse"],
  ["cohere", "cohere-chat"],
  ["ollama", "ollama-chat"],
]);

/** Resolves with the exit code. */
export async function translateBody(
  flags: TranslateFlags,
  input: AsyncIterable<Uint8Array>,
  shell: Shell,
): Promise<number> {
  const from = findTranslatable(flags.from, shell);
  const to = findTranslatable(flags.to, shell);
  if (from === undefined || to === undefined) return exitCodes.misused;
  const body = await readObject(input);
  if (body === undefined) {
    shell.error("expected a JSON object on the standard input\n");
    return exitCodes.misused;
  }
  try {
    const translated =
      flags.response === true ? translateAnswer(from, to, body, flags) : translateCall(from, to, body, flags);
    shell.out(`${JSON.stringify(translated.body, undefined, 2)}\n`);
    shell.error(formatLosses(translated.losses));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof SidecarError)) throw error;
    shell.error(`${error.code}: ${error.message}\n`);
    return exitCodes.failed;
  }
}

function findTranslatable(name: string, shell: Shell): Dialect | undefined {
  const id = shortNames.get(name) ?? dialectIds.find((each) => each === name);
  const dialect = id === undefined ? undefined : findDialect(id);
  if (dialect?.encoder !== undefined) return dialect;
  const known = dialectIds.filter((each) => findDialect(each).encoder !== undefined);
  const nearest = nearestName(name, [...known, ...shortNames.keys()]);
  const hint = nearest === undefined ? "" : `; did you mean ${quote(nearest)}?`;
  shell.error(`${quote(name)}: expected one of ${known.join(", ")}${hint}\n`);
  return undefined;
}

async function readObject(input: AsyncIterable<Uint8Array>): Promise<Record<string, unknown> | undefined> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    return typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : undefined;
  } catch {
    return undefined;
  }
}

const exchangeId = "0".repeat(32);

/** The call that a body alone stands for. */
function operationOf(dialect: Dialect, model: string): { kind: string; route: string; path: string } {
  const operation = dialect.match("POST", dialect.encoder?.path(model, false).split("?", 1)[0] ?? "/");
  if (operation === undefined) throw new Error(`${dialect.id} does not know the call that it makes`);
  return operation;
}

function translateCall(
  from: Dialect,
  to: Dialect,
  body: Record<string, unknown>,
  { model: named }: TranslateFlags,
): { body: unknown; losses: Loss[] } {
  const request = from.decodeRequest(body, operationOf(from, "model"));
  const model = named ?? request.model ?? "model";
  const facts = { model, exchangeId, epochSeconds: 0, maxOutputTokens: findOutputLimit(model) };
  return translateRequest(from, to, { body, request }, facts);
}

function translateAnswer(
  from: Dialect,
  to: Dialect,
  body: Record<string, unknown>,
  { model: named }: TranslateFlags,
): { body: unknown; losses: Loss[] } {
  const response = from.decodeResponse(body, operationOf(from, "model"));
  const model = named ?? response.model ?? "model";
  return translateResponse(from, to, response, { model, exchangeId, epochSeconds: 0 });
}

function formatLosses(losses: readonly Loss[]): string {
  if (losses.length === 0) return "nothing is lost\n";
  return losses
    .map(
      ({ pointer, reason, severity, detail }) =>
        `${pointer === "" ? "(body)" : pointer}: ${reason}, ${severity}: ${detail}\n`,
    )
    .join("");
}

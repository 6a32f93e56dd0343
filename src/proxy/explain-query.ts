// Room proxy: the query of `/explain` as a question. Invariant: what is misspelt or makes no sense is refused, never guessed.

import { SidecarError } from "../errors.ts";
import { nearestName, quote } from "../options.ts";
import type { Question } from "./explain.ts";

/** What a call may be said to need. */
export const needNames = ["tools", "images", "structured"] as const;

const names = [
  "model",
  "path",
  "dialect",
  "operation",
  "app",
  "team",
  "tag",
  "needs",
  "tokens",
  "session",
  "fallback",
] as const;

/** The question as query members, for asking another process. */
export function writeQuestion(question: Question): URLSearchParams {
  const query = new URLSearchParams({ model: question.model });
  for (const name of ["path", "dialect", "operation", "app", "team", "session"] as const) {
    const value = question[name];
    if (value !== undefined) query.set(name, value);
  }
  for (const [name, value] of Object.entries(question.tags)) query.append("tag", `${name}=${value}`);
  const { contextTokens, tools, images, structuredOutput } = question.needs;
  const needs = [tools ? "tools" : [], images ? "images" : [], structuredOutput ? "structured" : []].flat();
  if (needs.length > 0) query.set("needs", needs.join(","));
  if (contextTokens > 0) query.set("tokens", String(contextTokens));
  if (!question.allowsFallback) query.set("fallback", "off");
  return query;
}

/** @throws SidecarError request_malformed */
export function readQuestion(query: URLSearchParams): Question {
  for (const name of query.keys()) {
    if (names.some((each) => each === name)) continue;
    const nearest = nearestName(name, names);
    throw malformed(`unknown member ${quote(name)}${nearest === undefined ? "" : `; did you mean ${quote(nearest)}?`}`);
  }
  const text = (name: (typeof names)[number]): string | undefined => query.get(name) ?? undefined;
  const model = text("model");
  if (model === undefined || model === "") throw malformed("model: expected the model as a client writes it");
  const path = text("path");
  if (path !== undefined && !path.startsWith("/")) throw malformed("path: expected a path that starts with /");
  const fallback = text("fallback");
  if (fallback !== undefined && fallback !== "off" && fallback !== "on")
    throw malformed("fallback: expected on or off");
  return {
    model,
    path,
    dialect: text("dialect"),
    operation: text("operation"),
    app: text("app"),
    team: text("team"),
    tags: readTags(query.getAll("tag")),
    needs: { contextTokens: readTokens(text("tokens")), ...readNeeds(text("needs")) },
    session: text("session"),
    allowsFallback: fallback !== "off",
  };
}

function readTags(pairs: readonly string[]): Record<string, string> {
  const tags = pairs.map((pair): [string, string] => {
    const cut = pair.indexOf("=");
    if (cut < 1) throw malformed("tag: expected name=value");
    return [pair.slice(0, cut), pair.slice(cut + 1)];
  });
  return Object.fromEntries(tags);
}

function readNeeds(list: string | undefined): { tools: boolean; images: boolean; structuredOutput: boolean } {
  const needs = list?.split(",").map((need) => need.trim()) ?? [];
  if (!needs.every((need) => needNames.some((name) => name === need))) {
    throw malformed(`needs: expected a comma list of ${needNames.join(", ")}`);
  }
  return {
    tools: needs.includes("tools"),
    images: needs.includes("images"),
    structuredOutput: needs.includes("structured"),
  };
}

function readTokens(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,9}$/.test(text)) throw malformed("tokens: expected a whole number, input and output together");
  return Number(text);
}

function malformed(message: string): SidecarError {
  return new SidecarError("request_malformed", message);
}

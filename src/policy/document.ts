// Room policy: bytes to a document: parsed, checked against the schema, everything wrong told at once.
// Invariant: a document comes out whole or not at all, and no issue holds any of its values.

import type { z } from "zod";
import { nearestName, quote } from "../options.ts";
import { formatPath, type PolicyIssue } from "./issue.ts";
import { parseApart } from "./parse-apart.ts";
import { type ParsedText, parseText } from "./parse.ts";
import { type PolicyDocument, policySchema, unenforcedKeys } from "./schema.ts";
import { expectedTitle, knownKeys } from "./schema-keys.ts";
import { nextTurn } from "./next-turn.ts";

/** A document in both its forms. */
export interface WholeDocument {
  /** As its author wrote it, parsed. */
  raw: Readonly<Record<string, unknown>>;
  document: PolicyDocument;
  /** The document with its candidate's keys in place of its own; undefined when it has none. */
  candidate: PolicyDocument | undefined;
  /** Unknown keys that were passed over. */
  warnings: readonly PolicyIssue[];
}

/** What reading gave. */
export type ReadDocument = ({ type: "document" } & WholeDocument) | { type: "invalid"; issues: PolicyIssue[] };

/** How unknown keys are met: `pulled` passes over those that enforce nothing, so that an older sidecar survives a newer document. */
export type Strictness = "pulled" | "check";

/** Reads and checks, here and now. What providers and routing know of it is compile.ts's. */
export function readDocument(bytes: Buffer, strictness: Strictness): ReadDocument {
  return checkParsed(parseText(bytes), strictness);
}

/** The same without keeping others waiting while a large document is parsed. */
export async function readDocumentApart(bytes: Buffer, strictness: Strictness): Promise<ReadDocument> {
  const parsed = await parseApart(bytes);
  await nextTurn();
  return checkParsed(parsed, strictness);
}

function checkParsed(parsed: ParsedText, strictness: Strictness): ReadDocument {
  if ("issues" in parsed) return { type: "invalid", issues: parsed.issues };
  const { raw } = parsed;
  const part = valueAt(raw, candidatePath);
  const unenforced = [...findUnenforced(raw, []), ...(isMapping(part) ? findUnenforced(part, candidatePath) : [])];
  if (unenforced.length > 0) return { type: "invalid", issues: unenforced };
  try {
    const checked = checkDocument(raw, strictness);
    if ("issues" in checked) return { type: "invalid", issues: checked.issues };
    const { document, warnings } = checked;
    if (document.rollout === undefined) return { type: "document", raw, document, candidate: undefined, warnings };
    const { rollout: _, ...rest } = raw;
    const candidate = checkDocument({ ...rest, ...document.rollout.candidate }, strictness);
    if ("issues" in candidate) return { type: "invalid", issues: candidate.issues.map(ofCandidate) };
    const more = candidate.warnings.map(ofCandidate);
    return { type: "document", raw, document, candidate: candidate.document, warnings: [...warnings, ...more] };
  } catch (error) {
    if (error instanceof RangeError) return { type: "invalid", issues: [{ message: "nested too deeply" }] };
    throw error;
  }
}

const candidatePath = ["rollout", "candidate"];

/** The rest of the document passed by itself, so what is wrong with the whole lies in the candidate. */
export function ofCandidate(issue: PolicyIssue): PolicyIssue {
  return { ...issue, path: issue.path === undefined ? "rollout.candidate" : `rollout.candidate.${issue.path}` };
}

function findUnenforced(mapping: Record<string, unknown>, path: readonly string[]): PolicyIssue[] {
  return unenforcedKeys
    .filter((key) => Object.hasOwn(mapping, key))
    .map((key) => ({ path: formatPath([...path, key]), message: `this version does not enforce ${key} yet` }));
}

const maxIssues = 50;

type Checked = { document: PolicyDocument; warnings: PolicyIssue[] } | { issues: PolicyIssue[] };

function checkDocument(raw: Record<string, unknown>, strictness: Strictness): Checked {
  const result = policySchema.safeParse(raw);
  if (result.success) return { document: result.data, warnings: [] };
  const unknown = result.error.issues.filter((issue) => issue.code === "unrecognized_keys");
  const issues = result.error.issues.filter((issue) => issue.code !== "unrecognized_keys").map(explain);
  const tolerated = strictness === "pulled" ? unknown.filter(({ path }) => !isMatcher(path)) : [];
  const refused = unknown.filter((issue) => !tolerated.includes(issue));
  const explained = [...refused.flatMap((issue) => explainUnknown(raw, issue)), ...issues];
  if (explained.length > 0) return { issues: explained.slice(0, maxIssues) };
  const warnings = tolerated.flatMap((issue) => explainUnknown(raw, issue));
  const again = policySchema.safeParse(withoutKeys(raw, tolerated));
  // With the unknown keys out of the way nothing else can be wrong, or it would have been told.
  if (!again.success) return { issues: again.error.issues.map(explain).slice(0, maxIssues) };
  return { document: again.data, warnings: warnings.slice(0, maxIssues) };
}

/** An unknown matcher narrows a rule; without it the rule would apply to more than its author meant. */
function isMatcher(path: readonly PropertyKey[]): boolean {
  return path.includes("match") || path.at(-1) === "rollbackWhen";
}

function withoutKeys(raw: Record<string, unknown>, issues: readonly z.core.$ZodIssueUnrecognizedKeys[]): unknown {
  const copy = structuredClone(raw);
  for (const { path, keys } of issues) {
    const place = valueAt(copy, path);
    if (isMapping(place)) for (const key of keys) delete place[key];
  }
  return copy;
}

function explainUnknown(raw: unknown, { path, keys }: z.core.$ZodIssueUnrecognizedKeys): PolicyIssue[] {
  const known = knownKeys(path);
  return keys.map((key) => {
    const nearest = nearestName(key, known);
    return {
      ...(path.length === 0 ? {} : { path: formatPath(path) }),
      message: `unknown key ${quote(key)}`,
      ...(nearest === undefined ? {} : { nearest }),
    };
  });
}

function explain(issue: z.core.$ZodIssue): PolicyIssue {
  const nested = issue.code === "invalid_union" ? deepest(issue) : issue;
  const path = nested === issue ? issue.path : [...issue.path, ...nested.path];
  return { ...(path.length === 0 ? {} : { path: formatPath(path) }), message: describe(path, nested) };
}

/** Of a union's failures the one that came furthest is what the author meant. */
function deepest(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue {
  const all = issue.errors.flat();
  return all.reduce<z.core.$ZodIssue>(
    (best, each) => (each.path.length > (best === issue ? 0 : best.path.length) ? each : best),
    issue,
  );
}

/** zod names what it expected and the type of what it found; of a value it tells nothing. */
function describe(path: readonly PropertyKey[], { code, message }: z.core.$ZodIssue): string {
  const title = expectedTitle(path);
  if (title !== undefined) return `expected ${title}`;
  return code === "invalid_key" ? "a name that may not stand here" : message.replace(/^Invalid [a-z]+: /, "");
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

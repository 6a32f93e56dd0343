// Room cli: every option key as one row, read off the schema: its path, its variable, what it expects.
// Invariant: the schema is the only list; variables, docs/options.md and error lines follow from it.

import { z } from "zod";
import { optionsSchema } from "../options.ts";

/** JSON Schema, as far as the options' own uses it. */
export interface SchemaNode {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  minItems?: number;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: boolean | SchemaNode;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
}

/** One option. `path` has `*` where a provider's id stands; `variable` has `<ID>` there. */
export interface OptionKey {
  path: string[];
  variable: string;
  node: SchemaNode;
}

/** The options' JSON Schema (draft 2020-12), as a person writes them. */
export function buildOptionsSchema(): SchemaNode & { $schema?: string } {
  return z.toJSONSchema(optionsSchema, { io: "input" }) as SchemaNode;
}

/** Keys whose variable has a shorter name than the rule gives. */
const shortVariables: Readonly<Record<string, string>> = { "telemetry.capture": "OUTRIDER_CAPTURE" };

/** All keys that carry a value, in the schema's order. */
export function listOptionKeys(): OptionKey[] {
  return collectKeys(buildOptionsSchema(), []);
}

function collectKeys(node: SchemaNode, path: string[]): OptionKey[] {
  if (node.anyOf !== undefined) return node.anyOf.flatMap((variant) => collectKeys(variant, path));
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([key, child]) => collectKeys(child, [...path, key]));
  }
  if (typeof node.additionalProperties === "object") return collectKeys(node.additionalProperties, [...path, "*"]);
  return [{ path, variable: shortVariables[path.join(".")] ?? ruleVariable(path), node }];
}

/** `limits.maxBodyBytes` → `OUTRIDER_LIMITS_MAX_BODY_BYTES`; `providers.*.baseUrl` → `OUTRIDER_PROVIDER_<ID>_BASE_URL`. */
export function ruleVariable(path: readonly string[]): string {
  const words = path.map((key, index) => {
    if (key === "*") return "<ID>";
    const name = path[index + 1] === "*" ? key.replace(/s$/, "") : key;
    return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
  });
  return ["OUTRIDER", ...words].join("_");
}

/** The schema's node at a path of a document, as far as there is one. */
export function findNode(root: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root;
  for (const key of path) {
    const variants: SchemaNode[] = node?.anyOf ?? (node === undefined ? [] : [node]);
    node = variants.map((variant) => findChild(variant, key)).find((child) => child !== undefined);
  }
  return node;
}

function findChild(node: SchemaNode, key: PropertyKey): SchemaNode | undefined {
  if (typeof key === "number") return node.items;
  if (typeof key === "symbol") return undefined;
  if (node.properties !== undefined) return Object.hasOwn(node.properties, key) ? node.properties[key] : undefined;
  return typeof node.additionalProperties === "object" ? node.additionalProperties : undefined;
}

/** The keys that an object at this node may have; undefined when any is allowed. */
export function knownKeys(node: SchemaNode | undefined): string[] | undefined {
  const keys = (node?.anyOf ?? [node ?? {}]).flatMap((variant) => Object.keys(variant.properties ?? {}));
  return keys.length === 0 ? undefined : keys;
}

/** What stands after "expected" in an error line and in the table of docs/options.md. */
export function describeExpected(node: SchemaNode | undefined): string {
  if (node === undefined) return "nothing here";
  if (node.title !== undefined) return node.title;
  if (node.enum !== undefined) return `one of ${node.enum.map(String).join(", ")}`;
  switch (node.type) {
    case "integer":
      return `an integer${describeRange(node)}`;
    case "number":
      return `a number${describeRange(node)}`;
    case "boolean":
      return "true or false";
    case "string":
      return node.minLength === undefined ? "a text" : "a text, not empty";
    case "array":
      return `${node.minItems === undefined ? "a list" : "a list, not empty"}${describeItems(node.items)}`;
    default:
      return "a mapping of keys to values";
  }
}

function describeItems(items: SchemaNode | undefined): string {
  return items?.type === "string" ? `, each ${describeExpected(items)}` : "";
}

function describeRange({ minimum, maximum }: SchemaNode): string {
  const bounds = [minimum === undefined ? [] : [`≥ ${minimum}`], maximum === undefined ? [] : [`≤ ${maximum}`]].flat();
  return bounds.length === 0 ? "" : ` ${bounds.join(" and ")}`;
}

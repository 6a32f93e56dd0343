// Room policy: what the schema has at a path of a document: the keys it knows there, and what it expects in words.
// Invariant: read off the JSON Schema, so that no second list has to be kept.

import { buildPolicySchema } from "./schema.ts";

interface SchemaNode {
  title?: string;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: boolean | SchemaNode;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
}

let root: SchemaNode | undefined;

/** The keys that may stand in the mapping at this path; empty where any may, or where the schema has no mapping. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  return findNodes(path).flatMap(({ properties = {} }) => Object.keys(properties));
}

/** What the schema says is expected at this path, where it says so in words. */
export function expectedTitle(path: readonly PropertyKey[]): string | undefined {
  return findNodes(path).find(({ title }) => title !== undefined)?.title;
}

function findNodes(path: readonly PropertyKey[]): SchemaNode[] {
  root ??= buildPolicySchema();
  let nodes: SchemaNode[] = [root];
  for (const key of path) nodes = nodes.flatMap(variantsOf).flatMap((node) => childOf(node, key));
  return nodes.flatMap((node) => [node, ...(node.anyOf ?? [])]);
}

function variantsOf(node: SchemaNode): SchemaNode[] {
  return node.anyOf ?? [node];
}

function childOf({ properties, additionalProperties, items }: SchemaNode, key: PropertyKey): SchemaNode[] {
  if (typeof key === "number") return items === undefined ? [] : [items];
  if (typeof key === "string" && properties !== undefined && Object.hasOwn(properties, key)) {
    const child = properties[key];
    return child === undefined ? [] : [child];
  }
  return typeof additionalProperties === "object" ? [additionalProperties] : [];
}

// Room dialects, json: places in a JSON value.
// Invariant: the pointer given is always of something that is there.

import { isJsonObject } from "./fields.ts";

/** JSON pointer (RFC 6901) of the longest start of `path` that exists in `value`; "" for the value itself. */
export function findPointer(value: unknown, path: readonly (string | number)[]): string {
  let pointer = "";
  let node = value;
  for (const step of path) {
    if (Array.isArray(node) && typeof step === "number") node = (node as unknown[])[step];
    else if (isJsonObject(node) && Object.hasOwn(node, step)) node = node[step];
    else return pointer;
    if (node === undefined) return pointer;
    pointer += `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  }
  return pointer;
}

// Room policy: what is wrong with a document, in names and paths alone. Pure.
// Invariant: no issue holds a value of the document.

import { quote } from "../options.ts";

/** One thing wrong with a document, for people. `path` is dotted, or `line:column` where the text is no YAML. */
export interface PolicyIssue {
  path?: string;
  message: string;
  nearest?: string;
}

/** `models.smart.targets[0]: expected …; did you mean "x"?` */
export function formatPolicyIssue({ path, message, nearest }: PolicyIssue): string {
  const hint = nearest === undefined ? "" : `; did you mean ${quote(nearest)}?`;
  return `${path === undefined ? "" : `${path}: `}${message}${hint}`;
}

/** `models.smart.targets[0].provider` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

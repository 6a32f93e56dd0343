// Room dialects: every dialect there is, in the order in which paths are tried. A new dialect is one line here.

import { anthropicMessages } from "./anthropic-messages/index.ts";
import type { Dialect, DialectId, Operation } from "./dialect.ts";
import { embeddings } from "./embeddings/index.ts";
import { openaiChat } from "./openai-chat/index.ts";

/** All dialects. No two match the same call. */
export const dialects: readonly Dialect[] = [openaiChat, embeddings, anthropicMessages];

const dialectsById: ReadonlyMap<string, Dialect> = new Map(dialects.map((dialect) => [dialect.id, dialect]));

/** The dialect with this id. */
export function findDialect(id: DialectId): Dialect {
  const dialect = dialectsById.get(id);
  if (dialect === undefined) throw new Error(`no dialect ${id}`);
  return dialect;
}

/** The dialect and call of a request, by method and path (no query, no provider prefix); undefined when none has it. */
export function matchDialect(method: string, path: string): { dialect: Dialect; operation: Operation } | undefined {
  for (const dialect of dialects) {
    const operation = dialect.match(method, path);
    if (operation !== undefined) return { dialect, operation };
  }
  return undefined;
}

// Room dialects: every dialect there is, in the order in which paths are tried. A new dialect is one line here.

import { anthropicMessages } from "./anthropic-messages/index.ts";
import { audio } from "./audio/index.ts";
import { bedrockConverse } from "./bedrock-converse/index.ts";
import { bedrockInvoke } from "./bedrock-invoke/index.ts";
import { cohereChat } from "./cohere-chat/index.ts";
import type { Dialect, DialectId, Operation } from "./dialect.ts";
import { embeddings } from "./embeddings/index.ts";
import { geminiGenerateContent } from "./gemini-generate-content/index.ts";
import { images } from "./images/index.ts";
import { moderations } from "./moderations/index.ts";
import { ollamaChat } from "./ollama-chat/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import { openaiResponses } from "./openai-responses/index.ts";
import { rerank } from "./rerank/index.ts";

/** All dialects. No two match the same call. */
export const dialects: readonly Dialect[] = [
  openaiChat,
  openaiResponses,
  embeddings,
  anthropicMessages,
  geminiGenerateContent,
  bedrockConverse,
  bedrockInvoke,
  images,
  audio,
  moderations,
  cohereChat,
  ollamaChat,
  rerank,
];

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

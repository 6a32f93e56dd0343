// Room dialects, openai-chat: puts the dialect together. POST /v1/chat/completions and /v1/completions, with and without /v1.

import type { Dialect, Operation } from "../dialect.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI chat completions and legacy completions, as spoken by OpenAI and every compatible provider. */
export const openaiChat: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["messages", "tools", "functions", "prompt"]),
  match: (method, path) => (method === "POST" ? operations.get(path) : undefined),
  decodeRequest,
  decodeResponse: (body) => decodeResponse(body),
  eventDecoder: () => createStreamDecoder(),
  decodeError,
  encodeError,
  encodeStreamError,
};

const operations = new Map<string, Operation>(
  ["/v1/", "/"].flatMap((base): [string, Operation][] => [
    [
      `${base}chat/completions`,
      { kind: "chat", name: "chat", route: `${base}chat/completions`, path: "chat/completions" },
    ],
    [
      `${base}completions`,
      { kind: "text_completion", name: "text_completion", route: `${base}completions`, path: "completions" },
    ],
  ]),
);

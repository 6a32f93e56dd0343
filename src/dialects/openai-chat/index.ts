// Room dialects, openai-chat: puts the dialect together. POST /v1/chat/completions and /v1/completions, with and without /v1,
// below an Azure deployment, and Mistral's two calls of the same shape.

import type { Dialect } from "../dialect.ts";
import { createPathMatcher } from "../paths.ts";
import { encoder } from "./encoder.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createStreamDecoder } from "./stream.ts";

/** OpenAI chat completions and legacy completions, as spoken by OpenAI and every compatible provider. */
export const openaiChat: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["messages", "tools", "functions", "prompt", "suffix"]),
  match: (method, path) => match(method, path),
  decodeRequest,
  decodeResponse,
  eventDecoder: (_operation, detail) => createStreamDecoder(detail),
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
};

const match = createPathMatcher([
  { kind: "chat", name: "chat", path: "chat/completions", deployable: true },
  { kind: "text_completion", name: "text_completion", path: "completions", deployable: true },
  // Mistral's own (mistralai 2.7.0): the body of the first has a prompt and a suffix, the second names an agent in place of a model.
  { kind: "text_completion", name: "text_completion", path: "fim/completions", home: "mistral" },
  { kind: "chat", name: "chat", path: "agents/completions", home: "mistral" },
]);

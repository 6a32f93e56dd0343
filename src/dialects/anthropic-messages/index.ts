// Room dialects, anthropic-messages: Anthropic's Messages API and its token counter, also at Vertex AI's raw predictions.
// Other calls of the API (models, files, batches, the old completions) are not this dialect's: they match nothing.

import type { Dialect, Operation } from "../dialect.ts";
import { parseGooglePath } from "../google-path.ts";
import { encoder } from "./encoder.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createEventDecoder } from "./stream.ts";

// Anthropic's base URL carries no version: the path does, also when the client (the Vercel AI SDK, for one) left it out.
const createMessage: Operation = { kind: "chat", name: "chat", route: "/v1/messages", path: "v1/messages" };
const countTokens: Operation = {
  kind: "count_tokens",
  route: "/v1/messages/count_tokens",
  path: "v1/messages/count_tokens",
};

const operations: ReadonlyMap<string, Operation> = new Map([
  ["/v1/messages", createMessage],
  ["/messages", createMessage],
  ["/v1/messages/count_tokens", countTokens],
  ["/messages/count_tokens", countTokens],
]);

/** The wire format of Anthropic's Messages API (GA and beta fields as of 2026-11-21). */
export const anthropicMessages: Dialect = {
  id: dialectId,
  framings: ["sse"],
  contentMembers: new Set(["messages", "system", "tools"]),
  match: (method, path) => (method === "POST" ? (operations.get(path) ?? matchVertex(path)) : undefined),
  decodeRequest,
  decodeResponse,
  eventDecoder: createEventDecoder,
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
};

/** At Vertex AI the body names no model: the path does, and says whether a stream is asked for (wire.md §2.10). */
function matchVertex(path: string): Operation | undefined {
  const call = parseGooglePath(path);
  if (call?.publisher !== "anthropic") return undefined;
  const home = "vertex";
  // The counter stands where a model would; which model it counts for is in its body.
  if (call.name === "count-tokens") {
    const route = call.route.replace("{model}", "count-tokens");
    return call.verb === "rawPredict" ? { kind: "count_tokens", route, path: call.path, home } : undefined;
  }
  const place = { route: call.route, path: call.path, model: call.name, home };
  if (call.verb === "rawPredict") return { kind: "chat", name: "chat", ...place };
  return call.verb === "streamRawPredict" ? { kind: "chat", name: "chat", ...place, stream: true } : undefined;
}

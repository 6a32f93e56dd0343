// Room dialects, bedrock-converse: Amazon Bedrock's Converse API, its stream, and its token counter.

import type { Dialect, Operation } from "../dialect.ts";
import { readCallPath } from "./call-path.ts";
import { decodeError, encodeError, encodeStreamError } from "./error.ts";
import { encoder } from "./encoder.ts";
import { decodeRequest } from "./request.ts";
import { decodeResponse } from "./response.ts";
import { dialectId } from "./schema.ts";
import { createEventDecoder } from "./stream.ts";

const calls: ReadonlyMap<string, Pick<Operation, "kind" | "name" | "stream">> = new Map([
  ["converse", { kind: "chat", name: "chat" }],
  ["converse-stream", { kind: "chat", name: "chat", stream: true }],
  ["count-tokens", { kind: "count_tokens" }],
]);

/** The wire format of Bedrock's Converse API. The model is in the path alone. */
export const bedrockConverse: Dialect = {
  id: dialectId,
  framings: ["aws-eventstream"],
  contentMembers: new Set(["messages", "system", "toolConfig", "promptVariables", "input"]),
  match: (method, path) => (method === "POST" ? matchCall(path) : undefined),
  decodeRequest,
  decodeResponse,
  eventDecoder: (_operation, detail) => createEventDecoder(detail),
  decodeError,
  encodeError,
  encodeStreamError,
  encoder,
};

function matchCall(path: string): Operation | undefined {
  const named = readCallPath(path);
  const call = named === undefined ? undefined : calls.get(named.action);
  if (named === undefined || call === undefined) return undefined;
  return { ...call, route: named.route, path: named.path, model: named.model };
}

// Room dialects: request fields that a target has no place for.
// Invariant: a field that asks for what happens anyway is no loss.

import type { InferenceRequest } from "../canonical/index.ts";
import type { Encoding, RequestFates } from "./encoding.ts";

/** Whether a field's value asks for nothing that would not happen without it. */
export function isNoOp(request: InferenceRequest, key: keyof InferenceRequest): boolean {
  const value = request[key];
  switch (key) {
    case "choiceCount":
      return value === 1;
    case "logprobs":
      return value === false;
    case "topLogprobs":
    case "frequencyPenalty":
    case "presencePenalty":
      return value === 0;
    case "parallelToolCalls":
      return value === true || (request.tools ?? []).length === 0;
    case "toolChoice":
      return request.toolChoice?.type === "auto";
    case "outputFormat":
      return request.outputFormat?.type === "text";
    case "serviceTier":
      return value === "auto" || value === "default" || value === "standard";
    case "logitBias":
    case "metadata":
      return Object.keys(request[key] ?? {}).length === 0;
    default:
      return value === undefined;
  }
}

/** The fields that a dialect refuses. */
export function listRefused(fates: RequestFates): (keyof InferenceRequest)[] {
  return (Object.keys(fates) as (keyof InferenceRequest)[]).filter((key) => fates[key] === "refused");
}

/** Tells the loss of each of these fields that is there and is no no-op. */
export function loseFields(
  request: InferenceRequest,
  encoding: Encoding,
  keys: readonly (keyof InferenceRequest)[],
): void {
  for (const key of keys) {
    if (request[key] === undefined || isNoOp(request, key)) continue;
    encoding.lose([key], "unsupported", `${encoding.target} has nothing like it`);
  }
}

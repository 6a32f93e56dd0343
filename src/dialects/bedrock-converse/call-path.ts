// Room dialects, bedrock-converse: the path of a call about one model, which is all the paths of Bedrock's runtime that
// are understood. Shared with bedrock-invoke.
// Invariant: the model never becomes part of a route; a path that is no valid percent-encoding matches nothing.

const modelPath = /^\/model\/([^/]+)\/([a-z-]+)$/;

/** What the path of a call names. */
export interface CallPath {
  /** Model id, inference profile or ARN, percent-decoded (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`). */
  model: string;
  /** The last segment: `converse`, `invoke`. */
  action: string;
  /** The path as the client wrote it, without its leading slash: signatures are over these very bytes. */
  path: string;
  route: string;
}

/** Reads `/model/{modelId}/{action}`; undefined for any other path. */
export function readCallPath(path: string): CallPath | undefined {
  const [, segment, action] = modelPath.exec(path) ?? [];
  if (segment === undefined || action === undefined) return undefined;
  try {
    return {
      model: decodeURIComponent(segment),
      action,
      path: path.slice(1),
      route: `/model/{modelId}/${action}`,
    };
  } catch {
    return undefined;
  }
}

// Room dialects: its only door.
export type { Dialect, DialectId, EventDecoder, Operation, OperationName, SseFrame } from "./dialect.ts";
export { dialects, findDialect, matchDialect } from "./registry.ts";
export { createSseDecoder, defaultMaxEventBytes, type SseDecoder } from "./framing/sse.ts";
export { parseObject } from "./json/parse.ts";
export { maxDepth, scanBody, type BodyScan, type GuardedKey, type MemberRange } from "./json/scan.ts";
export {
  applyEdits,
  createUsageFrameFilter,
  editMember,
  editUsageRequest,
  spliceMember,
  type ByteEdit,
  type UsageFrameFilter,
} from "./json/splice.ts";

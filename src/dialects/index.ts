// Room dialects: its only door.
export {
  dialectIds,
  type Dialect,
  type DialectId,
  type EventDecoder,
  type Frame,
  type FrameDecoder,
  type Framing,
  type HeaderLookup,
  type Operation,
  type OperationName,
} from "./dialect.ts";
export { dialects, findDialect, matchDialect } from "./registry.ts";
export { createFrameDecoder, findFraming } from "./framing/framing.ts";
export { defaultMaxEventBytes } from "./framing/limits.ts";
export { createSseDecoder } from "./framing/sse.ts";
export { parseObject } from "./json/parse.ts";
export { isOutputType, peekEvent, readClientEvent, readProviderEvent, type ProviderSaid } from "./realtime/events.ts";
export { parseMultipart } from "./multipart.ts";
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
export type { AskedEmbeddings, Vectors } from "./embedding-codec.ts";
export {
  canTranslateEmbeddings,
  translateEmbeddingRequest,
  translateEmbeddingResponse,
} from "./embedding-translation.ts";
export type { EventEncoder } from "./encoding.ts";
export {
  canTranslate,
  translateRequest,
  translateResponse,
  translateStream,
  type TranslatedRequest,
  type TranslationFacts,
} from "./translation.ts";

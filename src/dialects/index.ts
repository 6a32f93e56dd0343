// Room dialects: its only door.
export {
  dialectIds,
  type Dialect,
  type DialectId,
  type AnswerDetail,
  type EventDecoder,
  type Frame,
  type FrameDecoder,
  type Framing,
  type HeaderLookup,
  type Operation,
} from "./dialect.ts";
export { elideVectors } from "./vector-elision.ts";
export { dialects, findDialect, matchDialect } from "./registry.ts";
export { createFrameDecoder, findFraming } from "./framing/framing.ts";
export { endsBetweenFrames, endsWithBlankLine } from "./framing/line-ends.ts";
export { notRepeated } from "./framing/repetition.ts";
export { createSseDecoder } from "./framing/sse.ts";
export { parseObject } from "./json/parse.ts";
export { isOutputType, peekEvent, readClientEvent, readProviderEvent, type ProviderSaid } from "./realtime/events.ts";
export { parseMultipart } from "./multipart.ts";
export { scanBody, type BodyScan } from "./json/scan.ts";
export {
  applyEdits,
  createUsageFrameFilter,
  editMember,
  editUsageRequest,
  type ByteEdit,
  type UsageFrameFilter,
} from "./json/splice.ts";
export type { AskedEmbeddings, Vectors } from "./embedding-codec.ts";
export {
  canTranslateEmbeddings,
  translateEmbeddingRequest,
  translateEmbeddingResponse,
} from "./embedding-translation.ts";
export { rerankShapeIds, type RerankShapeId } from "./rerank-shapes.ts";
export {
  type RerankCall,
  readRerankCall,
  shapeDialect,
  translateRerankRequest,
  translateRerankResponse,
} from "./rerank-translation.ts";
export type { EventEncoder } from "./encoding.ts";
export { translateRequest, translateResponse, translateStream, type TranslationFacts } from "./translation.ts";

// Room canonical: its only door.
export type {
  BlobPart,
  CompactionPart,
  Extensions,
  FilePart,
  GenericPart,
  Message,
  Modality,
  Part,
  ReasoningPart,
  Role,
  ServerToolCallPart,
  ServerToolCallResponsePart,
  TextPart,
  ToolCallPart,
  ToolCallResponsePart,
  UriPart,
} from "./message.ts";
export type { InferenceRequest, OutputFormat, ReasoningControl, ToolChoice, ToolDefinition } from "./request.ts";
export type { Choice, FinishReason, InferenceResponse, ProviderError, UnifiedFinishReason } from "./response.ts";
export type { StreamEvent } from "./event.ts";
export type { Loss, LossReason, LossSeverity } from "./loss.ts";
export { changesRawUsage, mergeRawUsage, type Usage, type UsageCount, type UsageSource } from "./usage.ts";
export { estimateInputTokens, estimateTokens } from "./estimate.ts";
export { createFold, parseArguments, type Fold, type FoldOptions } from "./fold.ts";

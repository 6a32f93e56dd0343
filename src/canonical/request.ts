// Room canonical: one request to a model, in no provider's words.
// Absent means the client did not say; a default is never filled in here.

import type { Extensions, Message, Part } from "./message.ts";

export interface ToolDefinition {
  /** `function`, or the provider's own kind for custom and server-side tools. */
  type: string;
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  parameters?: unknown;
  extensions?: Extensions;
}

export type ToolChoice =
  | { type: "auto" | "none" | "required" }
  | { type: "tool"; name: string }
  | { type: "allowed"; mode: "auto" | "required"; names: string[] };

export type OutputFormat =
  | { type: "text" }
  | { type: "json" }
  | { type: "json_schema"; name?: string; schema: unknown; strict?: boolean; description?: string };

/** How much the model should think; `effort` is the provider's word, `budgetTokens` its token budget. */
export interface ReasoningControl {
  enabled?: boolean;
  effort?: string;
  budgetTokens?: number;
}

export interface InferenceRequest {
  /** The request model exactly as the client wrote it; absent when the wire carries none. */
  model?: string;
  stream: boolean;
  /** Instructions given apart from the history (Anthropic `system`, Responses `instructions`). */
  systemInstructions?: Part[];
  messages: Message[];
  tools?: ToolDefinition[];
  toolChoice?: ToolChoice;
  parallelToolCalls?: boolean;
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  seed?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  stopSequences?: string[];
  choiceCount?: number;
  logprobs?: boolean;
  topLogprobs?: number;
  logitBias?: Record<string, number>;
  outputFormat?: OutputFormat;
  reasoning?: ReasoningControl;
  serviceTier?: string;
  user?: string;
  metadata?: Record<string, unknown>;
  previousResponseId?: string;
  conversationId?: string;
  /** Whether the client asked for usage in the stream; `undefined` when it did not say. */
  streamUsage?: boolean;
  /** Speech only: characters (code points) to be spoken, which some models are billed by. */
  inputCharacters?: number;
  /** Embeddings only. */
  embedding?: { inputCount?: number; dimensions?: number; encodingFormats?: string[] };
  extensions?: Extensions;
}

// Room canonical: the events of a streamed answer, in no provider's words.
// Invariant (law 2): folding a stream's events gives what decoding its non-streaming twin gives.

import type { Extensions, Part } from "./message.ts";
import type { FinishReason, ProviderError } from "./response.ts";
import type { Usage } from "./usage.ts";

/**
 * `part` numbers the parts of one choice from 0 in order of first appearance.
 * `part_delta` appends text to the part's growing text (text and reasoning content, tool-call argument text);
 * `part_extend` merges wire-only facts into the part's extensions (signatures, citations).
 */
export type StreamEvent =
  | {
      type: "response_start";
      id?: string;
      model?: string;
      serviceTier?: string;
      systemFingerprint?: string;
      extensions?: Extensions;
    }
  | { type: "part_start"; choice: number; part: number; value: Part }
  | { type: "part_delta"; choice: number; part: number; text: string }
  | { type: "part_extend"; choice: number; part: number; extensions: Extensions }
  | { type: "part_end"; choice: number; part: number }
  | { type: "choice_start"; choice: number; role: string }
  | { type: "choice_extend"; choice: number; extensions: Extensions }
  | { type: "message_extend"; choice: number; extensions: Extensions }
  | { type: "choice_end"; choice: number; finishReason: FinishReason; extensions?: Extensions }
  | { type: "usage"; usage: Usage }
  /** The dialect's own terminal event was seen; whatever ends without it is truncated. */
  | { type: "response_end" }
  | { type: "error"; error: ProviderError }
  | { type: "keepalive" }
  /** The model said something that is told later, or with all of it at the end; only where nobody keeps content. */
  | { type: "output" }
  /** An event the decoder does not know; counted, never an exception. */
  | { type: "unrecognized"; name: string };

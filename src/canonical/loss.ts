// Room canonical: what did not arrive as it was sent. Every dropped, approximated, moved or injected field is one Loss.

export type LossReason = "unsupported" | "approximated" | "moved" | "injected";

/** Semantic: tools, tool choice, output format, choice count, media, history. Tuning: seed, penalties, bias, metadata, cache hints. */
export type LossSeverity = "semantic" | "tuning";

export interface Loss {
  /**
   * JSON pointer (RFC 6901) into the client's request body, e.g. `/stream_options/include_usage`; into the canonical answer after
   * `response:`; a header of the client as `header:<name>`.
   */
  pointer: string;
  reason: LossReason;
  severity: LossSeverity;
  detail: string;
}

// The trace context that a test's client sends, so that it finds its own spans again.
import { randomBytes } from "node:crypto";

export interface TraceParent {
  traceId: string;
  /** The client's own span: the parent of Outrider's server span. */
  spanId: string;
  /** The header's value; sampled. */
  traceparent: string;
}

export function createTraceParent(): TraceParent {
  const traceId = randomBytes(16).toString("hex");
  const spanId = randomBytes(8).toString("hex");
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

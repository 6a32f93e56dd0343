// Room telemetry: W3C trace context, read and written.
// Invariant: a header that is not valid to the letter is no context at all; the level-2 random flag (0x02) passes through unchanged.
// Source: W3C Trace Context level 2, §3 (read 2026-11-21).

import { createTraceState, type SpanContext } from "@opentelemetry/api";

import type { InboundContext } from "./telemetry.ts";

const version00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** A later version may have more fields after the flags; they are not understood and not passed on. */
const laterVersion = /^(?!ff|00)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

const sampledFlag = 0x01;
const randomFlag = 0x02;

/** The caller's span, and the one flag that the SDK does not carry. */
export interface CallerContext {
  spanContext: SpanContext;
  /** 0x02 when the caller said its trace id is random, else 0. */
  randomFlag: number;
}

/** Reads the caller's context; undefined when there is none or it is not valid. */
export function parseContext(inbound: InboundContext): CallerContext | undefined {
  const header = inbound.traceparent?.trim();
  if (header === undefined) return undefined;
  const match = version00.exec(header) ?? laterVersion.exec(header);
  const [, traceId = "", spanId = "", flagsText = ""] = match ?? [];
  if (match === null || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const flags = Number.parseInt(flagsText, 16);
  const spanContext: SpanContext = { traceId, spanId, traceFlags: flags & sampledFlag, isRemote: true };
  if (inbound.tracestate !== undefined) {
    const traceState = createTraceState(inbound.tracestate);
    if (traceState.serialize() !== "") spanContext.traceState = traceState;
  }
  return { spanContext, randomFlag: flags & randomFlag };
}

/** The `traceparent` (and `traceresponse`, which has the same form) that names this span. */
export function formatTraceparent(spanContext: SpanContext, callerRandomFlag: number): string {
  const flags = (spanContext.traceFlags & sampledFlag) | callerRandomFlag;
  return `00-${spanContext.traceId}-${spanContext.spanId}-0${flags.toString(16)}`;
}

import { describe, expect, test } from "vitest";

import { formatTraceparent, parseContext } from "../../../src/telemetry/trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const valid = `00-${traceId}-${spanId}-01`;

describe("reading the caller's context", () => {
  test("takes trace id, span id and the sampled flag", () => {
    const { spanContext, randomFlag } = parseContext({ traceparent: valid }) ?? {};
    expect(spanContext).toEqual({ traceId, spanId, traceFlags: 1, isRemote: true });
    expect(randomFlag).toBe(0);
  });

  test.each([
    ["no header", undefined],
    ["version ff", `ff-${traceId}-${spanId}-01`],
    ["upper case", valid.toUpperCase()],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["version 00 with more fields", `${valid}-extra`],
    ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["two headers in one", `${valid}, ${valid}`],
    ["letters that are no hex", valid.replace("4bf9", "4bgz")],
  ])("takes %s for no context", (_what, traceparent) => {
    expect(parseContext(traceparent === undefined ? {} : { traceparent })).toBeUndefined();
  });

  test("understands a later version as far as this one goes", () => {
    expect(parseContext({ traceparent: `cc-${traceId}-${spanId}-01-what-comes-later` })?.spanContext.traceId).toBe(
      traceId,
    );
    expect(parseContext({ traceparent: `cc-${traceId}-${spanId}-01more` })).toBeUndefined();
  });

  test("keeps tracestate and drops it with a wrong traceparent", () => {
    const tracestate = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
    expect(parseContext({ traceparent: valid, tracestate })?.spanContext.traceState?.serialize()).toBe(tracestate);
    expect(parseContext({ traceparent: "nonsense", tracestate })).toBeUndefined();
  });
});

describe("writing a context", () => {
  test.each([
    ["01", "01"],
    ["00", "00"],
    ["02", "02"],
    ["03", "03"],
    ["ff", "03"],
  ])("passes the level-2 random flag through: %s becomes %s", (came, goes) => {
    const caller = parseContext({ traceparent: `00-${traceId}-${spanId}-${came}` });
    if (caller === undefined) throw new Error("not read");
    expect(formatTraceparent(caller.spanContext, caller.randomFlag)).toBe(`00-${traceId}-${spanId}-${goes}`);
  });
});

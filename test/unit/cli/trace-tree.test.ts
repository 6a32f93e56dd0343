import { describe, expect, it } from "vitest";
import { renderTraceTree } from "../../../src/cli/trace-tree.ts";
import { buildAttempt, buildGroup, buildRecord } from "../../support/exchange-record.ts";

describe("trace tree", () => {
  it("draws one server span, a span for each attempt group and one for each wire attempt", () => {
    const tree = renderTraceTree(
      buildRecord({
        traceId: "ab".repeat(16),
        operation: { kind: "chat", name: "chat", route: "/v1/chat/completions" },
        groups: [
          buildGroup({
            attempts: [buildAttempt({ statusCode: 503 }), buildAttempt({ resendCount: 1, reason: "retry" })],
            cost: { status: "missing" },
          }),
          buildGroup({ provider: "anthropic", providerName: "anthropic", requestModel: "claude" }),
        ],
      }),
    );
    expect(tree.split("\n").filter((line) => line.includes("["))).toEqual([
      "POST /v1/chat/completions  [SERVER, 101 ms]",
      "├─ chat gpt-4o  [CLIENT, 100 ms]",
      "│  ├─ POST  [CLIENT, 100 ms]",
      "│  └─ POST  [CLIENT, 100 ms]",
      "└─ chat claude  [CLIENT, 100 ms]",
      "   └─ POST  [CLIENT, 100 ms]",
    ]);
    expect(tree).toContain("│  │  outrider.cost.total = missing");
    expect(tree).toContain("http.request.resend_count = 1");
  });
});

// Room cli: the spans of one exchange as a tree of text, with the attributes that matter most.
// Names are those that telemetry/ gives the spans (DESIGN §3).

import type { AttemptGroup, ExchangeRecord, WireAttempt } from "../record/index.ts";
import { formatMs, formatUsd, printable } from "./exchange-line.ts";

interface Span {
  name: string;
  kind: "SERVER" | "CLIENT";
  durationMs: number | undefined;
  attributes: [string, string | number | undefined][];
  children: Span[];
}

/** Without line end. */
export function renderTraceTree(record: ExchangeRecord): string {
  return [`trace ${record.traceId ?? "(none)"}`, ...renderSpan(toServerSpan(record), "", "")].join("\n");
}

function renderSpan(span: Span, lead: string, indent: string): string[] {
  const body = span.children.length > 0 ? `${indent}│  ` : `${indent}   `;
  const attributes = span.attributes.flatMap(([name, value]) =>
    value === undefined ? [] : [`${body}${name} = ${printable(String(value))}`],
  );
  const children = span.children.flatMap((child, index) =>
    index === span.children.length - 1
      ? renderSpan(child, `${indent}└─ `, `${indent}   `)
      : renderSpan(child, `${indent}├─ `, `${indent}│  `),
  );
  return [`${lead}${printable(span.name)}  [${span.kind}, ${formatMs(span.durationMs)}]`, ...attributes, ...children];
}

function toServerSpan(record: ExchangeRecord): Span {
  return {
    name: `${record.http.method} ${record.http.route ?? ""}`.trim(),
    kind: "SERVER",
    durationMs: record.durationMs,
    attributes: [
      ["http.response.status_code", record.http.statusCode],
      ["outrider.stream.end", record.stream ? record.end : undefined],
      ["outrider.overhead.total", record.overheadMs === undefined ? undefined : formatMs(record.overheadMs.total)],
      ["error.type", record.failure?.code],
    ],
    children: record.groups.map((group) => toGroupSpan(record, group)),
  };
}

function toGroupSpan(record: ExchangeRecord, group: AttemptGroup): Span {
  const { usage, cost } = group;
  return {
    name: [record.operation?.name, group.requestModel].filter(Boolean).join(" ") || "request",
    kind: "CLIENT",
    durationMs: group.durationMs,
    attributes: [
      ["gen_ai.provider.name", group.providerName],
      ["gen_ai.response.model", group.response?.model],
      [
        "gen_ai.response.finish_reasons",
        group.response?.choices.map(({ finishReason }) => finishReason?.unified ?? "none").join(", "),
      ],
      ["gen_ai.usage.input_tokens", usage?.inputTokens],
      ["gen_ai.usage.cache_read.input_tokens", usage?.cacheReadTokens],
      ["gen_ai.usage.output_tokens", usage?.outputTokens],
      ["outrider.usage.source", group.usageSource],
      [
        "outrider.cost.total",
        cost?.nanoUsd === undefined ? cost?.status : `${formatUsd(cost.nanoUsd)} (${cost.status})`,
      ],
      [
        "gen_ai.response.time_to_first_chunk",
        group.timeToFirstChunkMs === undefined ? undefined : formatMs(group.timeToFirstChunkMs),
      ],
      ["error.type", group.failure?.code],
    ],
    children: group.attempts.map(toAttemptSpan),
  };
}

function toAttemptSpan(attempt: WireAttempt): Span {
  return {
    name: attempt.method,
    kind: "CLIENT",
    durationMs: attempt.durationMs,
    attributes: [
      ["server.address", `${attempt.serverAddress}:${attempt.serverPort}`],
      ["http.response.status_code", attempt.statusCode],
      ["http.request.resend_count", attempt.resendCount === 0 ? undefined : attempt.resendCount],
      ["outrider.attempt.reason", attempt.reason],
      ["error.type", attempt.failure?.code],
    ],
    children: [],
  };
}

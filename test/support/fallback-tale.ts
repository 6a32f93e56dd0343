// Spans, counters, log events and the summary of one exchange as lines of text, so that a test states them exactly.
import type { ReceivedLog, ReceivedSpan } from "./otlp-receiver.ts";
import type { SampleMap } from "./sidecar-metrics.ts";

/** The tree under the server span, indented; brothers in the order of their start. */
export function tellSpans(spans: readonly ReceivedSpan[], root: ReceivedSpan | undefined): string[] {
  if (root === undefined) return ["no server span"];
  const names = new Map(spans.map(({ spanId, name }) => [spanId, name]));
  const tell = (span: ReceivedSpan, indent: string): string[] => [
    indent + tellSpan(span, names),
    ...spans
      .filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .sort((left, right) => left.startMs - right.startMs)
      .flatMap((child) => tell(child, `${indent}  `)),
  ];
  return tell(root, "");
}

function tellSpan({ name, kind, attributes, links, statusCode }: ReceivedSpan, names: Map<string, string>): string {
  const read = (key: string): string | undefined => {
    const value = attributes[key];
    return value === undefined ? undefined : String(value as string | number);
  };
  const words = [kind === 2 ? `${name} server` : name];
  const add = (key: string, before = ""): void => {
    const value = read(key);
    if (value !== undefined) words.push(before + value);
  };
  if ("gen_ai.operation.name" in attributes) add("gen_ai.provider.name", "at ");
  else add("http.response.status_code");
  add("error.type", "!");
  add("outrider.error.code", "code ");
  const reason = read("outrider.attempt.reason");
  if (reason !== undefined && reason !== "first") words.push(reason);
  add("http.request.resend_count", "resend ");
  const delay = attributes["outrider.retry.delay"];
  // To the tenth of a second below: what is added at random is less than that.
  if (typeof delay === "number") words.push(`after ${(Math.floor(delay * 10) / 10).toFixed(1)}s`);
  if ("outrider.fallback.to" in attributes) words.push(tellFallback(attributes));
  for (const { spanId } of links) words.push(`link to ${names.get(spanId) ?? "a stranger"}`);
  add("outrider.routing.skipped", "skipped ");
  add("outrider.stream.end", "stream ");
  add("outrider.policy.version", "policy ");
  // The status follows error.type, except a server's for 4xx (HTTP conventions).
  const status = read("http.response.status_code") ?? "";
  const isDue = "error.type" in attributes && !(kind === 2 && status.startsWith("4"));
  if ((statusCode === 2) !== isDue) words.push(`STATUS ${statusCode}`);
  return words.join(" ");
}

function tellFallback(attributes: Record<string, unknown>): string {
  const [from, to, reason, outcome] = ["from", "to", "reason", "outcome"].map(
    (fact) => attributes[`outrider.fallback.${fact}`] as string,
  );
  return `${from}->${to};reason=${reason};outcome=${outcome}`;
}

const counted: Record<string, readonly string[]> = {
  outrider_fallbacks_total: [
    "outrider_fallback_from",
    "outrider_fallback_to",
    "outrider_fallback_reason",
    "outrider_fallback_outcome",
  ],
  outrider_attempts_total: ["gen_ai_provider_name", "outrider_attempt_reason", "error_type"],
};

/** What grew, with its labels in a fixed order. */
export function tellCounters(before: SampleMap, after: SampleMap): string[] {
  const lines: string[] = [];
  for (const [key, value] of after) {
    const name = key.slice(0, key.indexOf("{"));
    const labels = counted[name];
    const grown = value - (before.get(key) ?? 0);
    if (labels === undefined || grown === 0) continue;
    const values = new Map([...key.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", text = ""]) => [label, text]));
    const shown = labels.map((label) => values.get(label)).filter((text) => text !== undefined);
    lines.push(`${name.replace(/^outrider_|_total$/g, "")} ${shown.join(" ")} +${grown}`);
  }
  return lines.sort();
}

/** Each with the span that it belongs to. */
export function tellEvents(logs: readonly ReceivedLog[], spans: readonly ReceivedSpan[]): string[] {
  return logs.map(({ eventName, severityNumber, attributes, spanId }) => {
    const name = spans.find((span) => span.spanId === spanId)?.name ?? "no span";
    const severity = severityNumber === 13 ? "" : ` severity ${severityNumber}`;
    return `event ${eventName} ${tellFallback(attributes)} on ${name}${severity}`;
  });
}

/** The exchange as `/exchanges` shows it. */
export async function tellSummary(adminUrl: string, id: string): Promise<string> {
  const exchanges = (await (await fetch(`${adminUrl}/exchanges`)).json()) as Record<string, unknown>[];
  const found = exchanges.find((exchange) => exchange["id"] === id);
  if (found === undefined) return "no summary";
  const shown = ["provider", "requestModel", "status", "end", "attempts", "errorCode", "policyVersion"]
    .map((key) => [key, found[key] as string | number | undefined] as const)
    .filter(([, value]) => value !== undefined);
  return `summary ${shown.map(([key, value]) => `${key}=${value}`).join(" ")}`;
}

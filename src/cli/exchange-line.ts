// Room cli: one exchange on one line, for `tail` and `demo`.
// Invariant: one line whatever a client named itself, its paths and its models; an unknown cost reads `unknown`.

import type { ExchangeSummary } from "../inspect/index.ts";

/** Wraps text in a colour, or leaves it alone. */
export type Paint = (colour: "red" | "green" | "yellow" | "dim" | "bold", text: string) => string;

const colourCodes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** `enabled` false: the text as it is. */
export function createPaint(enabled: boolean): Paint {
  return (colour, text) => (enabled ? `\u001b[${colourCodes[colour]}m${text}\u001b[0m` : text);
}

/** What a client named (paths, models) may hold anything; control and direction marks must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}

/** Without line end: time, request, provider/model, status, end, tokens in→out, cost, duration, first chunk, error code. */
export function formatExchange(exchange: ExchangeSummary, paint: Paint): string {
  const { status, end, usage } = exchange;
  const good = end === "complete" && status !== undefined && status < 400;
  const model = exchange.responseModel ?? exchange.requestModel;
  const target = [exchange.provider, model].filter((part) => part !== undefined).join("/");
  return [
    paint("dim", exchange.time.slice(11, 23)),
    printable(`${exchange.method} ${exchange.route}`).padEnd(30),
    printable(target).padEnd(36),
    paint(good ? "green" : "red", `${String(status ?? "---")} ${(end ?? "?").padEnd(14)}`),
    formatTokens(usage).padEnd(14),
    formatCost(exchange).padEnd(11),
    formatMs(exchange.durationMs).padStart(8),
    exchange.timeToFirstChunkMs === undefined ? "" : paint("dim", `first ${formatMs(exchange.timeToFirstChunkMs)}`),
    exchange.attempts > 1 ? paint("yellow", `${exchange.attempts} attempts`) : "",
    exchange.errorCode === undefined ? "" : paint("red", exchange.errorCode),
  ]
    .filter((cell) => cell !== "")
    .join("  ")
    .trimEnd();
}

function formatTokens(usage: ExchangeSummary["usage"]): string {
  if (usage?.inputTokens === undefined && usage?.outputTokens === undefined) return "-";
  const estimated = usage.source === "estimated" ? "~" : "";
  return `${estimated}${usage.inputTokens ?? "-"}→${usage.outputTokens ?? "-"} tok`;
}

function formatCost({ costNanoUsd, costStatus }: ExchangeSummary): string {
  if (costNanoUsd !== undefined) return formatUsd(costNanoUsd);
  return costStatus === undefined ? "-" : "unknown";
}

/** Nano-dollars as dollars with six decimals, rounded up where less than that is left, so that a cost never reads as none. */
export function formatUsd(nanoUsd: number): string {
  if (nanoUsd > 0 && nanoUsd < 1000) return "<$0.000001";
  return `$${(nanoUsd / 1e9).toFixed(6)}`;
}

/** `12 ms`, `1.25 s`. */
export function formatMs(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return "-";
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

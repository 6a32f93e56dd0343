// Room cli: what each provider's models used and cost.
// Invariant: a price or count that nobody knows reads `unknown` or `-`, never 0; a total with an estimate in it starts with `~`.

import type { AttemptGroup, ExchangeRecord } from "../record/index.ts";
import { formatUsd, printable } from "./exchange-line.ts";

interface Row {
  calls: number;
  inputTokens?: number;
  outputTokens?: number;
  cachedTokens?: number;
  /** Some of the usage was estimated, so the totals are. */
  estimated: boolean;
  nanoUsd?: number;
  /** Calls whose price is missing. */
  unpriced: number;
  statuses: Set<string>;
}

/** Counts closed records; `render` gives the table without line end. */
export function createCostTable(): { add(record: ExchangeRecord): void; render(): string } {
  const rows = new Map<string, Row>();
  return {
    add(record) {
      for (const group of record.groups) {
        if (group.usage === undefined && group.cost === undefined) continue;
        const name = `${group.provider}/${group.response?.model ?? group.requestModel ?? "?"}`;
        const row = rows.get(name) ?? { calls: 0, estimated: false, unpriced: 0, statuses: new Set() };
        rows.set(name, row);
        count(row, group);
      }
    },
    render: () => renderTable([...rows].sort(([a], [b]) => a.localeCompare(b))),
  };
}

function count(row: Row, { usage, usageSource, cost }: AttemptGroup): void {
  row.calls += 1;
  if (usage !== undefined && usageSource === "estimated") row.estimated = true;
  if (usage?.inputTokens !== undefined) row.inputTokens = (row.inputTokens ?? 0) + usage.inputTokens;
  if (usage?.outputTokens !== undefined) row.outputTokens = (row.outputTokens ?? 0) + usage.outputTokens;
  if (usage?.cacheReadTokens !== undefined) row.cachedTokens = (row.cachedTokens ?? 0) + usage.cacheReadTokens;
  if (cost === undefined) return;
  row.statuses.add(cost.status);
  if (cost.nanoUsd === undefined) row.unpriced += 1;
  else row.nanoUsd = (row.nanoUsd ?? 0) + cost.nanoUsd;
}

function renderTable(rows: [string, Row][]): string {
  const cells = rows.map(([name, row]) => [
    printable(name),
    String(row.calls),
    ...[
      formatCount(row.inputTokens),
      formatCount(row.cachedTokens),
      formatCount(row.outputTokens),
      formatCost(row),
    ].map((total) => (row.estimated && total !== "-" && total !== "unknown" ? `~${total}` : total)),
    [...row.statuses].sort().join(", ") || "-",
  ]);
  const table = [["provider/model", "calls", "tokens in", "of it cached", "tokens out", "cost", "price"], ...cells];
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 || column === 6 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function formatCount(count: number | undefined): string {
  return count === undefined ? "-" : count.toLocaleString("en");
}

function formatCost({ nanoUsd, unpriced }: Row): string {
  if (nanoUsd === undefined) return unpriced > 0 ? "unknown" : "-";
  return unpriced > 0 ? `${formatUsd(nanoUsd)} + ${unpriced} unknown` : formatUsd(nanoUsd);
}

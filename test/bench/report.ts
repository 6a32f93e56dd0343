// Bench: the figures as a table with their bars, on the terminal, in docs/performance.md and as JSON.
// Invariant: the bars are those of the design; only `hard` ones can fail a run.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Column, Figures, Results } from "./measures.ts";

/** The circumstances of a run. */
export interface RunFacts {
  /** ISO date, UTC. */
  date: string;
  node: string;
  /** Architecture and number of cores. */
  machine: string;
  pinned: boolean;
  /** The machine's one-minute load average before the run; well above 0 means that others used it too. */
  loadBefore: number;
  profile: "full" | "quick";
  /** What was measured as Outrider: the bundle or the sources. */
  entry: string;
}

/** One bar: what Outrider's figure is held against. */
export interface Bar {
  text: string;
  met: (figures: Figures) => boolean;
  hard?: true;
}

interface Row {
  id: string;
  title: string;
  digits: number;
  bars: readonly Bar[];
}

function compareToFloor(figures: Figures, test: (outrider: number, floor: number) => boolean): boolean {
  const { outrider, floor } = figures;
  return outrider !== undefined && floor !== undefined && test(outrider, floor);
}

function requireShareOfFloor(share: number, text: string, hard?: true): Bar {
  const bar = { text, met: (figures: Figures) => compareToFloor(figures, (ours, floor) => ours >= share * floor) };
  return hard === undefined ? bar : { ...bar, hard };
}

function allowOverFloor(margin: number, text: string): Bar {
  return { text, met: (figures) => compareToFloor(figures, (ours, floor) => ours - floor <= margin) };
}

function allowAtMost(limit: number, text: string): Bar {
  return { text, met: ({ outrider }) => outrider !== undefined && outrider <= limit };
}

const throughputBars = [
  requireShareOfFloor(0.3, "≥ 30 % of the floor", true),
  requireShareOfFloor(0.7, "≥ 70 % of the floor"),
];

const rows: readonly Row[] = [
  { id: "throughput", title: "non-streaming, 32 connections, requests/s", digits: 0, bars: throughputBars },
  { id: "per-cpu-second", title: "requests a second of its own CPU time", digits: 0, bars: throughputBars },
  { id: "cpu-per-request", title: "CPU a request, µs", digits: 1, bars: [] },
  { id: "saturation", title: "share of its core used meanwhile", digits: 2, bars: [] },
  { id: "exported-spans", title: "spans received by the sink a request", digits: 2, bars: [] },
  { id: "exported-bytes", title: "telemetry bytes received a request", digits: 0, bars: [] },
  { id: "dropped", title: "telemetry items dropped, by its own count", digits: 0, bars: [] },
  {
    id: "latency-p50",
    title: "added at 50 requests/s, p50, ms",
    digits: 2,
    bars: [allowOverFloor(0.3, "≤ floor + 0.3 ms")],
  },
  {
    id: "latency-p99",
    title: "added at 50 requests/s, p99, ms",
    digits: 2,
    bars: [allowOverFloor(2, "≤ floor + 2 ms")],
  },
  {
    id: "first-chunk",
    title: "first chunk added, 200 streams, p50, ms",
    digits: 2,
    bars: [allowOverFloor(0.5, "≤ floor + 0.5 ms")],
  },
  {
    id: "cpu-per-chunk",
    title: "CPU a streamed chunk, 1,000 streams × 14/s, µs",
    digits: 1,
    bars: [{ text: "≤ 1.3 × floor", met: (figures) => compareToFloor(figures, (ours, floor) => ours <= 1.3 * floor) }],
  },
  { id: "streams-cores", title: "cores for 1,000 streams", digits: 2, bars: [allowAtMost(0.5, "≤ 0.5")] },
  { id: "streams-open", title: "streams open meanwhile", digits: 0, bars: [] },
  {
    id: "streams-rate",
    title: "chunks/s delivered meanwhile",
    digits: 0,
    // A subject that falls behind spends less, so the rows above count only when this one is met.
    bars: [{ text: "≥ 13,300 of 14,000", met: ({ outrider = 0 }) => outrider >= 13_300 }],
  },
  { id: "streams-rss", title: "peak RSS, 1,000 streams, MiB", digits: 0, bars: [allowAtMost(250, "≤ 250 MiB")] },
  { id: "idle-rss", title: "idle RSS, MiB", digits: 0, bars: [allowAtMost(80, "≤ 80 MiB")] },
  { id: "busy-rss", title: "peak RSS, 32 connections, MiB", digits: 0, bars: [allowAtMost(150, "≤ 150 MiB")] },
  { id: "cold-start", title: "start to first answered request, ms", digits: 0, bars: [allowAtMost(300, "≤ 300 ms")] },
  { id: "bundle", title: "bundle, MiB", digits: 2, bars: [allowAtMost(4, "≤ 4 MiB")] },
];

const columns: readonly Column[] = ["direct", "floor", "outrider", "outrider-quiet"];
const columnTitles = ["measure", "direct", "floor", "outrider", "telemetry off", "outrider ÷ floor", "bar"];

function formatNumber(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function formatBars(bars: readonly Bar[], figures: Figures): string {
  if (figures.outrider === undefined) return bars.map((bar) => bar.text).join(", ");
  return bars.map((bar) => `${bar.text}: ${bar.met(figures) ? "met" : "**not met**"}`).join(", ");
}

/** The table as cells, header first; rows without any figure are left out. */
function formatCells(results: Results): string[][] {
  const table = [columnTitles];
  for (const row of rows) {
    const figures = results[row.id];
    if (figures === undefined) continue;
    const { outrider, floor } = figures;
    const ratio = outrider === undefined || floor === undefined || floor <= 0 ? undefined : outrider / floor;
    const cells = columns.map((column) => formatNumber(figures[column], row.digits));
    table.push([row.title, ...cells, formatNumber(ratio, 2), formatBars(row.bars, figures)]);
  }
  return table;
}

function padCell(cell: string, width: number, column: number): string {
  return column === 0 || column === columnTitles.length - 1 ? cell.padEnd(width) : cell.padStart(width);
}

/** The Markdown table, aligned so that it also reads well on a terminal. */
export function formatTable(results: Results): string {
  const table = formatCells(results);
  const widths = columnTitles.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  const lines = table.map((cells) => `| ${cells.map((cell, i) => padCell(cell, widths[i] ?? 0, i)).join(" | ")} |`);
  const rule = widths.map((width, i) =>
    i === 0 || i === widths.length - 1 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

/** One line on the circumstances. */
export function formatFacts(facts: RunFacts): string {
  const pinned = facts.pinned ? "proxy alone on one core, harness on another" : "not pinned: figures are rough";
  const load = `load ${facts.loadBefore.toFixed(1)} before the run${facts.loadBefore > 0.7 ? " (busy machine: figures are rough)" : ""}`;
  return `${facts.date}, Node ${facts.node}, ${facts.machine}, ${pinned}, ${load}, ${facts.profile} run of ${facts.entry}.`;
}

/** The row that throughput is judged by: requests a second, unless other programs took time from a subject's core. */
function chooseThroughputRow(results: Results): string {
  const { floor = 1, outrider = 1 } = results["saturation"] ?? {};
  return Math.min(floor, outrider) < 0.9 ? "per-cpu-second" : "throughput";
}

/** The hard bars that were measured and missed. */
export function findMissedHardBars(results: Results): string[] {
  const ignored = chooseThroughputRow(results) === "throughput" ? "per-cpu-second" : "throughput";
  return rows.flatMap((row) => {
    const figures = results[row.id];
    if (figures?.outrider === undefined || row.id === ignored) return [];
    return row.bars.filter((bar) => bar.hard === true && !bar.met(figures)).map((bar) => `${row.title}: ${bar.text}`);
  });
}

const documentPath = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const startMarker = "<!-- bench:start -->";
const endMarker = "<!-- bench:end -->";

/** Replaces what stands between the markers of docs/performance.md; throws when they are missing. */
export function writeDocument(facts: RunFacts, results: Results): void {
  const text = readFileSync(documentPath, "utf8");
  const start = text.indexOf(startMarker);
  const end = text.indexOf(endMarker);
  if (start < 0 || end < start) throw new Error(`docs/performance.md lacks ${startMarker} … ${endMarker}`);
  const before = text.slice(0, start + startMarker.length);
  writeFileSync(documentPath, `${before}\n\n${formatFacts(facts)}\n\n${formatTable(results)}\n\n${text.slice(end)}`);
}

// Metrics as flat maps, so that what two systems say about the same counters can be compared in one assertion.
import type { PromSeries } from "./promql.ts";

/** Value by `name{label="value",…}`, labels sorted. */
export type SampleMap = Map<string, number>;

const whereabouts = new Set(["job", "instance", "via", "__name__"]);

/** One key for a series however its labels are ordered, and however a bucket's bound is written. */
function keyOf(name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels)
    .filter(([label]) => !whereabouts.has(label))
    .map(
      ([label, value]) => `${label}=${JSON.stringify(label === "le" ? String(Number(value.replace("+", ""))) : value)}`,
    )
    .sort();
  return `${name}{${pairs.join(",")}}`;
}

/** The samples of a Prometheus text exposition, format 0.0.4. */
export function parseExposition(text: string): SampleMap {
  const samples: SampleMap = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (parts === null) throw new Error(`no sample: ${line}`);
    const [, name = "", inner = "", value = ""] = parts;
    const labels = Object.fromEntries(
      [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match): [string, string] => [
        match[1] as string,
        (match[2] as string).replaceAll(/\\(.)/g, (_, mark: string) => (mark === "n" ? "\n" : mark)),
      ]),
    );
    samples.set(keyOf(name, labels), Number(value.replace("+Inf", "Infinity")));
  }
  return samples;
}

/** The last sample of every series of a Prometheus answer. */
export function toSampleMap(series: PromSeries[]): SampleMap {
  return new Map(series.map(({ labels, values }) => [keyOf(labels["__name__"] ?? "", labels), values.at(-1) ?? NaN]));
}

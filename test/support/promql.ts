// Asks a real Prometheus over its HTTP API.

/** One series of an answer: its labels, and its samples from old to new. */
export interface PromSeries {
  labels: Record<string, string>;
  values: number[];
}

interface Answer<Data> {
  status: string;
  error?: string;
  data: Data;
}

async function ask<Data>(prometheusUrl: string, path: string, query: Record<string, string | number>): Promise<Data> {
  const search = new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const response = await fetch(`${prometheusUrl}/api/v1/${path}?${search}`);
  const answer = (await response.json()) as Answer<Data>;
  if (answer.status !== "success")
    throw new Error(`${String(query["query"] ?? path)}: ${answer.error ?? answer.status}`);
  return answer.data;
}

/** The value of an expression now. */
export async function queryNow(prometheusUrl: string, expr: string): Promise<PromSeries[]> {
  interface Data {
    result: { metric: Record<string, string>; value: [number, string] }[];
  }
  const { result } = await ask<Data>(prometheusUrl, "query", { query: expr });
  return result.map(({ metric, value }) => ({ labels: metric, values: [Number(value[1])] }));
}

/** The values of an expression over the last `seconds`, one a second. */
export async function queryRange(prometheusUrl: string, expr: string, seconds: number): Promise<PromSeries[]> {
  interface Data {
    result: { metric: Record<string, string>; values: [number, string][] }[];
  }
  const end = Date.now() / 1000;
  const { result } = await ask<Data>(prometheusUrl, "query_range", { query: expr, start: end - seconds, end, step: 1 });
  return result.map(({ metric, values }) => ({ labels: metric, values: values.map(([, value]) => Number(value)) }));
}

/** The values a label has on the series that a selector picks. */
export function queryLabelValues(prometheusUrl: string, label: string, selector: string): Promise<string[]> {
  return ask<string[]>(prometheusUrl, `label/${label}/values`, { "match[]": selector });
}

/** An alert that is on its way (`pending`) or there (`firing`). */
export interface PromAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: "pending" | "firing";
  value: number;
}

/** What Prometheus would tell an Alertmanager now, and what is pending. */
export async function queryAlerts(prometheusUrl: string): Promise<PromAlert[]> {
  type Answered = Omit<PromAlert, "value"> & { value: string };
  const { alerts } = await ask<{ alerts: Answered[] }>(prometheusUrl, "alerts", {});
  return alerts.map(({ labels, annotations, state, value }) => ({ labels, annotations, state, value: Number(value) }));
}

/** Rules by name: `ok` once worked out, `unknown` before, `err` when that failed. */
export async function queryRuleHealth(prometheusUrl: string): Promise<Record<string, string>> {
  interface Data {
    groups: { rules: { name: string; health: string }[] }[];
  }
  const { groups } = await ask<Data>(prometheusUrl, "rules", {});
  return Object.fromEntries(groups.flatMap(({ rules }) => rules.map(({ name, health }) => [name, health])));
}

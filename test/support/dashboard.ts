// Reads the committed Grafana dashboards: their queries, and the variables those name.
import { readFileSync } from "node:fs";

/** One query of one panel. */
export interface PanelQuery {
  /** `row / panel / refId`. */
  where: string;
  expr: string;
  /** Labels that the legend shows. */
  legendLabels: string[];
  /** Asked at one moment only, as a stat panel does; else over a range. */
  instant: boolean;
}

/** A template variable that is filled by a query, in the order in which Grafana fills them. */
export interface QueryVariable {
  name: string;
  /** `label_values(SERIES, LABEL)`, taken apart. */
  series: string;
  label: string;
  /** What “All” stands for; absent: all values, joined by `|`. */
  allValue?: string;
}

export interface Dashboard {
  queries: PanelQuery[];
  variables: QueryVariable[];
}

interface DashboardFile {
  panels: {
    type: string;
    title: string;
    targets?: { refId: string; expr: string; legendFormat?: string; instant: boolean }[];
  }[];
  templating: { list: { type: string; name: string; definition?: string; allValue?: string }[] };
}

/** Reads `dashboards/NAME.json`. */
export function readDashboard(name: string): Dashboard {
  const path = new URL(`../../dashboards/${name}.json`, import.meta.url);
  const { panels, templating } = JSON.parse(readFileSync(path, "utf8")) as DashboardFile;
  const queries: PanelQuery[] = [];
  let row = "";
  for (const { type, title, targets = [] } of panels) {
    if (type === "row") row = title;
    for (const { refId, expr, legendFormat = "", instant } of targets) {
      const legendLabels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] as string);
      queries.push({ where: `${row} / ${title} / ${refId}`, expr, legendLabels, instant });
    }
  }
  const variables = templating.list
    .filter(({ type }) => type === "query")
    .map(({ name: variable, definition = "", allValue }) => {
      const parts = /^label_values\((.+), (\w+)\)$/.exec(definition);
      if (parts === null)
        throw new Error(`variable ${variable}: expected label_values(series, label), found ${definition}`);
      const [, series = "", label = ""] = parts;
      return { name: variable, series, label, ...(allValue === undefined ? {} : { allValue }) };
    });
  return { queries, variables };
}

/** Puts values in the place of `$name`; `$__rate_interval` and `$__range` are variables like others. */
export function fillVariables(text: string, values: Record<string, string>): string {
  return text.replace(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole);
}

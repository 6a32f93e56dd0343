// Writes dashboards/*.json from scripts/dashboards/.
// Usage: node scripts/write-dashboards.mjs [--check]     (--check writes nothing and exits 1 when a file is stale)
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";
import { outriderDashboard } from "./dashboards/outrider.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const datasource = { type: "prometheus", uid: "${datasource}" };
const pageColumns = 24;
const shapes = {
  stat: { perRow: 6, height: 4, query: (query) => query.instant(), panel: createStat },
  timeseries: { perRow: 2, height: 8, query: (query) => query.range(), panel: createTimeseries },
};

function createStat() {
  const reduce = new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]);
  return new stat.PanelBuilder().reduceOptions(reduce).graphMode(common.BigValueGraphMode.None);
}

function createTimeseries() {
  const legend = new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.Table)
    .placement(common.LegendPlacement.Bottom)
    .calcs(["lastNotNull", "max"])
    .showLegend(true);
  const tooltip = new common.VizTooltipOptionsBuilder()
    .mode(common.TooltipDisplayMode.Multi)
    .sort(common.SortOrder.Descending);
  return new timeseries.PanelBuilder().legend(legend).tooltip(tooltip).min(0).fillOpacity(10);
}

/** @returns {string} one dashboard as Grafana imports it */
function renderDashboard({ uid, title, description, variables, rows }) {
  const builder = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(["outrider", "llm", "opentelemetry"])
    .timezone("browser")
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(new dashboard.DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"));
  for (const variable of variables) builder.withVariable(createVariable(variable));
  let id = 1;
  for (const row of rows) {
    builder.withRow(new dashboard.RowBuilder(row.title).id(id++));
    for (const panel of row.panels) builder.withPanel(createPanel(panel, shapes[row.kind], id++));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function createVariable({ name, label, query, allValue }) {
  const builder = new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: name })
    .definition(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: "All", value: "$__all" });
  return allValue === undefined ? builder : builder.allValue(allValue);
}

function createPanel({ title, description, unit, noValue, queries }, shape, id) {
  const builder = shape
    .panel()
    .id(id)
    .title(title)
    .unit(unit)
    .datasource(datasource)
    .span(pageColumns / shape.perRow)
    .height(shape.height);
  if (description !== undefined) builder.description(description);
  if (noValue !== undefined) builder.noValue(noValue);
  queries.forEach(({ expr, legend }, index) => {
    const query = new prometheus.DataqueryBuilder().refId(String.fromCharCode(65 + index)).expr(expr);
    if (legend !== undefined) query.legendFormat(legend);
    builder.withTarget(shape.query(query));
  });
  return builder;
}

/** The committed files, and what each should hold. */
export const files = { "dashboards/outrider.json": () => renderDashboard(outriderDashboard) };

function main(check) {
  for (const [path, render] of Object.entries(files)) {
    let now = "";
    try {
      now = readFileSync(root + path, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    const wanted = render();
    if (wanted === now) continue;
    if (check) {
      console.error(`${path} is stale: run node scripts/write-dashboards.mjs`);
      process.exitCode = 1;
    } else {
      writeFileSync(root + path, wanted);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes("--check"));

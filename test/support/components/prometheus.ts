// Prometheus: scrapes what a test names, takes OTLP, and answers the queries of dashboards and rules.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { ensureComponents } from "../../../scripts/components.mjs";
import { findFreePorts } from "../ports.ts";
import { answersOk, createTempDir, startChild } from "./child.ts";
import type { RunningComponent } from "./child.ts";

const configPath = fileURLToPath(new URL("../../../collector/prometheus.yaml", import.meta.url));

export interface Prometheus extends RunningComponent {
  /** Base URL: `/api/v1/query?query=…`; its OTLP receiver is `/api/v1/otlp/v1/metrics`. */
  url: string;
}

/**
 * Starts Prometheus with collector/prometheus.yaml, scraping only `scrape` (host:port targets), every second.
 * Targets keep the labels they expose, job and instance included. `rules` is the text of a rule file, worked out every second.
 */
export async function startPrometheus({ scrape, rules }: { scrape: string[]; rules?: string }): Promise<Prometheus> {
  const { prometheus } = (await ensureComponents(["prometheus"])).prometheus;
  const [port] = (await findFreePorts(1)) as [number];
  const folder = createTempDir("prometheus");
  const config = parse(readFileSync(configPath, "utf8")) as Record<string, unknown>;
  config.global = { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" };
  config.scrape_configs = [{ job_name: "test", honor_labels: true, static_configs: [{ targets: scrape }] }];
  if (rules !== undefined) {
    config.rule_files = ["rules.yaml"];
    writeFileSync(join(folder, "rules.yaml"), rules);
  }
  writeFileSync(join(folder, "prometheus.yaml"), stringify(config));
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: "prometheus",
    command: prometheus,
    args: [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--web.enable-otlp-receiver",
      "--enable-feature=exemplar-storage",
      "--scrape.discovery-reload-interval=100ms", // the first scrape waits for it, 5 s by default
    ],
    isReady: () => answersOk(`${url}/-/ready`),
  });
  const stop = async () => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...child, stop, url };
}

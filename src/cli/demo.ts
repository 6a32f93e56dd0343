// Room cli: `outrider demo`: sidecar, simulated providers and scripted traffic in one process; needs no key and no network.
// Invariant: it answers requests from its first line on until a signal ends it, with exit code 0.

import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { summarize } from "../inspect/index.ts";
import { optionsSchema } from "../options.ts";
import type { ExchangeRecord } from "../record/index.ts";
import { createSidecar } from "../sidecar.ts";
import { startSimulator } from "../simulator/index.ts";
import { describeCollector } from "./collector.ts";
import { createCostTable } from "./cost-table.ts";
import { sendDemoTraffic } from "./demo-traffic.ts";
import { createPaint, formatExchange, type Paint } from "./exchange-line.ts";
import { holdUntilStopped, installCrashHandlers } from "./lifetime.ts";
import { createLog } from "./log.ts";
import type { Environment } from "./option-environment.ts";
import type { Shell } from "./shell.ts";
import { renderTraceTree } from "./trace-tree.ts";
import { version } from "./version.ts";

const ports = { data: 4141, admin: 4142, simulator: 4143 } as const;
/** The streamed chat whose spans are shown at the end. */
const shownModel = "gpt-4o";

/** Resolves with the exit code once a signal ended it. */
export async function runDemo(shell: Shell): Promise<number> {
  const paint = createPaint(shell.outIsTerminal);
  const log = createLog(shell, { quiet: true });
  const environment = demoEnvironment(shell.environment);
  const simulator = await startSimulator({ port: await freePort(ports.simulator) });
  const options = optionsSchema.parse({
    listen: [`127.0.0.1:${await freePort(ports.data)}`],
    admin: `127.0.0.1:${await freePort(ports.admin)}`,
    app: "demo",
    providers: { openai: { baseUrl: `${simulator.url}/v1` }, anthropic: { baseUrl: simulator.url } },
  });

  const costs = createCostTable();
  let shown: ExchangeRecord | undefined;
  const sidecar = createSidecar({
    options,
    environment,
    version,
    log,
    onExchange: (record) => {
      costs.add(record);
      if (record.stream && record.end === "complete" && record.request?.model === shownModel) shown = record;
      shell.out(`${formatExchange(summarize(record), paint)}\n`);
    },
  });
  const stop = new AbortController();
  const close = async () => {
    stop.abort();
    await sidecar.close({ now: true });
    await simulator.close();
  };
  installCrashHandlers(close, log);
  const stopped = holdUntilStopped(close, log, () => sidecar.accounting());
  const { dataUrls, adminUrl } = await sidecar.listen();
  const addresses = { dataUrl: dataUrls[0] ?? "", adminUrl, simulatorUrl: simulator.url };

  shell.out(renderOpening(addresses, describeCollector(environment), paint));
  const taken = listTakenPorts(addresses);
  if (taken.length > 0) shell.out(paint("yellow", `  taken, so other ports are used: ${taken.join(", ")}\n\n`));
  await sendDemoTraffic(addresses.dataUrl, stop.signal);
  await sleep(tellingMs);
  if (!stop.signal.aborted) {
    if (shown !== undefined) shell.out(`\n${paint("bold", "The spans of one exchange")}\n${renderTraceTree(shown)}\n`);
    shell.out(`\n${paint("bold", "What it would have cost")}\n${costs.render()}\n`);
    shell.out(renderClosing(addresses, paint));
  }
  return stopped;
}

/** Longer than the last exchange takes to be told of. */
const tellingMs = 50;

/** Only OTEL_* of the real one, so that no real key or base URL is used; and no export unless a collector was named. */
function demoEnvironment(environment: Environment): Environment {
  const kept = Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith("OTEL_")));
  const named = Object.keys(kept).some(
    (name) => /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name) && kept[name] !== "",
  );
  return named
    ? kept
    : { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none", ...kept };
}

/** The wanted port when nobody has it, else 0: a free one. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(0));
    server.listen({ host: "127.0.0.1", port: wanted }, () => server.close(() => resolve(wanted)));
  });
}

/** The usual ports that others had. */
export function listTakenPorts({ dataUrl, adminUrl, simulatorUrl }: Addresses): number[] {
  const used: [string, number][] = [
    [dataUrl, ports.data],
    [adminUrl, ports.admin],
    [simulatorUrl, ports.simulator],
  ];
  return used.filter(([url, usual]) => Number(new URL(url).port) !== usual).map(([, usual]) => usual);
}

interface Addresses {
  dataUrl: string;
  adminUrl: string;
  simulatorUrl: string;
}

function renderOpening({ dataUrl, adminUrl, simulatorUrl }: Addresses, collector: string, paint: Paint): string {
  return [
    paint("bold", `Outrider ${version}: the demo`),
    `  data plane  ${dataUrl}    point an SDK here`,
    `  admin       ${adminUrl}    open it in a browser`,
    `  simulator   ${simulatorUrl}    stands in for OpenAI and Anthropic`,
    `  telemetry   ${collector}`,
    "",
    "",
  ].join("\n");
}

function renderClosing({ dataUrl, adminUrl }: Addresses, paint: Paint): string {
  return `
${paint("bold", "Try it")} (any key will do; models named sim-429, sim-overloaded, sim-truncate … order a fault)

curl ${dataUrl}/v1/chat/completions -H 'content-type: application/json' -H 'authorization: Bearer demo' \\
  -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'

${paint("dim", "# Python: pip install openai")}
from openai import OpenAI
client = OpenAI(base_url="${dataUrl}/v1", api_key="demo")
print(client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)

${paint("dim", "// Node: npm install openai; save as hello.mjs, then: node hello.mjs")}
import OpenAI from "openai";
const client = new OpenAI({ baseURL: "${dataUrl}/v1", apiKey: "demo" });
console.log((await client.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] })).choices[0].message.content);

  ${adminUrl}            live exchanges
  ${adminUrl}/exchanges  the same as JSON
  ${adminUrl}/metrics    Prometheus
  ${adminUrl}/status     this process

Still answering. Ctrl-C ends it.
`;
}

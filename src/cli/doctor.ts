// Room cli: `outrider doctor`: looks at the surroundings and says what would go wrong. Changes nothing.
// Exit 1 only for what breaks the main job; a collector that is down does not: traffic outlives it.

import { createServer } from "node:net";
import { request } from "undici";
import { formatOptionsIssue, type Options, OptionsError } from "../options.ts";
import { readCollectorEndpoints, type CollectorEndpoint } from "./collector.ts";
import { listHeldCredentials } from "./held-credentials.ts";
import { loadOptions } from "./load-options.ts";
import { createPaint, type Paint, printable } from "./exchange-line.ts";
import type { PolicyStatus } from "../policy/index.ts";
import type { RunFlags } from "./run.ts";
import { exitCodes, type Shell } from "./shell.ts";
import { version } from "./version.ts";

/** What one look found. `bad` breaks the main job. */
interface Finding {
  level: "good" | "warning" | "bad";
  text: string;
}

const timeoutMs = 2000;
const clockToleranceMs = 30_000;

/** Resolves with the exit code. */
export async function runDoctor({ config, ...flags }: RunFlags, shell: Shell): Promise<number> {
  const { environment } = shell;
  const paint = createPaint(shell.outIsTerminal);
  const findings: Finding[] = [];
  const tell = (...found: Finding[]) => {
    for (const finding of found) {
      findings.push(finding);
      shell.out(`${formatFinding(finding, paint)}\n`);
    }
  };

  tell({ level: "good", text: `Outrider ${version}` }, { level: "good", text: `Node ${process.versions.node}` });
  const flagNames = (environment["NODE_OPTIONS"] ?? "").split(/\s+/).filter((part) => part.startsWith("-"));
  if (flagNames.length > 0) {
    tell({ level: "warning", text: `NODE_OPTIONS sets ${flagNames.map((flag) => flag.split("=", 1)[0]).join(" ")}` });
  }
  let options: Options;
  try {
    options = loadOptions({ file: config, environment, flags });
    const held = listHeldCredentials(options, environment);
    tell({
      level: "good",
      text: `options ${config ?? environment["OUTRIDER_CONFIG"] ?? "(defaults and environment)"}`,
    });
    tell(...held.map((held_) => checkCredential(held_.provider, held_.from, environment)));
    if (held.length === 0) tell({ level: "good", text: "no credential held: clients send their own" });
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    tell(...error.issues.map((issue): Finding => ({ level: "bad", text: formatOptionsIssue(issue) })));
    return exitCodes.failed;
  }
  tell(...(await checkListeners(options)));
  const collectors = await Promise.all(readCollectorEndpoints(environment).map(checkCollector));
  if (collectors.length === 0) tell({ level: "good", text: "no collector: exporters are off" });
  tell(...collectors.map(({ finding }) => finding), ...checkClock(collectors));
  return findings.some(({ level }) => level === "bad") ? exitCodes.failed : exitCodes.ok;
}

function formatFinding({ level, text }: Finding, paint: Paint): string {
  const marks = { good: paint("green", "✓"), warning: paint("yellow", "!"), bad: paint("red", "✗") };
  return `${marks[level]} ${text}`;
}

function checkCredential(provider: string, from: string, environment: Shell["environment"]): Finding {
  const present = from.startsWith("file ") || (environment[from] ?? "") !== "";
  return {
    level: present ? "good" : "bad",
    text: `credential for ${provider}: ${from}${present ? "" : " is not set"}`,
  };
}

async function checkListeners(options: Options): Promise<Finding[]> {
  const running = await askStatus(options.admin);
  const findings: Finding[] = [];
  if (running !== undefined) {
    findings.push({ level: "good", text: `admin ${options.admin}: Outrider ${running.version} is running` });
    if (running.policy !== undefined) findings.push(...describePolicyStatus(running.policy));
  } else {
    findings.push(await checkFree("admin", options.admin));
  }
  for (const address of options.listen) {
    findings.push(
      running?.listeners.some((url) => isSameAddress(String(url), address))
        ? { level: "good", text: `data plane ${address}: Outrider answers` }
        : await checkFree("data plane", address, options.listen.length > 1),
    );
  }
  return findings;
}

/** The Outrider whose admin port this is. The data plane is not asked: that would be an exchange. */
async function askStatus(
  address: string,
): Promise<{ version: string; listeners: unknown[]; policy: Partial<PolicyStatus> | undefined } | undefined> {
  try {
    const { body } = await request(`http://${reachable(address)}/status`, {
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const status = await body.json();
    return typeof status === "object" && status !== null && "version" in status && "listeners" in status
      ? {
          version: String(status.version),
          listeners: Array.isArray(status.listeners) ? status.listeners : [],
          policy: "policy" in status ? (status.policy as Partial<PolicyStatus>) : undefined,
        }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Nothing for a sidecar that obeys its options alone. */
function describePolicyStatus({
  version,
  source,
  place,
  ageSeconds,
  problem,
  unsaved,
  candidate,
}: Partial<PolicyStatus>): Finding[] {
  if (source === undefined || (source === "options" && place === undefined)) return [];
  const age = ageSeconds === undefined ? "" : `, confirmed ${Math.round(ageSeconds)} s ago`;
  const inForce = source === "options" ? "none yet" : `${version} (from ${source}${age})`;
  const warnings = [
    ...(problem === undefined
      ? []
      : [`policy${problem.version === undefined ? "" : ` ${problem.version}`}: ${problem.outcome}: ${problem.reason}`]),
    ...(unsaved === undefined ? [] : [unsaved]),
    ...(candidate?.state === "rolled_back" ? [`policy candidate ${candidate.version} was rolled back here`] : []),
  ];
  return [
    { level: source === "options" ? "warning" : "good", text: printable(`policy ${inForce}`) },
    ...warnings.map((text): Finding => ({ level: "warning", text: printable(text) })),
  ];
}

/** `url` as `/status` names a listener: with the address that was bound, which for `localhost` is a number. */
function isSameAddress(url: string, address: string): boolean {
  if (address.startsWith("unix:")) return url === address;
  const wanted = new URL(`http://${address}`);
  const bound = URL.canParse(url) ? new URL(url) : undefined;
  const same = bound?.hostname === wanted.hostname;
  return bound?.port === wanted.port && (same || wanted.hostname === "localhost");
}

/** An address bound to everything is reached by loopback. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
}

function checkFree(what: string, address: string, optional = false): Promise<Finding> {
  if (address.startsWith("unix:"))
    return Promise.resolve({ level: "good", text: `${what} ${address}: no Outrider yet` });
  const cut = address.lastIndexOf(":");
  const host = address.slice(0, cut).replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code }: NodeJS.ErrnoException) => {
      const noIpv6 = optional && host.includes(":") && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT");
      const cause = code === "EADDRINUSE" ? "taken by another program" : `cannot be opened (${code})`;
      resolve(
        noIpv6
          ? { level: "good", text: `${what} ${address}: skipped, this machine has no IPv6` }
          : { level: "bad", text: `${what} ${address}: ${cause}` },
      );
    });
    server.listen({ host, port: Number(address.slice(cut + 1)) }, () => {
      server.close(() => resolve({ level: "good", text: `${what} ${address}: free` }));
    });
  });
}

interface CollectorCheck {
  finding: Finding;
  /** The collector's clock minus ours, where it said. */
  clockOffsetMs?: number;
}

/** Sends an empty export, which changes nothing at the collector. */
async function checkCollector(endpoint: CollectorEndpoint): Promise<CollectorCheck> {
  const name = `collector for ${endpoint.signal} ${endpoint.shown}`;
  const json = endpoint.protocol === "http/json";
  try {
    const { statusCode, headers, body } = await request(endpoint.url, {
      method: "POST",
      headers: { ...endpoint.headers, "content-type": json ? "application/json" : "application/x-protobuf" },
      body: json ? "{}" : Buffer.alloc(0),
      signal: AbortSignal.timeout(timeoutMs),
    });
    await body.dump();
    const date = typeof headers["date"] === "string" ? Date.parse(headers["date"]) : Number.NaN;
    const offset = Number.isNaN(date) ? {} : { clockOffsetMs: date - Date.now() };
    const taken = statusCode >= 200 && statusCode < 300;
    return { finding: { level: taken ? "good" : "warning", text: `${name}: answered ${statusCode}` }, ...offset };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    const cause = error instanceof Error && error.name === "TimeoutError" ? `no answer in ${timeoutMs / 1000} s` : code;
    return {
      finding: { level: "warning", text: `${name}: ${cause}; traffic goes on, its telemetry would be dropped` },
    };
  }
}

function checkClock(collectors: readonly CollectorCheck[]): Finding[] {
  const offsetMs = collectors.find(({ clockOffsetMs }) => clockOffsetMs !== undefined)?.clockOffsetMs;
  if (offsetMs === undefined) return [];
  const off = Math.abs(offsetMs) > clockToleranceMs;
  const seconds = Math.round(offsetMs / 1000);
  return [
    {
      level: off ? "warning" : "good",
      text: off ? `clock: the collector's differs by ${seconds} s` : "clock agrees with the collector's",
    },
  ];
}

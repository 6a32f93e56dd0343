// Runs the built bundle as its user would: a process with options, on free loopback ports, ended by its pid.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionsInput } from "../../src/options.ts";
import { findFreePort } from "./ports.ts";

export interface OutriderProcess {
  /** Base of the data plane, e.g. `http://127.0.0.1:40123`. */
  url: string;
  adminUrl: string;
  pid: number;
  child: ChildProcess;
  /** Everything it printed so far, both streams. */
  output(): string;
  /** SIGTERM, or another signal, and wait; gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface OutriderSettings {
  options?: OptionsInput;
  /** Added to a minimal environment; exporters are off unless this sets an OTLP endpoint. */
  environment?: Record<string, string>;
}

const startTimeoutMs = 15_000;

/** Starts the bundle and waits until it is ready. */
export async function startOutrider({
  options = {},
  environment = {},
}: OutriderSettings = {}): Promise<OutriderProcess> {
  const folder = mkdtempSync(join(tmpdir(), "outrider-test-"));
  const [dataPort, adminPort] = [await findFreePort(), await findFreePort()];
  const file = join(folder, "outrider.json");
  const whole: OptionsInput = { listen: [`127.0.0.1:${dataPort}`], admin: `127.0.0.1:${adminPort}`, ...options };
  writeFileSync(file, JSON.stringify(whole));
  const exporters = "OTEL_EXPORTER_OTLP_ENDPOINT" in environment ? {} : quietExporters;
  const child = spawn(process.execPath, ["--max-semi-space-size=4", "dist/outrider.mjs", "run", "--config", file], {
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...exporters, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => {
    child.on("exit", (code) => {
      rmSync(folder, { recursive: true, force: true });
      resolve(code);
    });
  });
  const url = `http://127.0.0.1:${dataPort}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    const ready = await fetch(`${adminUrl}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) break;
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      child.kill("SIGKILL");
      throw new Error(`outrider did not become ready:\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    url,
    adminUrl,
    pid: child.pid as number,
    child,
    output: () => printed,
    stop(signal = "SIGTERM") {
      if (child.exitCode === null) child.kill(signal);
      return exited;
    },
  };
}

const quietExporters = { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };

// Bench: what is measured and how it is started: the floor, Outrider as production runs it, Outrider with telemetry off.
// Invariant: every subject is a bundle and gets the same Node flags, the same core and the same upstream.
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import { findFreePort } from "../support/ports.ts";
import { type Running, startNode, waitUntilListening } from "./processes.ts";

/** Node flags of the container image: small young generations halve a busy relay's memory at the same speed. */
export const productionNodeFlags: readonly string[] = ["--max-semi-space-size=4"];

export type SubjectName = "floor" | "outrider" | "outrider-quiet";

/** Where a subject's traffic and telemetry go. */
export interface Surroundings {
  upstreamPort: number;
  sinkPort: number;
  subjectCore: number | undefined;
  harnessCore: number | undefined;
  /** The script that is Outrider: the bundle, else the sources. */
  entry: string;
  /** The floor, bundled by `bundleFloor`. */
  floorEntry: string;
}

/** A running subject; `adminPort` is where its own metrics are, if it has any. */
export interface Subject extends Running {
  name: SubjectName;
  adminPort: number | undefined;
}

function resolveHere(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

const bundlePath = resolveHere("../../dist/outrider.mjs");
const sourcePath = resolveHere("../../src/main.ts");

/** The script to measure as Outrider; undefined when there is none to run. */
export function findEntry(): string | undefined {
  return [bundlePath, sourcePath].find((path) => existsSync(path));
}

/** The sources' entry, whose profile names files. */
export const sourceEntry: string = sourcePath;

/** Size of the bundle in MiB; undefined when the entry is not a bundle. */
export function readBundleMib(entry: string): number | undefined {
  return entry.endsWith(".mjs") ? statSync(entry).size / 1024 / 1024 : undefined;
}

/** Bundles the floor as Outrider is bundled, into a temporary folder that is removed at exit; returns the file. */
export async function bundleFloor(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "outrider-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "floor.mjs");
  await build({ input: resolveHere("floor.ts"), platform: "node", logLevel: "warn", output: { file, format: "esm" } });
  return file;
}

/** Starts a subject without waiting for it. `extraFlags` go to Node. */
export async function spawnSubject(
  name: SubjectName,
  surroundings: Surroundings,
  extraFlags: readonly string[] = [],
): Promise<Subject> {
  const flags = [...productionNodeFlags, ...extraFlags];
  const upstream = `http://127.0.0.1:${surroundings.upstreamPort}`;
  const port = await findFreePort();
  if (name === "floor") {
    const args = [...flags, surroundings.floorEntry, String(port), upstream];
    return { ...startNode(args, port, surroundings.subjectCore), name, adminPort: undefined };
  }
  const adminPort = await findFreePort();
  const env: Record<string, string> = {
    OUTRIDER_LISTEN: `127.0.0.1:${port}`,
    OUTRIDER_ADMIN: `127.0.0.1:${adminPort}`,
    OUTRIDER_PROVIDER_OPENAI_BASE_URL: `${upstream}/v1`,
    OTEL_TRACES_SAMPLER: "always_on",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${surroundings.sinkPort}`,
    ...(name === "outrider-quiet" ? { OTEL_SDK_DISABLED: "true" } : {}),
  };
  const running = startNode([...flags, surroundings.entry, "run"], port, surroundings.subjectCore, env);
  return { ...running, name, adminPort };
}

/** Starts a subject and waits until it listens. The caller stops it. */
export async function startSubject(
  name: SubjectName,
  surroundings: Surroundings,
  extraFlags: readonly string[] = [],
): Promise<Subject> {
  const subject = await spawnSubject(name, surroundings, extraFlags);
  await waitUntilListening(subject);
  return subject;
}

/** Starts the fake provider or the telemetry sink on the harness's core. The caller stops it. */
export async function startHarness(script: "upstream" | "sink", core: number | undefined): Promise<Running> {
  const port = await findFreePort();
  const running = startNode([resolveHere(`${script}.ts`), String(port)], port, core);
  await waitUntilListening(running);
  return running;
}

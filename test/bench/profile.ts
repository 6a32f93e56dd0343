// Bench: where the time goes. Runs one subject under `node --cpu-prof` and load, then sums self time by file and function.
// Usage: node test/bench/profile.ts [--subject outrider|outrider-quiet|floor] [--streams] [--seconds N] [--top N] [--keep DIR]
// Invariant: Outrider is profiled from its sources unless --entry says otherwise, so that every line names its file.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { createFailures, runClosedLoop, StreamLoad } from "./load.ts";
import { findCores, pinSelf } from "./processes.ts";
import { bundleFloor, sourceEntry, startHarness, startSubject, type SubjectName } from "./subjects.ts";

/** The part of V8's .cpuprofile format that is read here; time deltas are in µs. */
const cpuProfile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

type CpuProfile = z.infer<typeof cpuProfile>;

const repositoryRoot = fileURLToPath(new URL("../../", import.meta.url));

function shortenUrl(url: string): string {
  if (url === "") return "(native)";
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  return path.startsWith(repositoryRoot) ? path.slice(repositoryRoot.length) : path;
}

/** The package or folder a file belongs to: what is worth a line in a short summary. */
function findOrigin(file: string): string {
  const packageName = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  if (packageName !== undefined) return packageName;
  return file.startsWith("node:") ? (file.split("/")[0] ?? file) : file;
}

function addTo(sums: Map<string, number>, key: string, micros: number): void {
  sums.set(key, (sums.get(key) ?? 0) + micros);
}

function formatTop(sums: Map<string, number>, total: number, count: number): string {
  const top = [...sums].toSorted((a, b) => b[1] - a[1]).slice(0, count);
  return top.map(([key, micros]) => `${((micros * 100) / total).toFixed(1).padStart(5)} %  ${key}`).join("\n");
}

/** Self time by origin and by function, as shares of the time the process was not idle. */
function summariseProfile(profile: CpuProfile, top: number): string {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byOrigin = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let total = 0;
  for (const [i, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    const micros = profile.timeDeltas[i] ?? 0;
    if (frame === undefined || frame.functionName === "(idle)") continue;
    const file = shortenUrl(frame.url);
    const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
    total += micros;
    addTo(byOrigin, frame.url === "" ? name : findOrigin(file), micros);
    addTo(byFunction, frame.url === "" ? name : `${name}  ${file}:${frame.lineNumber + 1}`, micros);
  }
  return `self time by file or package\n${formatTop(byOrigin, total, top)}\n\nby function\n${formatTop(byFunction, total, top)}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      subject: { type: "string", default: "outrider" },
      entry: { type: "string", default: sourceEntry },
      streams: { type: "boolean", default: false },
      seconds: { type: "string", default: "5" },
      top: { type: "string", default: "25" },
      keep: { type: "string" },
    },
  });
  const name = (["floor", "outrider", "outrider-quiet"] as const).find((known) => known === values.subject);
  if (name === undefined) throw new Error(`no subject "${values.subject}"`);
  const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), "outrider-profile-")) : resolve(values.keep);
  const durationMs = Number(values.seconds) * 1000;
  const profile = await takeProfile(name, resolve(values.entry), folder, durationMs, values.streams);
  process.stdout.write(`${summariseProfile(profile, Number(values.top))}\n`);
  if (values.keep === undefined) rmSync(folder, { recursive: true });
}

async function takeProfile(
  name: SubjectName,
  entry: string,
  folder: string,
  durationMs: number,
  streams: boolean,
): Promise<CpuProfile> {
  const cores = findCores();
  if (cores !== undefined) pinSelf(cores.harness);
  const upstream = await startHarness("upstream", cores?.harness);
  const sink = await startHarness("sink", cores?.harness);
  const surroundings = {
    upstreamPort: upstream.port,
    sinkPort: sink.port,
    subjectCore: cores?.subject,
    harnessCore: cores?.harness,
    entry,
    floorEntry: await bundleFloor(),
  };
  const subject = await startSubject(name, surroundings, ["--cpu-prof", "--cpu-prof-dir", folder]);
  const failures = createFailures();
  if (streams) {
    const pace = { chunks: Math.ceil((durationMs / 1000) * 14), perSecond: 14 };
    await new StreamLoad(subject, { concurrent: 1000, pace, rampMs: 1000, repeatMs: 0 }, failures).done;
  } else await runClosedLoop(subject, 32, durationMs, failures);
  await Promise.all([subject.stop(30_000), upstream.stop(), sink.stop()]);
  if (failures.count > 0) process.stderr.write(`${failures.count} wrong answers: ${failures.reasons.join("; ")}\n`);
  // Node puts the process id into the name; a kept folder may hold others' profiles.
  const ending = new RegExp(`\\.${subject.pid}\\..*\\.cpuprofile$`);
  const file = readdirSync(folder).find((candidate) => ending.test(candidate));
  if (file === undefined) throw new Error(`the subject wrote no profile: ${subject.readErrors()}`);
  return cpuProfile.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`profile: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}

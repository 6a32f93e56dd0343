// Bench: the command. Starts upstream and sink, validates each subject, runs the measures, prints table and bars.
// Usage: node test/bench/run.ts [--quick] [--only name,…] [--json FILE] [--write] [--entry FILE] (see --help).
// Invariant: exit code 1 only when a subject relays wrongly, or misses a hard bar in a full run; 2 when the run itself could not be done.
// A quick run's rounds end before V8 has compiled what is hot, so its figures are printed and judge nothing.
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createFailures } from "./load.ts";
import { type Bench, fullEffort, measures, quickEffort, type Results } from "./measures.ts";
import { findCores, pinSelf } from "./processes.ts";
import { findMissedHardBars, formatFacts, formatTable, type RunFacts, writeDocument } from "./report.ts";
import {
  bundleFloor,
  findEntry,
  readBundleMib,
  startHarness,
  startSubject,
  type SubjectName,
  type Surroundings,
} from "./subjects.ts";
import { findRelayProblems } from "./validate.ts";

const help = `Usage: npm run bench -- [options]

  --quick        fewer and shorter rounds, about a minute (the full run: some seven)
  --only a,b     only these measures: ${Object.keys(measures).join(", ")}
  --floor        only the floor, not Outrider
  --entry FILE   the script to measure as Outrider (default: dist/outrider.mjs, else src/main.ts)
  --json FILE    also write the figures as JSON
  --write        also replace the table in docs/performance.md (full runs only)
`;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function readArguments(): {
  quick: boolean;
  only: string[];
  floorOnly: boolean;
  entry: string | undefined;
  json: string | undefined;
  write: boolean;
} {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean" },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      floor: { type: "boolean", default: false },
      entry: { type: "string" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
    },
  });
  if (values.help === true) {
    print(help);
    process.exit(0);
  }
  const only = values.only?.split(",") ?? Object.keys(measures);
  const unknown = only.find((name) => measures[name] === undefined);
  if (unknown !== undefined) throw new Error(`no measure "${unknown}"; there are ${Object.keys(measures).join(", ")}`);
  if (values.write && (values.quick || values.floor || values.only !== undefined)) {
    throw new Error("--write needs a full run: leave out --quick, --only and --floor");
  }
  const entry = values.entry === undefined ? findEntry() : resolve(values.entry);
  if (entry === undefined && !values.floor) throw new Error("nothing to measure: run `npm run build`, or give --floor");
  return { quick: values.quick, only, floorOnly: values.floor, entry, json: values.json, write: values.write };
}

async function validateSubjects(names: readonly SubjectName[], surroundings: Surroundings): Promise<string[]> {
  const problems: string[] = [];
  for (const name of names) {
    const subject = await startSubject(name, surroundings);
    const found = await findRelayProblems(subject.port);
    problems.push(...found.map((problem) => `${name}: ${problem}`));
    if (found.length > 0) problems.push(`${name} wrote: ${subject.readErrors()}`);
    await subject.stop(0);
  }
  return problems;
}

async function runMeasures(bench: Bench, only: readonly string[]): Promise<Results> {
  const results: Results = {};
  for (const [name, measure] of Object.entries(measures)) {
    // After a wrong answer the run has failed; figures would only lead astray.
    if (!only.includes(name) || bench.failures.count > 0) continue;
    const startedAt = performance.now();
    Object.assign(results, await measure(bench));
    print(`${name}: measured in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }
  return results;
}

async function main(): Promise<number> {
  const { quick, only, floorOnly, entry, json, write } = readArguments();
  const cores = findCores();
  if (cores !== undefined) pinSelf(cores.harness);
  const upstream = await startHarness("upstream", cores?.harness);
  const sink = await startHarness("sink", cores?.harness);
  const surroundings: Surroundings = {
    upstreamPort: upstream.port,
    sinkPort: sink.port,
    subjectCore: cores?.subject,
    harnessCore: cores?.harness,
    entry: entry ?? "",
    floorEntry: await bundleFloor(),
  };
  const quietToo: SubjectName[] = quick ? [] : ["outrider-quiet"];
  const subjects: SubjectName[] = floorOnly ? ["floor"] : ["floor", "outrider", ...quietToo];
  const facts: RunFacts = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    machine: `${process.arch}, ${cpus().length} cores`,
    pinned: cores !== undefined,
    loadBefore: loadavg()[0] ?? 0,
    profile: quick ? "quick" : "full",
    entry: floorOnly ? "the floor alone" : basename(surroundings.entry),
  };

  const problems = await validateSubjects(subjects, surroundings);
  if (problems.length > 0) {
    print(`wrong before any load:\n${problems.join("\n")}`);
    return 1;
  }
  const bench: Bench = { surroundings, effort: quick ? quickEffort : fullEffort, subjects, failures: createFailures() };
  const results = await runMeasures(bench, only);
  const bundleMib = floorOnly ? undefined : readBundleMib(surroundings.entry);
  if (bundleMib !== undefined) results["bundle"] = { outrider: bundleMib };

  print(`\n${formatFacts(facts)}\n\n${formatTable(results)}\n`);
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ ...facts, results, failures: bench.failures }, null, 2)}\n`);
  if (write) writeDocument(facts, results);
  const missed = findMissedHardBars(results);
  if (bench.failures.count > 0)
    print(`${bench.failures.count} wrong answers, for example: ${bench.failures.reasons.join("; ")}`);
  if (missed.length > 0) print(`hard bar missed${quick ? " (a quick run does not judge)" : ""}: ${missed.join("; ")}`);
  return bench.failures.count > 0 || (missed.length > 0 && !quick) ? 1 : 0;
}

try {
  // Exiting also ends every process that was started.
  process.exit(await main());
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}

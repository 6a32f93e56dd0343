// Bench: what is measured and how: one function a measure, each with processes of its own, subjects taking turns.
// Invariant: figures of one measure come from one time window; a figure is the median of its rounds.
import { setTimeout as sleep } from "node:timers/promises";
import { fetchAnswer } from "./client.ts";
import { type Failures, runAtRate, runClosedLoop, StreamLoad } from "./load.ts";
import { readCpuSeconds, readMemoryMib } from "./processes.ts";
import { readSinkCounts } from "./sink-counts.ts";
import { spawnSubject, startSubject, type Subject, type SubjectName, type Surroundings } from "./subjects.ts";
import { encodeRequest, requestBody } from "./traffic.ts";

/** Who a figure is about; `direct` is the upstream without a proxy. */
export type Column = "direct" | SubjectName;

/** One measure's figure for each column that has one. */
export type Figures = Partial<Record<Column, number>>;

/** Figures by row; the rows are those of `report.ts`. */
export type Results = Record<string, Figures>;

/** How long and how often; the quick profile fits a CI job. */
export interface Effort {
  /**
   * Requests after which a subject's code is taken to be compiled, and the longest time spent on them. V8's compiler threads took 80 µs
   * of a request after the first 6 seconds of load and 32 µs after 25 (measured 2026-11-21).
   */
  warmUpRequests: number;
  warmUpMs: number;
  throughputMs: number;
  throughputRounds: number;
  latencyMs: number;
  firstChunkMs: number;
  firstChunkRounds: number;
  streamsRampMs: number;
  streamsMs: number;
  streamsRounds: number;
  coldStarts: number;
  idleMs: number;
}

export const fullEffort: Effort = {
  warmUpRequests: 60_000,
  warmUpMs: 25_000,
  throughputMs: 4000,
  throughputRounds: 5,
  latencyMs: 30_000,
  firstChunkMs: 5000,
  firstChunkRounds: 3,
  streamsRampMs: 2500,
  streamsMs: 6000,
  streamsRounds: 3,
  coldStarts: 5,
  idleMs: 5000,
};

export const quickEffort: Effort = {
  warmUpRequests: 6000,
  warmUpMs: 2500,
  throughputMs: 1000,
  throughputRounds: 3,
  latencyMs: 5000,
  firstChunkMs: 2500,
  firstChunkRounds: 1,
  streamsRampMs: 1500,
  streamsMs: 3000,
  streamsRounds: 1,
  coldStarts: 3,
  idleMs: 2000,
};

/** What every measure needs. */
export interface Bench {
  surroundings: Surroundings;
  effort: Effort;
  subjects: readonly SubjectName[];
  failures: Failures;
}

const throughputConnections = 32;

/** The value below which `fraction` of the values lie; NaN when there are none. */
export function takeQuantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** The median; NaN when there are no values. */
export function takeMedian(values: readonly number[]): number {
  return takeQuantile(values, 0.5);
}

async function withSubjects<T>(
  bench: Bench,
  names: readonly SubjectName[],
  run: (subjects: Subject[]) => Promise<T>,
): Promise<T> {
  const subjects: Subject[] = [];
  try {
    for (const name of names) subjects.push(await startSubject(name, bench.surroundings));
    return await run(subjects);
  } finally {
    await Promise.all(subjects.map((subject) => subject.stop(0)));
  }
}

/** Telemetry items the subject itself says it dropped; undefined when it does not say. */
async function readDropped(subject: Subject): Promise<number | undefined> {
  if (subject.adminPort === undefined) return undefined;
  try {
    const response = await fetch(`http://127.0.0.1:${subject.adminPort}/metrics`);
    if (!response.ok) return undefined;
    const lines = (await response.text()).split("\n").filter((line) => line.startsWith("outrider_telemetry_dropped"));
    return lines.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
  } catch {
    return undefined;
  }
}

/** Figures collected round by round; `median` folds them. */
class Rounds {
  readonly #values = new Map<string, Map<Column, number[]>>();

  add(row: string, column: Column, value: number | undefined): void {
    if (value === undefined) return;
    const columns = this.#values.get(row) ?? new Map<Column, number[]>();
    this.#values.set(row, columns);
    columns.set(column, [...(columns.get(column) ?? []), value]);
  }

  median(): Results {
    const results: Results = {};
    for (const [row, columns] of this.#values) {
      const figures: Figures = {};
      for (const [column, values] of columns) figures[column] = takeMedian(values);
      results[row] = figures;
    }
    return results;
  }
}

function subtract(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

function nameUpstream(bench: Bench): { name: "direct"; port: number } {
  return { name: "direct", port: bench.surroundings.upstreamPort };
}

/** Runs a subject until its hot path is compiled; returns how many requests that took. */
async function warmUp({ effort, failures }: Bench, subject: Subject): Promise<number> {
  const done = await runClosedLoop(subject, throughputConnections, effort.warmUpMs, failures, effort.warmUpRequests);
  return done.requests;
}

/** Non-streaming requests a second at 32 connections, CPU a request, and the memory that took. */
export function measureThroughput(bench: Bench): Promise<Results> {
  const { effort, failures, surroundings } = bench;
  return withSubjects(bench, bench.subjects, async (subjects) => {
    const rounds = new Rounds();
    const sinkBefore = await readSinkCounts(surroundings.sinkPort);
    let exportedRequests = 0;
    for (const subject of subjects) {
      const requests = await warmUp(bench, subject);
      if (subject.name === "outrider") exportedRequests += requests;
    }
    for (let round = 0; round < effort.throughputRounds; round++) {
      for (const subject of subjects) {
        const cpuBefore = readCpuSeconds(subject.pid);
        const startedAt = performance.now();
        const { requests, perSecond } = await runClosedLoop(
          subject,
          throughputConnections,
          effort.throughputMs,
          failures,
        );
        const cpuSeconds = subtract(readCpuSeconds(subject.pid), cpuBefore);
        const seconds = (performance.now() - startedAt) / 1000;
        if (subject.name === "outrider") exportedRequests += requests;
        rounds.add("throughput", subject.name, perSecond);
        if (cpuSeconds === undefined) continue;
        rounds.add("per-cpu-second", subject.name, requests / cpuSeconds);
        rounds.add("cpu-per-request", subject.name, (cpuSeconds * 1e6) / requests);
        rounds.add("saturation", subject.name, cpuSeconds / seconds);
      }
    }
    for (const subject of subjects) {
      rounds.add("busy-rss", subject.name, readMemoryMib(subject.pid, "VmHWM"));
      rounds.add("dropped", subject.name, await readDropped(subject));
    }
    const upstream = nameUpstream(bench);
    const direct = await runClosedLoop(upstream, throughputConnections, effort.throughputMs, failures);
    rounds.add("throughput", "direct", direct.perSecond);
    // Stopping flushes what is still queued; only then is the sink's count final.
    await Promise.all(subjects.map((subject) => subject.stop()));
    const sinkAfter = await readSinkCounts(surroundings.sinkPort);
    if (bench.subjects.includes("outrider")) {
      rounds.add("exported-spans", "outrider", (sinkAfter.spans - sinkBefore.spans) / exportedRequests);
      rounds.add("exported-bytes", "outrider", (sinkAfter.bytes - sinkBefore.bytes) / exportedRequests);
    }
    return rounds.median();
  });
}

/** Latency added at 50 requests/s over a direct call, p50 and p99. Direct and all subjects share one time window. */
export function measureLatency(bench: Bench): Promise<Results> {
  return withSubjects(bench, bench.subjects, async (subjects) => {
    for (const subject of subjects) await warmUp(bench, subject);
    const targets = [nameUpstream(bench), ...subjects];
    const latencies = await runAtRate(targets, 50, bench.effort.latencyMs, bench.failures);
    const results: Results = {};
    for (const [row, fraction] of [
      ["latency-p50", 0.5],
      ["latency-p99", 0.99],
    ] as const) {
      const figures: Figures = {};
      const directMs = takeQuantile(latencies[0] ?? [], fraction);
      for (const [i, { name }] of targets.entries()) {
        const valueMs = takeQuantile(latencies[i] ?? [], fraction);
        figures[name] = name === "direct" ? valueMs : valueMs - directMs;
      }
      results[row] = figures;
    }
    return results;
  });
}

/** Time to the first chunk added over a direct call, p50, while 200 streams of a second each come and go. */
export function measureFirstChunk(bench: Bench): Promise<Results> {
  const { effort, failures } = bench;
  return withSubjects(bench, bench.subjects, async (subjects) => {
    const targets = [nameUpstream(bench), ...subjects];
    const rounds = new Rounds();
    for (const subject of subjects) await warmUp(bench, subject);
    for (let round = 0; round < effort.firstChunkRounds; round++) {
      let directMs = 0;
      for (const target of targets) {
        const pace = { chunks: 14, perSecond: 14 };
        const options = { concurrent: 200, pace, rampMs: 1000, repeatMs: effort.firstChunkMs };
        const load = new StreamLoad(target, options, failures);
        await load.done;
        // The first of each connection also opens it.
        const valueMs = takeMedian(load.firstChunkMs.slice(options.concurrent));
        if (target.name === "direct") directMs = valueMs;
        rounds.add("first-chunk", target.name, target.name === "direct" ? valueMs : valueMs - directMs);
      }
    }
    return rounds.median();
  });
}

/** CPU a streamed chunk, cores and memory while 1,000 streams of 14 chunks/s run; then every stream must end whole. */
export async function measureStreams(bench: Bench): Promise<Results> {
  const { effort, failures } = bench;
  const rounds = new Rounds();
  const rampMs = effort.streamsRampMs;
  const settleMs = 500;
  const perSecond = 14;
  const chunks = Math.ceil(((rampMs + settleMs + effort.streamsMs + 500) / 1000) * perSecond);
  const names = bench.subjects.filter((name) => name !== "outrider-quiet");
  for (let round = 0; round < effort.streamsRounds; round++) {
    for (const name of names) {
      await withSubjects(bench, [name], async ([subject]) => {
        if (subject === undefined) return;
        const load = new StreamLoad(
          subject,
          { concurrent: 1000, pace: { chunks, perSecond }, rampMs, repeatMs: 0 },
          failures,
        );
        await sleep(rampMs + settleMs);
        const opened = load.open;
        const before = { cpuSeconds: readCpuSeconds(subject.pid), events: load.events, at: performance.now() };
        await sleep(effort.streamsMs);
        const cpuSeconds = subtract(readCpuSeconds(subject.pid), before.cpuSeconds);
        const events = load.events - before.events;
        const seconds = (performance.now() - before.at) / 1000;
        rounds.add("streams-open", name, opened);
        rounds.add("streams-rate", name, events / seconds);
        if (cpuSeconds !== undefined) {
          rounds.add("cpu-per-chunk", name, (cpuSeconds * 1e6) / events);
          rounds.add("streams-cores", name, cpuSeconds / seconds);
        }
        await load.done;
        rounds.add("streams-rss", name, readMemoryMib(subject.pid, "VmHWM"));
      });
    }
  }
  return rounds.median();
}

/** From spawning the process to its first answered request. */
export async function measureColdStart(bench: Bench): Promise<Results> {
  const rounds = new Rounds();
  for (let round = 0; round < bench.effort.coldStarts; round++) {
    for (const name of bench.subjects.filter((candidate) => candidate !== "outrider-quiet")) {
      const startedAt = performance.now();
      const subject = await spawnSubject(name, bench.surroundings);
      try {
        await answerOnce(subject, startedAt + 10_000);
        rounds.add("cold-start", name, performance.now() - startedAt);
      } finally {
        await subject.stop(0);
      }
    }
  }
  return rounds.median();
}

async function answerOnce(subject: Subject, deadline: number): Promise<void> {
  const request = encodeRequest(subject.port, requestBody);
  for (;;) {
    try {
      const { status } = await fetchAnswer(subject.port, request, 2000);
      if (status === 200) return;
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`no answer: ${subject.readErrors()}`, { cause: error });
    }
    if (performance.now() > deadline) throw new Error(`no 200 answer: ${subject.readErrors()}`);
    await sleep(2);
  }
}

/** Resident memory some seconds after the start, with no traffic and no forced collection. */
export function measureIdle(bench: Bench): Promise<Results> {
  const names = bench.subjects.filter((name) => name !== "outrider-quiet");
  return withSubjects(bench, names, async (subjects) => {
    await sleep(bench.effort.idleMs);
    const figures: Figures = {};
    for (const subject of subjects) {
      const rssMib = readMemoryMib(subject.pid, "VmRSS");
      if (rssMib !== undefined) figures[subject.name] = rssMib;
    }
    return { "idle-rss": figures };
  });
}

/** Every measure by the name that `--only` takes, in the order they run. */
export const measures: Readonly<Record<string, (bench: Bench) => Promise<Results>>> = {
  "cold-start": measureColdStart,
  idle: measureIdle,
  throughput: measureThroughput,
  latency: measureLatency,
  "first-chunk": measureFirstChunk,
  streams: measureStreams,
};

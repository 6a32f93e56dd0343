// Room policy: parses a large document in a thread of its own, because YAML takes about a millisecond per KiB and exchanges go on meanwhile.
// Invariant: the outcome is parse.ts's; where no thread can be had the work is done here.

import { Worker } from "node:worker_threads";
import { looksLikeJson, type ParsedText, parseText } from "./parse.ts";

/** Below this a thread costs more than it saves. */
const leastBytes = 8192;
const deadlineMs = 30_000;
const maxHeapMb = 512;

// Sources run as they are in development; the bundle has the thread's program beside it.
const program = new URL(
  import.meta.url.endsWith(".ts") ? "./parse-thread.ts" : "./outrider-policy.mjs",
  import.meta.url,
);

/** Parses without keeping others waiting. */
export async function parseApart(bytes: Buffer): Promise<ParsedText> {
  if (bytes.length < leastBytes || looksLikeJson(bytes.toString("latin1", 0, 256))) return parseText(bytes);
  const outcome = await runThread(bytes);
  return outcome === "no_thread" ? parseText(bytes) : outcome;
}

function runThread(bytes: Buffer): Promise<ParsedText | "no_thread"> {
  const { promise, resolve } = Promise.withResolvers<ParsedText | "no_thread">();
  const worker = new Worker(program, {
    workerData: new Uint8Array(bytes),
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    execArgv: [],
    env: {},
  });
  const timer = setTimeout(() => resolve({ issues: [{ message: "too slow to parse" }] }), deadlineMs);
  worker.once("message", (parsed: ParsedText) => resolve(parsed));
  worker.once("error", (error: NodeJS.ErrnoException) => {
    const isOutOfMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    resolve(isOutOfMemory ? { issues: [{ message: "too large to parse" }] } : "no_thread");
  });
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}

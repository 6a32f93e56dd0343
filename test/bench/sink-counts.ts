// Bench: what the telemetry sink counts, and how the harness asks for it.
// Invariant: counts only grow.
import { z } from "zod";

const sinkCounts = z.object({ requests: z.number(), bytes: z.number(), spans: z.number() });

/** What the sink has received since it started. */
export type SinkCounts = z.infer<typeof sinkCounts>;

/** The counts of the sink on `port`. */
export async function readSinkCounts(port: number): Promise<SinkCounts> {
  const response = await fetch(`http://127.0.0.1:${port}/counts`);
  return sinkCounts.parse(await response.json());
}

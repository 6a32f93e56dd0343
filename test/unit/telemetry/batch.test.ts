import { describe, expect, test, vi } from "vitest";

import { BoundedBatch, type BatchSettings, type DropReason, type ItemExporter } from "../../../src/telemetry/batch.ts";

type Done = Parameters<ItemExporter<number>["export"]>[1];

const defaults: BatchSettings = {
  maxQueueItems: 10,
  maxQueueBytes: 1000,
  maxBatchItems: 4,
  scheduleDelayMs: 20,
  exportTimeoutMs: 200,
  maxExports: 3,
  retryDelayMs: 1,
};

function start(
  settings: Partial<BatchSettings> = {},
  respond: (items: number[], done: Done) => void = (_items, done) => done({ code: 0 }),
) {
  const exported: number[][] = [];
  const drops: Record<string, number> = {};
  const failures: string[] = [];
  let closed = 0;
  const batch = new BoundedBatch<number>(
    {
      export(items, done) {
        exported.push([...items]);
        respond(items, done);
      },
      async shutdown() {
        closed += 1;
      },
    },
    { ...defaults, ...settings },
    {
      onDrop: (reason: DropReason, items) => {
        drops[reason] = (drops[reason] ?? 0) + items;
      },
      onFailure: (message) => failures.push(message),
    },
  );
  const balanced = (): void => {
    const { produced, exported: out, dropped, queued } = batch.accounting();
    expect(out + dropped + queued).toBe(produced);
    expect(Object.values(drops).reduce((sum, one) => sum + one, 0)).toBe(dropped);
  };
  return { batch, exported, drops, failures, balanced, isClosed: () => closed };
}

const fill = (batch: BoundedBatch<number>, count: number, bytes = 1): void => {
  for (let item = 0; item < count; item += 1) batch.add(item, bytes);
};

const networkError = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

describe("the queue", () => {
  test("exports in order, in batches, one at a time", async () => {
    let inFlight = 0;
    let most = 0;
    const { batch, exported, balanced } = start({}, (_items, done) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      setTimeout(() => {
        inFlight -= 1;
        done({ code: 0 });
      }, 2);
    });
    fill(batch, 10);
    await batch.flush();
    expect(exported).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(most).toBe(1);
    expect(batch.accounting()).toEqual({ produced: 10, exported: 10, dropped: 0, queued: 0 });
    balanced();
  });

  test("exports by itself after the delay, and sooner when a batch is full", async () => {
    const lazy = start({ scheduleDelayMs: 30 });
    fill(lazy.batch, 1);
    expect(lazy.exported).toEqual([]);
    await vi.waitFor(() => expect(lazy.exported).toEqual([[0]]));
    const full = start({ scheduleDelayMs: 60_000 });
    fill(full.batch, 4);
    await vi.waitFor(() => expect(full.exported).toEqual([[0, 1, 2, 3]]));
  });

  test("drops what is beyond its items, those in flight included", async () => {
    const { batch, drops, balanced } = start({}, () => undefined);
    fill(batch, 10);
    void batch.flush();
    balanced();
    fill(batch, 3);
    expect(drops).toEqual({ queue_full: 3 });
    expect(batch.accounting().queued).toBe(10);
    balanced();
    await batch.shutdown(10);
    balanced();
  });

  test("drops what is beyond its bytes, and has room again after an export", async () => {
    const { batch, drops, balanced } = start({ maxQueueBytes: 100 });
    fill(batch, 3, 40);
    expect(drops).toEqual({ queue_full: 1 });
    await batch.flush();
    fill(batch, 2, 50);
    expect(drops).toEqual({ queue_full: 1 });
    await batch.flush();
    expect(batch.accounting()).toEqual({ produced: 5, exported: 4, dropped: 1, queued: 0 });
    balanced();
  });
});

describe("a batch that fails", () => {
  test("is exported again while the receiver cannot be reached, a bounded number of times", async () => {
    const { batch, exported, drops, failures, balanced } = start({}, (_items, done) =>
      done({ code: 1, error: networkError }),
    );
    fill(batch, 2);
    await batch.flush();
    expect(exported).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
    expect(drops).toEqual({ export_failed: 2 });
    expect(failures).toEqual(["refused"]);
    balanced();
  });

  test("is delivered once when a later export succeeds", async () => {
    let calls = 0;
    const { batch, drops, balanced } = start({}, (_items, done) => {
      calls += 1;
      done(calls < 3 ? { code: 1, error: networkError } : { code: 0 });
    });
    fill(batch, 2);
    await batch.flush();
    expect(drops).toEqual({});
    expect(batch.accounting()).toEqual({ produced: 2, exported: 2, dropped: 0, queued: 0 });
    balanced();
  });

  test("is dropped at once when the receiver's answer is final", async () => {
    const error = Object.assign(new Error("Bad Request"), { name: "OTLPExporterError", code: 400 });
    const { batch, exported, drops, failures } = start({}, (_items, done) => done({ code: 1, error }));
    fill(batch, 2);
    await batch.flush();
    expect(exported).toHaveLength(1);
    expect(drops).toEqual({ export_failed: 2 });
    expect(failures).toEqual(["400 Bad Request"]);
  });

  test("is dropped when the exporter throws, and the next one still goes out", async () => {
    let calls = 0;
    const { batch, drops, balanced } = start({}, (_items, done) => {
      calls += 1;
      if (calls === 1) throw new Error("broken");
      done({ code: 0 });
    });
    fill(batch, 4);
    await batch.flush();
    fill(batch, 1);
    await batch.flush();
    expect(drops).toEqual({ export_failed: 4 });
    expect(batch.accounting().exported).toBe(1);
    balanced();
  });

  test("that is never answered ends with the timeout, and an answer after that counts for nothing", async () => {
    const late: Done[] = [];
    const { batch, drops, balanced } = start({ exportTimeoutMs: 10, maxExports: 2 }, (_items, done) => late.push(done));
    fill(batch, 2);
    await batch.flush();
    for (const done of late) done({ code: 0 });
    expect(drops).toEqual({ export_failed: 2 });
    expect(batch.accounting()).toEqual({ produced: 2, exported: 0, dropped: 2, queued: 0 });
    balanced();
  });

  test("in part counts what the receiver refused", async () => {
    const { batch, drops, balanced } = start({}, (_items, done) => {
      batch.refuse(3);
      done({ code: 0 });
    });
    fill(batch, 4);
    await batch.flush();
    expect(drops).toEqual({ rejected: 3 });
    expect(batch.accounting().exported).toBe(1);
    balanced();
  });
});

describe("shutdown", () => {
  test("exports what is queued, closes the exporter, and counts what comes later", async () => {
    const { batch, exported, drops, balanced, isClosed } = start();
    fill(batch, 6);
    await batch.shutdown(1000);
    expect(exported).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect(isClosed()).toBe(1);
    fill(batch, 2);
    expect(drops).toEqual({ shutdown: 2 });
    balanced();
    await batch.shutdown(1000);
    expect(isClosed()).toBe(1);
  });

  test("keeps its deadline when the receiver never answers, and counts all as dropped", async () => {
    const { batch, drops, balanced } = start({ exportTimeoutMs: 60_000 }, () => undefined);
    fill(batch, 10);
    const startedMs = performance.now();
    await batch.shutdown(50);
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(drops).toEqual({ shutdown: 10 });
    expect(batch.accounting().queued).toBe(0);
    balanced();
  });

  test("does not wait for a retry that lies beyond the deadline", async () => {
    const { batch, drops, balanced } = start({ retryDelayMs: 60_000 }, (_items, done) =>
      done({ code: 1, error: networkError }),
    );
    fill(batch, 6);
    await batch.shutdown(50);
    expect(Object.values(drops).reduce((sum, one) => sum + one, 0)).toBe(6);
    balanced();
  });
});

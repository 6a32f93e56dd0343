// Work that nobody waits for: done together, in order, soon, and each by itself.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DeferredWork } from "../../../src/proxy/deferred-work.ts";

const batchSize = 16;
const longestWaitMs = 4;

describe("deferred work", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is done in order, once, at most 4 ms later", async () => {
    const done: number[] = [];
    const deferred = new DeferredWork();
    for (const each of [1, 2, 3]) deferred.add(() => done.push(each));
    await vi.advanceTimersByTimeAsync(longestWaitMs - 1);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([1, 2, 3]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(done).toEqual([1, 2, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is done at once when 16 wait, after what is under way", async () => {
    let done = 0;
    const deferred = new DeferredWork();
    for (let each = 0; each < batchSize; each++) deferred.add(() => (done += 1));
    expect(done).toBe(0);
    await Promise.resolve();
    expect(done).toBe(batchSize);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is added by other such work has its own turn", async () => {
    const done: string[] = [];
    const deferred = new DeferredWork();
    deferred.add(() => {
      done.push("first");
      deferred.add(() => done.push("second"));
    });
    await vi.advanceTimersByTimeAsync(longestWaitMs);
    expect(done).toEqual(["first"]);
    await vi.advanceTimersByTimeAsync(longestWaitMs);
    expect(done).toEqual(["first", "second"]);
  });

  it("is done though other work throws", async () => {
    let done = 0;
    const thrown: unknown[] = [];
    const note = (error: unknown): void => void thrown.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", note);
    try {
      const deferred = new DeferredWork();
      deferred.add(() => {
        throw new Error("broken");
      });
      deferred.add(() => (done += 1));
      vi.advanceTimersByTime(longestWaitMs);
      vi.useRealTimers();
      await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      process.removeListener("uncaughtException", note);
      for (const listener of others) process.on("uncaughtException", listener);
    }
    expect(done).toBe(1);
    expect(thrown).toMatchObject([{ message: "broken" }]);
  });
});

// Work that nobody waits for: done together, in order, soon, and each by itself.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DeferredWork } from "../../../src/proxy/deferred-work.ts";

const batchSize = 16;
const longestWaitMs = 4;

const fail = (error: unknown): void => expect.fail(String(error));

describe("deferred work", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is done in order, once, at most 4 ms later", async () => {
    const done: number[] = [];
    const deferred = new DeferredWork(fail);
    for (const each of [1, 2, 3]) deferred.add(() => done.push(each));
    await vi.advanceTimersByTimeAsync(longestWaitMs - 1);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([1, 2, 3]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(done).toEqual([1, 2, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is done at once when 16 wait", () => {
    let done = 0;
    const deferred = new DeferredWork(fail);
    for (let each = 1; each < batchSize; each++) deferred.add(() => (done += 1));
    expect(done).toBe(0);
    deferred.add(() => (done += 1));
    expect(done).toBe(batchSize);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is added by other such work has its own turn", async () => {
    const done: string[] = [];
    const deferred = new DeferredWork(fail);
    deferred.add(() => {
      done.push("first");
      deferred.add(() => done.push("second"));
    });
    await vi.advanceTimersByTimeAsync(longestWaitMs);
    expect(done).toEqual(["first"]);
    await vi.advanceTimersByTimeAsync(longestWaitMs);
    expect(done).toEqual(["first", "second"]);
  });

  it("is done though other work throws, which is told", () => {
    const thrown: unknown[] = [];
    const deferred = new DeferredWork((error) => thrown.push(error));
    let done = 0;
    deferred.add(() => {
      throw new Error("broken");
    });
    deferred.add(() => (done += 1));
    vi.advanceTimersByTime(longestWaitMs);
    expect(done).toBe(1);
    expect(thrown).toMatchObject([{ message: "broken" }]);
  });
});

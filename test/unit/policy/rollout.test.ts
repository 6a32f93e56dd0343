// A candidate on part of the fleet: who runs it, and when an instance gives it up.
import { describe, expect, it } from "vitest";
import { createRollout, isChosen } from "../../../src/policy/rollout.ts";

const instances = Array.from({ length: 10_000 }, (_, index) => `instance-${index}`);
const chosenAt = (percent: number) => instances.filter((id) => isChosen(id, percent));

describe("who runs a candidate", () => {
  it("is the percentage of the fleet, within four standard deviations", () => {
    for (const percent of [1, 10, 50, 90]) {
      const expected = percent * 100;
      const deviation = Math.sqrt(10_000 * (percent / 100) * (1 - percent / 100));
      expect(Math.abs(chosenAt(percent).length - expected)).toBeLessThan(4 * deviation);
    }
    expect(chosenAt(0)).toEqual([]);
    expect(chosenAt(100)).toHaveLength(10_000);
  });

  it("only grows with the percentage", () => {
    const at50 = new Set(chosenAt(50));
    expect(chosenAt(10).every((id) => at50.has(id))).toBe(true);
  });
});

describe("a rollout", () => {
  const bound = { errorRatioAbove: 0.5, minRequests: 4 };
  const play = (ends: string) => {
    const rollout = createRollout(true, bound);
    return { rollout, told: ends.split("").map((end) => rollout.note(end === "+")) };
  };

  it("decides nothing before there were enough exchanges", () => {
    expect(play("---").rollout.state).toBe("running");
  });

  it("goes back, and says so once, when more failed than the bound", () => {
    const { rollout, told } = play("---+--");
    expect(told).toEqual([false, false, false, true, false, false]);
    expect(rollout).toMatchObject({ state: "rolled_back", requests: 4, errors: 3 });
  });

  it("stays at the bound itself", () => {
    expect(play("--++--++").rollout.state).toBe("running");
  });

  it("looks at the latest exchanges, so that a long good time does not hide a fall", () => {
    expect(play(`${"+".repeat(1000)}--`).rollout.state).toBe("running");
    expect(play(`${"+".repeat(1000)}---`).rollout.state).toBe("rolled_back");
  });

  it("does nothing on an instance that was not chosen", () => {
    const rollout = createRollout(false, bound);
    for (let count = 0; count < 10; count++) expect(rollout.note(false)).toBe(false);
    expect(rollout.state).toBe("not_chosen");
  });
});

// AWS credentials of the machine: which source counts, and how often the slow ones are asked.
import { expect, it } from "vitest";

import { createAwsCredentials } from "../../../../src/providers/auth/aws-credentials.ts";

const chainKeys = { accessKeyId: "chain", secretAccessKey: "chain-secret" };
const keys = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "test-secret" };

function createFixture(environment: Record<string, string>, answer: () => Promise<typeof chainKeys>) {
  const counts = { loads: 0, asks: 0 };
  const clock = { ms: 0, nowMs: () => clock.ms };
  const ask = createAwsCredentials(environment, clock, () => {
    counts.loads++;
    return Promise.resolve(() => {
      counts.asks++;
      return answer();
    });
  });
  return { ask, counts, clock };
}

it("takes keys out of the environment and loads no library for them", async () => {
  const { ask, counts } = createFixture({ ...keys, AWS_SESSION_TOKEN: "test-token" }, () => Promise.resolve(chainKeys));
  expect(await ask()).toEqual({ accessKeyId: "id", secretAccessKey: "test-secret", sessionToken: "test-token" });
  expect(counts.loads).toBe(0);
});

it.each([{}, { ...keys, AWS_PROFILE: "work" }, { AWS_ACCESS_KEY_ID: "id" }])(
  "asks the chain when the environment is %j, and loads it once",
  async (environment) => {
    const { ask, counts } = createFixture(environment, () => Promise.resolve(chainKeys));
    expect(counts.loads).toBe(0);
    expect(await ask()).toBe(chainKeys);
    expect(await ask()).toBe(chainKeys);
    // What it found the chain keeps itself, with its end.
    expect(counts).toEqual({ loads: 1, asks: 2 });
  },
);

it("asks once for all who wait", async () => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { ask, counts } = createFixture({}, () => gate.then(() => chainKeys));
  const waiting = [ask(), ask(), ask()];
  release();
  expect(await Promise.all(waiting)).toEqual([chainKeys, chainKeys, chainKeys]);
  expect(counts.asks).toBe(1);
});

it("believes for half a minute that there are none", async () => {
  const { ask, counts, clock } = createFixture({}, () => Promise.reject(new Error("no providers")));
  expect(await ask()).toBeUndefined();
  clock.ms = 29_999;
  expect(await ask()).toBeUndefined();
  expect(counts.asks).toBe(1);
  clock.ms = 30_001;
  expect(await ask()).toBeUndefined();
  expect(counts.asks).toBe(2);
});

it("tells a library that is not there from a machine without credentials", async () => {
  const ask = createAwsCredentials({}, { nowMs: () => 0 }, () => Promise.reject(new Error("cannot find module")));
  await expect(ask()).rejects.toThrow("cannot find module");
});

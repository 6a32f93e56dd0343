// One project per kind of test (DESIGN §9); `npm test` runs those that need Node alone.
import { defineConfig } from "vitest/config";

const project = (name: string, options: { timeoutMs?: number } = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs ?? 20_000,
    hookTimeout: 60_000,
  },
});

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/count-reporter.ts"],
    projects: [
      project("unit"),
      project("property", { timeoutMs: 120_000 }),
      project("golden", { timeoutMs: 120_000 }),
      project("contract", { timeoutMs: 60_000 }),
      project("e2e", { timeoutMs: 60_000 }),
      project("fault", { timeoutMs: 60_000 }),
      project("real", { timeoutMs: 180_000 }),
    ],
  },
});

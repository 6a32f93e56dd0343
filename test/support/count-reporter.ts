// Prints each failure in a line, then `N passed, N failed` as the last line of a run.
import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/** Long enough to say what was wrong. */
const maxMessageLength = 300;

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    let passed = 0;
    const failures = unhandledErrors.map((error) => describe("unhandled", error));
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failures.push(describe(`${file} > ${test.fullName}`, errors[0]));
      }
      // A file that could not be loaded, or a hook that failed, has no test of its own to fail.
      for (const error of module.errors()) failures.push(describe(file, error));
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) failures.push(describe(`${file} > ${suite.fullName}`, error));
    }
    // After the default reporter's own summary.
    const lines = [...failures, `${passed} passed, ${failures.length} failed`];
    process.on("exit", () => process.stdout.write(`${lines.join("\n")}\n`));
  }
}

function describe(where: string, error: { message: string } | undefined): string {
  const message = (error?.message ?? "").replaceAll(/\s+/g, " ").slice(0, maxMessageLength);
  return `failed: ${where}: ${message}`;
}

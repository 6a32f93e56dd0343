// Holds the error table against its page.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorTable, SidecarError } from "../../src/errors.ts";

const page = readFileSync("docs/errors.md", "utf8");
const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \| (\S+) \| (yes|no) \| (.+) \|$/gm)];

describe("errors", () => {
  it("are documented one by one, with source, status and whether a retry can help", () => {
    const documented = Object.fromEntries(
      rows.map(([, code, source, status, retryable]) => [
        code,
        { source, httpStatus: status === "–" ? 0 : Number(status), retryable: retryable === "yes" },
      ]),
    );
    expect(documented).toEqual(errorTable);
  });

  it("keep a provider's own status and never lose their cause", () => {
    const cause = new Error("socket");
    const error = new SidecarError("upstream_rejected", "refused", { httpStatus: 404, cause });
    expect(error.httpStatus).toBe(404);
    expect(error.cause).toBe(cause);
    expect(error.source).toBe("provider");
  });
});

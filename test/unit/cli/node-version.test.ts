import { describe, expect, it } from "vitest";
import { explainOldNode } from "../../../src/cli/node-version.ts";

describe("a Node that is too old", () => {
  it.each(["18.20.8", "20.20.2", "22.18.0"])("is refused: %s", (running) => {
    expect(explainOldNode(running)).toBe(
      `outrider needs Node 22.19 or newer, this is ${running}; npm start and npx outrider bring their own`,
    );
  });

  it.each(["22.19.0", "23.0.0", "24.21.0"])("is not %s", (running) => {
    expect(explainOldNode(running)).toBe(undefined);
  });
});

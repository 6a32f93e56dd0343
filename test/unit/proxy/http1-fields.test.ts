// The lines of an HTTP/1.1 head: which characters stand in it, and names read alike whether they are kept or not.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isCleanHead, readFields, toLowerName } from "../../../src/proxy/http1-fields.ts";

/** The names of a head, raw and in lower case. */
function readNames(text: string): string[][] {
  const names: string[][] = [];
  readFields(text, 0, (rawName, lowerName) => names.push([rawName, lowerName]) > 0);
  return names;
}

describe("header names", () => {
  // First, while names are still kept.
  it("keep no head in memory", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const headBytes = 256 * 1024;
    const headCount = 200;
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < headCount; index += 1) {
      const field = `x-name-of-many-letters-${index}: v\r\nauthorization: `;
      const head = Buffer.alloc(headBytes, `${field}${"a".repeat(headBytes - field.length - 2)}\r\n`);
      expect(readNames(head.toString("latin1"))).toHaveLength(2);
    }
    collect();
    const keptBytes = process.memoryUsage().heapUsed - before;
    expect(keptBytes).toBeLessThan((headCount * headBytes) / 4);
  });

  it("are read alike beyond the number that is kept, and however long", () => {
    const long = `X-${"Long".repeat(2000)}`;
    const names = [...Array.from({ length: 3000 }, (_, index) => `X-Case-${index}`), long, "X", "A".repeat(40)];
    for (let round = 0; round < 2; round += 1) {
      const text = names.map((name) => `${name}: v\r\n`).join("");
      expect(readNames(text)).toEqual(names.map((name) => [name, name.toLowerCase()]));
    }
    expect(toLowerName(`${long} `)).toBeUndefined();
    expect(toLowerName("")).toBeUndefined();
  });
});

describe("a head", () => {
  it("holds no control but the tab and the ends of its lines", () => {
    for (let code = 0; code <= 0xff; code += 1) {
      const isControl = (code < 0x20 && code !== 0x09) || code === 0x7f;
      expect(isCleanHead(`a: b${String.fromCharCode(code)}c\r\n`), `character ${code}`).toBe(!isControl);
    }
    expect(isCleanHead("a: b\r\nc: d\r\n")).toBe(true);
    expect(isCleanHead("a: b\n\r\n")).toBe(false);
    expect(isCleanHead("a: b\r\r\n")).toBe(false);
  });
});

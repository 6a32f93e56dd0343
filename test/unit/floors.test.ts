// Holds the house rule: a file imports only from lower floors, its own room and the small files at the top of src.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";

const floors: Record<string, number> = {
  canonical: 0,
  dialects: 1,
  routing: 1,
  guardrails: 1,
  spend: 1,
  providers: 2,
  record: 3,
  telemetry: 4,
  inspect: 4,
  policy: 5,
  proxy: 6,
};
/** Rooms that every floor may use, and that stand on none. */
const topFiles = new Set(["options.ts", "errors.ts", "clock.ts", "secret.ts"]);
const maxLines = 400;

interface Import {
  file: string;
  target: string;
}

const files = globSync("src/**/*.ts").sort();
const roomOf = (file: string): string => file.split("/")[1] as string;

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const specifiers = [...text.matchAll(/^(?:import|export)[^;]*?from "(\.[^"]+)"/gms)].map(
    (match) => match[1] as string,
  );
  return specifiers.map((specifier) => ({ file, target: normalize(join(dirname(file), specifier)) }));
}

function complaint({ file, target }: Import): string | undefined {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (!target.startsWith("src/") || target.split("/").length === 2 || from === to) {
    const intoTop = target.split("/").length === 2 && target.startsWith("src/");
    if (!intoTop || topFiles.has(to) || from.endsWith(".ts") || from === "cli") return undefined;
    // The composition root is above every floor: only its types may be named below.
    return `${file} imports ${target}, which stands above it`;
  }
  if (!target.endsWith("/index.ts")) return `${file} imports ${target} past the room's index.ts`;
  if (from === "simulator") return `${file} imports ${target}: the simulator stands alone`;
  if (from.endsWith(".ts") || from === "cli") return undefined;
  const [fromFloor, toFloor] = [floors[from], floors[to]];
  if (fromFloor === undefined || toFloor === undefined) return `${file} imports ${target}: unknown room`;
  return toFloor < fromFloor ? undefined : `${file} (floor ${fromFloor}) imports ${target} (floor ${toFloor})`;
}

describe("floors", () => {
  it("finds the house", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.flatMap(importsOf).length).toBeGreaterThan(150);
  });

  it("lets a file import only from lower floors, and through the room's door", () => {
    expect(
      files
        .flatMap(importsOf)
        .map(complaint)
        .filter((text) => text !== undefined),
    ).toEqual([]);
  });

  it("keeps the small files at the top free of rooms", () => {
    const upward = [...topFiles]
      .flatMap((name) => importsOf(`src/${name}`))
      .filter(({ target }) => target.split("/").length > 2);
    expect(upward).toEqual([]);
  });

  it("has no star exports and no catch-all files", () => {
    const stars = files.filter((file) => /^export \*/m.test(readFileSync(file, "utf8")));
    const catchAlls = files.filter((file) =>
      /(^|\/)(utils?|helpers?|common|misc|manager|shared|service)\.ts$/.test(file),
    );
    expect([...stars, ...catchAlls]).toEqual([]);
  });

  it(`keeps files under ${maxLines} lines, schemas excepted`, () => {
    const long = files.filter(
      (file) => !/schema/.test(file) && readFileSync(file, "utf8").split("\n").length > maxLines + 1,
    );
    expect(long).toEqual([]);
  });

  it("gives the six dialect folders the same six files", () => {
    const folders = globSync("src/dialects/*/index.ts").map((path) => dirname(path));
    for (const folder of folders) {
      const names = globSync(`${folder}/*.ts`).map((path) => path.slice(folder.length + 1, -3));
      expect(names, folder).toEqual(
        expect.arrayContaining(["schema", "request", "response", "stream", "error", "index"]),
      );
    }
    expect(folders.length).toBeGreaterThanOrEqual(3);
  });
});

// Credentials that Outrider holds: where they come from, when a file is read again, and that no value is ever told.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterEach, describe, expect, it } from "vitest";

import { type Options, OptionsError } from "../../../src/options.ts";
import { createCredentials, type CredentialFiles } from "../../../src/providers/index.ts";
import { requireProvider } from "../../support/providers.ts";

const openai = requireProvider("openai");
const gemini = requireProvider("gemini-openai-compat");
const together = requireProvider("together");

/** One file in memory and a clock that tests move. */
function createFixture(text: string) {
  const file = { text: text as string | undefined, stamp: 1, stats: 0, reads: 0 };
  const clock = { ms: 0, nowMs: () => clock.ms };
  const files: CredentialFiles = {
    stamp() {
      file.stats++;
      if (file.text === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
      return String(file.stamp);
    },
    read() {
      file.reads++;
      if (file.text === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
      return file.text;
    },
  };
  return { file, clock, files };
}

const create = (
  credentials: Options["credentials"],
  environment: Record<string, string>,
  { clock, files }: Pick<ReturnType<typeof createFixture>, "clock" | "files"> = createFixture("unused"),
) => createCredentials({ options: { credentials }, environment, clock, files });

describe("a credential of the options", () => {
  it("comes from a variable and always replaces the client's", () => {
    const held = create({ openai: { env: "MY_KEY" } }, { MY_KEY: " test-key-1\n", OPENAI_API_KEY: "test-key-2" }).for(
      openai,
    );
    expect(held?.secret.reveal()).toBe("test-key-1");
    expect(held?.always).toBe(true);
  });

  it("comes from a file, without the line break at its end", () => {
    expect(
      create({ openai: { file: "/key" } }, {}, createFixture("test-key-1\r\n"))
        .for(openai)
        ?.secret.reveal(),
    ).toBe("test-key-1");
  });

  it("is read again when the file changed, and looked at once a second at most", () => {
    const { file, clock, files } = createFixture("test-key-1");
    const credentials = create({ openai: { file: "/key" } }, {}, { clock, files });
    Object.assign(file, { text: "test-key-2", stamp: 2 });
    clock.ms = 999;
    for (let count = 0; count < 100; count++) expect(credentials.for(openai)?.secret.reveal()).toBe("test-key-1");
    expect(file.stats).toBe(1);
    clock.ms = 1000;
    for (let count = 0; count < 100; count++) expect(credentials.for(openai)?.secret.reveal()).toBe("test-key-2");
    expect(file).toMatchObject({ stats: 2, reads: 2 });
  });

  it.each([undefined, "", "\n", "test-key\nwith-break"])(
    "keeps its last value while the file holds %j, then takes the new one",
    (broken) => {
      const { file, clock, files } = createFixture("test-key-1");
      const credentials = create({ openai: { file: "/key" } }, {}, { clock, files });
      Object.assign(file, { text: broken, stamp: 2 });
      clock.ms = 1000;
      expect(credentials.for(openai)?.secret.reveal()).toBe("test-key-1");
      // The same stamp: what was broken is looked at again, because it was never taken.
      file.text = "test-key-3";
      clock.ms = 2000;
      expect(credentials.for(openai)?.secret.reveal()).toBe("test-key-3");
    },
  );

  it.each<[string, Options["credentials"], string]>([
    ["a variable that is not set", { openai: { env: "MY_KEY" } }, "credentials.openai.env"],
    ["a file that is not there", { openai: { file: "/no/such/file" } }, "credentials.openai.file"],
  ])("is told at start for %s", (_, credentials, path) => {
    const fixture = createFixture("x");
    fixture.file.text = undefined;
    expect(() => create(credentials, {}, fixture)).toThrow(OptionsError);
    expect(() => create(credentials, {}, fixture)).toThrow(path);
  });

  it("is refused at start when it holds a control character, without being told", () => {
    const attempt = () => create({ openai: { env: "MY_KEY" } }, { MY_KEY: "test-key\r\nx-injected: 1" });
    expect(attempt).toThrow("MY_KEY");
    expect(attempt).not.toThrow("injected");
  });
});

describe("a conventional variable", () => {
  it("gives a credential that leaves the client's alone", () => {
    expect(create({}, { OPENAI_API_KEY: "test-key-1" }).for(openai)).toMatchObject({ always: false });
  });

  it("is the first of the provider's that is set", () => {
    const environment = { TOGETHER_API_KEY: " ", TOGETHER_AI_API_KEY: "test-key-2", TOGETHERAI_API_KEY: "test-key-3" };
    expect(create({}, environment).for(together)?.secret.reveal()).toBe("test-key-2");
  });

  it.each(["", "  ", "outrider", "test\u0000key"])("counts as not set when it holds %j", (value) => {
    expect(create({}, { OPENAI_API_KEY: value }).for(openai)).toBeUndefined();
  });

  it("gives nothing to a provider whose variable it is not", () => {
    expect(create({}, { OPENAI_API_KEY: "test-key-1" }).for(gemini)).toBeUndefined();
  });
});

describe("printing credentials", () => {
  it("shows no value", () => {
    const held = create({}, { OPENAI_API_KEY: "test-key-1" }).for(openai);
    for (const text of [inspect(held, { depth: 9, showHidden: true }), JSON.stringify(held), String(held?.secret)]) {
      expect(text).not.toContain("test-key");
    }
  });
});

describe("real files", () => {
  const folder = mkdtempSync(join(tmpdir(), "outrider-credentials-"));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are followed through a rename, the way secrets are rotated", () => {
    const path = join(folder, "key");
    writeFileSync(path, "test-key-1\n");
    const clock = { ms: 0, nowMs: () => clock.ms };
    const credentials = createCredentials({
      options: { credentials: { openai: { file: path } } },
      environment: {},
      clock,
    });
    writeFileSync(join(folder, "next"), "test-key-2\n");
    renameSync(join(folder, "next"), path);
    clock.ms = 1000;
    expect(credentials.for(openai)?.secret.reveal()).toBe("test-key-2");
  });
});

// What `outrider import litellm` makes of published configurations: the whole policy and every note, beside each in test/fixtures/litellm.
// `UPDATE_LITELLM=1 vitest run …` writes them anew; read the difference before you keep it.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { importLitellm } from "../../../src/cli/import-litellm.ts";
import { describePolicy } from "../../../src/cli/policy-check.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-litellm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixtures = globSync("test/fixtures/litellm/*.yaml")
  .filter((file) => !file.endsWith(".policy.yaml"))
  .sort();

async function run(file: string, environment: Record<string, string> = {}, options?: string) {
  let [out, error] = ["", ""];
  const shell = {
    environment,
    out: (text: string) => void (out += text),
    error: (text: string) => void (error += text),
    outIsTerminal: false,
    errorIsTerminal: false,
  };
  const code = await importLitellm(file, options === undefined ? {} : { options }, shell);
  return { code, out, error };
}

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe("import litellm", () => {
  it("is tried on more than ten published configurations", () => {
    expect(fixtures.length).toBeGreaterThanOrEqual(17);
    const origins = fixtures.map((file) => /github\.com\/\S+/.exec(readFileSync(file, "utf8"))?.[0]);
    expect(new Set(origins).size).toBeGreaterThanOrEqual(11);
  });

  it.each(fixtures)("%s becomes the policy beside it, and tells the rest", async (file) => {
    const { code, out, error } = await run(file);
    const stem = file.replace(/\.yaml$/, "");
    if (process.env["UPDATE_LITELLM"] !== undefined) {
      writeFileSync(`${stem}.policy.yaml`, out);
      writeFileSync(`${stem}.notes.txt`, error);
    }
    expect(code).toBe(0);
    expect(existsSync(`${stem}.policy.yaml`), basename(file)).toBe(true);
    expect(parse(out)).toEqual(parse(readFileSync(`${stem}.policy.yaml`, "utf8")));
    expect(error).toBe(readFileSync(`${stem}.notes.txt`, "utf8"));
    expect(await describePolicy(Buffer.from(out), {}, {})).not.toHaveProperty("issues");
    expect(out + error).not.toMatch(/test-key|EMPTY|no-key/);
  });

  it("tells every key that it does not carry over, wherever it stands", async () => {
    const file = write(
      "strange.yaml",
      `model_list:
  - {model_name: a, litellm_params: {model: openai/m, strange_a: 1}, model_info: {strange_b: 1}, strange_c: 1}
  - nothing
router_settings: {strange_d: 1, num_retries: many}
litellm_settings: {strange_e: 1}
general_settings: {strange_f: 1}
strange_g: 1
`,
    );
    const { code, error } = await run(file);
    expect(code).toBe(0);
    for (const key of ["a", "b", "c", "d", "e", "f", "g"]) expect(error).toMatch(new RegExp(`strange_${key}: \\S`));
    expect(error).toContain("model_list[1]: not understood");
    expect(error).toContain("router_settings.num_retries: not understood");
  });

  it("keeps two keys of one provider apart, and writes their variables as options", async () => {
    const file = write(
      "two.yaml",
      `model_list:
  - {model_name: a, litellm_params: {model: openai/m, api_key: os.environ/FIRST}}
  - {model_name: a, litellm_params: {model: openai/m, api_key: os.environ/SECOND}}
`,
    );
    const options = join(folder, "outrider.yaml");
    const { code, out, error } = await run(file, {}, options);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    const { models, providers } = parse(out) as { models: object; providers: object };
    expect(providers).toEqual({ "openai-2": { preset: "openai" } });
    expect(models).toEqual({
      a: {
        strategy: "weighted",
        targets: [
          { provider: "openai", model: "m" },
          { provider: "openai-2", model: "m" },
        ],
      },
    });
    expect(parse(readFileSync(options, "utf8"))).toEqual({
      credentials: { openai: { env: "FIRST" }, "openai-2": { env: "SECOND" } },
    });
    expect(await run(file, {}, options)).toMatchObject({ code: 2, out: "", error: `${options}: is there already\n` });
  });

  it("takes addresses and models from variables that are set here, and never invents one", async () => {
    const file = write(
      "variables.yaml",
      `model_list:
  - {model_name: a, litellm_params: {model: os.environ/MODEL, api_base: os.environ/BASE}}
  - {model_name: b, litellm_params: {model: openai/m, api_base: os.environ/BASE}}
`,
    );
    const set = await run(file, { MODEL: "openai/m1", BASE: "http://gpu-a:8000/v1" });
    expect(parse(set.out)).toMatchObject({
      providers: { "gpu-a": { baseUrl: "http://gpu-a:8000/v1" } },
      models: { a: { targets: [{ provider: "gpu-a", model: "m1" }] } },
    });
    const unset = await run(file);
    expect(parse(unset.out)).toMatchObject({ providers: { base: { baseUrl: "https://base.invalid" } } });
    expect(unset.error).toContain("model_list[0].litellm_params.model: not carried over: MODEL is not set here");
    expect(unset.error).toContain("model_list[1].litellm_params.api_base: BASE is not set here");
  });

  it("refuses an address with a password or a query, and shows neither", async () => {
    const file = write(
      "address.yaml",
      `model_list:
  - {model_name: a, litellm_params: {model: openai/m, api_base: "https://user:test-key-url@host/v1"}}
  - {model_name: b, litellm_params: {model: openai/m, api_base: "https://host/v1?key=test-key-url"}}
`,
    );
    const { out, error } = await run(file);
    expect(error).toContain("model_list[0-1].litellm_params.api_base: not carried over: no http or https URL without");
    expect(out + error).not.toContain("test-key");
  });

  it("says 2 for what cannot be read, without quoting it", async () => {
    expect(await run(join(folder, "missing.yaml"))).toMatchObject({ code: 2, out: "" });
    const broken = await run(write("broken.yaml", 'a: [test-key-broken\nb: "'));
    expect(broken).toMatchObject({ code: 2, out: "" });
    expect(broken.error).not.toContain("test-key");
    expect(await run(write("list.yaml", "- 1\n"))).toMatchObject({ code: 2 });
  });
});

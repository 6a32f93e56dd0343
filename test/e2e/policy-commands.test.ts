// The commands around a policy, through the bundle: keys, signing, checking, explaining, serving, importing.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { importPolicyKeys } from "../../src/policy/index.ts";
import type { Explanation } from "../../src/proxy/index.ts";
import { startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import { exchangeRaw } from "../support/raw-client.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-policy-"));
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Command {
  child: ChildProcess;
  out(): string;
  error(): string;
  ended: Promise<number | null>;
}

function start(args: string[], environment: Record<string, string> = {}): Command {
  const child = spawn(process.execPath, [join(process.cwd(), "dist/outrider.mjs"), ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
  return {
    child,
    out: () => out,
    error: () => error,
    ended: new Promise((resolve) => child.on("close", resolve)),
  };
}

async function finish(args: string[], environment?: Record<string, string>) {
  const command = start(args, environment);
  const code = await command.ended;
  return { code, out: command.out(), error: command.error() };
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const write = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return name;
};
/** Whole or not at all, as a deployment writes it. */
const replace = (name: string, content: string): void => {
  write(`.${name.replaceAll("/", "-")}.new`, content);
  renameSync(join(folder, `.${name.replaceAll("/", "-")}.new`), join(folder, name));
};

const policyOf = (version: number, more = ""): string => `apiVersion: outrider/v1
version: ${version}
models:
  smart:
    targets: [{provider: openai, model: gpt-4o}]
    fallbacks: [{to: claude}, {to: long, when: [context_length]}]
  claude: {targets: [{provider: anthropic, model: claude-sonnet-4-5}]}
  long: {targets: [{provider: google, model: gemini-2.5-pro}]}
routes:
  - {match: {model: "gpt-*", tags: {env: dev}}, use: claude}
${more}`;

describe("policy keygen and sign", () => {
  it("writes a private key for its owner alone and a public one, and replaces neither", async () => {
    const { code, out } = await finish(["policy", "keygen", "--key", "a.jwk", "--jwks", "a.jwks"]);
    expect(code).toBe(0);
    expect(statSync(join(folder, "a.jwk")).mode & 0o777).toBe(0o600);
    const { d } = JSON.parse(readFileSync(join(folder, "a.jwk"), "utf8")) as { d: string };
    const jwks = readFileSync(join(folder, "a.jwks"), "utf8");
    expect(d).toMatch(/^[\w-]{43}$/);
    expect(out + jwks).not.toContain(d);
    expect((await importPolicyKeys([jwks])).count).toBe(1);
    const again = await finish(["policy", "keygen", "--key", "b.jwk", "--jwks", "a.jwks"]);
    expect(again).toMatchObject({ code: 2, error: expect.stringContaining("a.jwks is there already") });
    expect(() => statSync(join(folder, "b.jwk"))).toThrow("ENOENT");
    expect(readFileSync(join(folder, "a.jwks"), "utf8")).toBe(jwks);
  });

  it("signs the file's very bytes, so that the public key and no other accepts them", async () => {
    await finish(["policy", "keygen", "--key", "s.jwk", "--jwks", "s.jwks"]);
    await finish(["policy", "keygen", "--key", "t.jwk", "--jwks", "t.jwks"]);
    write("signed.yaml", policyOf(1));
    const { code, out, error } = await finish(["policy", "sign", "signed.yaml", "--key", "s.jwk"]);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    const keys = await importPolicyKeys([readFileSync(join(folder, "s.jwks"), "utf8")]);
    expect((await keys.verify(out.trim()))?.toString()).toBe(policyOf(1));
    write("policy.jws", out);
    expect(await finish(["check", "policy.jws", "--keys", "s.jwks"])).toMatchObject({ code: 0 });
    expect(await finish(["check", "policy.jws", "--keys", "t.jwks"])).toMatchObject({
      code: 1,
      error: "policy.jws: not signed by any key of t.jwks\n",
    });
    expect(await finish(["check", "signed.yaml", "--keys", "s.jwks"])).toMatchObject({ code: 1 });
    expect(await finish(["policy", "sign", "policy.jws", "--key", "s.jwk"])).toMatchObject({ code: 1, out: "" });
  });

  it("signs nothing that is no policy, and with nothing that is no private key", async () => {
    write("wrong.yaml", "apiVersion: outrider/v1\nmodles: {}\n");
    await finish(["policy", "keygen", "--key", "w.jwk", "--jwks", "w.jwks"]);
    expect(await finish(["policy", "sign", "wrong.yaml", "--key", "w.jwk"])).toEqual({
      code: 1,
      out: "",
      error: 'wrong.yaml: unknown key "modles"; did you mean "models"?\n',
    });
    write("right.yaml", policyOf(1));
    for (const key of ["w.jwks", "right.yaml", "absent.jwk"]) {
      expect(await finish(["policy", "sign", "right.yaml", "--key", key]), key).toMatchObject({ code: 2, out: "" });
    }
  });
});

describe("check of a policy", () => {
  it("tells every issue at its path with the nearest name, and exits 0, 1 and 2", async () => {
    write("good.yaml", policyOf(7));
    expect(await finish(["check", "good.yaml"])).toEqual({
      code: 0,
      out: "good.yaml: valid policy: version 7, 3 aliases, 1 route\n",
      error: "",
    });
    write(
      "bad.yaml",
      "models:\n  a: {targets: [{provider: opnai, model: m}], fallbacks: [{to: b}]}\n  b: {targets: [{provider: openai, model: m}], fallbacks: [{to: a}]}\n",
    );
    const { code, error } = await finish(["check", "bad.yaml"]);
    expect(code).toBe(1);
    expect(error).toContain(
      'bad.yaml: models.a.targets.0.provider: no provider "opnai" is known; did you mean "openai"?\n',
    );
    expect(error).toContain("fallbacks run in a circle");
    expect(await finish(["check", "missing.yaml", "--policy"])).toMatchObject({ code: 2, out: "" });
  });

  it("refuses unknown keys, which a running sidecar would tolerate, and keys that nothing enforces", async () => {
    write("unknown.yaml", policyOf(1, "retrie: {maxAttempts: 2}\n"));
    expect(await finish(["check", "unknown.yaml"])).toMatchObject({
      code: 1,
      error: 'unknown.yaml: unknown key "retrie"; did you mean "retry"?\n',
    });
    write("budgets.yaml", policyOf(1, "budgets: []\n"));
    expect(await finish(["check", "budgets.yaml"])).toMatchObject({
      code: 1,
      error: expect.stringContaining("budgets"),
    });
  });

  it("counts the providers of the options it is given, and still checks options", async () => {
    write("own.yaml", "version: 1\nmodels: {a: {targets: [{provider: gpu, model: m}]}}\n");
    write("outrider.yaml", 'providers: {gpu: {baseUrl: "http://gpu:8000/v1"}}\n');
    expect((await finish(["check", "own.yaml"])).code).toBe(1);
    expect((await finish(["check", "own.yaml", "--config", "outrider.yaml"])).code).toBe(0);
    expect(await finish(["check", "outrider.yaml"])).toMatchObject({ code: 0, out: "outrider.yaml: valid options\n" });
  });
});

describe("explain", () => {
  const environment = { OPENAI_API_KEY: "test-key-explain", ANTHROPIC_API_KEY: "test-key-explain" };
  const ask = async (args: string[]): Promise<Explanation> => {
    const { code, out, error } = await finish(["explain", "--json", ...args], environment);
    if (code !== 0) throw new Error(error);
    expect(out).not.toContain("test-key");
    return JSON.parse(out) as Explanation;
  };

  beforeAll(() => void write("explained.yaml", policyOf(9)));

  it("names what matched, who is tried, who is not and why, and the way after each failure", async () => {
    const alias = await ask(["--policy", "explained.yaml", "--model", "smart"]);
    expect(alias).toMatchObject({
      policy: { version: "9", source: "file" },
      matched: { type: "alias", alias: "smart" },
      strategy: "ordered",
      candidates: [
        {
          provider: "openai",
          model: "gpt-4o",
          kind: "target",
          translated: false,
          credential: "held",
          breaker: "closed",
        },
        {
          provider: "anthropic",
          kind: "fallback",
          dialect: "anthropic-messages",
          translated: true,
          credential: "held",
        },
      ],
      skipped: [{ provider: "google", model: "gemini-2.5-pro", why: "no_credential", credential: "not held" }],
      fallbacksByReason: { rate_limited: ["anthropic/claude-sonnet-4-5"] },
      retry: { maxAttempts: 3 },
      breaker: { openForMs: 15_000 },
    });
    const route = await ask(["--policy", "explained.yaml", "--model", "gpt-4o", "--tag", "env=dev"]);
    expect(route.matched).toEqual({
      type: "route",
      route: "routes.0",
      match: { model: "gpt-*", tags: { env: "dev" } },
      use: "claude",
      alias: "claude",
    });
    const neither = await ask(["--policy", "explained.yaml", "--model", "gpt-4o"]);
    expect(neither).toMatchObject({ matched: { type: "none" }, candidates: [{ provider: "openai", model: "gpt-4o" }] });
    const prefixed = await ask([
      "--policy",
      "explained.yaml",
      "--model",
      "smart",
      "--path",
      "/groq/v1/chat/completions",
    ]);
    expect(prefixed).toMatchObject({
      call: { bare: false },
      matched: { type: "none" },
      candidates: [{ provider: "groq" }],
    });
  });

  it("prints the same for people", async () => {
    const { code, out } = await finish(["explain", "--policy", "explained.yaml", "--model", "smart"], environment);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^policy 9 \(file\)\ncall {3}smart at \/v1\/chat\/completions: .*\nmatch {2}alias smart, ordered\n/,
    );
    expect(out).toContain(
      "  1. openai/gpt-4o (target; openai-chat; credential: held; USD 2.5 in, 10 out per million tokens)",
    );
    expect(out).toContain("passed over:\n  -  google/gemini-2.5-pro");
    expect(out).toContain("no credential is held for it");
  });

  it("asks a running sidecar, whose policy and whose targets' health it tells", async () => {
    const outrider = await startOutrider({
      options: { policy: { file: join(folder, "explained.yaml") } },
      environment,
    });
    const admin = outrider.adminUrl.slice("http://".length);
    const told = await ask(["--admin", admin, "--model", "smart", "--needs", "tools", "--tokens", "12"]);
    expect(told).toMatchObject({
      policy: { version: "9", source: "file" },
      call: { needs: { contextTokens: 12, tools: true, images: false, structuredOutput: false } },
      matched: { type: "alias", alias: "smart" },
      candidates: [{ provider: "openai", credential: "held" }, { provider: "anthropic" }],
    });
    const wrong = await fetch(`${outrider.adminUrl}/explain?model=smart&tokns=3`);
    expect(wrong.status).toBe(400);
    expect(await wrong.text()).toContain('did you mean \\"tokens\\"?');
    expect((await fetch(`${outrider.adminUrl}/explain`)).status).toBe(400);
    expect((await fetch(`${outrider.adminUrl}/explain?model=m&path=/nothing`)).status).toBe(404);
    expect(await outrider.stop()).toBe(0);
  });

  it("says 2 for a question or a policy that makes no sense, 1 for a path that nothing serves", async () => {
    const policy = ["--policy", "explained.yaml", "--model", "m"];
    for (const args of [
      ["--model", "m"],
      [...policy, "--needs", "wings"],
      [...policy, "--tag", "x"],
      [...policy, "--dialect", "x"],
    ]) {
      expect(await finish(["explain", ...args]), args.join(" ")).toMatchObject({ code: 2, out: "" });
    }
    expect(await finish(["explain", ...policy, "--path", "/nothing"])).toMatchObject({ code: 1, out: "" });
    const admin = `127.0.0.1:${await findFreePort()}`;
    expect(await finish(["explain", "--admin", admin, "--model", "m"])).toMatchObject({
      code: 2,
      error: `outrider: ${admin}: nothing listens there\n`,
    });
  });
});

describe("policy serve", () => {
  async function serve(path: string, args: string[] = []): Promise<Command & { url: string; port: number }> {
    const port = await findFreePort();
    const command = start(["policy", "serve", path, "--listen", `127.0.0.1:${port}`, ...args]);
    await until(
      () => /\/policy\n/.test(command.out()) || command.child.exitCode !== null,
      `serving: ${command.error()}`,
    );
    return { ...command, url: `http://127.0.0.1:${port}`, port };
  }

  it("answers GET, HEAD, conditional requests, other methods and paths as HTTP has it", async () => {
    write("served.yaml", policyOf(3));
    const { url, port, child, ended } = await serve("served.yaml");
    const first = await fetch(`${url}/policy`);
    const etag = first.headers.get("etag") ?? "";
    expect([first.status, first.headers.get("content-type")]).toEqual([200, "application/yaml"]);
    expect(etag).toMatch(/^"[\w-]+"$/);
    expect(await first.text()).toBe(policyOf(3));
    for (const value of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await fetch(`${url}/policy`, { headers: { "if-none-match": value } });
      expect([again.status, await again.text(), again.headers.get("etag")], value).toEqual([304, "", etag]);
    }
    expect((await fetch(`${url}/policy`, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
    const head = await fetch(`${url}/policy`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
      200,
      String(Buffer.byteLength(policyOf(3))),
      "",
    ]);
    const post = await fetch(`${url}/policy`, { method: "POST", body: "x" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/versions/4`)).status).toBe(404);
    expect(await (await fetch(`${url}/versions/3`)).text()).toBe(policyOf(3));
    const foreign = await exchangeRaw(port, "GET /policy HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    expect(foreign.status).toBe(421);
    expect((await fetch(`${url}/policy`, { headers: { origin: "http://evil.example" } })).status).toBe(403);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  it("takes a newer valid file, and keeps the old one over an invalid, older or shrunken one, and says so", async () => {
    write("changing.yaml", policyOf(1));
    const { url, error } = await serve("changing.yaml");
    const version = async (): Promise<string | null> => (await fetch(`${url}/policy`)).headers.get("x-outrider-policy");
    const refusals = (): number => error().split("policy refused; the one before is served on").length - 1;
    replace("changing.yaml", policyOf(2));
    await until(async () => (await version()) === "2", "version 2");
    const bad: [string, RegExp][] = [
      [policyOf(3, "modles: {}\n"), /unknown key/],
      [policyOf(1), /older than 2/],
      [policyOf(2, "retry: {maxAttempts: 5}\n"), /other content/],
      ["version: 4\nmodels: {}\n", /leaves out/],
      ["", /empty/],
    ];
    for (const [index, [content, reason]] of bad.entries()) {
      replace("changing.yaml", content);
      await until(() => refusals() === index + 1, String(reason));
      expect(error().trim().split("\n").at(-1)).toMatch(reason);
      expect(await version()).toBe("2");
    }
    replace("changing.yaml", "version: 5\nallowRemovals: true\nmodels: {}\n");
    await until(async () => (await version()) === "5", "version 5");
    const { versions } = (await (await fetch(`${url}/versions`)).json()) as {
      versions: { version: string; current: boolean }[];
    };
    expect(versions.map(({ version, current }) => [version, current])).toEqual([
      ["5", true],
      ["2", false],
      ["1", false],
    ]);
    expect(await (await fetch(`${url}/versions/1`)).text()).toBe(policyOf(1));
  });

  it("serves the newest of a folder, signed on the fly, to a sidecar that checks the signature and names itself", async () => {
    await finish(["policy", "keygen", "--key", "fleet.jwk", "--jwks", "fleet.jwks"]);
    mkdirSync(join(folder, "fleet"));
    write("fleet/v10.yaml", policyOf(10));
    write("fleet/v9.yaml", policyOf(9));
    write("fleet/notes.txt", "no policy");
    const endpoint = await serve("fleet", ["--key", "fleet.jwk"]);
    const outrider = await startOutrider({
      options: {
        policy: {
          url: `${endpoint.url}/policy?instance={instance}`,
          publicKeys: [join(folder, "fleet.jwks")],
          pollSeconds: 1,
        },
      },
    });
    const status = async () =>
      (await (await fetch(`${outrider.adminUrl}/status`)).json()) as { policy: { version: string; place: string } };
    expect((await status()).policy).toMatchObject({ version: "10", place: `${endpoint.url}/policy` });
    replace("fleet/v11.yaml", policyOf(11));
    await until(async () => (await status()).policy.version === "11", "version 11 in the sidecar");
    const { instances } = (await (await fetch(`${endpoint.url}/instances`)).json()) as { instances: object[] };
    // One sidecar under one name, which each start draws anew.
    expect(instances).toMatchObject([
      { instance: expect.stringMatching(/^[\da-f]{8}(?:-[\da-f]{4,12}){4}$/), version: "11" },
    ]);
    const [{ instance } = {}] = instances as { instance?: string }[];
    expect(endpoint.error()).toContain(`"instance":"${instance}","version":"11"`);
    expect(await outrider.stop()).toBe(0);
  });

  it("does not start without a valid policy", async () => {
    write("none.yaml", "modles: {}\n");
    expect(await finish(["policy", "serve", "none.yaml"])).toMatchObject({
      code: 1,
      out: "",
      error: expect.stringMatching(
        /^none\.yaml: unknown key "modles".*\noutrider: none\.yaml has no valid policy to serve\n$/,
      ),
    });
    expect(await finish(["policy", "serve", "absent"])).toMatchObject({
      code: 2,
      error: "absent: cannot be read: ENOENT\n",
    });
    write("fine.yaml", policyOf(1));
    expect(await finish(["policy", "serve", "fine.yaml", "--listen", "nowhere"])).toMatchObject({ code: 2, out: "" });
  });
});

describe("doctor", () => {
  it("tells which policy a running sidecar obeys, and why a newer one was refused", async () => {
    write("watched.yaml", policyOf(21));
    const ports = [await findFreePort(), await findFreePort()];
    const file = write(
      "doctor.yaml",
      `listen: ["127.0.0.1:${ports[0]}"]\nadmin: 127.0.0.1:${ports[1]}\npolicy: {file: ${join(folder, "watched.yaml")}, pollSeconds: 1}\n`,
    );
    const quiet = { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };
    const sidecar = start(["run", "--config", file], quiet);
    await until(() => sidecar.error().includes('"msg":"listening"'), "listening");
    const doctor = async (): Promise<string> => (await finish(["doctor", "--config", file], quiet)).out;
    expect(await doctor()).toMatch(/policy 21 \(from file, confirmed \d+ s ago\)\n/);
    replace("watched.yaml", policyOf(20));
    await until(() => sidecar.error().includes("policy refused"), "a refusal");
    expect(await doctor()).toMatch(/policy 21 .*\n.*policy 20: stale_version: older than the policy in force\n/);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });
});

describe("the group commands", () => {
  it("print their help, with an example for each command", async () => {
    for (const args of [
      ["policy", "keygen"],
      ["policy", "sign"],
      ["policy", "serve"],
      ["import", "litellm"],
    ]) {
      const { code, out } = await finish([...args, "--help"]);
      expect([code, out], args.join(" ")).toEqual([0, expect.stringMatching(/Example:\n {2}outrider /)]);
    }
    expect(await finish(["policy"])).toMatchObject({
      code: 2,
      error: expect.stringMatching(/^Usage: outrider policy/),
    });
    expect(await finish(["policy", "sgin"])).toMatchObject({
      code: 2,
      error: expect.stringMatching(/^outrider: .*sgin/),
    });
  });

  it("import a LiteLLM configuration as a policy that check takes", async () => {
    write("litellm.yaml", readFileSync("test/fixtures/litellm/local-and-cloud.yaml", "utf8"));
    const { code, out, error } = await finish(["import", "litellm", "litellm.yaml"]);
    expect(code).toBe(0);
    expect(error).toContain("general_settings.max_budget: budgets are not in this version\n");
    write("imported.yaml", out);
    expect((await finish(["check", "imported.yaml"])).code).toBe(0);
  });
});

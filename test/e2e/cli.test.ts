// The commands of the built bundle, as a person or a supervisor meets them: what they print and how they exit.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-cli-"));
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quiet = { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" };

interface Command {
  child: ChildProcess;
  out(): string;
  error(): string;
  /** Resolves with the exit code once it ended. */
  ended: Promise<number | null>;
  /** Waits until stdout and stderr together pass the test. */
  until(test: RegExp, timeoutMs?: number): Promise<void>;
}

function start(args: string[], environment: Record<string, string> = {}): Command {
  const child = spawn(process.execPath, ["dist/outrider.mjs", ...args], {
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...quiet, ...environment },
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
    ended: new Promise((resolve) => {
      child.on("close", (code) => {
        children.delete(child);
        resolve(code);
      });
    }),
    async until(test, timeoutMs = 20_000) {
      const deadlineMs = Date.now() + timeoutMs;
      while (!test.test(out + error)) {
        if (Date.now() > deadlineMs) throw new Error(`${String(test)} was not seen in:\n${out}\n${error}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

async function finish(
  args: string[],
  environment?: Record<string, string>,
): Promise<{ code: number | null; out: string; error: string }> {
  const command = start(args, environment);
  const code = await command.ended;
  return { code, out: command.out(), error: command.error() };
}

function writeFile(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("command line", () => {
  it("prints version and, for every command, help with an example", async () => {
    expect(await finish(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    const help = await finish(["--help"]);
    const commands = [...help.out.matchAll(/^ {2}([a-z]+)/gm)]
      .map((match) => match[1] as string)
      .filter((name) => name !== "help" && name !== "outrider");
    expect(commands).toEqual([
      "run",
      "demo",
      "simulate",
      "exec",
      "check",
      "explain",
      "policy",
      "import",
      "doctor",
      "tail",
      "translate",
    ]);
    for (const name of commands) {
      expect(await finish([name, "--help"]), name).toMatchObject({
        code: 0,
        out: expect.stringMatching(/Example:\n {2}outrider /),
      });
    }
  });

  it.each([
    [["docter"], "outrider: unknown command 'docter'; did you mean 'doctor'?\n"],
    [["run", "--lisen", "x"], "outrider: unknown option '--lisen' (Did you mean --listen?)\n"],
    [
      ["--listen", "nowhere"],
      '--listen: expected an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found "nowhere"\n',
    ],
    [["run", "--capture", "full"], '--capture: expected one of none, span, event, both, found "full"\n'],
    [["run", "--config", "/nonexistent.yaml"], "/nonexistent.yaml: cannot be read: no such file\n"],
    [["simulate", "--port", "many"], expect.stringMatching(/^outrider: .*'many' is invalid.*\n$/)],
    [["exec"], "outrider: missing required argument 'command'\n"],
  ])("answers %j with one line and exit code 2", async (args, line) => {
    expect(await finish(args)).toEqual({ code: 2, out: "", error: line });
  });

  it("refuses a misspelt variable, and a credential whose variable is not set", async () => {
    expect(await finish(["run"], { OUTRIDER_LISEN: "127.0.0.1:1" })).toMatchObject({
      code: 2,
      error: 'OUTRIDER_LISEN: unknown variable; did you mean "OUTRIDER_LISTEN"?\n',
    });
    const file = writeFile("credential.yaml", "credentials: {openai: {env: NOT_SET_ANYWHERE}}\n");
    const { code, error } = await finish(["run", "--config", file]);
    expect(code).toBe(2);
    expect(error).toMatch(/^\S+credential\.yaml: credentials\.openai\.env: .*NOT_SET_ANYWHERE.*\n$/);
  });
});

describe("run", () => {
  it("logs JSON lines, answers, and ends with 0 on SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const outrider = await startOutrider({ options: { limits: { drainSeconds: 3 } } });
      expect((await fetch(`${outrider.url}/nothing/here`)).status).toBe(404);
      expect(await outrider.stop(signal)).toBe(0);
      const lines = outrider
        .output()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.map((line) => line["msg"])).toEqual(expect.arrayContaining(["listening", "stopped"]));
      expect(lines[0]).toMatchObject({
        level: "info",
        dataUrls: [outrider.url],
        adminUrl: outrider.adminUrl,
        capture: "none",
      });
    }
  });

  it("goes on after SIGHUP", async () => {
    const outrider = await startOutrider();
    outrider.child.kill("SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await fetch(`${outrider.adminUrl}/livez`)).status).toBe(200);
    expect(await outrider.stop()).toBe(0);
  });

  it("ends at once on a second signal, with an exchange under way", async () => {
    const stuck = await listen((_request, response) => response.flushHeaders());
    const outrider = await startOutrider({ options: { providers: { openai: { baseUrl: `${stuck.url}/v1` } } } });
    const call = fetch(`${outrider.url}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m","messages":[]}',
    }).then(
      (response) => response.text().catch(() => "cut"),
      () => "cut",
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    outrider.child.kill("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(outrider.child.exitCode).toBe(null);
    const startedMs = Date.now();
    expect(await outrider.stop()).toBe(0);
    expect(Date.now() - startedMs).toBeLessThan(5000);
    await call;
    await stuck.close();
  });

  it("names a taken address and the cause in one line", async () => {
    const taken = await listen((_request, response) => response.end());
    const { port } = taken;
    const free = `127.0.0.1:${await findFreePort()}`;
    for (const [data, admin] of [
      [taken.url.slice(7), free],
      [free, taken.url.slice(7)],
    ] as const) {
      expect(await finish(["run", "--listen", data, "--admin", admin])).toMatchObject({
        code: 2,
        error: expect.stringMatching(
          new RegExp(`^outrider: cannot listen on 127\\.0\\.0\\.1:${port}: the address is taken.*\n$`),
        ),
      });
    }
    await taken.close();
  });

  it("warns at start when everybody in the network could spend a held credential, and only then", async () => {
    for (const [host, environment, lines] of [
      ["127.0.0.1", { OPENAI_API_KEY: "test-key-5d0c" }, []],
      ["0.0.0.0", {}, []],
      ["0.0.0.0", { OPENAI_API_KEY: "test-key-5d0c" }, ["openai"]],
    ] as const) {
      const listen = `${host}:${await findFreePort()}`;
      const run = start(["run", "--listen", listen, "--admin", `127.0.0.1:${await findFreePort()}`], environment);
      await run.until(/"msg":"listening"/);
      run.child.kill("SIGTERM");
      await run.ended;
      const warnings = run
        .error()
        .split("\n")
        .filter((line) => line.includes("everybody who reaches this port"))
        .map((line) => JSON.parse(line) as unknown);
      expect(warnings).toMatchObject(lines.map((id) => ({ level: "warn", listen: [listen], credentials: [id] })));
      expect(run.error()).not.toContain("test-key");
    }
  });

  it("says at its end how much telemetry was not delivered", async () => {
    const outrider = await startOutrider({
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await findFreePort()}` },
    });
    await fetch(`${outrider.url}/v1/chat/completions`, { method: "POST", body: "{}" });
    await outrider.stop();
    const last = JSON.parse(outrider.output().trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    expect(last).toMatchObject({ level: "warn", msg: expect.stringMatching(/^stopped; not all/) });
    expect((last["undelivered"] as Record<string, number>)["spans"]).toBeGreaterThan(0);
  });

  it("names the collector that is used, not the one that was asked for in vain", async () => {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
    const outrider = await startOutrider({ environment });
    await outrider.stop("SIGKILL");
    expect(outrider.output()).toMatch(/"collector":"http:\/\/localhost:4318 \(http\/protobuf\)"/);
  });

  it("names held credentials in its log without their values", async () => {
    const outrider = await startOutrider({
      options: { credentials: { openai: { env: "MY_KEY" } } },
      environment: { MY_KEY: "test-key-5d0c", ANTHROPIC_API_KEY: "test-key-77aa" },
    });
    await outrider.stop();
    const [line = ""] = outrider.output().split("\n");
    const { credentials } = JSON.parse(line) as { credentials: string[] };
    expect(credentials).toEqual(expect.arrayContaining(["anthropic", "openai"]));
    expect(credentials).not.toContain("groq");
    expect(outrider.output()).not.toContain("test-key");
  });
});

describe("exec", () => {
  const program = (code: string): string[] => ["exec", "--", process.execPath, "-e", code];

  it.each([0, 1, 7, 255])("passes exit code %i on", async (code) => {
    expect((await finish(program(`process.exit(${code})`))).code).toBe(code);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGKILL", 137],
  ] as const)("reports a command that %s ended as %i", async (signal, code) => {
    expect((await finish(program(`process.kill(process.pid, "${signal}"); setTimeout(() => {}, 9000)`))).code).toBe(
      code,
    );
  });

  it("says 127 for a command that does not exist and 126 for one that cannot run", async () => {
    expect(await finish(["exec", "--", "no-such-command-here"])).toMatchObject({
      code: 127,
      error: "outrider: no-such-command-here: command not found\n",
    });
    expect(await finish(["exec", "--", folder])).toMatchObject({ code: 126 });
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const)(
    "forwards %s to the command and waits for it",
    async (signal) => {
      const command = start(
        program(
          `process.on("${signal}", () => { console.log("got it"); process.exit(3); }); console.log("ready"); setTimeout(() => {}, 9000)`,
        ),
      );
      await command.until(/ready/);
      command.child.kill(signal);
      expect(await command.ended).toBe(3);
      expect(command.out()).toContain("got it");
    },
  );

  it("takes a command's own flags as the command's, with and without --", async () => {
    expect((await finish(["exec", process.execPath, "--version"])).out).toMatch(/^v\d+/);
    expect((await finish(["exec", "--", process.execPath, "--version"])).out).toMatch(/^v\d+/);
  });

  it("routes the command's SDK traffic through the sidecar to the base URL it had before", async () => {
    const seen: string[] = [];
    const provider = await listen((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      response
        .setHeader("content-type", "application/json")
        .end('{"id":"x","object":"chat.completion","model":"m","choices":[]}');
    });
    const code = `
      const base = process.env.OPENAI_BASE_URL;
      fetch(base + "/chat/completions", { method: "POST", headers: { authorization: "Bearer mine" }, body: JSON.stringify({ model: "m", messages: [] }) })
        .then(async (response) => console.log(base.endsWith("/v1"), response.status, response.headers.has("x-outrider-request-id"), await response.text()));`;
    const result = await finish(program(code), { OPENAI_BASE_URL: `${provider.url}/v1` });
    expect(result).toMatchObject({
      code: 0,
      out: 'true 200 true {"id":"x","object":"chat.completion","model":"m","choices":[]}\n',
    });
    expect(seen).toEqual(["POST /v1/chat/completions Bearer mine"]);
    await provider.close();
  });
});

describe("end of exec", () => {
  const call = `fetch(process.env.OPENAI_BASE_URL + "/nothing")`;
  const otlp = { OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "otlp", OTEL_LOGS_EXPORTER: "otlp" };

  it("sends the command's spans to the collector before it ends", async () => {
    const posted: string[] = [];
    const collector = await listen((request, response) => {
      posted.push(request.url ?? "");
      request.resume().on("end", () => response.end());
    });
    const environment = { ...otlp, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    expect((await finish(["exec", "--", process.execPath, "-e", call], environment)).code).toBe(0);
    expect(posted).toContain("/v1/traces");
    await collector.close();
  });

  it("does not keep the user waiting for a collector that nobody named and that is not there", async () => {
    const run = async (environment: Record<string, string>): Promise<number> => {
      const startedMs = Date.now();
      await finish(["exec", "--", process.execPath, "-e", call], environment);
      return Date.now() - startedMs;
    };
    const withoutMs = await run({});
    expect((await run(otlp)) - withoutMs).toBeLessThan(1000);
  });
});

describe("check", () => {
  it("exits 0 for valid options, 1 for invalid ones, 2 for what cannot be read", async () => {
    const valid = writeFile("valid.yaml", "app: x\n");
    expect(await finish(["check", valid])).toEqual({ code: 0, out: `${valid}: valid options\n`, error: "" });
    const invalid = writeFile("invalid.yaml", "listn: 1\nlimits: {maxBodyBytes: ten}\n");
    expect(await finish(["check", invalid])).toEqual({
      code: 1,
      out: "",
      error: `${invalid}: limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found "ten"\n${invalid}: unknown key "listn"; did you mean "listen"?\n`,
    });
    expect((await finish(["check", join(folder, "absent")])).code).toBe(2);
    expect((await finish(["check", folder])).code).toBe(2);
  });

  it("takes a file with a key that only a policy has for one, unless told that it is options", async () => {
    const file = writeFile("policy.yaml", "apiVersion: outrider/v1\nversion: 1\n");
    for (const args of [[file], ["--policy", file]]) {
      expect(await finish(["check", ...args])).toMatchObject({ code: 0, out: expect.stringContaining("valid policy") });
    }
    expect(await finish(["check", "--options", file])).toMatchObject({
      code: 1,
      error: `${file}: unknown key "apiVersion"\n${file}: unknown key "version"\n`,
    });
  });

  it("judges the file alone, not the environment", async () => {
    const file = writeFile("alone.yaml", "app: x\n");
    expect((await finish(["check", file], { OUTRIDER_LIMITS_MAX_BODY_BYTES: "ten" })).code).toBe(0);
  });
});

describe("doctor", () => {
  it("finds a running sidecar, a collector that answers and credentials by name", async () => {
    const posted: string[] = [];
    const collector = await listen((request, response) => {
      posted.push(
        `${request.method} ${request.url} ${request.headers["content-type"]} ${String(request.headers["x-team"])}`,
      );
      response.end();
    });
    const outrider = await startOutrider();
    const { code, out } = await finish(
      ["doctor", "--listen", new URL(outrider.url).host, "--admin", new URL(outrider.adminUrl).host],
      {
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_METRICS_EXPORTER: "otlp",
        OTEL_LOGS_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: "x-team=a",
        GROQ_API_KEY: "test-key-5d0c",
      },
    );
    expect(out).toMatch(/✓ data plane .*: Outrider answers/);
    expect(out).toMatch(/✓ admin .*: Outrider \S+ is running/);
    expect(out).toMatch(/✓ credential for groq: GROQ_API_KEY/);
    expect(out).toMatch(/✓ clock agrees/);
    expect(out).not.toContain("test-key");
    // Looking must not show up in what is looked at.
    expect(await (await fetch(`${outrider.adminUrl}/exchanges`)).json()).toEqual([]);
    expect(posted.sort()).toEqual(
      ["logs", "metrics", "traces"].map((signal) => `POST /v1/${signal} application/x-protobuf a`),
    );
    expect(code).toBe(0);
    await outrider.stop("SIGKILL");
    await collector.close();
  });

  it("warns of a collector that is down, and fails for a port that another program has", async () => {
    const other = await listen((_request, response) => response.end("not outrider"));
    const admin = `127.0.0.1:${await findFreePort()}`;
    const environment = {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await findFreePort()}`,
    };
    const warned = await finish(
      ["doctor", "--listen", `127.0.0.1:${await findFreePort()}`, "--admin", admin],
      environment,
    );
    expect(warned).toMatchObject({ code: 0, out: expect.stringMatching(/^! collector for traces .*ECONNREFUSED/m) });
    const failed = await finish(["doctor", "--listen", `127.0.0.1:${other.port}`, "--admin", admin], environment);
    expect(failed).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^✗ data plane .*: taken by another program$/m),
    });
    await other.close();
  });
});

describe("tail", () => {
  it("prints one line per exchange, connects again after a restart, and ends on SIGINT with 0", async () => {
    const [listenPort, adminPort] = [await findFreePort(), await findFreePort()];
    const options = { listen: [`127.0.0.1:${listenPort}`], admin: `127.0.0.1:${adminPort}` };
    const tail = start(["tail", "--admin", options.admin]);
    await tail.until(/nothing listens there; trying again/);
    for (const round of [1, 2]) {
      const outrider = await startRun(options);
      await tail.until(new RegExp(`(following[^]*){${round}}`));
      await fetch(`http://${options.listen[0]}/round-${round}`);
      await tail.until(new RegExp(`GET /round-${round} .* 404 error .* operation_unsupported`));
      outrider.child.kill("SIGKILL");
      await outrider.ended;
    }
    tail.child.kill("SIGINT");
    expect(await tail.ended).toBe(0);
    expect(tail.out().trim().split("\n")).toHaveLength(2);
  });

  async function startRun({ listen, admin }: { listen: string[]; admin: string }): Promise<Command> {
    const run = start(["run", "--listen", listen.join(","), "--admin", admin]);
    await run.until(/"msg":"listening"/);
    return run;
  }
});

describe("simulate", () => {
  it("answers as a provider until SIGTERM", async () => {
    const simulator = start(["simulate", "--port", "0"]);
    await simulator.until(/Anthropic {2}http/);
    const base = /OpenAI +(\S+)/.exec(simulator.out())?.[1] ?? "";
    const response = await fetch(`${base}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer any" },
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }),
    });
    expect(response.status).toBe(200);
    simulator.child.kill("SIGTERM");
    expect(await simulator.ended).toBe(0);
  });
});

describe("demo", () => {
  it("answers at once, shows traffic, spans and costs, stays up, and ends on SIGINT with 0", async () => {
    const demo = start(["demo"], { OPENAI_API_KEY: "test-key-5d0c", OPENAI_BASE_URL: "https://elsewhere.example/v1" });
    await demo.until(/data plane {2}http/);
    const base = /data plane +(\S+)/.exec(demo.out())?.[1] ?? "";
    const ask = async (): Promise<string | null> => {
      const response = await fetch(`${base}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer demo" },
        body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }),
      });
      expect(response.status).toBe(200);
      await response.text();
      return response.headers.get("x-outrider-request-id");
    };
    expect(await ask()).toMatch(/^[0-9a-f]{32}$/);
    await demo.until(/Still answering/, 40_000);
    await ask();
    await demo.until(/What it would have cost[^]*POST \/v1\/\S+ {2,}/);
    const text = demo.out();
    // All that was sent before the costs were added up is in them; behind them comes only what was asked since.
    const [before = "", behind = ""] = text.split("What it would have cost");
    expect(before.match(/POST \/v1\//g)?.length).toBeGreaterThan(5);
    expect(behind.match(/POST \/v1\/\S+ {2,}/g) ?? []).toHaveLength(1);
    for (const seen of [
      /POST \/v1\/chat\/completions +openai\/gpt-4o-2024-08-06 +200 complete/,
      /POST \/v1\/messages +anthropic\/claude-\S+ +200 complete/,
      /POST \/v1\/embeddings/,
      /count_tokens/,
      /429 error .* upstream_rate_limited/,
      /529 error .* upstream_overloaded/,
      /200 truncated .* stream_truncated/,
      /200 client_aborted/,
      /acme-nova-1 .* unknown/,
      /^ *└─ chat gpt-4o {2}\[CLIENT/m,
      /^openai\/acme-nova-1 .* unknown +missing$/m,
      /from openai import OpenAI/,
      /import OpenAI from "openai"/,
    ]) {
      expect(text).toMatch(seen);
    }
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("test-key");
    expect(demo.error()).toBe("");
    expect(await runSnippet(/^import OpenAI[^]*?;\n(?=\n)/m.exec(text)?.[0] ?? "")).toMatch(/\S/);
    demo.child.kill("SIGINT");
    expect(await demo.ended).toBe(0);
  });

  it("ends cleanly also in the middle of its traffic", async () => {
    const demo = start(["demo"]);
    await demo.until(/200 complete/);
    demo.child.kill("SIGINT");
    const startedMs = Date.now();
    expect(await demo.ended).toBe(0);
    expect(Date.now() - startedMs).toBeLessThan(5000);
  });
});

/** What the printed Node snippet prints, with the openai package of this repository. */
function runSnippet(code: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    child.on("close", (status) =>
      status === 0 ? resolve(printed) : reject(new Error(`the snippet ended with ${status}`)),
    );
  });
}

interface Listening {
  url: string;
  port: number;
  close(): Promise<void>;
}

function listen(answer: Parameters<typeof createServer>[1]): Promise<Listening> {
  const server: Server = createServer(answer as NonNullable<typeof answer>);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const close = (): Promise<void> =>
        new Promise((done) => {
          server.close(() => done());
          server.closeAllConnections();
        });
      resolve({ url: `http://127.0.0.1:${port}`, port, close });
    });
  });
}

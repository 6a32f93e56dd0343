// Faults of where policy comes from (reliability.md §2.3): whatever the source and the disk do, the last good policy stays in force.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OptionsInput } from "../../src/options.ts";
import { openDiskCopies } from "../../src/policy/disk.ts";
import { createHttpSource, nextLookMs } from "../../src/policy/source-http.ts";
import type { PolicyStatus } from "../../src/policy/index.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type Misbehaviour, type PolicyEndpoint, startPolicyEndpoint } from "../support/policy-endpoint.ts";
import { createPolicyRun, type PolicyRun, waitFor } from "../support/policy-run.ts";
import { createPolicySigner } from "../support/policy-signing.ts";

const document = (version: number, more = ""): string =>
  `version: ${version}\nmodels: {smart: {targets: [{provider: openai, model: gpt-4o}]}}\n${more}`;

let endpoint: PolicyEndpoint;
let folder: string;
const runs: PolicyRun[] = [];

beforeEach(async () => {
  endpoint = await startPolicyEndpoint();
  folder = mkdtempSync(join(tmpdir(), "outrider-policy-"));
});

afterEach(async () => {
  for (const { store } of runs.splice(0)) store.stop();
  await endpoint.close();
  // A store that was stopped in the middle of a write still ends it.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

function create(policy: OptionsInput["policy"] = {}, more: Parameters<typeof createPolicyRun>[1] = {}): PolicyRun {
  const run = createPolicyRun({ policy: { url: endpoint.url, pollSeconds: 1, cacheDir: folder, ...policy } }, more);
  runs.push(run);
  return run;
}

async function start(
  policy?: OptionsInput["policy"],
  more?: Parameters<typeof createPolicyRun>[1],
): Promise<PolicyRun> {
  const run = create(policy, more);
  await run.store.start();
  return run;
}

/** The last look's outcome becomes this one. */
const outcome = (run: PolicyRun, wanted: string): Promise<void> =>
  waitFor(() => run.reloads.includes(wanted as PolicyRun["reloads"][number]), `a look that is ${wanted}`);
const typesOf = (run: PolicyRun): string[] => run.events.map(({ type }) => type);

describe("at boot", () => {
  it("takes the policy of the endpoint, and keeps a copy", async () => {
    endpoint.serve(document(5));
    const run = await start();
    expect(run.store.current).toMatchObject({ version: "5", source: "network" });
    expect([...(run.store.current.routing?.aliases ?? [])]).toEqual(["smart"]);
    expect(run.store.readiness()).toEqual({ ready: true });
    expect(typesOf(run)).toEqual(["applied"]);
    await waitFor(() => readdirSync(folder).length > 0, "a copy on disk");
  });

  it("serves at once from the copy on disk while the endpoint is down, and says that it is stale", async () => {
    endpoint.serve(document(5));
    const first = await start();
    await waitFor(() => readdirSync(folder).length > 0, "a copy on disk");
    first.store.stop();
    await endpoint.setDown(true);
    const startedMs = performance.now();
    const run = await start();
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(run.store.current).toMatchObject({ version: "5", source: "disk" });
    expect(run.store.readiness()).toEqual({ ready: true });
    await waitFor(() => run.events.length > 1, "the word that it is stale");
    expect(typesOf(run)).toEqual(["applied", "stale"]);
    expect(run.store.status().ageSeconds).toBeGreaterThanOrEqual(0);
    await endpoint.setDown(false);
    await waitFor(() => run.store.current.source === "network", "the endpoint to be asked again");
    expect(run.store.current.version).toBe("5");
  });

  it("serves at once from disk when the endpoint hangs, and says a second later that it is stale", async () => {
    endpoint.serve(document(5));
    (await start()).store.stop();
    endpoint.misbehave(() => undefined);
    const startedMs = performance.now();
    const run = await start();
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect(run.store.current).toMatchObject({ version: "5", source: "disk" });
    expect(typesOf(run)).toEqual(["applied"]);
    await waitFor(() => run.events.length > 1, "the word that it is stale");
    expect(performance.now() - startedMs).toBeGreaterThan(900);
    expect(typesOf(run)).toEqual(["applied", "stale"]);
  });

  it("takes the endpoint's newer document as soon as it has come, though the copy on disk serves already", async () => {
    endpoint.serve(document(5));
    (await start()).store.stop();
    endpoint.serve(document(6));
    const run = await start();
    await waitFor(() => run.store.current.version === "6", "the endpoint's document", 900);
    expect(typesOf(run)).toEqual(["applied", "applied"]);
    expect(run.reloads).toEqual(["applied"]);
  });

  it("is not ready while the endpoint is down and nothing is on disk, and is once it comes", async () => {
    await endpoint.setDown(true);
    const run = await start();
    expect(run.store.readiness()).toEqual({ ready: false, reason: "no policy yet: ECONNREFUSED" });
    expect(run.store.current).toMatchObject({ version: "none", source: "options", routing: undefined });
    await endpoint.setDown(false);
    endpoint.serve(document(1));
    await waitFor(() => run.store.readiness().ready, "readiness");
  });

  it("begins with the options alone where policy is not required", async () => {
    await endpoint.setDown(true);
    expect((await start({ required: false })).store.readiness()).toEqual({ ready: true });
  });

  it("refuses an endpoint that gives an older document than the copy on disk", async () => {
    endpoint.serve(document(5));
    (await start()).store.stop();
    endpoint.serve(document(4));
    const run = await start();
    await outcome(run, "stale_version");
    expect(run.store.current).toMatchObject({ version: "5", source: "disk" });
    expect(run.events).toContainEqual(
      expect.objectContaining({ type: "rejected", outcome: "stale_version", refusedVersion: "4", version: "5" }),
    );
  });
});

describe("the process", () => {
  it("comes back from disk while the endpoint is down, and names its policy", async () => {
    const policy = { url: endpoint.url, cacheDir: folder };
    const statusOf = async ({ adminUrl }: OutriderProcess) =>
      (await (await fetch(`${adminUrl}/status`)).json()) as { policy: PolicyStatus; ready: boolean; reason?: string };
    endpoint.serve(document(5));
    const first = await startOutrider({ options: { policy } });
    expect(await statusOf(first)).toMatchObject({ ready: true, policy: { version: "5", source: "network" } });
    await first.stop("SIGKILL");
    await endpoint.setDown(true);

    const second = await startOutrider({ options: { policy } });
    expect(await statusOf(second)).toMatchObject({ ready: true, policy: { version: "5", source: "disk" } });
    const answer = await fetch(`${second.url}/v1/chat/completions`, { method: "POST", body: "{" });
    expect(answer.headers.get("x-outrider-policy")).toBe("5");
    const metrics = await (await fetch(`${second.adminUrl}/metrics`)).text();
    expect(metrics).toContain('outrider_policy_info{outrider_policy_version="5",outrider_policy_source="disk"} 1');
    expect(metrics).toMatch(/outrider_policy_reloads_total\{outrider_policy_outcome="unreachable"\} \d/);
    await second.stop("SIGKILL");
  });
});

/** Misbehaviour of the endpoint, by what the look is then called. */
const write = (headers: Record<string, string | number>, ...chunks: (string | Buffer)[]): Misbehaviour => {
  return (_request, response) => {
    response.writeHead(200, headers);
    for (const chunk of chunks) response.write(chunk);
    response.end();
  };
};
const endless = (response: ServerResponse): void => {
  const chunk = Buffer.alloc(65_536, "x");
  const more = (): void => {
    while (!response.destroyed && response.write(chunk)) continue;
  };
  response.on("drain", more);
  more();
};
const longText = `${document(6)}# ${"x".repeat(4000)}`;
const faults: [name: string, outcome: string, how: Misbehaviour][] = [
  ["a status of 500", "http_status", (_request, response) => response.writeHead(500).end()],
  [
    "a redirect",
    "http_status",
    (_request, response) => response.writeHead(302, { location: "http://127.0.0.1:9/" }).end(),
  ],
  ["a web page with 200", "http_invalid", write({ "content-type": "text/html; charset=utf-8" }, "<html></html>")],
  ["a web page that says it is text", "invalid", write({ "content-type": "text/plain" }, "<html></html>")],
  ["garbage", "invalid", write({}, Buffer.from([0, 1, 2, 255, 254]))],
  ["nothing", "invalid", write({ "content-length": 0 })],
  [
    "a body shorter than its length",
    "unreachable",
    (_request, response) => {
      response.writeHead(200, { "content-length": longText.length });
      response.write(longText.slice(0, 100));
      setTimeout(() => response.destroy(), 20);
    },
  ],
  [
    "chunks without an end",
    "unreachable",
    (_request, response) => {
      response.writeHead(200);
      response.write(longText.slice(0, 100));
      setTimeout(() => response.destroy(), 20);
    },
  ],
  [
    "a body that only the connection's end delimits",
    "http_invalid",
    (request) => {
      request.socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${document(6)}`);
    },
  ],
  ["bad gzip", "http_invalid", write({ "content-encoding": "gzip" }, "not gzip at all")],
  ["cut gzip", "http_invalid", write({ "content-encoding": "gzip" }, gzipSync(longText).subarray(0, 60))],
  ["a gzip bomb", "too_large", write({ "content-encoding": "gzip" }, gzipSync(Buffer.alloc(64 * 1024 * 1024)))],
  ["an unknown coding", "http_invalid", write({ "content-encoding": "x-new" }, document(6))],
  ["an endless body", "too_large", (_request, response) => endless(response)],
  [
    "a length beyond the cap",
    "too_large",
    (_request, response) => response.writeHead(200, { "content-length": 1e9 }).flushHeaders(),
  ],
  ["a connection reset", "unreachable", (request) => request.socket.resetAndDestroy()],
  ["no HTTP", "unreachable", (request) => request.socket.end("SSH-2.0-x\r\n")],
  ["a schema error", "invalid", write({}, document(6, "retry: {maxAttempts: 99}"))],
  [
    "an unknown provider",
    "invalid",
    write({}, "version: 6\nmodels: {smart: {targets: [{provider: opnai, model: x}]}}"),
  ],
  [
    "an unknown alias in a fallback",
    "invalid",
    write({}, "version: 6\nmodels: {smart: {targets: [{provider: openai, model: x}], fallbacks: [{to: nobody}]}}"),
  ],
  ["a budget, which nobody enforces yet", "invalid", write({}, document(6, "budgets: []"))],
  ["an older version", "stale_version", write({}, document(4))],
  ["no version after one", "stale_version", write({}, document(4).replace(/^version.*\n/, ""))],
  ["the same version with other content", "version_conflict", write({}, document(5, "retry: {maxAttempts: 1}"))],
  ["a document without an alias in use", "removal_refused", write({}, "version: 6\n")],
];

describe("later", () => {
  it.each(faults)("keeps the policy through %s (%s), and takes the next good one", async (_name, wanted, how) => {
    endpoint.serve(document(5));
    const run = await start();
    endpoint.misbehave(how);
    await outcome(run, wanted);
    expect(run.store.current.version).toBe("5");
    expect(run.store.readiness()).toEqual({ ready: true });
    expect(run.store.status().problem).toMatchObject({ outcome: wanted });
    const loud = !["http_status", "unreachable"].includes(wanted);
    expect(typesOf(run)).toEqual(loud ? ["applied", "rejected"] : ["applied"]);
    endpoint.serve(document(7));
    await waitFor(() => run.store.current.version === "7", "the next good document");
    expect(run.store.status().problem).toBeUndefined();
  });

  it("keeps the policy while the endpoint is down, and finds it again", async () => {
    endpoint.serve(document(5));
    const run = await start();
    await endpoint.setDown(true);
    await outcome(run, "unreachable");
    expect(run.store.current.version).toBe("5");
    await endpoint.setDown(false);
    endpoint.serve(document(6));
    await waitFor(() => run.store.current.version === "6", "the document after the outage");
  });

  it("says a refusal once, however often it is seen", async () => {
    endpoint.serve(document(5));
    const run = await start();
    endpoint.misbehave(write({}, document(4)));
    await waitFor(() => run.reloads.filter((each) => each === "stale_version").length >= 3, "three refusals");
    expect(typesOf(run)).toEqual(["applied", "rejected"]);
  });

  it("warns once when nothing has confirmed the policy for an hour", async () => {
    let epochMs = 1_000_000;
    endpoint.serve(document(5));
    const run = await start({}, { clock: { epochMs: () => epochMs } });
    await endpoint.setDown(true);
    epochMs += 3_600_001;
    await waitFor(() => typesOf(run).includes("stale"), "the warning");
    expect(run.events.at(-1)).toMatchObject({ type: "stale", version: "5", ageSeconds: 3600 });
    expect(run.store.status().ageSeconds).toBeGreaterThanOrEqual(3600);
  });

  it("asks conditionally, and takes 304 for a confirmation", async () => {
    endpoint.serve(document(5));
    const run = await start();
    await outcome(run, "unchanged");
    expect(endpoint.requests.map(({ status }) => status).slice(0, 2)).toEqual([200, 304]);
    expect(endpoint.requests[1]?.headers["if-none-match"]).toMatch(/^"/);
  });

  it("does not take 304 for a confirmation where it named no ETag", async () => {
    endpoint.misbehave((_request, response) => response.writeHead(304).end());
    const run = await start();
    expect(run.reloads).toEqual(["http_invalid"]);
    expect(run.store.readiness().ready).toBe(false);
    endpoint.serve(document(5));
    await waitFor(() => run.store.current.version === "5", "the document");
  });

  it("takes a changed document under an unchanged ETag, because now and then it asks without one", async () => {
    const source = createHttpSource({
      url: endpoint.url,
      instanceId: "instance-1",
      pollMs: 1000,
      readToken: undefined,
      random: () => 0.5,
    });
    endpoint.serve(document(5), '"liar"');
    expect((await source.fetch()).type).toBe("document");
    endpoint.serve(document(6), '"liar"');
    let looks = 1;
    for (; looks < 100; looks++) if ((await source.fetch()).type === "document") break;
    expect(looks).toBe(20);
  });

  it("never asks twice at once, and gives up a drip at its deadline", async () => {
    endpoint.misbehave((_request, response) => {
      response.writeHead(200, { "content-length": 1000 });
      const timer = setInterval(() => response.write("#"), 20);
      response.on("close", () => clearInterval(timer));
    });
    const source = createHttpSource({
      url: endpoint.url,
      instanceId: "instance-1",
      pollMs: 1000,
      deadlineMs: 300,
      readToken: undefined,
      random: () => 0.5,
    });
    const startedMs = performance.now();
    const answers = await Promise.all([source.fetch(), source.fetch(), source.fetch()]);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(answers[0]).toMatchObject({ type: "failed", outcome: "timeout" });
    await waitFor(() => endpoint.underWay.now === 0, "the connection to be closed");
    expect(endpoint.underWay.most).toBe(1);
    expect(endpoint.requests).toHaveLength(1);
  });

  it("waits the poll give or take 20 %, and up to five minutes while it fails", () => {
    expect([0, 0.5, 1].map((at) => Math.round(nextLookMs(30_000, 0, () => at)))).toEqual([24_000, 30_000, 36_000]);
    const middle = [1, 2, 3, 4, 5, 50].map((failures) => nextLookMs(30_000, failures, () => 0.5));
    expect(middle).toEqual([60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
    expect(nextLookMs(3_600_000, 3, () => 0.5)).toBe(3_600_000);
  });

  it("sends its token to the endpoint, and shows it nowhere", async () => {
    endpoint.serve(document(5));
    const token = "test-key-policy-canary";
    const run = await start({ token: { env: "POLICY_TOKEN" } }, { environment: { POLICY_TOKEN: token } });
    expect(endpoint.requests[0]?.headers["authorization"]).toBe(`Bearer ${token}`);
    endpoint.misbehave((_request, response) => response.writeHead(401).end());
    await outcome(run, "http_status");
    expect(JSON.stringify([run.events, run.store.status(), run.store.current.document])).not.toContain(token);
  });
});

describe("a signed policy", () => {
  it("is all that is taken from a hijacked endpoint, and is checked again on disk", async () => {
    const [signer, stranger] = [await createPolicySigner(), await createPolicySigner()];
    const keys = join(folder, "jwks.json");
    writeFileSync(keys, signer.jwks);
    const cacheDir = join(folder, "cache");
    endpoint.serve(await signer.sign(document(5)));
    const run = await start({ publicKeys: [keys], cacheDir });
    expect(run.store.current).toMatchObject({ version: "5", source: "network" });
    endpoint.serve(document(6));
    await outcome(run, "unsigned");
    endpoint.serve(await stranger.sign(document(6)));
    await outcome(run, "bad_signature");
    expect(run.store.current.version).toBe("5");
    run.store.stop();

    // Who can write to the disk can write a right checksum, but no signature.
    await endpoint.setDown(true);
    await openDiskCopies(cacheDir, endpoint.url).write(Buffer.from(await stranger.sign(document(9))));
    const after = await start({ publicKeys: [keys], cacheDir });
    expect(after.store.current).toMatchObject({ version: "5", source: "disk" });
    expect(after.events[0]).toMatchObject({ type: "rejected", outcome: "bad_signature" });
  });

  it("stops the start where its keys cannot be used", async () => {
    const keys = join(folder, "jwks.json");
    writeFileSync(keys, (await createPolicySigner()).privateJwks);
    await expect(start({ publicKeys: [keys] })).rejects.toThrow("policy.publicKeys: a file holds a private key");
    await expect(start({ publicKeys: [join(folder, "absent")] })).rejects.toThrow(
      "policy.publicKeys[0]: expected a file",
    );
  });
});

describe("the copy on disk", () => {
  it("is never taken with a byte altered or cut, and the one before is", async () => {
    const copies = openDiskCopies(folder, "place");
    await copies.write(Buffer.from("version: 1"));
    await copies.write(Buffer.from("version: 2"));
    const name = readdirSync(folder).find((entry) => !entry.endsWith(".previous")) ?? "";
    const path = join(folder, name);
    const whole = readFileSync(path);
    const firstCopy = async (): Promise<string | undefined> => (await copies.read())[0]?.bytes.toString();
    expect(await firstCopy()).toBe("version: 2");
    for (let at = 0; at < whole.length; at++) {
      const altered = Buffer.from(whole);
      altered[at] = (altered[at] ?? 0) ^ 0x10;
      writeFileSync(path, altered);
      expect(await firstCopy(), `byte ${at} altered`).toBe("version: 1");
      writeFileSync(path, whole.subarray(0, at));
      expect(await firstCopy(), `cut to ${at} bytes`).toBe("version: 1");
    }
  });

  it("belongs to one endpoint alone", async () => {
    await openDiskCopies(folder, "https://a.example/p").write(Buffer.from("version: 1"));
    expect(await openDiskCopies(folder, "https://b.example/p").read()).toEqual([]);
  });

  it("is not needed: a folder that cannot be written leaves the policy in force, and says so once", async () => {
    writeFileSync(join(folder, "file"), "");
    endpoint.serve(document(5));
    const run = await start({ cacheDir: join(folder, "file", "cache") });
    await outcome(run, "unchanged");
    expect(run.store.current.version).toBe("5");
    expect(typesOf(run)).toEqual(["applied", "unsaved"]);
    expect(run.store.status().unsaved).toMatch(/ENOTDIR/);

    rmSync(join(folder, "file"));
    await waitFor(() => run.store.status().unsaved === undefined, "a copy once the folder can be written");
    const [copy] = await openDiskCopies(join(folder, "file", "cache"), endpoint.url).read();
    expect(copy?.bytes.toString()).toBe(document(5));
  });

  it("stays as it was when the disk takes half of the next one and no more, and nothing is left lying about", async () => {
    const copies = openDiskCopies(folder, "place");
    await copies.write(Buffer.from("version: 1"));
    await copies.write(Buffer.from("version: 2"));
    const kept = readdirSync(folder);
    // 50 KiB, in some shells 100, of the 256 that it writes.
    const writer = spawn("sh", [
      "-c",
      'ulimit -f 100 && exec "$@"',
      "sh",
      process.execPath,
      "test/support/policy-disk-writer.ts",
      folder,
      "place",
      "3",
    ]);
    let said = "";
    for (const stream of [writer.stdout, writer.stderr])
      stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => writer.on("close", resolve));
    expect([code, said]).toEqual([1, expect.stringContaining("EFBIG")]);
    expect((await copies.read()).map(({ bytes }) => bytes.toString())).toEqual(["version: 2", "version: 1"]);
    expect(readdirSync(folder)).toEqual(kept);
  });

  it("is whole, and never older than what was last written, after SIGKILL in the write 200 times", async () => {
    // Four at a time, each with a folder of its own.
    const lanes = await Promise.all(
      Array.from({ length: 4 }, async (_, lane) => {
        const own = join(folder, `lane-${lane}`);
        let written = 0;
        for (let kill = 0; kill < 50; kill++) {
          const writer = spawn(
            process.execPath,
            ["test/support/policy-disk-writer.ts", own, "place", `${written + 1}`],
            {
              stdio: ["ignore", "pipe", "inherit"],
            },
          );
          written = Math.max(written, await killInWrite(writer, (kill * 7) % 23));
          const [copy] = await openDiskCopies(own, "place").read();
          const version = Number(/^version: (\d+)\n/.exec(copy?.bytes.toString() ?? "")?.[1]);
          // The last write may have been done and not been told yet.
          expect(version, `kill ${kill}`).toBeGreaterThanOrEqual(written);
          expect(copy?.bytes.length).toBeGreaterThan(256 * 1024);
          written = version;
        }
        return written;
      }),
    );
    for (const written of lanes) expect(written).toBeGreaterThanOrEqual(50);
  }, 180_000);
});

/** Kills the writer some milliseconds after its first write, in the middle of a later one; gives the last number it told. */
async function killInWrite(writer: ChildProcess, afterMs: number): Promise<number> {
  let printed = "";
  const exited = new Promise<void>((resolve) => writer.on("close", () => resolve()));
  writer.stdout?.on("data", (chunk: Buffer) => {
    if (printed === "") setTimeout(() => writer.kill("SIGKILL"), afterMs);
    printed += chunk.toString();
  });
  await exited;
  const told = printed.trim().split("\n").map(Number);
  return told.at(-1) ?? 0;
}

describe("a policy file", () => {
  const fromFile = (file: string) => start({ url: undefined, file, cacheDir: undefined });

  it("is read again after an atomic rename, and after a write in place", async () => {
    const file = join(folder, "policy.yaml");
    writeFileSync(file, document(1));
    const run = await fromFile(file);
    expect(run.store.current).toMatchObject({ version: "1", source: "file" });
    writeFileSync(join(folder, "next"), document(2));
    renameSync(join(folder, "next"), file);
    await waitFor(() => run.store.current.version === "2", "the renamed file");
    writeFileSync(file, document(3));
    await waitFor(() => run.store.current.version === "3", "the file written in place");
    expect(typesOf(run)).toEqual(["applied", "applied", "applied"]);
  });

  it("follows a ConfigMap's swap of symbolic links", async () => {
    // As kubelet does it: policy.yaml -> ..data/policy.yaml, ..data -> a folder by time, replaced by a rename.
    const put = (name: string, text: string): void => {
      const data = join(folder, name);
      rmSync(data, { recursive: true, force: true });
      renameSync(mkdtempSync(join(tmpdir(), "outrider-data-")), data);
      writeFileSync(join(data, "policy.yaml"), text);
      symlinkSync(name, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    put("..2026_1", document(1));
    symlinkSync(join("..data", "policy.yaml"), join(folder, "policy.yaml"));
    const run = await fromFile(join(folder, "policy.yaml"));
    expect(run.store.current.version).toBe("1");
    put("..2026_2", document(2));
    rmSync(join(folder, "..2026_1"), { recursive: true });
    await waitFor(() => run.store.current.version === "2", "the swapped folder");
  });

  it("keeps its last content while the file is gone, empty or wrong", async () => {
    const file = join(folder, "policy.yaml");
    writeFileSync(file, document(1));
    const run = await fromFile(file);
    for (const [wanted, change] of [
      ["unreadable", () => rmSync(file)],
      ["invalid", () => writeFileSync(file, "")],
    ] as const) {
      change();
      await outcome(run, wanted);
      expect(run.store.current.version).toBe("1");
    }
    writeFileSync(file, document(2));
    await waitFor(() => run.store.current.version === "2", "the mended file");
  });

  it("is never taken half written", async () => {
    const file = join(folder, "policy.yaml");
    writeFileSync(file, document(1));
    const run = await fromFile(file);
    const lines = [
      ...document(2).split("\n"),
      ...Array.from({ length: 40 }, (_, line) => `# line ${line}`),
      "retry: {maxAttempts: 7}",
    ];
    for (let count = 1; count <= lines.length; count++) {
      writeFileSync(file, lines.slice(0, count).join("\n"));
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await waitFor(() => run.store.current.version === "2", "the whole file");
    expect(run.store.current.document?.retry.maxAttempts).toBe(7);
    expect(typesOf(run)).toEqual(["applied", "applied"]);
  });
});

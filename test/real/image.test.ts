// The Dockerfile, really built with buildah and run: what it is made of, that it answers, is healthy, and ends cleanly.
// No registry is needed: the build stage gets Debian with this machine's Node and npm, the final one nothing but four libraries.
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { findFreePorts } from "../support/ports.ts";
import { waitFor } from "../support/collector-output.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
const image = "localhost/outrider:test";

interface ImageConfig {
  User: string;
  ExposedPorts: Record<string, object>;
  Entrypoint: string[];
  Cmd: string[];
  Env: string[];
  StopSignal: string;
  Healthcheck: { Test: string[] };
}

let folder: string;
let buildahPath: string;
let simulator: Simulator;
let container: string;
let config: ImageConfig;
let inspected: string;
let running: ChildProcess | undefined;
let printed = "";
let dataUrl: string;
let adminUrl: string;
let environment: string[];

async function buildah(...args: string[]): Promise<string> {
  const store = ["--storage-driver", "vfs", "--root", join(folder, "store"), "--runroot", join(folder, "run")];
  const { stdout } = await run(buildahPath, [...store, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

const inside = (command: string[]): string[] => [
  "run",
  "--isolation",
  "chroot",
  ...environment,
  container,
  "--",
  ...command,
];

/** A program of this machine with all it consists of: npm is a folder beside its script. */
function findNpm(): { node: string; npmFolder: string } {
  // Not the project's own Node, which is what the image's build has to fetch.
  const path = (process.env["PATH"] ?? "").split(":").filter((entry) => !entry.includes("node_modules"));
  const find = (name: string) => path.map((entry) => join(entry, name)).find((file) => existsSync(file));
  const [node, npm] = [find("node"), find("npm")];
  if (node === undefined || npm === undefined) throw new Error("node and npm must be on the PATH");
  return {
    node,
    npmFolder: resolve(dirname(execFileSync("readlink", ["-f", npm], { encoding: "utf8" }).trim()), ".."),
  };
}

async function commitBase(name: string, fill: (container: string) => Promise<void>): Promise<void> {
  const made = await buildah("from", "scratch");
  await fill(made);
  await buildah("commit", "-q", made, name);
  await buildah("rm", made);
}

async function makeBuildBase(rootfs: string): Promise<void> {
  const { node, npmFolder } = findNpm();
  const certificates = "/etc/ssl/certs/ca-certificates.crt";
  await commitBase("localhost/build-base", async (made) => {
    await buildah("add", "-q", made, rootfs, "/");
    await buildah("add", "-q", made, node, "/usr/local/bin/node");
    await buildah("add", "-q", made, npmFolder, "/usr/local/lib/node_modules/npm");
    const link = ["ln", "-s", "../lib/node_modules/npm/bin/npm-cli.js", "/usr/local/bin/npm"];
    await buildah("run", "--isolation", "chroot", made, "--", ...link);
    if (!existsSync(certificates)) return;
    await buildah("add", "-q", made, certificates, certificates);
    await buildah("config", "--env", `NODE_EXTRA_CA_CERTS=${certificates}`, made);
  });
}

/** glibc and libstdc++ out of Debian, and nothing else: no shell, no package manager, no user but root. */
async function makeBareBase(rootfs: string): Promise<void> {
  const wanted =
    /^\.\/(lib|lib64|usr\/lib64\/.+|usr\/lib\/(.*\/)?(ld-linux[^/]*|lib(c|m|dl|pthread|stdc\+\+|gcc_s)\.so[^/]*))$/;
  const members = execFileSync("tar", ["-tf", rootfs], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
    .split("\n")
    .filter((member) => wanted.test(member));
  const bare = join(folder, "bare");
  execFileSync("mkdir", [bare]);
  execFileSync("tar", ["-xf", rootfs, "-C", bare, ...members]);
  await commitBase("localhost/bare-base", async (made) => {
    await buildah("add", "-q", made, bare, "/");
  });
}

function listFiles(top: string): string[] {
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `/${relative(top, join(entry.parentPath, entry.name))}`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "outrider-image-"));
  const { buildah: path, rootfs } = (await ensureComponents(["image"])).image;
  buildahPath = path;
  await makeBuildBase(rootfs);
  await makeBareBase(rootfs);
  const userConfig = execFileSync("npm", ["config", "get", "userconfig"], { cwd: folder, encoding: "utf8" }).trim();
  const secret = existsSync(userConfig) ? ["--secret", `id=npmrc,src=${userConfig}`] : [];
  const bases = ["--build-arg", "BUILD_BASE=localhost/build-base", "--build-arg", "BASE=localhost/bare-base"];
  await buildah("bud", "-q", "--format", "docker", "--isolation", "chroot", ...bases, ...secret, "-t", image, root);
  inspected = await buildah("inspect", "--type", "image", image);
  config = (JSON.parse(inspected) as { Docker: { config: ImageConfig } }).Docker.config;
  container = await buildah("from", image);
  simulator = await startSimulator({ pace: { firstByteMs: 0, chunkMs: 1 } });
  const [data, admin] = (await findFreePorts(2)) as [number, number];
  dataUrl = `http://127.0.0.1:${data}`;
  adminUrl = `http://127.0.0.1:${admin}`;
  environment = [
    `OUTRIDER_LISTEN=127.0.0.1:${data}`,
    `OUTRIDER_ADMIN=127.0.0.1:${admin}`,
    `OUTRIDER_PROVIDER_OPENAI_BASE_URL=${simulator.url}/v1`,
    "OTEL_SDK_DISABLED=true",
  ].flatMap((pair) => ["--env", pair]);
}, 600_000);

afterAll(async () => {
  if (running?.exitCode === null) running.kill("SIGKILL");
  await simulator?.close();
  if (container !== undefined) await buildah("rm", container);
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test("is made by a Dockerfile that hadolint finds nothing wrong with", async () => {
  const { hadolint } = (await ensureComponents(["hadolint"])).hadolint;
  const { stdout } = await run(hadolint, ["Dockerfile"], { cwd: root });
  expect(stdout).toBe("");
});

test("says who it runs as, which ports it opens, how it starts, and how to ask whether it is well", () => {
  expect(config.User).toBe("10001:10001");
  expect(Object.keys(config.ExposedPorts).sort()).toEqual(["4141/tcp", "4142/tcp"]);
  expect(config.Entrypoint).toEqual(["/app/node", "--max-semi-space-size=4", "/app/outrider.mjs"]);
  expect(config.Cmd).toEqual(["run"]);
  expect(config.StopSignal).toBe("SIGTERM");
  expect(config.Healthcheck.Test.slice(0, 2)).toEqual(["CMD", "/app/node"]);
});

test("holds Node, the bundle and the licence on top of its base, and no trace of the build's registry", async () => {
  const mounted = await buildah("mount", container);
  const added = listFiles(mounted).filter((file) => !/^\/(usr\/)?lib(64)?\//.test(file));
  expect(added.filter((file) => file.startsWith("/app/")).sort()).toEqual([
    "/app/LICENSE",
    "/app/node",
    "/app/outrider-aws.mjs",
    "/app/outrider-policy.mjs",
    "/app/outrider.mjs",
  ]);
  // What is left is written by buildah for the container, and empty in the image.
  expect(added.filter((file) => !/^\/(app|etc|run)\//.test(file))).toEqual([]);
  const host = new URL(execFileSync("npm", ["config", "get", "registry"], { cwd: folder, encoding: "utf8" }).trim())
    .host;
  expect(inspected.includes(host), "the registry's host is in the image's history").toBe(false);
  expect(readFileSync(join(mounted, "app/outrider.mjs"), "utf8").includes(host), "… or in the bundle").toBe(false);
});

test("brings the Node that package-lock.json pins", async () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string }>;
  };
  expect(await buildah(...inside(["/app/node", "--version"]))).toBe(`v${lock.packages["node_modules/node"]?.version}`);
});

test("answers /livez and proxied calls as a user that is not root, and is healthy", async () => {
  const store = ["--storage-driver", "vfs", "--root", join(folder, "store"), "--runroot", join(folder, "run")];
  running = spawn(buildahPath, [...store, ...inside([...config.Entrypoint, ...config.Cmd])], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [running.stdout, running.stderr])
    stream?.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  await waitFor("/livez", async () => {
    if (running?.exitCode !== null) throw new Error(`ended at once:\n${printed}`);
    return (
      (await fetch(`${adminUrl}/livez`).then(
        (answer) => answer.ok,
        () => false,
      )) || undefined
    );
  });

  const ask = (stream: boolean) =>
    fetch(`${dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer test-key" },
      body: JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: "Hello?" }] }),
    });
  const plain = await ask(false);
  expect(plain.status).toBe(200);
  expect(plain.headers.get("x-outrider-served-by")).toBe("openai/gpt-4o-mini");
  expect(await plain.json()).toMatchObject({ object: "chat.completion", model: "gpt-4o-mini-2024-07-18" });
  const streamed = await ask(true);
  expect(streamed.headers.get("content-type")).toContain("text/event-stream");
  expect(await streamed.text()).toMatch(/data: \[DONE\]\n\n$/);

  expect(processStatus(findProcess(), "Uid")).toEqual(["10001", "10001", "10001", "10001"]);
  await buildah(...inside(config.Healthcheck.Test.slice(1)));
});

test("ends with code 0 on its stop signal, and then counts as ill", async () => {
  const exited = new Promise<number | null>((resolve) => running?.once("exit", resolve));
  process.kill(findProcess(), config.StopSignal);
  expect(await exited, printed).toBe(0);
  await expect(buildah(...inside(config.Healthcheck.Test.slice(1)))).rejects.toThrow("exit status 1");
});

/** Outrider's own pid: the last of the processes that buildah puts around it. */
function findProcess(): number {
  let pid = running?.pid ?? 0;
  for (let next = readChildren(pid); next !== ""; next = readChildren(pid)) pid = Number(next.split(" ")[0]);
  return pid;
}

/** Children of all threads of a process, separated by spaces. */
function readChildren(pid: number): string {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim())
    .filter((children) => children !== "")
    .join(" ");
}

function processStatus(pid: number, key: string): string[] {
  const line = readFileSync(`/proc/${pid}/status`, "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${key}:`));
  return line?.split(/\s+/).slice(1) ?? [];
}

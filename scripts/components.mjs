#!/usr/bin/env node
// Installs the real components that `npm run test:real` runs against, caches them, and says where they are.
// Usage: node scripts/components.mjs [--list | --print-dir] [name…]     (no name: all of them)
// A component is in the cache whole or not at all: it is made in a temporary folder that is renamed at the end.
// Plain Node >= 20 without packages; otherwise Debian 12 with apt, go, python3 and npm is all it expects.
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { catalogue, installPackages } from "./components/catalogue.mjs";
import { withLock } from "./components/lock.mjs";

/** @returns {string} the cache folder: $OUTRIDER_COMPONENTS_DIR, else `outrider-components` in the user's cache folder. */
export function componentsDir() {
  const userCache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(process.env.OUTRIDER_COMPONENTS_DIR || join(userCache, "outrider-components"));
}

/**
 * Installs what is missing of the named components (default: all) and says where they are; progress goes to stderr.
 * @param {string[]} [names]
 * @returns {Promise<Record<string, Record<string, string>>>} version and absolute paths by name, see components.d.mts
 * @throws when one cannot be installed, with the last 30 lines of its log in the message; the other lanes are finished first
 */
export async function ensureComponents(names = Object.keys(catalogue)) {
  checkNames(names);
  fs.mkdirSync(componentsDir(), { recursive: true });
  const lanes = [...new Set(names.map((name) => catalogue[name].lane))];
  const ofLane = (lane) => names.filter((name) => catalogue[name].lane === lane);
  const results = await Promise.allSettled(lanes.map((lane) => installLane(lane, ofLane(lane))));
  const failures = results.filter((result) => result.status === "rejected");
  if (failures.length > 0) throw new Error(failures.map((failure) => failure.reason.message).join("\n\n"));
  return Object.fromEntries(names.map((name) => [name, locateComponent(name)]));
}

function checkNames(names) {
  const unknown = names.filter((name) => !Object.hasOwn(catalogue, name));
  if (unknown.length === 0) return;
  throw new Error(`no component ${unknown.join(", ")}; there are: ${Object.keys(catalogue).join(", ")}`);
}

async function installLane(lane, names) {
  const lock = join(componentsDir(), `${lane}.lock`);
  const onWait = (pid) => report(`waiting for process ${pid}, which is installing ${lane} components`);
  const goCacheDir = join(componentsDir(), "go-cache");
  let installed = false;
  for (const name of names) {
    if (locateComponent(name)) continue;
    await withLock(lock, onWait, async () => {
      if (locateComponent(name)) return; // another run did it while this one waited
      await installComponent(name, goCacheDir);
      installed = true;
    });
  }
  // Gigabytes that only a next build would use; a failed run does not get here, so its repetition goes on from them.
  if (installed && lane === "go") {
    await withLock(lock, onWait, () => fs.rmSync(goCacheDir, { recursive: true, force: true }));
  }
}

async function installComponent(name, goCacheDir) {
  const { version, files, packages, commands, needs, install } = catalogue[name];
  for (const [program, why] of Object.entries(needs)) {
    if (!findCommand(program)) throw new Error(`${name}: \`${program}\` is missing on the PATH (${why})`);
  }
  report(`${name}: installing${version ? ` ${version}` : ""} …`);
  const startMs = Date.now();
  const run = openRunner(name);
  if (packages && !Object.values(commands).every(findCommand)) await installPackages(packages, run);
  if (install) {
    await fillFolder(componentFolder(name), Object.values(files), (folder) => install({ folder, run, goCacheDir }));
  }
  if (!locateComponent(name)) throw new Error(`${name}: still missing after a successful installation`);
  report(`${name}: installed in ${Math.round((Date.now() - startMs) / 1000)} s`);
}

/** Fills a folder beside the target, keeps only `paths` of it, and renames it to the target. */
async function fillFolder(target, paths, fill) {
  const partial = `${target}.partial-${process.pid}`;
  const kept = new Set(paths.map((path) => path.split("/")[0]));
  removePartials(target);
  try {
    fs.mkdirSync(partial);
    await fill(partial);
    for (const entry of fs.readdirSync(partial)) {
      if (!kept.has(entry)) fs.rmSync(join(partial, entry), { recursive: true });
    }
    fs.rmSync(target, { recursive: true, force: true }); // a folder that lost one of its files
    fs.renameSync(partial, target);
  } finally {
    removePartials(target);
  }
}

/** Removes what this run did not finish, and what earlier, killed ones left. */
function removePartials(target) {
  const entries = fs.readdirSync(componentsDir()).filter((entry) => entry.startsWith(`${basename(target)}.partial-`));
  for (const entry of entries) {
    try {
      fs.rmSync(join(componentsDir(), entry), { recursive: true });
    } catch {
      // A command that outlived a killed run is still writing there, or wrote it as root: it is in nobody's way.
    }
  }
}

const children = new Set();

/** @returns a function that runs a command with all its output in the component's log, and rejects with the log's end. */
function openRunner(name) {
  const logs = join(componentsDir(), "logs");
  fs.mkdirSync(logs, { recursive: true });
  const logPath = join(logs, `${name}.log`);
  fs.writeFileSync(logPath, "");
  return async (command, args, { cwd, env } = {}) => {
    fs.appendFileSync(logPath, `$ ${command} ${args.join(" ")}\n`);
    const log = fs.openSync(logPath, "a");
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", log, log] });
    fs.closeSync(log);
    children.add(child);
    const outcome = await new Promise((done) => {
      child.once("error", (error) => done(error.message));
      child.once("exit", (code, signal) => done(code ?? signal));
    });
    children.delete(child);
    if (outcome === 0) return;
    const end = fs.readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-30).join("\n");
    throw new Error(`${name}: ${basename(command)} failed (${outcome}); the end of ${logPath}:\n${end}`);
  };
}

function componentFolder(name) {
  const { folder, version } = catalogue[name];
  return join(componentsDir(), folder ?? `${name}-${version}`);
}

/** @returns {Record<string, string> | undefined} version and absolute paths; undefined while any of them is missing. */
function locateComponent(name) {
  const { version, files = {}, commands = {}, packages } = catalogue[name];
  const found = { version: version ?? "" };
  for (const [key, path] of Object.entries(files)) found[key] = join(componentFolder(name), path);
  if (!Object.keys(files).every((key) => fs.existsSync(found[key]))) return undefined;
  for (const [key, command] of Object.entries(commands)) {
    const path = findCommand(command);
    if (!path) return undefined;
    found[key] = path;
  }
  found.version ||= findPackageVersion(packages[0]);
  return found;
}

function findCommand(command) {
  // A plain user's PATH may lack the last two, where Debian puts debootstrap.
  const folders = [...process.env.PATH.split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, command)).find((path) => fs.existsSync(path));
}

function findPackageVersion(name) {
  try {
    const quiet = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
    return execFileSync("dpkg-query", ["-W", "-f", "${Version}", name], quiet);
  } catch {
    return "unknown"; // the program is on the PATH, but not from a Debian package
  }
}

function report(line) {
  process.stderr.write(`components: ${line}\n`);
}

function printColumns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
}

function printTable(names) {
  const rows = names.map((name) => {
    const found = locateComponent(name);
    return [name, found?.version ?? catalogue[name].version ?? "-", found ? "installed" : "missing"];
  });
  printColumns([["COMPONENT", "VERSION", "STATE"], ...rows]);
}

async function installAndPrint(names) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => {
      for (const child of children) child.kill(signal);
      process.exit(1);
    });
  }
  const components = await ensureComponents(names);
  const rows = Object.entries(components).flatMap(([name, { version, ...paths }]) =>
    Object.entries(paths).map(([key, path]) => [name, version, key, path]),
  );
  printColumns(rows);
}

async function main(args) {
  if (args.includes("--print-dir")) return console.log(componentsDir());
  const given = args.filter((arg) => arg !== "--list");
  const names = given.length > 0 ? given : Object.keys(catalogue);
  checkNames(names);
  return args.includes("--list") ? printTable(names) : installAndPrint(names);
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

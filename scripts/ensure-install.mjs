// Runs before `npm start`, `npm test` and their like: installs the locked dependencies when they are missing or stale.
// Plain JavaScript for any Node from 20 on, because this runs before the project's own Node is there.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.outrider-installed`;
const lock = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  process.stderr.write("installing dependencies (npm ci) …\n");
  // npm names the shell's own npm in npm_execpath; run by itself this script takes npm from the path.
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined ? ["npm", []] : [process.execPath, [npm]];
  const args = [...first, "ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    process.stderr.write("npm ci failed; see above\n");
    process.exit(status ?? 1);
  }
  writeFileSync(stamp, lock);
}

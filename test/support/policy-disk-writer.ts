// A program that only writes copies of a policy, over and over, until it is killed: `node policy-disk-writer.ts FOLDER PLACE START`.
// Copy N is `version: N` padded to 256 KiB; each number is printed once its write is done.
import { openDiskCopies } from "../../src/policy/disk.ts";

const [folder = "", place = "", start = "1"] = process.argv.slice(2);
const copies = openDiskCopies(folder, place);
for (let version = Number(start); ; version++) {
  await copies.write(Buffer.from(`version: ${version}\n# ${"x".repeat(256 * 1024)}\n`));
  process.stdout.write(`${version}\n`);
}

// Room cli: ends the process on a Node that is too old, before anything that needs a newer one is evaluated.
// Invariant: the first import of the room's door, and it imports nothing itself.

const oldest = [22, 19] as const;

/** The line for a person on a Node that is too old; undefined on any other. `running` as in `process.versions.node`. */
export function explainOldNode(running: string): string | undefined {
  const [major = 0, minor = 0] = running.split(".").map(Number);
  const old = major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
  return old
    ? `outrider needs Node ${oldest.join(".")} or newer, this is ${running}; npm start and npx outrider bring their own`
    : undefined;
}

const refusal = explainOldNode(process.versions.node);
if (refusal !== undefined) {
  process.stderr.write(`${refusal}\n`);
  process.exit(2);
}

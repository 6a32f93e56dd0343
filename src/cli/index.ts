// Room cli: its only door.
// Invariant: main.ts needs nothing else.
import "./node-version.ts";

export { runCommandLine } from "./program.ts";
export { processShell, type Shell } from "./shell.ts";

// Room cli: its only door.
// Invariant: main.ts needs nothing else.
export { runCommandLine } from "./program.ts";
export { processShell, type Shell } from "./shell.ts";

// The process: arguments in, exit code out. Everything else is in cli/.
// Invariant: nothing runs after the command has given its exit code.

import { processShell, runCommandLine } from "./cli/index.ts";

process.exit(await runCommandLine(process.argv.slice(2), processShell()));

// Room policy: the thread that parses one large document. A bundle of its own beside the main one (dist/outrider-policy.mjs).
// Invariant: it gets bytes, gives one message and ends.

import { parentPort, workerData } from "node:worker_threads";
import { parseText } from "./parse.ts";

parentPort?.postMessage(parseText(workerData as Uint8Array), []);

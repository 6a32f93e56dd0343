// Loads recorded provider traffic for tests: from OUTRIDER_RECORDINGS, else beside the repository, else the committed subset.
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Recording {
  id: string;
  provider: string;
  dialect: string;
  operation: string;
  model: string | null;
  streaming: boolean;
  framing: "json" | "sse" | "ndjson" | "eventstream" | "text" | "binary";
  features: string[];
  fidelity: {
    request: "exact" | "reserialized" | "absent";
    response: "exact" | "normalized" | "reserialized" | "reframed";
  };
  notes?: Record<string, unknown> | string[] | string;
  request: { method: string; url: string; headers: Record<string, string>; body?: unknown; bodyBase64?: string };
  response: { status: number; headers: Record<string, string>; bodyText?: string; bodyBase64?: string };
  usage?: Record<string, unknown>;
}

const repositoryRoot = fileURLToPath(new URL("../../", import.meta.url));
const candidates = [
  process.env["OUTRIDER_RECORDINGS"],
  `${repositoryRoot}../shared/recordings`,
  `${repositoryRoot}test/fixtures/recordings`,
];

/** The folder the recordings of this run come from. */
export const recordingsRoot: string = (() => {
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error("no recordings found: set OUTRIDER_RECORDINGS");
  return found;
})();

/** All recordings of the named dialect folders, sorted by id; never empty. */
export function loadRecordings(...dialects: string[]): Recording[] {
  const pattern = dialects.length === 1 ? `${dialects[0]}/*/*.json` : `{${dialects.join(",")}}/*/*.json`;
  const paths = globSync(pattern, { cwd: recordingsRoot }).sort();
  if (paths.length === 0) throw new Error(`no recordings of ${dialects.join(", ")} under ${recordingsRoot}`);
  return paths.map((path) => JSON.parse(readFileSync(`${recordingsRoot}/${path}`, "utf8")) as Recording);
}

/** The response body as it was received. */
export function responseBytes(recording: Recording): Buffer {
  const { bodyText, bodyBase64 } = recording.response;
  return bodyText === undefined ? Buffer.from(bodyBase64 ?? "", "base64") : Buffer.from(bodyText);
}

/** The response body as a JSON object. */
export function jsonBody(recording: Recording): Record<string, unknown> {
  return JSON.parse(responseBytes(recording).toString()) as Record<string, unknown>;
}

/** The request body to send; empty where the recording has none. */
export function requestBytes(recording: Recording): Buffer {
  const { body, bodyBase64 } = recording.request;
  if (bodyBase64 !== undefined) return Buffer.from(bodyBase64, "base64");
  return body === undefined || body === null ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body));
}

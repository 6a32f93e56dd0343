// The usage oracle: real answers reduced to their usage, and what pydantic/genai-prices reads from each (see the recordings' README).
import { readFileSync } from "node:fs";
import { recordingsRoot } from "./recordings.ts";

export interface OracleExtractor {
  provider_id: string;
  api_flavor: string;
}

export interface OracleRecord {
  id: string;
  body: Record<string, unknown>;
  /** One entry for each reading; counts that are 0 are left out. */
  extracted: { usage: Record<string, number>; extractors: OracleExtractor[] }[];
}

/** Every record; throws where the recordings have no oracle. */
export function loadOracle(): OracleRecord[] {
  const { records } = JSON.parse(readFileSync(`${recordingsRoot}/usage-oracle.json`, "utf8")) as {
    records: OracleRecord[];
  };
  return records;
}

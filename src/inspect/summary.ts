// Room inspect: one exchange in one flat object, as `/exchanges` shows it. docs/admin.md describes every field.
// Invariant: no content, no header, no query string, no credential: only names, counts and times of the closed record.

import type { AttemptGroup, CostStatus, ExchangeEnd, ExchangeRecord } from "../record/index.ts";
import type { Usage, UsageSource } from "../canonical/index.ts";

/** Token counts of an exchange, summed over its attempt groups. A count that nobody stated is absent, never 0. */
export interface SummaryUsage {
  source: UsageSource;
  inputTokens?: number;
  outputTokens?: number;
  cacheReadTokens?: number;
  cacheWriteTokens?: number;
  reasoningTokens?: number;
}

/** A closed exchange without its content. Absent fields were not known. */
export interface ExchangeSummary {
  id: string;
  traceId?: string;
  /** When the request arrived: ISO 8601, UTC, milliseconds. */
  time: string;
  method: string;
  /** `http.route`, else the path, cut to 200 characters. */
  route: string;
  app?: string;
  dialect?: string;
  operation?: string;
  relayMode?: string;
  stream: boolean;
  /** The provider that served, else the one addressed. */
  provider?: string;
  requestModel?: string;
  responseModel?: string;
  /** Absent when no answer was written. */
  status?: number;
  end?: ExchangeEnd;
  durationMs?: number;
  timeToFirstChunkMs?: number;
  overheadMs?: number;
  requestBytes: number;
  responseBytes: number;
  /** Absent when no attempt was made. */
  usage?: SummaryUsage;
  /** Whole nano-dollars; absent when any attempt's price is missing: an unknown price is never 0. */
  costNanoUsd?: number;
  costStatus?: CostStatus;
  /** Wire attempts over all groups. */
  attempts: number;
  errorCode?: string;
  policyVersion?: string;
}

const longestName = 200;

/** Reduces a closed record to what may be shown. One assignment a field: this runs for every exchange. */
export function summarize(record: ExchangeRecord): ExchangeSummary {
  const { http, groups, overheadMs } = record;
  const served = groups.at(-1);
  const summary: ExchangeSummary = {
    id: record.id,
    time: new Date(record.startedAtMs).toISOString(),
    method: http.method,
    route: cut(http.route ?? http.path),
    stream: record.stream,
    requestBytes: http.requestBytes,
    responseBytes: http.responseBytes,
    attempts: countAttempts(groups),
  };
  if (record.traceId !== undefined) summary.traceId = record.traceId;
  if (record.app !== undefined) summary.app = record.app;
  if (record.dialect !== undefined) summary.dialect = record.dialect;
  if (record.operation !== undefined) summary.operation = record.operation.name ?? record.operation.kind;
  if (record.relayMode !== undefined) summary.relayMode = record.relayMode;
  const provider = served?.provider ?? record.provider;
  if (provider !== undefined) summary.provider = provider;
  const requestModel = record.request?.model ?? served?.requestModel;
  if (requestModel !== undefined) summary.requestModel = cut(requestModel);
  if (served?.response?.model !== undefined) summary.responseModel = cut(served.response.model);
  if (http.statusCode !== undefined) summary.status = http.statusCode;
  if (record.end !== undefined) summary.end = record.end;
  if (record.durationMs !== undefined) summary.durationMs = round(record.durationMs);
  if (served?.timeToFirstChunkMs !== undefined) summary.timeToFirstChunkMs = round(served.timeToFirstChunkMs);
  if (overheadMs !== undefined) summary.overheadMs = round(overheadMs.total);
  if (served !== undefined) summary.usage = sumUsage(groups, served);
  writeCost(summary, groups);
  const failure = record.failure ?? served?.failure;
  if (failure !== undefined) summary.errorCode = failure.code;
  if (record.policyVersion !== undefined) summary.policyVersion = record.policyVersion;
  return summary;
}

function countAttempts(groups: readonly AttemptGroup[]): number {
  let attempts = 0;
  for (const group of groups) attempts += group.attempts.length;
  return attempts;
}

function cut(name: string): string {
  return name.length <= longestName ? name : `${name.slice(0, longestName)}…`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

const summedCounts = [
  "inputTokens",
  "outputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "reasoningTokens",
] as const satisfies readonly (keyof Usage)[];

const sourceRank: Record<UsageSource, number> = { provider: 0, estimated: 1, missing: 2 };

function sumUsage(groups: readonly AttemptGroup[], served: AttemptGroup): SummaryUsage {
  let sum: SummaryUsage | undefined;
  for (const { usage, usageSource } of groups) {
    // An attempt that failed without usage adds nothing.
    if (usage === undefined) continue;
    sum ??= { source: usageSource };
    // The least sure source of what was added up.
    if (sourceRank[usageSource] > sourceRank[sum.source]) sum.source = usageSource;
    for (const name of summedCounts) {
      const count = usage[name];
      if (count !== undefined) sum[name] = (sum[name] ?? 0) + count;
    }
  }
  return sum ?? { source: served.usageSource };
}

const costRank: Record<CostStatus, number> = { exact: 0, alias: 1, assumed: 2, missing: 3 };

function writeCost(summary: ExchangeSummary, groups: readonly AttemptGroup[]): void {
  let status: CostStatus | undefined;
  let nanoUsd = 0;
  for (const { cost } of groups) {
    if (cost === undefined) continue;
    if (status === undefined || costRank[cost.status] > costRank[status]) status = cost.status;
    nanoUsd += cost.nanoUsd ?? 0;
  }
  if (status === undefined) return;
  summary.costStatus = status;
  if (status !== "missing") summary.costNanoUsd = nanoUsd;
}

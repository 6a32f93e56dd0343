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
  traceId?: string | undefined;
  /** When the request arrived: ISO 8601, UTC, milliseconds. */
  time: string;
  method: string;
  /** `http.route`, else the path, cut to 200 characters. */
  route: string;
  app?: string | undefined;
  dialect?: string | undefined;
  operation?: string | undefined;
  relayMode?: string | undefined;
  stream: boolean;
  /** The provider that served, else the one addressed. */
  provider?: string | undefined;
  requestModel?: string | undefined;
  responseModel?: string | undefined;
  /** Absent when no answer was written. */
  status?: number | undefined;
  end?: ExchangeEnd | undefined;
  durationMs?: number | undefined;
  timeToFirstChunkMs?: number | undefined;
  overheadMs?: number | undefined;
  requestBytes: number;
  responseBytes: number;
  /** Absent when no attempt was made. */
  usage?: SummaryUsage | undefined;
  /** Whole nano-dollars; absent when any attempt's price is missing: an unknown price is never 0. */
  costNanoUsd?: number | undefined;
  costStatus?: CostStatus | undefined;
  /** Wire attempts over all groups. */
  attempts: number;
  errorCode?: string | undefined;
  policyVersion?: string | undefined;
}

const longestName = 200;

/** Reduces a closed record to what may be shown. One literal, so that all summaries have one shape: this runs for every exchange. */
export function summarize(record: ExchangeRecord): ExchangeSummary {
  const { http, groups, overheadMs, operation } = record;
  const served = record.served ?? groups.at(-1);
  const cost = sumCost(groups);
  return {
    id: record.id,
    traceId: record.traceId,
    time: new Date(record.startedAtMs).toISOString(),
    method: http.method,
    route: cut(http.route ?? http.path),
    app: record.app,
    dialect: record.dialect,
    operation: operation?.name ?? operation?.kind,
    relayMode: record.relayMode,
    stream: record.stream,
    provider: served?.provider ?? record.provider,
    requestModel: cut(record.request?.model ?? served?.requestModel),
    responseModel: cut(served?.response?.model),
    status: http.statusCode,
    end: record.end,
    durationMs: round(record.durationMs),
    timeToFirstChunkMs: round(served?.timeToFirstChunkMs),
    overheadMs: round(overheadMs?.total),
    requestBytes: http.requestBytes,
    responseBytes: http.responseBytes,
    usage: served === undefined ? undefined : sumUsage(groups, served),
    costNanoUsd: cost?.status === "missing" ? undefined : cost?.nanoUsd,
    costStatus: cost?.status,
    attempts: countAttempts(groups),
    errorCode: (record.failure ?? served?.failure)?.code,
    policyVersion: record.policyVersion,
  };
}

function countAttempts(groups: readonly AttemptGroup[]): number {
  let attempts = 0;
  for (const group of groups) attempts += group.attempts.length;
  return attempts;
}

function cut(name: string): string;
function cut(name: string | undefined): string | undefined;
function cut(name: string | undefined): string | undefined {
  return name === undefined || name.length <= longestName ? name : `${name.slice(0, longestName)}…`;
}

function round(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 1000) / 1000;
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

/** Undefined when no attempt was priced; any missing price makes the whole missing. */
function sumCost(groups: readonly AttemptGroup[]): { status: CostStatus; nanoUsd: number } | undefined {
  let status: CostStatus | undefined;
  let nanoUsd = 0;
  for (const { cost } of groups) {
    if (cost === undefined) continue;
    if (status === undefined || costRank[cost.status] > costRank[status]) status = cost.status;
    nanoUsd += cost.nanoUsd ?? 0;
  }
  return status === undefined ? undefined : { status, nanoUsd };
}

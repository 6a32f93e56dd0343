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

/** Reduces a closed record to what may be shown. */
export function summarize(record: ExchangeRecord): ExchangeSummary {
  const served = record.groups.at(-1);
  const cost = sumCost(record.groups);
  const optional = {
    traceId: record.traceId,
    app: record.app,
    dialect: record.dialect,
    operation: record.operation?.name ?? record.operation?.kind,
    relayMode: record.relayMode,
    provider: served?.provider ?? record.provider,
    requestModel: cut(record.request?.model ?? served?.requestModel),
    responseModel: cut(served?.response?.model),
    status: record.http.statusCode,
    end: record.end,
    durationMs: round(record.durationMs),
    timeToFirstChunkMs: round(served?.timeToFirstChunkMs),
    overheadMs: round(record.overheadMs?.total),
    usage: sumUsage(record.groups),
    costNanoUsd: cost?.nanoUsd,
    costStatus: cost?.status,
    errorCode: record.failure?.code ?? served?.failure?.code,
    policyVersion: record.policyVersion,
  };
  return {
    id: record.id,
    time: new Date(record.startedAtMs).toISOString(),
    method: record.http.method,
    route: cut(record.http.route ?? record.http.path) ?? "",
    stream: record.stream,
    requestBytes: record.http.requestBytes,
    responseBytes: record.http.responseBytes,
    attempts: record.groups.reduce((sum, group) => sum + group.attempts.length, 0),
    ...dropUndefined(optional),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function dropUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter((entry) => entry[1] !== undefined)) as Defined<T>;
}

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

function sumUsage(groups: readonly AttemptGroup[]): SummaryUsage | undefined {
  const served = groups.at(-1);
  if (served === undefined) return undefined;
  const counted = groups.filter((group) => group.usage !== undefined);
  const sum: SummaryUsage = {
    // The least sure source of what was added up; an attempt that failed without usage adds nothing.
    source: counted.reduce<UsageSource>(
      (worst, { usageSource }) => (sourceRank[usageSource] > sourceRank[worst] ? usageSource : worst),
      counted[0]?.usageSource ?? served.usageSource,
    ),
  };
  for (const { usage } of counted) {
    for (const name of summedCounts) {
      const count = usage?.[name];
      if (count !== undefined) sum[name] = (sum[name] ?? 0) + count;
    }
  }
  return sum;
}

const costRank: Record<CostStatus, number> = { exact: 0, alias: 1, assumed: 2, missing: 3 };

function sumCost(groups: readonly AttemptGroup[]): { status: CostStatus; nanoUsd?: number } | undefined {
  const costs = groups.flatMap((group) => group.cost ?? []);
  const [first] = costs;
  if (first === undefined) return undefined;
  const status = costs.reduce(
    (worst, cost) => (costRank[cost.status] > costRank[worst] ? cost.status : worst),
    first.status,
  );
  if (status === "missing") return { status };
  return { status, nanoUsd: costs.reduce((sum, cost) => sum + (cost.nanoUsd ?? 0), 0) };
}

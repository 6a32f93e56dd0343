// Composition root, and the library entry: builds every room from options and gives one thing to start and stop.
// Invariant: two sidecars in one process share nothing.

import { randomUUID } from "node:crypto";
import { systemClock } from "./clock.ts";
import { SidecarError } from "./errors.ts";
import { createInspector } from "./inspect/index.ts";
import type { Options } from "./options.ts";
import { createPolicyStore, type PolicyEvent, type PolicyStore } from "./policy/index.ts";
import { createAuthorizers, createCredentials } from "./providers/index.ts";
import {
  createAdminServer,
  createDataServer,
  createGuard,
  createTunnels,
  createUpstream,
  DeferredWork,
  explainCall,
  type Rooms,
  runExchange,
} from "./proxy/index.ts";
import type { ExchangeRecord } from "./record/index.ts";
import { createHealth } from "./routing/index.ts";
import { createPricer } from "./spend/index.ts";
import { createTelemetry, type TelemetryAccounting } from "./telemetry/index.ts";

/** What the operator hears: one call a line, structured. Never content, never a secret. */
export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface SidecarSettings {
  options: Options;
  /** Environment variables; read once. */
  environment: Record<string, string | undefined>;
  version: string;
  log: Log;
  /** Called once with each closed exchange, after telemetry, some milliseconds after its end; must not throw. */
  onExchange?: (record: ExchangeRecord) => void;
}

export interface Sidecar {
  /** Opens the listeners; rejects when a required port is taken. */
  listen(): Promise<{ dataUrls: string[]; adminUrl: string }>;
  /**
   * Readiness off, drains for at most `limits.drainSeconds`, flushes telemetry, closes. Idempotent; `now` skips the drain,
   * `flushMs` is the longest wait for a collector that does not answer, default 2000.
   */
  close(how?: { now?: boolean; flushMs?: number }): Promise<void>;
  /** Telemetry produced, exported, dropped and queued, by signal, since start; final once `close` is done. */
  accounting(): TelemetryAccounting;
}

/** Summaries that the admin port's `/exchanges` remembers. */
const inspectorCapacity = 500;
/** While draining: the app counts as quiet after this long without a request (DESIGN §7, `draining`). */
const quietMs = 2000;
/** Of the drain, kept for the last flush of telemetry. */
const flushMs = 2000;
/** Longest wait for exchanges that were just aborted to close their records. */
const closeMs = 1000;

/**
 * Builds a sidecar; nothing is opened before `listen`.
 * @throws OptionsError for providers, credentials or a source of policy that make no sense
 */
export function createSidecar({ options, environment, version, log, onExchange }: SidecarSettings): Sidecar {
  const clock = systemClock;
  const credentials = createCredentials({ options, environment, clock });
  const pricer = createPricer(options.prices.overrides);
  const instanceId = randomUUID();
  const inspector = createInspector({ capacity: inspectorCapacity });
  const telemetry = createTelemetry({
    options: options.telemetry,
    app: options.app,
    environment,
    clock,
    version,
    instanceId,
    log,
    isKnownModel: (providerId, model) => {
      const { providers, pricer, routing } = policy.current;
      const provider = providers.get(providerId);
      if (provider === undefined) return false;
      return pricer.knows(provider, model, clock.epochMs()) || routing?.models.has(`${providerId}/${model}`) === true;
    },
  });
  const policy: PolicyStore = createPolicyStore({
    options,
    environment,
    clock,
    random: Math.random,
    instanceId,
    pricer,
    onEvent: (event) => {
      telemetry.reportPolicy(event);
      logPolicyEvent(log, event);
    },
    onReload: (outcome) => telemetry.countPolicyReload(outcome),
  });
  telemetry.watchPolicy(() => policy.status());
  const upstream = createUpstream({
    connectTimeoutMs: () => policy.current.timeouts.connectMs,
    maxConnections: options.limits.maxConnections,
  });

  const tunnels = createTunnels();

  const health = createHealth(clock, Math.random);
  telemetry.watchBreakers(() => health.breakers());

  let isPastDrain = false;
  const exchanges = { started: 0, ended: 0 };
  const rooms: Rooms = {
    options,
    app: options.app ?? environment["OTEL_SERVICE_NAME"],
    clock,
    guard: createGuard(options.hosts),
    policy,
    health,
    credentials,
    authorizers: createAuthorizers({ environment, clock }),
    telemetry,
    upstream,
    tunnels,
    deferred: new DeferredWork((error) =>
      log.error({ error: String(error) }, "an exchange that ended could not be told of"),
    ),
    isClosing: () => isPastDrain,
    onClosed: (record) => {
      exchanges.ended += 1;
      inspector.add(record);
      onExchange?.(record);
    },
  };
  const data = createDataServer({
    addresses: options.listen,
    maxConnections: options.limits.maxConnections,
    onRequest: (inbound) => {
      exchanges.started += 1;
      return runExchange(inbound, rooms);
    },
    onRefused: (code) => log.warn({ code }, "refused a connection that sent no valid request"),
  });

  let dataUrls: string[] = [];
  let draining = false;
  const admin = createAdminServer({
    address: options.admin,
    hosts: options.hosts,
    readiness: () => {
      const started = dataUrls.length > 0;
      if (draining) return { started, ready: false, reason: "draining" };
      return started ? { started, ...policy.readiness() } : { started, ready: false, reason: "not listening yet" };
    },
    inspector,
    exposition: () => telemetry.exposition(),
    accounting: () => telemetry.accounting(),
    status: () => ({
      version,
      listeners: dataUrls,
      exchanges: { ...exchanges, inFlight: exchanges.started - exchanges.ended },
      policy: policy.status(),
    }),
    explain: (question) =>
      explainCall(question, {
        snapshot: policy.pick(),
        health,
        credentials,
        epochMs: () => clock.epochMs(),
      }),
  });

  async function drain(): Promise<void> {
    draining = true;
    data.startDraining();
    const isQuiet = (): boolean => hurried || (data.active === 0 && clock.nowMs() - data.lastRequestAtMs >= quietMs);
    await waitUntil(isQuiet, options.limits.drainSeconds * 1000 - flushMs);
  }

  let closing: Promise<void> | undefined;
  /** A second `close` with `now` cuts the drain of the first short. */
  let hurried = false;
  async function close(longestFlushMs: number): Promise<void> {
    if (!hurried) await drain();
    draining = true;
    isPastDrain = true;
    policy.stop();
    // What is still under way gets its dialect's error, is written down, and only then loses its connection.
    const error = new SidecarError("draining", "Outrider is shutting down");
    upstream.abortAll(error);
    tunnels.closeAll(error);
    await waitUntil(() => exchanges.started === exchanges.ended, closeMs);
    await data.close();
    await waitUntil(() => exchanges.started === exchanges.ended, closeMs);
    await upstream.close();
    await admin.close();
    await telemetry.shutdown(longestFlushMs);
  }

  return {
    async listen() {
      const loading = pricer.load();
      try {
        await policy.start();
        dataUrls = await data.listen();
        const adminUrl = await admin.listen();
        await loading;
        return { dataUrls, adminUrl };
      } catch (error) {
        policy.stop();
        await Promise.all([data.close(), admin.close(), upstream.close(), telemetry.shutdown(0)]);
        throw error;
      }
    },
    close(how = {}) {
      if (how.now === true) hurried = true;
      return (closing ??= close(how.flushMs ?? flushMs));
    },
    accounting: () => telemetry.accounting(),
  };
}

/** Loud where something is wrong, one line where a policy was taken. */
function logPolicyEvent(log: Log, event: PolicyEvent): void {
  const { type, ...fields } = event;
  const message = policyMessages[type];
  if (type === "applied") log.info(fields, message);
  else if (type === "rolled_back") log.error(fields, message);
  else log.warn(fields, message);
}

const policyMessages: Record<PolicyEvent["type"], string> = {
  applied: "policy in force",
  rejected: "policy refused; the one in force stays",
  stale: "policy not confirmed by its source",
  rolled_back: "policy candidate rolled back on this instance",
  unsaved: "policy not saved on disk",
};

/** Polls until `condition` holds or `timeoutMs` are over. */
async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadlineMs = systemClock.nowMs() + timeoutMs;
  while (!condition() && systemClock.nowMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

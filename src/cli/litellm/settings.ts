// Room cli: LiteLLM's `router_settings`, `litellm_settings` and the rest: retries, cooldowns, timeouts, what to do with parameters.
// Invariant: every key is read or told; where two places say the same, LiteLLM's order holds: the router's first.

import type { Notes } from "./notes.ts";
import { Section } from "./section.ts";

/** The settings of a policy. */
export interface PolicySettings {
  retry?: { maxAttempts: number; backoff?: { baseMs: number; maxMs: number } };
  timeouts?: { firstByteMs?: number; firstTokenMs?: number };
  breaker?: { window: string; minRequests?: number; openFor?: string };
  losses?: { tuning: "report" };
}

/** The two sections that say much of the same. */
export class Settings {
  readonly router: Section;
  readonly module: Section;
  readonly #notes: Notes;

  constructor(configuration: Readonly<Record<string, unknown>>, notes: Notes) {
    this.router = new Section(configuration["router_settings"], { key: "router_settings" }, notes);
    this.module = new Section(configuration["litellm_settings"], { key: "litellm_settings" }, notes);
    this.#notes = notes;
  }

  /** From the router's section, else the module's; the place it came from. */
  first<Value>(key: string, read: (section: Section, key: string) => Value | undefined): Found<Value> | undefined {
    const router = read(this.router, key);
    const module = read(this.module, key);
    if (router !== undefined) {
      if (module !== undefined) this.module.note(key, "router_settings says it too, and wins, as for LiteLLM");
      return { value: router, section: this.router };
    }
    return module === undefined ? undefined : { value: module, section: this.module };
  }

  number(key: string): Found<number> | undefined {
    return this.first(key, (section, name) => section.number(name));
  }

  /** Tells what nobody read, of these sections and of the whole. */
  close(configuration: Readonly<Record<string, unknown>>, read: ReadonlySet<string>): void {
    this.router.close(explainRouter);
    this.module.close(explainModule);
    for (const key of Object.keys(configuration)) {
      if (read.has(key) || configuration[key] === null) continue;
      if (key === "general_settings" || key === "environment_variables") {
        new Section(configuration[key], { key }, this.#notes).close((name) => explainGeneral(key, name));
      } else {
        const reason = Object.hasOwn(reasonBySection, key) ? reasonBySection[key] : undefined;
        this.#notes.add({ key }, reason ?? "no such section in Outrider");
      }
    }
  }
}

interface Found<Value> {
  value: Value;
  section: Section;
}

const reasonBySection: Readonly<Record<string, string>> = {
  guardrails: "guardrails are not in this version",
  files_settings: "files go to the provider that their path names",
  finetune_settings: "fine-tuning goes to the provider that its path names",
  mcp_servers: "Outrider serves no MCP",
  include: "files that it includes are not read: import each by itself",
};

function explainGeneral(section: string, key: string): string {
  if (section === "environment_variables") return "set it where Outrider is started";
  if (key === "master_key" || key.endsWith("_auth")) return "keys for clients are not in this version";
  if (/budget/.test(key)) return "budgets are not in this version";
  if (/database|_db|redis/.test(key)) return "Outrider has no database";
  return "a setting of LiteLLM's own server";
}

function explainRouter(key: string, value: unknown): string | undefined {
  // Outrider looks at context windows always.
  if (key === "enable_pre_call_checks" && value === true) return undefined;
  if (key.startsWith("redis_") || key === "cache_responses") return "Outrider keeps no shared state and caches nothing";
  if (key === "retry_policy" || key === "model_group_retry_policy")
    return "retries are decided by Outrider's own table of failures";
  if (key === "allowed_fails_policy") return "the breaker counts every failure that is the provider's";
  if (/budget/.test(key)) return "budgets are not in this version";
  return "a setting of LiteLLM's own router";
}

function explainModule(key: string, value: unknown): string | undefined {
  if (value === false && /^(?:set_verbose|cache|telemetry)$/.test(key)) return undefined;
  if (/callback/.test(key)) return "Outrider exports OpenTelemetry: see OTEL_EXPORTER_OTLP_ENDPOINT";
  if (key.startsWith("cache")) return "Outrider caches nothing";
  if (/budget/.test(key)) return "budgets are not in this version";
  if (/guardrail/.test(key)) return "guardrails are not in this version";
  return "a setting of LiteLLM's own library";
}

const mostAttempts = 10;
const longestBackoffMs = 60_000;
const longestTimeoutMs = 3_600_000;

/** Reads what the policy has words for. */
export function readSettings(settings: Settings): PolicySettings {
  const retry = readRetry(settings);
  const timeouts = readTimeouts(settings);
  const breaker = readBreaker(settings);
  const losses = readLosses(settings);
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(breaker === undefined ? {} : { breaker }),
    ...(losses === undefined ? {} : { losses }),
  };
}

function readRetry(settings: Settings): PolicySettings["retry"] {
  const retries = settings.number("num_retries");
  const pause = settings.number("retry_after");
  if (retries === undefined && pause === undefined) return undefined;
  // LiteLLM's own default is two retries.
  const wanted = Math.floor(retries?.value ?? 2) + 1;
  if (wanted > mostAttempts) retries?.section.note("num_retries", `at most ${mostAttempts - 1} retries`);
  const baseMs = Math.min(Math.round((pause?.value ?? 0) * 1000), longestBackoffMs);
  return {
    maxAttempts: Math.min(wanted, mostAttempts),
    ...(baseMs === 0 ? {} : { backoff: { baseMs, maxMs: Math.max(baseMs, 5000) } }),
  };
}

function readTimeouts(settings: Settings): PolicySettings["timeouts"] {
  const router = settings.router.number("timeout");
  const request = settings.router.number("request_timeout") ?? settings.module.number("request_timeout");
  if (router !== undefined && request !== undefined) {
    settings.module.note("request_timeout", "router_settings.timeout says it too, and wins, as for LiteLLM");
  }
  const whole = router ?? request;
  const stream = settings.router.number("stream_timeout");
  if (whole === undefined && stream === undefined) return undefined;
  const toMs = (seconds: number): number => Math.min(Math.max(Math.round(seconds * 1000), 1), longestTimeoutMs);
  if (whole !== undefined) {
    const place = router === undefined ? settings.module : settings.router;
    place.note(
      router === undefined ? "request_timeout" : "timeout",
      "carried over as timeouts.firstByteMs: LiteLLM ends an attempt after it, Outrider one whose answer has not begun",
    );
  }
  return {
    ...(whole === undefined ? {} : { firstByteMs: toMs(whole) }),
    ...(stream === undefined ? {} : { firstTokenMs: toMs(stream) }),
  };
}

function readBreaker(settings: Settings): PolicySettings["breaker"] {
  const fails = settings.number("allowed_fails");
  const cooldown = settings.number("cooldown_time");
  if (fails === undefined && cooldown === undefined) return undefined;
  fails?.section.note(
    "allowed_fails",
    "carried over as breaker.minRequests: LiteLLM counts failures a minute, Outrider their share of at least so many calls",
  );
  // The schema takes 100 ms to an hour.
  const openForMs = cooldown === undefined ? undefined : Math.min(Math.max(cooldown.value * 1000, 100), 3_600_000);
  return {
    window: "60s",
    ...(fails === undefined ? {} : { minRequests: Math.min(Math.max(Math.floor(fails.value) + 1, 1), 1_000_000) }),
    ...(openForMs === undefined ? {} : { openFor: `${Math.round(openForMs)}ms` }),
  };
}

function readLosses({ module }: Settings): PolicySettings["losses"] {
  const drop = module.take("drop_params");
  if (drop === undefined || drop === false) return undefined;
  module.note(
    "drop_params",
    "carried over for what only tunes the answer; tools, output format, media and history are refused unless losses.semantic says report",
  );
  return { tuning: "report" };
}

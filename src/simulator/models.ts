// Simulator: model names. What a provider answers to the name that was asked for, and which fault a `sim-` name orders.

/** Undated names and what the provider reports back; read from recorded traffic. Other names are reported as asked. */
export const datedNames: Readonly<Record<string, string>> = {
  "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
  "gpt-4o": "gpt-4o-2024-08-06",
  "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
  "gpt-4.1": "gpt-4.1-2025-04-14",
  "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
  "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
  "gpt-5": "gpt-5-2025-08-07",
  "gpt-5-mini": "gpt-5-mini-2025-08-07",
  "gpt-5-nano": "gpt-5-nano-2025-08-07",
  "gpt-5.1": "gpt-5.1-2025-11-13",
  "gpt-5.2": "gpt-5.2-2025-12-11",
  "gpt-5.4": "gpt-5.4-2026-03-05",
  "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
  "o3-mini": "o3-mini-2025-01-31",
  "o4-mini": "o4-mini-2025-04-16",
  "claude-haiku-4-5": "claude-haiku-4-5-20251001",
  "claude-sonnet-4-0": "claude-sonnet-4-20250514",
  "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
  "claude-opus-4-1": "claude-opus-4-1-20250805",
  "claude-opus-4-5": "claude-opus-4-5-20251101",
};

/** Names that `/v1/models` lists, besides the `sim-` ones. */
export const listedModels: Readonly<Record<"openai" | "anthropic", readonly string[]>> = {
  openai: [
    ...Object.keys(datedNames).filter((name) => !name.startsWith("claude")),
    "text-embedding-3-small",
    "text-embedding-3-large",
  ],
  anthropic: Object.values(datedNames).filter((name) => name.startsWith("claude")),
};

/** What each `sim-` name does; the table in docs/simulator.md is this one. */
export const faults = {
  ok: "nothing wrong: the plain answer",
  tools: "calls the first two tools of the request at once",
  "429": "429 with `retry-after: 1`",
  quota: "the account has no money: OpenAI 429 `insufficient_quota`, Anthropic 402 `billing_error`",
  auth: "401 as for a wrong key",
  overloaded: "OpenAI 503, Anthropic 529 `overloaded_error`",
  "500": "500 in the provider's shape",
  "not-found": "404: no such model",
  "context-length": "400: the prompt is too long for the model",
  "content-filter": "200, cut short: OpenAI `content_filter`, Anthropic `refusal`",
  slow: "first byte only after `pace.slowMs` (8 s)",
  pings: "stream: head and keep-alives, never content; otherwise: no byte at all",
  stall: "half the body, then silence on an open connection",
  truncate: "half the body, then the connection closes inside it",
  reset: "half the body, then RST",
  "no-terminator":
    "stream: a clean end of the HTTP body with half the events missing; otherwise: half the JSON with a matching length",
  "error-event": "stream: the provider's error event after 200 and half the answer; otherwise: 500",
  html: "200 with an HTML page",
  malformed: "200 with broken JSON; in a stream one broken event among good ones",
  empty: "200 with no body at all",
  redirect: "307 to another path of the simulator, which answers 410",
  "no-usage": "the answer without usage, also when it was asked for",
} as const;

/** The word behind `sim-`. */
export type Fault = keyof typeof faults;

/** A model name, taken apart. */
export interface ModelName {
  fault: Fault;
  /** The fault hits only the first of equal requests (same path, credential and body). */
  once: boolean;
  /** The model name in the answer. */
  answered: string;
}

/** Longest first, so that `sim-no-usage` is not read as `sim-no` of something. */
const faultNames = Object.keys(faults)
  .filter((name): name is Fault => name in faults)
  .sort((a, b) => b.length - a.length);

/**
 * Reads `sim-FAULT`, `sim-FAULT-once` and either with `-REAL-NAME` behind it, which is then the model that answers
 * (`sim-429-once-gpt-4o-mini`). Any other name is a healthy model; undefined for a `sim-` name nobody knows.
 */
export function parseModelName(asked: string): ModelName | undefined {
  if (!asked.startsWith("sim-")) return { fault: "ok", once: false, answered: datedNames[asked] ?? asked };
  const rest = asked.slice(4);
  const fault = faultNames.find((name) => rest === name || rest.startsWith(`${name}-`));
  if (fault === undefined) return undefined;
  let tail = rest.slice(fault.length + 1);
  const once = tail === "once" || tail.startsWith("once-");
  if (once) tail = tail.slice(5);
  return { fault, once, answered: tail === "" ? asked : (datedNames[tail] ?? tail) };
}

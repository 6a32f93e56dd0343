// Room cli: an explanation as text for a person. Invariant: says no more than the explanation, and a name of a client's forges no line.

import type { ExplainedCandidate, Explanation, PassedOver } from "../proxy/index.ts";
import { printable } from "./exchange-line.ts";

const reasons: Readonly<Record<PassedOver, string>> = {
  breaker_open: "its breaker is open",
  cooling_down: "it asked to be left alone for a while",
  context_window: "the call is longer than its context window",
  no_tools: "it takes no tools",
  no_images: "it takes no images",
  no_structured_output: "it has no structured output",
  below_min_tier: "below the least tier that may answer",
  outside_regions: "in none of the regions that may answer",
  price_unknown: "its price is unknown",
  no_credential: "no credential is held for it",
  no_translation: "it does not speak the client's dialect, and the call cannot be translated",
};

/** With line ends. */
export function renderExplanation(explanation: Explanation): string {
  const { policy, call, candidates, skipped, diverted, hedge } = explanation;
  return [
    `policy ${printable(policy.version)} (${policy.source})`,
    `call   ${printable(call.model)} at ${printable(call.path)}: ${describeCall(call)}`,
    `match  ${describeMatch(explanation)}`,
    "",
    candidates.length === 0 ? "tried: nothing; the call is refused" : "tried, in this order:",
    ...candidates.map((candidate, index) => `  ${index + 1}. ${describeCandidate(candidate)}`),
    ...(skipped.length === 0 ? [] : ["passed over:"]),
    ...skipped.map((candidate) => `  -  ${describeCandidate(candidate)}: ${reasons[candidate.why]}`),
    ...(diverted === undefined
      ? []
      : [`the first stands in for ${printable(`${diverted.provider}/${diverted.model}`)}: ${reasons[diverted.why]}`]),
    ...describeHedge(hedge),
    ...describeFallbacks(explanation),
    ...describeSettings(explanation),
    "",
  ].join("\n");
}

function describeCall({
  provider,
  bare,
  dialect,
  operation,
  app,
  team,
  tags,
  needs,
  allowsFallback,
}: Explanation["call"]): string {
  const facts = [
    `${dialect} ${operation}, addressed to ${provider}${bare ? "" : " by its prefix"}`,
    ...(app === undefined ? [] : [`app ${app}`]),
    ...(team === undefined ? [] : [`team ${team}`]),
    ...Object.entries(tags).map(([name, value]) => `tag ${name}=${value}`),
    ...(needs.tools ? ["tools"] : []),
    ...(needs.images ? ["images"] : []),
    ...(needs.structuredOutput ? ["structured output"] : []),
    ...(needs.contextTokens > 0 ? [`${needs.contextTokens} tokens`] : []),
    ...(allowsFallback ? [] : ["fallback: off"]),
  ];
  return printable(facts.join(", "));
}

function describeMatch({ matched, strategy }: Explanation): string {
  const shared = strategy === undefined ? "" : `, ${strategy}${sharing.has(strategy) ? " (one call's order)" : ""}`;
  switch (matched.type) {
    case "alias":
      return `alias ${printable(matched.alias)}${shared}`;
    case "route":
      return `${matched.route} ${printable(JSON.stringify(matched.match))} uses ${printable(matched.use)}${shared}`;
    case "none":
      return matched.why;
  }
}

/** Strategies under which the next call may have another order. */
const sharing: ReadonlySet<string> = new Set(["weighted", "round-robin", "least-busy", "lowest-latency"]);

function describeCandidate(candidate: ExplainedCandidate): string {
  const { provider, model, kind, when, tier, region, weight, dialect, translated, credential, breaker, price } =
    candidate;
  const facts = [
    kind === "target" ? "target" : `fallback for ${when?.join(", ") ?? "any failure"}`,
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(tier === undefined ? [] : [`tier ${tier}`]),
    ...(region === undefined ? [] : [`region ${region}`]),
    ...(dialect === "" ? [] : [translated ? `translated to ${dialect}` : dialect]),
    `credential: ${credential}`,
    ...(breaker === "closed" ? [] : [`breaker ${breaker.replace("_", " ")}`]),
    price === undefined
      ? "price unknown"
      : `USD ${price.inputUsdPerMillion} in, ${price.outputUsdPerMillion} out per million tokens`,
  ];
  return printable(`${provider}/${model} (${facts.join("; ")})`);
}

function describeHedge(hedge: Explanation["hedge"]): string[] {
  if (hedge === undefined) return [];
  const { afterMs, to } = hedge;
  return [
    to === undefined
      ? "hedged: not at all; the first has no equal that can be asked as well"
      : `hedged: ${printable(to)} is asked as well after ${afterMs} ms of silence`,
  ];
}

function describeFallbacks({ fallbacksByReason }: Explanation): string[] {
  const entries = Object.entries(fallbacksByReason);
  if (entries.length === 0) return [];
  return [
    "after a failure of the targets:",
    ...entries.map(([reason, to]) => `  ${reason}: ${printable(to.join(", "))}`),
  ];
}

function describeSettings({ retry, breaker, timeouts, losses }: Explanation): string[] {
  const { connectMs, firstByteMs, firstTokenMs, idleMs, totalMs } = timeouts;
  return [
    retry === undefined
      ? "retry: none without a policy"
      : `retry: ${retry.maxAttempts} sends at most, ${retry.backoff.baseMs} to ${retry.backoff.maxMs} ms apart, ` +
        `${Math.round(retry.budgetRatio * 100)} % of calls${retry.respectRetryAfter ? ", Retry-After respected" : ""}`,
    ...(breaker === undefined
      ? []
      : [
          `breaker: opens for ${breaker.openForMs / 1000} s when ${Math.round(breaker.failureRatio * 100)} % of ` +
            `at least ${breaker.minRequests} calls in ${breaker.windowMs / 1000} s failed`,
        ]),
    `timeouts: connect ${connectMs} ms, first byte ${firstByteMs} ms, ` +
      `${firstTokenMs === undefined ? "" : `first token ${firstTokenMs} ms, `}idle ${idleMs} ms, total ${totalMs} ms`,
    `losses in translation: semantic ${losses.semantic}, tuning ${losses.tuning}`,
  ];
}

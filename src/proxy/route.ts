// Room proxy: the targets that policy has for one call, in the order in which they may be tried, each known and payable.
// Invariant: facts in, targets out; what was left out is told with its reason, never silently.

import { createHash } from "node:crypto";

import { estimateInputTokens, estimateTokens, type InferenceRequest } from "../canonical/index.ts";
import { SidecarError } from "../errors.ts";
import type { Replaced } from "../record/index.ts";
import type {
  BreakerSettings,
  CallFacts,
  CallNeeds,
  Candidate,
  Plan,
  RetrySettings,
  Routing,
} from "../routing/index.ts";
import type { Call } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import type { Destination } from "./ingress.ts";
import { canPay, chooseTarget, type Target } from "./placement.ts";
import { noteSkipped } from "./recording.ts";

/** One call's way. */
export interface Route {
  /** At least one. */
  candidates: readonly Candidate[];
  /** Of a candidate; undefined where the client's credential is for somebody else, and Outrider holds none. */
  findTarget(index: number): Target | undefined;
  /** The first stands in for another that was passed over. */
  diverted: Replaced | undefined;
  hedge: Plan["hedge"];
  retry: RetrySettings;
  breaker: BreakerSettings;
}

/**
 * The way that policy has for the call; where no alias and no route applies, the one target that its path or model names.
 * @throws SidecarError upstream_overloaded when every target is left out, operation_unsupported for an alias in what is never edited
 */
export function planRoute(exchange: Exchange, call: Call, routing: Routing): Route {
  const { record, rooms } = exchange;
  const { retry, breaker } = routing;
  if (call.json === undefined) {
    refuseAlias(routing, call.destination, call.request?.model ?? call.destination.call.operation.model);
  }
  const plan = call.json === undefined ? undefined : routing.plan(readFacts(exchange, call), rooms.health);
  if (plan === undefined) {
    const target = goWhereNamed(exchange, call);
    return {
      candidates: [toCandidate(target)],
      findTarget: () => target,
      diverted: undefined,
      hedge: undefined,
      retry,
      breaker,
    };
  }
  for (const { candidate, why } of plan.skipped) noteSkipped(record, candidate.key, why);
  const { candidates, hedge } = plan;
  if (candidates.length === 0) {
    const named = (record.skippedTargets ?? []).map(({ target, why }) => `${target} (${why})`).join(", ");
    throw new SidecarError(
      "upstream_overloaded",
      `no target of ${plan.alias ?? plan.route} can be tried now: ${named}`,
    );
  }
  // Most calls end at the first: nobody looks at the others before they are needed.
  const findTarget = (index: number): Target | undefined => resolveTarget(exchange, call, candidates[index]);
  return { candidates, findTarget, diverted: findDiversion(plan), hedge, retry, breaker };
}

/** Where the call goes by itself: the provider of its path, or the one that its model names. */
export function goWhereNamed({ policy, rooms }: Exchange, call: Call): Target {
  return chooseTarget(call, { providers: policy.providers, credentials: rooms.credentials });
}

/**
 * For what reaches its provider as it is, where an alias would stand for a model that nobody has.
 * @throws SidecarError operation_unsupported
 */
export function refuseAlias(routing: Routing | undefined, { bare }: Destination, model: string | undefined): void {
  if (!bare || model === undefined || routing?.aliases.has(model) !== true) return;
  throw new SidecarError(
    "operation_unsupported",
    `${model} is an alias of the policy, and this kind of call goes to its provider as it is: name the model itself`,
  );
}

function toCandidate({ provider, model = "" }: Target): Candidate {
  return { provider: provider.id, model, weight: 1, kind: "target", step: 0, key: `${provider.id}/${model}` };
}

/** What the first candidate stands in for, where policy would have had another. */
function findDiversion({ diverted }: Plan): Replaced | undefined {
  if (diverted === undefined) return undefined;
  const { from, why } = diverted;
  return { provider: from.provider, model: from.model, reason: why };
}

function resolveTarget(
  { policy, rooms }: Exchange,
  { destination, request }: Call,
  candidate: Candidate | undefined,
): Target | undefined {
  const provider = candidate === undefined ? undefined : policy.providers.get(candidate.provider);
  if (candidate === undefined || provider === undefined) return undefined;
  const isAddressed = provider.id === destination.provider.id;
  if (!isAddressed && !canPay(provider, rooms.credentials)) return undefined;
  const { model } = candidate;
  const chosen = !isAddressed || model !== (request?.model ?? destination.call.operation.model);
  const dialect = provider.dialects.find((id) => id === candidate.dialect);
  return { provider, model, chosen, ...(dialect === undefined ? {} : { dialect }) };
}

function readFacts({ record, fallbackOff }: Exchange, call: Call): CallFacts {
  const { destination, request, json } = call;
  const { dialect, operation } = destination.call;
  let whole: InferenceRequest | undefined;
  const readWhole = (): InferenceRequest | undefined => (whole ??= call.readWhole());
  return {
    model: request?.model ?? operation.model,
    provider: destination.provider.id,
    bare: destination.bare,
    dialect: dialect.id,
    operation: operation.name ?? operation.kind,
    ...(record.app === undefined ? {} : { app: record.app }),
    tags: record.tags,
    allowsFallback: !fallbackOff,
    affinityKey(by) {
      for (const source of by) {
        const key =
          source === "session"
            ? record.session
            : source === "conversation"
              ? request?.conversationId
              : digestPrefix(readWhole());
        if (key !== undefined) return key;
      }
      return undefined;
    },
    needs: () => readNeeds(readWhole()),
    // JSON is not shorter than the text in it, numbers in exponent form apart: an estimate may be off by those.
    mostTokens: () => estimateTokens(json?.content.length ?? 0) + (request?.maxOutputTokens ?? 0),
  };
}

/** What stays the same from turn to turn of a conversation: model, instructions, tools, the first message of the user. */
function digestPrefix(request: InferenceRequest | undefined): string | undefined {
  if (request === undefined) return undefined;
  const opening = request.messages.slice(0, request.messages.findIndex(({ role }) => role === "user") + 1);
  const stable = JSON.stringify([request.model, request.systemInstructions, request.tools, opening]);
  return createHash("sha256").update(stable).digest("base64url");
}

function readNeeds(request: InferenceRequest | undefined): CallNeeds {
  if (request === undefined) return { contextTokens: 0, tools: false, images: false, structuredOutput: false };
  const parts = request.messages.flatMap((message) => message.parts);
  return {
    contextTokens: estimateInputTokens(request) + (request.maxOutputTokens ?? 0),
    tools: (request.tools?.length ?? 0) > 0,
    images: parts.some((part) => "modality" in part && part.modality === "image"),
    structuredOutput: request.outputFormat !== undefined && request.outputFormat.type !== "text",
  };
}

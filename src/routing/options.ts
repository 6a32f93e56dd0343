// Room routing: the keys of a policy that routing obeys, as a person writes them: models, routes, tiers, retry, breaker.
// Invariant: shape and ranges only; whatever needs two places of the document at once is for compile.ts.

import { z } from "zod";
import { durationPattern, readDurationMs } from "./durations.ts";
import { maxGlobLength } from "./globs.ts";
import { fallbackReasons } from "./reasons.ts";

/** How the targets of an alias share its calls. */
export const strategies = [
  "ordered",
  "weighted",
  "round-robin",
  "least-busy",
  "lowest-latency",
  "lowest-cost",
] as const;
export type Strategy = (typeof strategies)[number];

/** What a session is known by. */
export const affinitySources = ["session", "conversation", "prefix"] as const;
export type AffinitySource = (typeof affinitySources)[number];

/** Longest name of a model or an alias. */
const maxNameLength = 256;

// Names end up in response headers and attributes: visible ASCII, and no comma or semicolon, which separate there.
const name = z
  .string()
  .regex(/^[!-+\--:<-~]+$/)
  .max(maxNameLength)
  .meta({ title: `a name of up to ${maxNameLength} visible ASCII characters without , and ;` });

const glob = z
  .string()
  .min(1)
  .meta({ title: `a text of up to ${maxGlobLength} characters; * stands for any characters` });

const duration = (least: number, most: number) =>
  z
    .string()
    .regex(durationPattern)
    .refine((text) => {
      const ms = readDurationMs(text);
      return ms !== undefined && ms >= least && ms <= most;
    })
    .meta({ title: `a duration of ${least / 1000} s to ${most / 3_600_000} h, e.g. 500ms, 60s, 5m` });

const tier = name.meta({ title: "the name of a tier", description: "One of `tiers`; how strong this model is" });

const region = name.meta({ title: "the name of a region" });

const regions = (whose: string) =>
  z
    .array(region)
    .min(1)
    .max(64)
    .optional()
    .meta({ description: `Regions that may answer ${whose}; a target or fallback without a region is in none` });

const target = z
  .strictObject({
    provider: name.meta({ description: "A provider's id" }),
    model: name.meta({ description: "The model's name at that provider" }),
    dialect: name.optional().meta({
      description: "Wire format to use, where the provider speaks several; without it the client's own, else its first",
    }),
    tier: tier.optional(),
    weight: z.number().min(0).max(1_000_000).default(1).meta({
      description:
        "Share of the calls under weighted, capacity under least-busy, share of sessions under affinity; 0: only when no other target is left",
    }),
    region: region.optional().meta({
      description:
        "Where it is served, for `regions`. Also tells apart two deployments of one model at one provider: each has its own breaker and cooldown",
    }),
  })
  .meta({ title: "{provider, model}" });

const fallback = z.strictObject({
  to: name.meta({
    title: "an alias, or provider/model",
    description:
      "Where to go. An alias stands for its targets in the order of its strategy; that alias's own fallbacks are not followed",
  }),
  when: z.array(z.enum(fallbackReasons)).min(1).optional().meta({
    description:
      "For which failures. Without it: rate_limited, overloaded, timeout, unreachable and server_error. The others must be named: context_length and content_filtered, because the same answer may be meant; quota_exhausted and budget_exhausted, because they last",
  }),
  tier: tier.optional(),
  region: region
    .optional()
    .meta({ description: "Where provider/model is served; an alias's targets say it themselves" }),
});

const model = z.strictObject({
  strategy: z.enum(strategies).default("ordered").meta({
    description:
      "How targets share the calls: in the order written; by weight; in turn; fewest under way; least time to the first byte of late; least known price",
  }),
  targets: z.array(target).min(1).max(64).meta({ description: "Where this alias is served" }),
  fallbacks: z.array(fallback).max(64).default([]).meta({
    description: "What is tried, in order, once the targets have failed",
  }),
  minTier: tier.optional().meta({
    description: "Weakest tier that may answer for this alias; a target or fallback without a tier counts as below any",
  }),
  regions: regions("for this alias"),
  affinity: z
    .strictObject({
      by: z
        .array(z.enum(affinitySources))
        .min(1)
        .default([...affinitySources])
        .meta({
          description:
            "What a session is known by, the first that is there: `x-outrider-session`, the conversation's id, or a digest of what its calls begin with",
        }),
    })
    .optional()
    .meta({
      description:
        "Keep a session at one target, for its prompt cache; ordered and lowest-cost do so of themselves and ignore it",
    }),
  hedge: z
    .strictObject({
      afterMs: z.int().min(10).max(600_000).meta({
        description: "Silence after which a second target is asked as well; both are paid for",
      }),
    })
    .optional()
    .meta({
      description: "Ask a second target when the first is slow; the first answer wins and the other is cancelled",
    }),
});

const match = z.strictObject({
  model: glob.optional().meta({ description: "The model as the client wrote it" }),
  app: glob.optional().meta({ description: "The service beside Outrider" }),
  team: glob.optional().meta({ description: "The team of the caller's key" }),
  tags: z.record(name, glob).optional().meta({ description: "Values of `x-outrider-tags`; all must match" }),
  dialect: glob.optional().meta({ description: "The client's wire format" }),
  operation: glob.optional().meta({ description: "The kind of call, e.g. chat, embeddings" }),
  provider: glob.optional().meta({
    description:
      "The provider that the path addresses. Only routes with this matcher apply where the path names its provider",
  }),
});

const route = z.strictObject({
  match: match.meta({ description: "All matchers given must match; none given matches everything" }),
  use: name.meta({ title: "an alias, or provider/model", description: "Where such calls go" }),
  minTier: tier.optional().meta({ description: "Weakest tier that may answer such calls" }),
  regions: regions("such calls"),
});

/** The policy keys that routing obeys, defaults filled in. Unknown keys are refused; tolerance is for policy/ to add. */
export const routingSchema = z.strictObject({
  models: z
    .record(name, model)
    .default({})
    .meta({ description: "Aliases: what clients may ask for, and who serves it" }),
  routes: z.array(route).max(10_000).default([]).meta({
    description: "Where calls go whatever they ask for; the first that matches wins, before aliases",
  }),
  tiers: z
    .array(name)
    .min(1)
    .max(32)
    .default(["frontier", "standard", "small", "local"])
    .meta({ description: "How strong models are, strongest first" }),
  retry: z
    .strictObject({
      maxAttempts: z
        .int()
        .min(1)
        .max(10)
        .default(3)
        .meta({ description: "Sends of one call to one target, the first included" }),
      backoff: z
        .strictObject({
          baseMs: z
            .int()
            .min(1)
            .max(60_000)
            .default(200)
            .meta({ description: "Wait before the second send; doubles each time" }),
          maxMs: z.int().min(1).max(600_000).default(5000).meta({
            description: "Longest wait; a wait that the provider asks for may be twice this",
          }),
        })
        .prefault({}),
      budgetRatio: z.number().min(0).max(1).default(0.2).meta({
        description:
          "Retries at a target as a share of its calls over the last ten seconds; ten are always allowed unless 0",
      }),
      respectRetryAfter: z.boolean().default(true).meta({ description: "Wait as long as the provider asks for" }),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      window: duration(1000, 3_600_000).default("60s").meta({ description: "How far back failures count" }),
      minRequests: z.int().min(1).max(1_000_000).default(5).meta({
        description: "Fewest calls in the window before it may open",
      }),
      failureRatio: z.number().gt(0).max(1).default(0.5).meta({ description: "Share of failures at which it opens" }),
      openFor: duration(100, 3_600_000).default("15s").meta({
        description: "How long a target is left alone before one call tries it",
      }),
    })
    .prefault({}),
});

/** The routing part of a policy, defaults filled in. */
export type RoutingDocument = z.infer<typeof routingSchema>;

export type ModelDocument = RoutingDocument["models"][string];
export type RouteDocument = RoutingDocument["routes"][number];

/** How often and how patiently a target is tried again. */
export type RetrySettings = RoutingDocument["retry"];

/** When a target is left alone. */
export interface BreakerSettings {
  windowMs: number;
  minRequests: number;
  /** In (0, 1]. */
  failureRatio: number;
  openForMs: number;
}

// Room policy: the policy document. Composes the schemas of the rooms that obey its parts; schemas/policy.schema.json is made from it.
// Invariant: a key stands here only if this version obeys it.

import { z } from "zod";
import {
  captureModes,
  lossRuleSchema,
  priceOverrideSchema,
  propagateModes,
  providerOptionsSchema,
} from "../options.ts";
import { routingSchema } from "../routing/index.ts";

const milliseconds = (longest: number) => z.int().min(1).max(longest).optional();

const timeouts = z
  .strictObject({
    connectMs: milliseconds(600_000).meta({ description: "To open a connection to a provider" }),
    firstByteMs: milliseconds(3_600_000).meta({ description: "From the sent request to the provider's first byte" }),
    firstTokenMs: milliseconds(3_600_000).meta({
      description: "From the sent request to the first content of a stream, while a fallback is left",
    }),
    idleMs: milliseconds(3_600_000).meta({ description: "Longest silence inside a provider's answer" }),
    totalMs: milliseconds(7_200_000).meta({ description: "For the whole exchange" }),
  })
  .meta({ description: "Each wins over the options' where it stands" });

const losses = z
  .strictObject({
    semantic: lossRuleSchema.optional().meta({
      description: "What to do when a translation would lose what was asked: tools, output format, media, history",
    }),
    tuning: lossRuleSchema.optional().meta({
      description: "What to do when it would lose what only tunes the answer: seed, penalties, metadata, cache hints",
    }),
  })
  .meta({ description: "Each wins over the options' where it stands" });

/** What a candidate may replace as well as a whole document. */
const replaceable = {
  providers: z
    .record(z.string(), providerOptionsSchema)
    .default({})
    .meta({ description: "Providers by id, added to the built-in ones or adjusting them; the options win key by key" }),
  ...routingSchema.shape,
  timeouts: timeouts.prefault({}),
  losses: losses.prefault({}),
  prices: z
    .strictObject({
      overrides: z.array(priceOverrideSchema).default([]).meta({
        description: "Prices in USD per million tokens that win over the catalogue; the options' win over these",
      }),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      capture: z.enum(captureModes).optional().meta({
        description: "Message content in telemetry: nowhere, on spans, in log events, or both",
      }),
      propagate: z.enum(propagateModes).optional().meta({
        description: "Send `traceparent` to providers; auto: only to loopback and private addresses",
      }),
    })
    .prefault({}),
};

/** The keys of which each takes the place of the document's own on instances that run the candidate. */
export const candidateKeys: readonly string[] = Object.keys(replaceable);

const rollout = z.strictObject({
  candidate: z
    .strictObject(Object.fromEntries(candidateKeys.map((key) => [key, z.unknown().optional()])))
    .refine((candidate) => Object.keys(candidate).length > 0, { error: "an empty candidate" })
    .meta({ description: "Top-level keys that take the place of the document's own on the chosen instances" }),
  percent: z.number().min(0).max(100).meta({
    description:
      "How many instances in a hundred run the candidate; chosen by their ids, so a higher number keeps the ones before",
  }),
  rollbackWhen: z
    .strictObject({
      errorRatioAbove: z.number().min(0).max(1).default(0.2).meta({
        description: "An instance gives the candidate up when more of its latest exchanges failed",
      }),
      minRequests: z.int().min(1).max(10_000).default(20).meta({
        description: "How many of its latest exchanges are looked at; nothing is decided before there are as many",
      }),
    })
    .prefault({}),
});

/** The document as this version obeys it, defaults filled in. */
export const policySchema = z.strictObject({
  apiVersion: z.literal("outrider/v1").optional().meta({ description: "Tells a policy from options" }),
  version: z.int().min(0).optional().meta({
    description:
      "Only grows; the same version with other content is refused. Without it a digest of the content names the document",
  }),
  allowRemovals: z.boolean().default(false).meta({
    description: "Whether the document may leave out an alias that the policy in force has; else it is refused",
  }),
  ...replaceable,
  rollout: rollout.optional().meta({ description: "A candidate on part of the fleet" }),
});

/** A policy document that passed the schema. */
export type PolicyDocument = z.infer<typeof policySchema>;

/** Keys that enforce something that this version does not. Ignoring one would lift a limit in silence, so the document is refused. */
export const unenforcedKeys = ["budgets", "limits", "keys", "guardrails"] as const;

/** The document's JSON Schema (draft 2020-12), as a person writes it, for editors. */
export function buildPolicySchema(): Record<string, unknown> {
  return z.toJSONSchema(policySchema, { io: "input" });
}

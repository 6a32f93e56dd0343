// Room providers: what a row of presets.json is. The rows are data; this is their schema.
// Only tests run it: a process does not check its own data at start (13 ms).

import { z } from "zod";

import { dialectIds, rerankShapeIds } from "../dialects/index.ts";
import { isProviderId, settingNames } from "./provider.ts";

const baseUrl = z
  .string()
  .regex(/^https?:\/\/[^/?#@\s]+(\/[^/?#@\s]+)*$/, "an http or https URL without trailing slash, query and user name");

const envName = z.string().regex(/^[A-Z][A-Z0-9_]*$/);
const headerName = z.string().regex(/^[a-z][a-z0-9-]*$/);

/** One row of presets.json. */
export const presetSchema = z.strictObject({
  id: z.string().refine(isProviderId),
  telemetryName: z.string().regex(/^[a-z0-9_.]+$/),
  /** Absent for what people host themselves. */
  priceId: z.string().min(1).optional(),
  /** May hold `{region}`, `{resource}` and `{project}`. */
  baseUrl,
  /** What the `{name}`s are filled from where no option says it: conventional variables, in order. */
  settings: z.partialRecord(z.enum(settingNames), z.array(envName)).optional(),
  /** Where neither options nor variables say it. */
  defaults: z.partialRecord(z.enum(settingNames), z.string()).optional(),
  /** Variables that hold the whole base URL, for a provider whose address is each customer's own. */
  endpointEnv: z.array(envName).optional(),
  /** Relative to the base URL, for a dialect that lives elsewhere: `anthropic`, `../anthropic`. */
  dialectBase: z.partialRecord(z.enum(dialectIds), z.string().regex(/^(\.\.\/)*[a-z0-9/{}]+$/)).optional(),
  /** First segments (behind a version) of paths that say everything below the host: joined to `baseUrl`, whatever the dialect. */
  wholePaths: z.array(z.string().min(1)).optional(),
  /** Empty: a format of its own, relayed untouched. */
  dialects: z.array(z.enum(dialectIds)),
  /** How it words rerank calls; `plain` unless told. */
  rerankShape: z.enum(rerankShapeIds).optional(),
  /** Paths of the provider's own that are a dialect's call by another name: path → the dialect's path. */
  callPaths: z.record(z.string().startsWith("/"), z.string().startsWith("/")).optional(),
  auth: z.discriminatedUnion("scheme", [
    z.strictObject({ scheme: z.literal("bearer") }),
    z.strictObject({ scheme: z.literal("header"), name: headerName, prefix: z.string().endsWith(" ").optional() }),
    z.strictObject({ scheme: z.literal("none") }),
    z.strictObject({ scheme: z.literal("sigv4"), service: z.string().regex(/^[a-z-]+$/) }),
    z.strictObject({ scheme: z.literal("gcp") }),
  ]),
  /** Dialects for which a key goes out as a bearer token, whatever `auth` says. */
  bearerDialects: z.array(z.enum(dialectIds)).optional(),
  keyEnv: z.array(envName),
  /** What the provider's own SDKs read their base URL from; for people, Outrider never reads it. */
  baseUrlEnv: z.array(envName),
  usageOnRequest: z.boolean(),
  /**
   * Where the row was read: V vercel/ai, P Portkey gateway, L LiteLLM, S the official SDK, C recorded traffic,
   * R run against the SDK, G genai-prices, K general knowledge (not verified).
   */
  evidence: z.array(z.enum(["V", "P", "L", "S", "C", "R", "G", "K"])).min(1),
});

/** One built-in provider, as presets.json has it. */
export type Preset = z.infer<typeof presetSchema>;

// Room providers: the built-in providers, from presets.json.
// Invariant: test/unit/providers/presets.test.ts holds every row against presetSchema, which this file trusts.

import { z } from "zod";

import type { Preset } from "./preset.ts";
import presetRows from "./presets.json" with { type: "json" };

/** All built-in providers, sorted by id. */
export const presets: readonly Preset[] = z.custom<Preset[]>(Array.isArray).parse(presetRows);

// Options: what is local to this pod. One zod schema that the file, the environment and the flags all meet, and its error.
// Holds no policy: routing, budgets and guardrails come from the policy document. cli/ reads files and variables.

import { z } from "zod";

// A `title` is what an error line says was expected. The port is 0 to 65535.
const hostAndPort =
  /(\[[0-9a-fA-F:.]+\]|[^\s:[\]/]+):(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])/.source;
const socketPath = /unix:\/\S{1,100}/.source;

const address = z
  .string()
  .regex(new RegExp(`^${hostAndPort}$`))
  .meta({ title: "an address as host:port, e.g. 127.0.0.1:4141" });

const listenAddress = z
  .string()
  .regex(new RegExp(`^(${hostAndPort}|${socketPath})$`))
  .meta({ title: "an address as host:port, e.g. 127.0.0.1:4141, or unix:/path" });

const httpUrl = z.url({ protocol: /^https?$/ }).meta({ title: "an http or https URL" });

const credentialReference = z
  .union([
    z.strictObject({
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
        .meta({ title: "the name of an environment variable", description: "Environment variable that holds the key" }),
    }),
    z.strictObject({
      file: z.string().min(1).meta({
        title: "the path of a file",
        description: "File that holds the key; read again when it changes",
      }),
    }),
  ])
  .meta({ title: "{env: NAME} or {file: PATH}" });

/** Where a credential of Outrider's own comes from; the value itself is never in a document. */
export type CredentialReference = z.infer<typeof credentialReference>;

// It stands in a host or a path: nothing that could end either.
const addressPart = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/);
const addressPartTitle = "a name of letters, digits, -, _ and .";

/** What options and policy both may say of a provider. */
export const providerOptionsSchema = z.strictObject({
  baseUrl: httpUrl.optional().meta({
    title: "an http or https URL",
    description: "What this provider's SDKs call their base URL",
  }),
  preset: z.string().min(1).optional().meta({ description: "Id of the built-in provider that this one behaves like" }),
  region: addressPart.optional().meta({
    title: addressPartTitle,
    description: "Region or location in the provider's address, where it has one (Bedrock, Vertex)",
  }),
  resource: addressPart.optional().meta({
    title: addressPartTitle,
    description: "Resource, account or workspace in the provider's address, where it has one (Azure, Cloudflare)",
  }),
  project: addressPart.optional().meta({
    title: addressPartTitle,
    description: "Project or tenant in the provider's address, where it has one (Vertex)",
  }),
});

export const captureModes = ["none", "span", "event", "both"] as const;

/** Whether message content goes into telemetry, and where. */
export type CaptureMode = (typeof captureModes)[number];

export const propagateModes = ["auto", "always", "never"] as const;

/** Whether a loss stops a translation. */
export const lossRuleSchema = z.enum(["reject", "report"]);

const usdPerMillion = z.number().min(0);

/** A price that a person wrote, which wins over the catalogue. */
export const priceOverrideSchema = z.strictObject({
  provider: z.string().min(1),
  model: z.string().min(1).meta({ description: "Model name; `*` at the end matches any rest" }),
  inputUsdPerMillion: usdPerMillion,
  outputUsdPerMillion: usdPerMillion,
  cacheReadUsdPerMillion: usdPerMillion.optional(),
  cacheWriteUsdPerMillion: usdPerMillion.optional(),
});

// A policy decides where credentials go: nothing on the way may read or change it.
const policyUrl = z.url({ protocol: /^https?$/, abort: true }).refine(
  (text) => {
    const { protocol, hostname, username, password } = new URL(text);
    const isLoopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
    // `{instance}` is filled in later, and picks no host.
    const isFixed = !hostname.includes("{");
    return (protocol === "https:" || isLoopback) && isFixed && username === "" && password === "";
  },
  { error: "not https" },
);

const hostName = /[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?/.source;
const hostAddress = /\[[0-9a-f:.]+\](?::\d{1,5})?/.source;

/** A host as `proxy/media-host.ts` reads it: what may not go unencrypted has no scheme, what has one is exact. */
function hostPattern(forms: string): z.ZodType<string, string> {
  const isHost = (text: string): boolean => URL.canParse(text.includes("://") ? text : `https://${text}`);
  return z
    .string()
    .regex(new RegExp(`^(?:${forms})$`, "i"))
    .refine(isHost, { error: "not a host" });
}

const exactHost = `(?:http://)?(?:${hostName}|${hostAddress})`;
const mediaHost = hostPattern(`\\*|\\*\\.${hostName}|${exactHost}`).meta({
  title: "a host as name, name:port, http://name, *.name or *",
});
const privateMediaHost = hostPattern(exactHost).meta({ title: "a host as name, name:port or http://name" });

const policyOptions = z
  .strictObject({
    url: policyUrl.optional().meta({
      title: "an https URL, or an http one on loopback, without user name",
      description:
        "Where the policy document is pulled from; `{instance}` in it becomes this sidecar's `service.instance.id`",
    }),
    file: z.string().min(1).optional().meta({
      title: "the path of a file",
      description: "File that holds the policy document; read again when it changes. Instead of `policy.url`",
    }),
    pollSeconds: z.number().min(1).max(3600).default(30).meta({
      description: "Time between two pulls, give or take 20 %; up to 5 minutes while the endpoint fails",
    }),
    required: z.boolean().default(true).meta({
      description: "Not ready until a policy was loaded from any source; false: begin with the options alone",
    }),
    token: credentialReference.optional().meta({
      title: "{env: NAME} or {file: PATH}",
      description: "Bearer token for the endpoint",
    }),
    publicKeys: z.array(z.string().min(1)).min(1).optional().meta({
      description:
        "JWKS files of Ed25519 public keys, read at start; with them, a policy that none of them signed is refused",
    }),
    cacheDir: z.string().min(1).optional().meta({
      title: "the path of a folder",
      description: "Keeps the last good policy for a start while the endpoint is down; without it there is no copy",
    }),
    mtls: z
      .strictObject({
        cert: z.string().min(1).optional().meta({
          title: "the path of a file",
          description: "Client certificate for the endpoint, PEM; with `policy.mtls.key`",
        }),
        key: z.string().min(1).optional().meta({
          title: "the path of a file",
          description: "Its private key, PEM",
        }),
        ca: z.string().min(1).optional().meta({
          title: "the path of a file",
          description: "Authorities that may sign the endpoint's certificate, PEM; default: the machine's",
        }),
      })
      .optional(),
  })
  .refine(({ url, file }) => url === undefined || file === undefined, { error: "both url and file" })
  .meta({ title: "url or file, not both" });

/** Everything that can be set, with its default and description; docs/options.md and schemas/options.schema.json are made from it. */
export const optionsSchema = z.strictObject({
  listen: z
    .array(listenAddress)
    .min(1)
    .default(["127.0.0.1:4141", "[::1]:4141"])
    .meta({ description: "Data-plane addresses; one in IPv6 is skipped where the machine has none" }),
  admin: address.default("127.0.0.1:4142").meta({
    title: "an address as host:port, e.g. 127.0.0.1:4142",
    description: "Address of the read-only admin pages",
  }),
  app: z.string().min(1).optional().meta({ description: "Name of the service beside Outrider (`outrider.app`)" }),
  providers: z.record(z.string(), providerOptionsSchema).default({}),
  credentials: z.record(z.string(), credentialReference).default({}),
  policy: policyOptions.prefault({}),
  telemetry: z
    .strictObject({
      capture: z.enum(captureModes).default("none").meta({
        description: "Message content in telemetry: nowhere, on spans, in log events, or both",
      }),
      captureMaxCharacters: z.int().min(0).max(1_048_576).default(8192).meta({
        description: "Longest single message content that is captured; the rest is cut",
      }),
      requestUsage: z.boolean().default(true).meta({
        description: "Ask for usage on streamed chat when the client did not, and take the extra frame out again",
      }),
      propagate: z.enum(propagateModes).default("auto").meta({
        description: "Send `traceparent` to providers; auto: only to loopback and private addresses",
      }),
    })
    .prefault({}),
  losses: z
    .strictObject({
      semantic: lossRuleSchema.default("reject").meta({
        description: "What to do when a translation would lose what was asked: tools, output format, media, history",
      }),
      tuning: lossRuleSchema.default("report").meta({
        description: "What to do when it would lose what only tunes the answer: seed, penalties, metadata, cache hints",
      }),
    })
    .prefault({}),
  media: z
    .strictObject({
      fetch: z
        .strictObject({
          hosts: z.array(mediaHost).default([]).meta({
            description:
              "Hosts on the public Internet that media may be fetched from for a provider that takes only bytes; `*`: any",
          }),
          privateHosts: z.array(privateMediaHost).default([]).meta({
            description: "The same for hosts with private addresses, by their exact names",
          }),
          maxBytes: z.int().min(1).max(104_857_600).default(10_485_760).meta({
            description: "Largest medium; all of one call together are no larger than `limits.maxBodyBytes`",
          }),
          maxItems: z.int().min(1).max(64).default(8).meta({ description: "Most addresses fetched for one call" }),
          timeoutMs: z
            .int()
            .min(1)
            .max(60_000)
            .default(5000)
            .meta({ description: "To fetch one, from its name to its last byte" }),
        })
        .prefault({}),
    })
    .prefault({}),
  prices: z
    .strictObject({
      overrides: z
        .array(priceOverrideSchema)
        .default([])
        .meta({ description: "Prices in USD per million tokens that win over the catalogue" }),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      connectMs: z.int().min(1).max(600_000).default(4000).meta({ description: "To open a connection to a provider" }),
      firstByteMs: z.int().min(1).max(3_600_000).default(600_000).meta({
        description: "From the sent request to the provider's first byte",
      }),
      idleMs: z.int().min(1).max(3_600_000).default(300_000).meta({
        description: "Longest silence inside a provider's answer",
      }),
      totalMs: z.int().min(1).max(7_200_000).default(1_800_000).meta({
        description: "For the whole exchange",
      }),
    })
    .prefault({}),
  limits: z
    .strictObject({
      maxBodyBytes: z.int().min(1).max(1_073_741_824).default(33_554_432).meta({
        description: "Largest request body",
      }),
      maxConnections: z.int().min(1).max(65_535).default(2048).meta({
        description: "Client connections open at once, per address",
      }),
      drainSeconds: z.number().min(0).max(3600).default(25).meta({
        description: "How long a stop waits for exchanges under way",
      }),
    })
    .prefault({}),
  hosts: z.array(z.string().min(1)).default([]).meta({
    description: "Further Host names that both ports answer to, besides localhost, 127.0.0.1 and [::1]",
  }),
});

/** All options, defaults filled in. */
export type Options = z.infer<typeof optionsSchema>;

/** Options as a person writes them: every key may be absent. */
export type OptionsInput = z.input<typeof optionsSchema>;

/** One thing that is wrong with the options; for people, one line, never a credential. */
export type OptionsIssue = {
  /** The file, variable or flag it came from; absent when the thrower does not know, then the reader of the file adds it. */
  source?: string;
  /** Dotted path of the key, e.g. `providers.local.preset`, or the variable's name; absent when the whole document is meant. */
  path?: string;
} & ({ expected: string; found: string; nearest?: string } | { message: string });

/** The options cannot be used. Every room that finds something wrong with its part throws this; cli prints a line per issue. */
export class OptionsError extends Error {
  readonly issues: readonly OptionsIssue[];
  /** The file could not be read at all, as opposed to: it says something wrong. */
  readonly unreadable: boolean;

  constructor(issues: readonly OptionsIssue[], { unreadable = false } = {}) {
    super(issues.map(formatOptionsIssue).join("\n"));
    this.name = "OptionsError";
    this.issues = issues;
    this.unreadable = unreadable;
  }
}

/** `outrider.yaml: limits.maxBodyBytes: expected an integer ≥ 1, found "ten"`. */
export function formatOptionsIssue(issue: OptionsIssue): string {
  const what = "message" in issue ? issue.message : `expected ${issue.expected}, found ${quote(issue.found)}`;
  const hint = "nearest" in issue && issue.nearest !== undefined ? `; did you mean ${quote(issue.nearest)}?` : "";
  return [issue.source, issue.path, `${what}${hint}`].filter((part) => part !== undefined).join(": ");
}

const longestQuote = 80;

/** A text of the operator's in double quotes, cut, with control and direction marks escaped, so that one issue stays one line. */
export function quote(text: string): string {
  const cut = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
  return JSON.stringify(cut).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (mark) => `\\u{${mark.codePointAt(0)?.toString(16)}}`,
  );
}

/** The candidate that a person most likely meant; undefined when none is near. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least && distance < candidate.length) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

/** Levenshtein's. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { loadOptions, type OptionSources } from "../../src/cli/load-options.ts";
import { buildOptionsSchema, listOptionKeys } from "../../src/cli/option-keys.ts";
import { formatOptionsIssue, nearestName, OptionsError, optionsSchema } from "../../src/options.ts";

const folder = mkdtempSync(join(tmpdir(), "outrider-options-"));
afterAll(() => rmSync(folder, { recursive: true }));

function writeFile(content: string | Buffer, name = "outrider.yaml"): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The printed lines, with the folder's name taken off. */
function complaints(sources: Partial<OptionSources> & { yaml?: string | Buffer }): string[] {
  const { yaml, ...rest } = sources;
  try {
    loadOptions({ environment: {}, ...(yaml === undefined ? {} : { file: writeFile(yaml) }), ...rest });
  } catch (error) {
    if (error instanceof OptionsError)
      return error.issues.map((issue) => formatOptionsIssue(issue).replace(`${folder}/`, ""));
    throw error;
  }
  return [];
}

describe("sources", () => {
  it("has a default for everything, so that nothing need be set", () => {
    expect(loadOptions({ environment: {} })).toEqual(optionsSchema.parse({}));
    expect(loadOptions({ environment: {}, file: writeFile("") })).toEqual(optionsSchema.parse({}));
  });

  it("lets flags win over variables, variables over the file, the file over defaults", () => {
    const file = writeFile("admin: 127.0.0.1:1\napp: file\ntelemetry: {capture: span}\nlimits: {drainSeconds: 1}\n");
    const options = loadOptions({
      file,
      environment: { OUTRIDER_APP: "variable", OUTRIDER_CAPTURE: "event" },
      flags: { capture: "both" },
    });
    expect(options).toMatchObject({
      admin: "127.0.0.1:1",
      app: "variable",
      telemetry: { capture: "both", requestUsage: true },
      limits: { drainSeconds: 1, maxConnections: 2048 },
    });
  });

  it("finds the file by OUTRIDER_CONFIG, and --config wins over it", () => {
    const first = writeFile("app: first", "first.yaml");
    const second = writeFile("app: second", "second.yaml");
    expect(loadOptions({ environment: { OUTRIDER_CONFIG: first } }).app).toBe("first");
    expect(loadOptions({ file: second, environment: { OUTRIDER_CONFIG: first } }).app).toBe("second");
  });

  it("reads JSON as well as YAML, and YAML as version 1.2 has it", () => {
    expect(loadOptions({ environment: {}, file: writeFile('{"app": "json"}', "o.json") }).app).toBe("json");
    // In YAML 1.1 `no` would be false.
    expect(loadOptions({ environment: {}, file: writeFile("app: no") }).app).toBe("no");
  });

  it("changes a provider by variable without losing the rest of it, and finds ids with a dash again", () => {
    const file = writeFile("providers: {azure-eu: {preset: openai, baseUrl: 'https://a.example/v1'}}");
    const environment = {
      OUTRIDER_PROVIDER_AZURE_EU_BASE_URL: "https://b.example/v1",
      OUTRIDER_PROVIDER_MY_OWN_BASE_URL: "http://127.0.0.1:1/v1",
      OUTRIDER_CREDENTIAL_OPENAI_ENV: "SOME_KEY",
    };
    const { providers, credentials } = loadOptions({ file, environment });
    expect(providers).toEqual({
      "azure-eu": { preset: "openai", baseUrl: "https://b.example/v1" },
      "my-own": { baseUrl: "http://127.0.0.1:1/v1" },
    });
    expect(credentials).toEqual({ openai: { env: "SOME_KEY" } });
  });

  it("takes an empty variable as not set", () => {
    expect(loadOptions({ environment: { OUTRIDER_APP: "", OUTRIDER_LISTEN: "", OUTRIDER_CONFIG: "" } })).toEqual(
      optionsSchema.parse({}),
    );
  });
});

describe("variables", () => {
  const samples: Record<string, [text: string, value: unknown]> = {
    OUTRIDER_LISTEN: ["127.0.0.1:1, [::1]:2", ["127.0.0.1:1", "[::1]:2"]],
    OUTRIDER_ADMIN: ["127.0.0.1:3", "127.0.0.1:3"],
    OUTRIDER_APP: ["shop", "shop"],
    OUTRIDER_CAPTURE: ["both", "both"],
    OUTRIDER_TELEMETRY_CAPTURE_MAX_CHARACTERS: ["10", 10],
    OUTRIDER_TELEMETRY_REQUEST_USAGE: ["false", false],
    OUTRIDER_TELEMETRY_PROPAGATE: ["never", "never"],
    OUTRIDER_LOSSES_SEMANTIC: ["report", "report"],
    OUTRIDER_LOSSES_TUNING: ["reject", "reject"],
    OUTRIDER_MEDIA_FETCH_HOSTS: ["media.test:8443,*.media.test", ["media.test:8443", "*.media.test"]],
    OUTRIDER_MEDIA_FETCH_PRIVATE_HOSTS: ["http://media.internal", ["http://media.internal"]],
    OUTRIDER_MEDIA_FETCH_MAX_BYTES: ["11", 11],
    OUTRIDER_MEDIA_FETCH_MAX_ITEMS: ["12", 12],
    OUTRIDER_MEDIA_FETCH_TIMEOUT_MS: ["13", 13],
    OUTRIDER_PRICES_OVERRIDES: [
      '[{"provider":"a","model":"*","inputUsdPerMillion":0,"outputUsdPerMillion":1.5}]',
      [{ provider: "a", model: "*", inputUsdPerMillion: 0, outputUsdPerMillion: 1.5 }],
    ],
    OUTRIDER_TIMEOUTS_CONNECT_MS: ["1", 1],
    OUTRIDER_TIMEOUTS_FIRST_BYTE_MS: ["2", 2],
    OUTRIDER_TIMEOUTS_IDLE_MS: ["3", 3],
    OUTRIDER_TIMEOUTS_TOTAL_MS: ["4", 4],
    OUTRIDER_LIMITS_MAX_BODY_BYTES: ["5", 5],
    OUTRIDER_LIMITS_MAX_CONNECTIONS: ["6", 6],
    OUTRIDER_LIMITS_DRAIN_SECONDS: ["0.5", 0.5],
    OUTRIDER_POLICY_URL: ["https://config.example/outrider.yaml", "https://config.example/outrider.yaml"],
    OUTRIDER_POLICY_FILE: ["/etc/outrider/policy.yaml", "/etc/outrider/policy.yaml"],
    OUTRIDER_POLICY_POLL_SECONDS: ["7.5", 7.5],
    OUTRIDER_POLICY_REQUIRED: ["false", false],
    OUTRIDER_POLICY_TOKEN_ENV: ["POLICY_TOKEN", "POLICY_TOKEN"],
    OUTRIDER_POLICY_TOKEN_FILE: ["/run/secrets/policy", "/run/secrets/policy"],
    OUTRIDER_POLICY_PUBLIC_KEYS: ["a.json,b.json", ["a.json", "b.json"]],
    OUTRIDER_POLICY_CACHE_DIR: ["/var/lib/outrider", "/var/lib/outrider"],
    OUTRIDER_POLICY_MTLS_CERT: ["/run/tls/cert.pem", "/run/tls/cert.pem"],
    OUTRIDER_POLICY_MTLS_KEY: ["/run/tls/key.pem", "/run/tls/key.pem"],
    OUTRIDER_POLICY_MTLS_CA: ["/run/tls/ca.pem", "/run/tls/ca.pem"],
    OUTRIDER_HOSTS: ["a.internal,b.internal", ["a.internal", "b.internal"]],
  };
  const keys = listOptionKeys().filter(({ path }) => !path.includes("*"));

  it("has one for every key", () => {
    expect(keys.map(({ variable }) => variable).sort()).toEqual(Object.keys(samples).sort());
  });

  it.each(keys.map((key) => [key.variable, key] as const))("%s sets its key", (variable, { path }) => {
    const [text, value] = samples[variable] ?? [];
    let found: unknown = loadOptions({ environment: { [variable]: text } });
    for (const key of path) found = Reflect.get(found as object, key);
    expect(found).toEqual(value);
  });

  it("refuses one that nobody knows, with the nearest name", () => {
    expect(
      complaints({ environment: { OUTRIDER_LISEN: "x", OUTRIDER_TELEMETRY_CAPTURE: "none", OUTRIDER_QQQQQQQQ: "1" } }),
    ).toEqual([
      'OUTRIDER_LISEN: unknown variable; did you mean "OUTRIDER_LISTEN"?',
      "OUTRIDER_QQQQQQQQ: unknown variable",
      'OUTRIDER_TELEMETRY_CAPTURE: unknown variable; did you mean "OUTRIDER_CAPTURE"?',
    ]);
  });

  it("lets the ones pass that are no option", () => {
    const environment = {
      OUTRIDER_SEMCONV: "both",
      OUTRIDER_RECORDINGS: "/x",
      OUTRIDER_COMPONENTS_DIR: "/y",
      OTHER: "z",
    };
    expect(complaints({ environment })).toEqual([]);
  });

  it("names the variable or flag that a wrong value came from", () => {
    expect(
      complaints({
        yaml: "app: ok",
        environment: { OUTRIDER_LIMITS_MAX_BODY_BYTES: "ten" },
        flags: { capture: "full" },
      }),
    ).toEqual([
      '--capture: expected one of none, span, event, both, found "full"',
      'OUTRIDER_LIMITS_MAX_BODY_BYTES: expected an integer ≥ 1 and ≤ 1073741824, found "ten"',
    ]);
  });
});

describe("wrong options", () => {
  it.each([
    ["listn: 1", 'unknown key "listn"; did you mean "listen"?'],
    ["limits: {maxBodyByte: 1}", 'limits: unknown key "maxBodyByte"; did you mean "maxBodyBytes"?'],
    ["zzzzzzzz: 1", 'unknown key "zzzzzzzz"'],
    ["__proto__: {app: x}", 'unknown key "__proto__"'],
    ["limits: {maxBodyBytes: ten}", 'limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found "ten"'],
    ["limits: {maxBodyBytes: 0}", "limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found 0"],
    ["limits: {maxBodyBytes: 1.5}", "limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found 1.5"],
    [
      "limits: {maxBodyBytes: 1e12}",
      "limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found 1000000000000",
    ],
    ["limits: {maxBodyBytes: [1]}", "limits.maxBodyBytes: expected an integer ≥ 1 and ≤ 1073741824, found a list"],
    ["limits: {drainSeconds: -1}", "limits.drainSeconds: expected a number ≥ 0 and ≤ 3600, found -1"],
    ["limits: {drainSeconds: .nan}", "limits.drainSeconds: expected a number ≥ 0 and ≤ 3600, found NaN"],
    ["limits: 5", "limits: expected a mapping of keys to values, found 5"],
    ["limits:", "limits: expected a mapping of keys to values, found nothing"],
    ["telemetry: {requestUsage: yes}", 'telemetry.requestUsage: expected true or false, found "yes"'],
    ["telemetry: {capture: full}", 'telemetry.capture: expected one of none, span, event, both, found "full"'],
    ["telemetry: {capture: true}", "telemetry.capture: expected one of none, span, event, both, found true"],
    ["app: ''", 'app: expected a text, not empty, found ""'],
    ["app: {}", "app: expected a text, not empty, found a mapping"],
    [
      "listen: 127.0.0.1:1",
      'listen: expected a list, not empty, each an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found "127.0.0.1:1"',
    ],
    [
      "listen: []",
      "listen: expected a list, not empty, each an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found a list",
    ],
    ["listen: [4141]", "listen[0]: expected an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found 4141"],
    [
      "listen: ['127.0.0.1:65536']",
      'listen[0]: expected an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found "127.0.0.1:65536"',
    ],
    [
      "listen: ['::1:4141']",
      'listen[0]: expected an address as host:port, e.g. 127.0.0.1:4141, or unix:/path, found "::1:4141"',
    ],
    ["admin: localhost", 'admin: expected an address as host:port, e.g. 127.0.0.1:4142, found "localhost"'],
    [
      "policy: {url: 'https://a:b:c'}",
      'policy.url: expected an https URL, or an http one on loopback, without user name, found "https://a:b:c"',
    ],
    ["hosts: [1]", "hosts[0]: expected a text, not empty, found 1"],
    [
      "providers: {x: {baseUrl: 'ftp://x.example'}}",
      'providers.x.baseUrl: expected an http or https URL, found "ftp://x.example"',
    ],
    [
      "providers: {groc: {}}",
      'providers.groc: expected a built-in provider, or a baseUrl, found "groc"; did you mean "groq"?',
    ],
    [
      "credentials: {opnai: {env: X}}",
      `credentials.opnai: expected a provider's id, found "opnai"; did you mean "openai"?`,
    ],
    ["credentials: {openai: {evn: X}}", 'credentials.openai: unknown key "evn"; did you mean "env"?'],
    ["credentials: {openai: {}}", "credentials.openai: expected {env: NAME} or {file: PATH}, found a mapping"],
    ["prices: {overrides: {}}", "prices.overrides: expected a list, found a mapping"],
    [
      "prices: {overrides: [{provider: a, model: b, inputUsdPerMillion: -1, outputUsdPerMillion: 1}]}",
      "prices.overrides[0].inputUsdPerMillion: expected a number ≥ 0, found -1",
    ],
    [
      "prices: {overrides: [{provider: a, model: b, outputUsdPerMillion: 1}]}",
      "prices.overrides[0].inputUsdPerMillion: expected a number ≥ 0, found nothing",
    ],
  ])("%s", (yaml, line) => {
    expect(complaints({ yaml })).toEqual([`outrider.yaml: ${line}`]);
  });

  it("names every wrong thing at once, one line each, whatever stands in the values", () => {
    const lines = complaints({ yaml: 'admin: "a\\nb\\u202e\\u001b[31m"\nlimits: {maxBodyBytes: x}\nnope: 1\n' });
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("says line and column of what is no YAML, and does not quote it", () => {
    const secret = "test-key-4f1a";
    const broken = [
      `a: [1,\n b: '${secret}`,
      `a: 1\na: ${secret}`,
      `a: @${secret}`,
      `a: ${secret}: ${secret}`,
      `\ta: ${secret}`,
      `a: !x ${secret}`,
    ];
    for (const yaml of broken) {
      const lines = complaints({ yaml });
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) {
        expect(line).toMatch(/^outrider\.yaml:\d+:\d+: \S/);
        expect(line).not.toContain(secret);
      }
    }
  });

  it("never shows what stands where a credential, or a URL with a password, was expected", () => {
    const secret = "test-key-4f1a";
    const wrong = [
      `credentials: {openai: ${secret}}`,
      `credentials: {openai: {env: ${secret}}}`,
      `credentials: ["${secret}"]`,
      `credentials: ${secret}`,
      `providers: {openai: {baseUrl: "ftp://u:${secret}@x.example/v1"}}`,
      `providers: {openai: {baseUrl: "https://u:${secret}@x.example/v1"}}`,
      `providers: {openai: {baseUrl: "https://x.example/v1?key=${secret}"}}`,
      `providers: {openai: {baseUrl: ${secret}}}`,
    ];
    for (const yaml of wrong) {
      const lines = complaints({ yaml });
      expect(lines, yaml).toHaveLength(1);
      expect(lines[0]).not.toContain(secret);
    }
  });

  it("refuses documents that are no mapping, that loop, or that are no text", () => {
    expect(complaints({ yaml: "- 1" })).toEqual(["outrider.yaml: expected a mapping of keys to values"]);
    expect(complaints({ yaml: "a: *nothing" })).toEqual([expect.stringMatching(/^outrider\.yaml(:1:4)?: /)]);
    expect(complaints({ yaml: Buffer.from([0x61, 0x3a, 0x20, 0xff]) })).toEqual([
      "outrider.yaml: cannot be read: not UTF-8",
    ]);
  });

  it("tells a file that cannot be read from one that is wrong", () => {
    const load = (file: string) => () => loadOptions({ environment: {}, file });
    expect(load(join(folder, "absent.yaml"))).toThrow(
      expect.objectContaining({
        unreadable: true,
        message: expect.stringMatching(/absent\.yaml: cannot be read: no such file$/),
      }),
    );
    expect(load(writeFile("nope: 1"))).toThrow(expect.objectContaining({ unreadable: false }));
  });
});

describe("nearest name", () => {
  it("suggests what is near and nothing else", () => {
    const names = ["listen", "admin", "hosts"];
    expect(nearestName("listn", names)).toBe("listen");
    expect(nearestName("LISTEN", names)).toBe("listen");
    expect(nearestName("host", names)).toBe("hosts");
    expect(nearestName("zzzzz", names)).toBeUndefined();
  });
});

describe("what is made from the schema", () => {
  it("is current: schemas/options.schema.json and docs/options.md", () => {
    expect(() =>
      execFileSync(process.execPath, ["scripts/write-schemas.mjs", "--check"], { stdio: "pipe" }),
    ).not.toThrow();
  });

  it("describes every key in the table", () => {
    for (const { path, node } of listOptionKeys()) expect(node.description, path.join(".")).toMatch(/\S/);
  });

  it("is a JSON Schema that judges as the program does", () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(buildOptionsSchema());
    expect(validate({ listen: ["127.0.0.1:1"], credentials: { openai: { env: "X" } } })).toBe(true);
    for (const wrong of [
      { listn: 1 },
      { limits: { maxBodyBytes: 0 } },
      { listen: ["x"] },
      { credentials: { a: { evn: "X" } } },
    ]) {
      expect(validate(wrong)).toBe(false);
      expect(optionsSchema.safeParse(wrong).success).toBe(false);
    }
  });
});

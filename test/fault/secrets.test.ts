// Secrets and content are planted everywhere a request, an answer or an option can hold them; then everything that Outrider says
// anywhere is searched for them (reliability.md S6, S19, T18). Each is proven to have been sent, so that these tests can fail.
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { CaptureMode, OptionsInput } from "../../src/options.ts";
import { createSecrets, findCanaries } from "../support/canaries.ts";
import { startClientTap } from "../support/client-tap.ts";
import { readStatus } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { startOutriderCommand } from "../support/outrider-command.ts";
import { startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import {
  allSecrets,
  allSentences,
  clientHeaders,
  type Drive,
  drives,
  everything,
  forwarded,
  queried,
  query,
  secrets,
  type SecretName,
  seed,
  sentences,
  stopped,
} from "../support/planted-traffic.ts";
import { exchangeRaw, formatPost, type RawAnswer } from "../support/raw-client.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const held = {
  MY_GROQ_KEY: secrets["credential from env"].value,
  TOGETHER_API_KEY: secrets["conventional variable"].value,
  OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${secrets["exporter header"].value}`,
};

async function drive(port: number, name: string, { path, body, headers, abort, bare }: Drive): Promise<RawAnswer> {
  const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all = { ...(bare ? { connection: "close" } : clientHeaders), "x-test-drive": name, ...headers };
  const post = formatPost(bare ? path : path + query, text.toString("latin1"), all);
  // formatPost counts UTF-8; a body that is no text keeps its own length.
  const bytes = Buffer.isBuffer(text)
    ? Buffer.from(post.replace(/content-length: \d+/, `content-length: ${text.length}`), "latin1")
    : post;
  return exchangeRaw(port, bytes, {
    timeoutMs: abort ? 150 : 5000,
  });
}

interface Run {
  answers: Map<string, RawAnswer>;
  /** Text by where it was found; all of it is Outrider's own. */
  outputs: Map<string, string>;
  receiver: OtlpReceiver;
  upstream: ScriptedUpstream;
  sent: Buffer;
}

/** Ends what a run started, also when it failed half-way. */
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

async function runTraffic(capture: CaptureMode, protocol: string): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "outrider-secrets-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  for (const each of [home, temporary]) mkdirSync(each);
  const keyFile = join(folder, "key");
  writeFileSync(keyFile, secrets["credential from file"].value);
  const upstream = await startScriptedUpstream((request) => drives[request.header("x-test-drive") ?? ""]?.plan ?? {});
  closers.push(() => upstream.close());
  const receiver = await startOtlpReceiver();
  closers.push(() => receiver.close());
  const at = (id: string): { baseUrl: string } => ({ baseUrl: `${upstream.url}/${id}/v1` });
  const options: OptionsInput = {
    providers: {
      openai: at("openai"),
      anthropic: { baseUrl: `${upstream.url}/anthropic` },
      groq: at("groq"),
      mistral: at("mistral"),
      together: at("together"),
      fireworks: { baseUrl: `http://127.0.0.1:${await findFreePort()}/v1` },
    },
    credentials: { groq: { env: "MY_GROQ_KEY" }, mistral: { file: keyFile } },
    telemetry: { capture },
    limits: { maxBodyBytes: 100_000 },
  };
  const outrider = await startOutrider({
    options,
    environment: {
      ...held,
      HOME: home,
      TMPDIR: temporary,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_BLRP_SCHEDULE_DELAY: "50",
      OTEL_METRIC_EXPORT_INTERVAL: "300",
      OUTRIDER_SEMCONV: "both",
    },
  });
  closers.push(() => outrider.stop("SIGKILL"));
  // Without capture the collector refuses the logs, so that the warning about it is searched too.
  if (capture === "none") receiver.setFault({ type: "status", status: 400 }, "logs");
  const tap = await startClientTap(Number(new URL(outrider.url).port));
  closers.push(() => tap.close());
  const tail = startOutriderCommand(["tail", "--admin", new URL(outrider.adminUrl).host]);
  closers.push(() => tail.child.kill("SIGKILL"));
  await vi.waitFor(() => expect(tail.output()).toContain("following"), { timeout: 10_000 });
  const answers = new Map<string, RawAnswer>();
  for (const [name, each] of Object.entries(drives)) answers.set(name, await drive(tap.port, name, each));
  // Refused before anything is read: not HTTP, an upgrade, a tunnel.
  const host = `host: me:${secrets["host userinfo"].value}@127.0.0.1`;
  for (const [name, head] of Object.entries({
    "not HTTP": `POST ${query} HTTP/1.1\r\nbad header ${secrets.authorization.value}\r\n\r\n`,
    upgrade: `GET /v1/realtime${query} HTTP/1.1\r\n${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    tunnel: `CONNECT me:${secrets["url userinfo"].value}@127.0.0.1:443 HTTP/1.1\r\n${host}\r\n\r\n`,
  }))
    answers.set(name, await exchangeRaw(tap.port, head));
  await vi.waitFor(async () => expect((await readStatus(outrider)).exchanges.inFlight).toBe(0), { timeout: 5000 });

  const outputs = new Map<string, string>();
  for (const page of ["/", "/status", "/exchanges", "/metrics", `/nothing${query}`]) {
    const response = await fetch(`${outrider.adminUrl}${page}`);
    outputs.set(`admin ${page.split("?")[0]}`, JSON.stringify([...response.headers]) + (await response.text()));
  }
  outrider.child.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await outrider.stop()).toBe(0);
  tail.child.kill("SIGINT");
  outputs.set("tail", (await tail.ended).output);
  outputs.set("stdout and stderr", outrider.output());
  for (const file of globSync("{home,tmp}/**", { cwd: folder }).filter((path) => statSync(join(folder, path)).isFile()))
    outputs.set(`file ${file}`, readFileSync(join(folder, file), "latin1"));
  for (const [name, { head, body }] of answers) {
    const lines = head.split("\r\n").filter((line) => /^(?:x-outrider-|traceresponse)/i.test(line));
    const isOwn = drives[name]?.own ?? drives[name] === undefined;
    outputs.set(`answer to ${name}`, isOwn ? head + body : lines.join("\n"));
  }
  return { answers, outputs, receiver, upstream, sent: Buffer.concat(tap.sent) };
}

function bodiesOf({ receiver }: Run, signal: string): Buffer {
  return Buffer.concat(receiver.bodies.filter((_, index) => receiver.requests[index]?.signal === signal));
}

/** `where: canary` for each hit in Outrider's own words, outside of OTLP. */
function findHits({ outputs }: Run): string[] {
  return [...outputs].flatMap(([where, text]) => findCanaries(everything, text).map((name) => `${where}: ${name}`));
}

describe(`canaries (seed ${seed})`, () => {
  it("are found raw, shortened, percent-encoded, as hex and in base64, and not where there are none", () => {
    const { one, two } = createSecrets(["one", "two"], 7);
    const all = [one, two];
    expect(findCanaries(all, `x ${two.value} y`)).toEqual(["two"]);
    expect(findCanaries(all, one.value.slice(0, 22).toUpperCase())).toEqual(["one"]);
    expect(findCanaries(all, Buffer.from(one.value).toString("hex"))).toEqual(["one"]);
    for (const before of ["", "a", "ab", "abc"]) {
      const text = `${before}${one.value}:${before}`;
      expect(findCanaries(all, Buffer.from(text).toString("base64")), before).toEqual(["one"]);
      expect(findCanaries(all, Buffer.from(text).toString("base64url")), before).toEqual(["one"]);
    }
    const percent = Buffer.from(two.value).toString("hex").toUpperCase().replaceAll(/../g, "%$&");
    expect(findCanaries(all, percent)).toEqual(["two"]);
    expect(findCanaries(all, "test-key-0123456789abcdef and nothing else")).toEqual([]);
    expect(findCanaries(allSentences, `... ${sentences.prompt.value.toUpperCase()}`)).toEqual(["velquorin"]);
    expect(allSecrets.length).toBeGreaterThanOrEqual(12);
  });
});

describe.each([["http/protobuf"], ["http/json"]])("without capture, exporting by %s", (protocol) => {
  let run: Run;
  beforeAll(async () => {
    run = await runTraffic("none", protocol);
  });

  it("sends every canary where it belongs, and every exchange ends as its drive says", () => {
    expect([...run.answers].map(([name, { status }]) => [name, status])).toEqual([
      ...Object.entries(drives).map(([name, { status }]) => [name, status]),
      ["not HTTP", 400],
      ["upgrade", 421],
      ["tunnel", 405],
    ]);
    const sent = findCanaries(allSecrets, run.sent);
    expect(sent.sort()).toEqual([...forwarded, ...queried, ...stopped].sort());
    for (const { header, path, rawHeaders } of run.upstream.requests) {
      const name = header("x-test-drive") ?? "";
      const received: readonly SecretName[] = drives[name]?.received ?? [...forwarded, ...queried];
      expect([name, findCanaries(allSecrets, [path, ...rawHeaders].join("\n")).sort()]).toEqual([
        name,
        [...received].sort(),
      ]);
    }
    const reached = new Set(run.upstream.requests.map(({ header }) => header("x-test-drive")));
    expect([...reached].sort()).toEqual(
      Object.keys(drives)
        .filter((name) => drives[name]?.plan !== undefined)
        .sort(),
    );
    const bodies = run.upstream.requests.map(({ body }) => body.toString("latin1")).join("\n");
    const answered = [...run.answers.values()].map(({ head, body }) => head + body).join("\n");
    const inOwnErrors = Object.values(drives).filter(({ plan }) => plan === undefined);
    const refused = inOwnErrors.map(({ body }) => (typeof body === "string" ? body : String(body))).join("\n");
    expect(findCanaries(allSentences, `${bodies}\n${answered}\n${refused}`)).toEqual(
      allSentences.map(({ name }) => name),
    );
    expect(findCanaries(allSecrets, answered)).toEqual(expect.arrayContaining(["echoed key", "set-cookie"]));
    expect(run.receiver.requests.map(({ headers }) => headers["x-collector-key"])).toContain(
      secrets["exporter header"].value,
    );
  });

  it("exports all three signals without one of them", () => {
    expect(new Set(run.receiver.requests.map(({ contentType }) => contentType))).toEqual(
      new Set([protocol === "http/json" ? "application/json" : "application/x-protobuf"]),
    );
    for (const [signal, word] of [
      ["traces", "gpt-4o-mini"],
      ["metrics", "gen_ai.client.inference.duration"],
      ["logs", "gen_ai.client.inference.operation.details"],
    ] as const) {
      const bytes = bodiesOf(run, signal);
      expect(bytes.includes(word), `${signal} were exported`).toBe(true);
      expect([signal, findCanaries(everything, bytes)]).toEqual([signal, []]);
    }
    expect(run.receiver.spans.filter(({ kind }) => kind === 2).length).toBe(Object.keys(drives).length + 1);
  });

  it("writes none of them in logs, pages, errors, headers and files", () => {
    expect(run.outputs.get("stdout and stderr")).toContain("logs were not delivered");
    expect(run.outputs.get("tail")).toContain("/v1/chat/completions");
    expect(run.outputs.get("admin /exchanges")).toContain("upstream_auth");
    expect(findHits(run)).toEqual([]);
  });
});

/** docs/telemetry.md, Content: which attribute holds which sentence. */
const captured: Record<string, string[]> = {
  "gen_ai.input.messages": ["prompt", "systemMessage", "embedded", "legacy"],
  "gen_ai.system_instructions": ["system"],
  "gen_ai.output.messages": ["completion", "toolArguments"],
  "gen_ai.tool.definitions": ["toolDescription"],
};

/** `attribute: sentence`, for all attributes of spans or events. */
function findContent(holders: { attributes: Record<string, unknown> }[]): string[] {
  const hits = holders.flatMap(({ attributes }) =>
    Object.entries(attributes).flatMap(([attribute, value]) =>
      Object.entries(sentences)
        .filter(([, sentence]) => findCanaries([sentence], JSON.stringify(value)).length > 0)
        .map(([name]) => `${attribute}: ${name}`),
    ),
  );
  return [...new Set(hits)].sort();
}

const countWord = (text: string, word: string): number => text.split(word).length - 1;

describe.each([
  ["span", "http/json"],
  ["event", "http/protobuf"],
  ["both", "http/protobuf"],
] as const)("with capture: %s", (capture, protocol) => {
  let run: Run;
  beforeAll(async () => {
    run = await runTraffic(capture, protocol);
  });

  const pairs = Object.entries(captured).flatMap(([attribute, names]) => names.map((name) => `${attribute}: ${name}`));

  it("content is where the page says", () => {
    const { spans, logs } = run.receiver;
    const groups = spans.filter(({ attributes }) => attributes["gen_ai.operation.name"] !== undefined);
    const details = logs.filter(({ eventName }) => eventName === "gen_ai.client.inference.operation.details");
    expect(findContent(groups)).toEqual(capture === "event" ? [] : [...pairs].sort());
    // The details event is for inference, which embedding is not.
    const inEvents = pairs.filter((pair) => !pair.endsWith(": embedded"));
    expect(findContent(details)).toEqual(capture === "span" ? [] : inEvents.sort());
  });

  it("and nowhere else, not even in the rest of a span", () => {
    for (const [signal, holders] of [
      ["traces", run.receiver.spans],
      ["logs", run.receiver.logs],
    ] as const) {
      const bytes = bodiesOf(run, signal).toString("latin1");
      const content = holders.flatMap(({ attributes }) =>
        Object.keys(captured).map((attribute) => JSON.stringify(attributes[attribute] ?? "")),
      );
      for (const { name } of allSentences)
        expect([signal, name, countWord(bytes, name)]).toEqual([signal, name, countWord(content.join("\n"), name)]);
    }
    expect(findCanaries(everything, bodiesOf(run, "metrics"))).toEqual([]);
    expect(findHits(run)).toEqual([]);
  });

  it("and no secret anywhere", () => {
    for (const signal of ["traces", "logs"]) expect(findCanaries(allSecrets, bodiesOf(run, signal))).toEqual([]);
    const inContent = ["file", "malformed", "providerError"].map((name) => sentences[name as "file"]);
    expect(findCanaries(inContent, Buffer.concat(run.receiver.bodies))).toEqual([]);
  });
});

describe("commands", () => {
  const folder = mkdtempSync(join(tmpdir(), "outrider-secrets-commands-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const planted = secrets["credential from env"].value;
  let files = 0;
  const write = (content: string): string => {
    const file = join(folder, `${++files}.yaml`);
    writeFileSync(file, content);
    return file;
  };

  it.each<[string, number, string]>([
    [
      "as values",
      8,
      `apiKey: ${planted}
openai: {apiKey: ${planted}}
credentials: {openai: "${planted}", groq: {env: "${planted}"}, mistral: {key: "${planted}"}}
providers:
  openai: {baseUrl: "https://me:${planted}@api.example/v1"}
  groq: {baseUrl: "ftp://me:${planted}@api.example/v1"}
  mistral: {baseUrl: "https://api.example/v1?key=${planted}"}
  together: {baseUrl: "${planted}"}
  fireworks: ${planted}
`,
    ],
    ["as a list", 1, `credentials: ["${planted}"]`],
    ["in bad YAML", 1, `credentials: {openai: {env: A}}\n${planted}`],
    ["in bad JSON", 1, `{"credentials": {"openai": ${planted}}`],
  ])("check and run refuse a key in the wrong place and do not show it: %s", async (_where, atLeast, content) => {
    const file = write(content);
    const [checked, ran] = await Promise.all([
      startOutriderCommand(["check", "--options", file]).ended,
      startOutriderCommand(["run", "--config", file]).ended,
    ]);
    expect([checked.code, ran.code]).toEqual([1, 2]);
    for (const { output } of [checked, ran]) {
      expect(output.split(file).length - 1).toBeGreaterThanOrEqual(atLeast);
      expect(findCanaries(allSecrets, output)).toEqual([]);
    }
  });

  it("doctor and exec name what they hold and show none of it", async () => {
    const receiver = await startOtlpReceiver();
    const upstream = await startScriptedUpstream(drives["chat"]?.plan);
    const keyFile = write(secrets["credential from file"].value);
    const config = write(
      JSON.stringify({
        listen: [`127.0.0.1:${await findFreePort()}`],
        admin: `127.0.0.1:${await findFreePort()}`,
        providers: { openai: { baseUrl: `${upstream.url}/v1` } },
        credentials: { openai: { env: "MY_GROQ_KEY" }, mistral: { file: keyFile } },
      }),
    );
    const collector = new URL(receiver.url);
    [collector.username, collector.password] = ["me", secrets["url userinfo"].value];
    const environment = { ...held, HOME: folder, OTEL_EXPORTER_OTLP_ENDPOINT: collector.href };
    const doctor = await startOutriderCommand(["doctor", "--config", config], environment).ended;
    const code = `fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
      method: "POST", headers: { authorization: "Bearer ${secrets.authorization.value}" }, body: '{"model":"gpt-4o","messages":[]}',
    }).then((response) => console.log("seen", response.status));`;
    const exec = await startOutriderCommand(
      ["exec", "--config", config, "--", process.execPath, "-e", code],
      environment,
    ).ended;
    await receiver.close();
    await upstream.close();
    expect(doctor.output).toMatch(/credential for openai: .*MY_GROQ_KEY/);
    expect(doctor.output).toMatch(/credential for mistral/);
    expect(exec).toMatchObject({ code: 0, output: expect.stringContaining("seen 200") });
    expect(findCanaries(allSecrets, upstream.requests[0]?.rawHeaders.join("\n") ?? "")).toEqual([
      "credential from env",
    ]);
    expect(receiver.spans.length).toBe(3);
    expect(receiver.requests.every(({ headers }) => headers["x-collector-key"] !== undefined)).toBe(true);
    for (const text of [doctor.output, exec.output, Buffer.concat(receiver.bodies)])
      expect(findCanaries(allSecrets, text)).toEqual([]);
  });
});

// Outrider before scripted providers, and one exchange at a time told whole: what the client got, what each provider saw in which
// order, the spans, the counters, the log events, the summary. Each scene has models of its own, so that no target remembers another scene.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClientAnswer, type ClientDialect, sendChat } from "./fallback-client.ts";
import { tellCounters, tellEvents, tellSpans, tellSummary } from "./fallback-tale.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "./outrider-process.ts";
import { findFreePort } from "./ports.ts";
import { type Plan, type ScriptedUpstream, startScriptedUpstream, type UpstreamRequest } from "./scripted-upstream.ts";
import { parseExposition, type SampleMap } from "./sidecar-metrics.ts";
import { createTraceParent } from "./trace-parent.ts";

/** The scripted providers. */
export type ProviderName = "openai" | "anthropic" | "google" | "second";

/** What a client asks and how. */
export interface Ask {
  client?: ClientDialect;
  stream?: boolean;
  /** Instead of the scene's alias. */
  model?: string;
  path?: string;
  headers?: Record<string, string>;
  /** Added to the request's body. */
  more?: Record<string, unknown>;
  /** The client goes away after so long. */
  leaveAfterMs?: number;
}

/** One exchange. */
export interface Scene {
  /** Of its story. */
  name: string;
  /** The alias's document. */
  alias: Record<string, unknown>;
  /** Answers in order; what asks for more gets a 418 that no story has. A function makes its answer when it is asked. */
  answers: Partial<Record<ProviderName, readonly (Plan | (() => Plan))[]>>;
  ask?: Ask;
}

/** Everything under way; close it. */
export interface Stage {
  readonly outrider: OutriderProcess;
  /** Plays it; gives its story. */
  play(scene: Pick<Scene, "alias" | "answers" | "ask">): Promise<string[]>;
  /** Only asks, with the answers that are scripted; for many exchanges of which one fact counts. */
  ask(scene: Pick<Scene, "alias" | "ask">): Promise<ClientAnswer>;
  script(answers: Scene["answers"]): void;
  /** What a provider saw since the last script. */
  seen(name: ProviderName): readonly UpstreamRequest[];
  close(): Promise<void>;
}

const upstreams = ["openai", "anthropic", "google", "second"] as const;

/** The header that carries each one's credential, and its value. */
const credentials: Record<ProviderName, readonly [header: string, value: string]> = {
  openai: ["authorization", "Bearer test-key-openai"],
  anthropic: ["x-api-key", "test-key-anthropic"],
  google: ["x-goog-api-key", "test-key-google"],
  second: ["authorization", "Bearer test-key-second"],
};

/** What no provider may see of another one's. */
const keys = ["test-key-openai", "test-key-anthropic", "test-key-google", "test-key-second"];

/**
 * Starts everything. `scenes` become the aliases of the policy, by their place; `policy` is the rest of the document. The providers are
 * `openai`, `anthropic`, `google`, `second` (of OpenAI's dialect), `gone` (nobody listens), `nowhere` (no such name), `groq` (no
 * credential for it) and `vertex` (one that cannot be read).
 */
export async function startStage(
  scenes: readonly Pick<Scene, "alias">[],
  { models: more = {}, ...policy }: Record<string, unknown>,
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "outrider-fallbacks-"));
  const file = join(folder, "policy.json");
  const models = Object.fromEntries(scenes.map(({ alias }, index) => [aliasName(index), markModels(alias, index)]));
  const document = { apiVersion: "outrider/v1", version: 7, models: { ...models, ...(more as object) }, ...policy };
  writeFileSync(file, JSON.stringify(document));
  const players = {
    openai: await startScriptedUpstream(),
    anthropic: await startScriptedUpstream(),
    google: await startScriptedUpstream(),
    second: await startScriptedUpstream(),
  };
  const receiver = await startOtlpReceiver();
  const outrider = await startOutrider({
    options: {
      policy: { file },
      providers: {
        openai: { baseUrl: `${players.openai.url}/v1` },
        anthropic: { baseUrl: players.anthropic.url },
        google: { baseUrl: players.google.url },
        second: { preset: "openai", baseUrl: `${players.second.url}/v1` },
        gone: { preset: "openai", baseUrl: `http://127.0.0.1:${await findFreePort()}/v1` },
        nowhere: { preset: "openai", baseUrl: "http://nowhere.invalid/v1" },
        groq: { baseUrl: `${players.second.url}/v1` },
        vertex: { baseUrl: players.google.url, project: "test", region: "global" },
      },
      credentials: { second: { env: "SECOND_KEY" }, gone: { env: "SECOND_KEY" }, nowhere: { env: "SECOND_KEY" } },
    },
    environment: {
      OPENAI_API_KEY: "test-key-openai",
      ANTHROPIC_API_KEY: "test-key-anthropic",
      GEMINI_API_KEY: "test-key-google",
      SECOND_KEY: "test-key-second",
      GOOGLE_APPLICATION_CREDENTIALS: join(folder, "missing.json"),
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_BLRP_SCHEDULE_DELAY: "20",
    },
  });
  return new RunningStage(scenes, { players, receiver, outrider, folder });
}

/** Without a word on its end an answer ends its connection too: no scene inherits a kept-alive one. */
function hangUp(plan: Plan): Plan {
  if (plan.ending !== undefined || plan.kind === "raw") return plan;
  return { ...plan, ending: "close", headers: { ...(plan.headers as Record<string, string>), connection: "close" } };
}

function aliasName(index: number): string {
  return `scene-${index}`;
}

/** Model names with the scene's mark, which the story leaves out again. */
function markModels(alias: Record<string, unknown>, index: number): unknown {
  const mark = markOf(index);
  const { targets, fallbacks = [] } = alias as { targets: { model: string }[]; fallbacks?: { to: string }[] };
  return {
    ...alias,
    targets: targets.map((target) => ({ ...target, model: target.model + mark })),
    fallbacks: fallbacks.map(({ to, ...rest }) => ({ ...rest, to: to.includes("/") ? to + mark : to })),
  };
}

function markOf(index: number): string {
  return `.s${index}`;
}

interface Running {
  players: Record<ProviderName, ScriptedUpstream>;
  receiver: OtlpReceiver;
  outrider: OutriderProcess;
  folder: string;
}

class RunningStage implements Stage {
  readonly outrider: OutriderProcess;
  readonly #scenes: readonly Pick<Scene, "alias">[];
  readonly #running: Running;

  constructor(scenes: readonly Pick<Scene, "alias">[], running: Running) {
    this.#scenes = scenes;
    this.#running = running;
    this.outrider = running.outrider;
  }

  script(answers: Scene["answers"]): void {
    for (const name of upstreams) {
      const plans = [...(answers[name] ?? [])];
      const player = this.#running.players[name];
      player.requests.length = 0;
      player.setScript(() => {
        const plan = plans.shift() ?? { status: 418, contentLength: 0 };
        return hangUp(typeof plan === "function" ? plan() : plan);
      });
    }
  }

  seen(name: ProviderName): readonly UpstreamRequest[] {
    return this.#running.players[name].requests;
  }

  ask({ alias, ask = {} }: Pick<Scene, "alias" | "ask">): Promise<ClientAnswer> {
    const model = aliasName(this.#scenes.findIndex((scene) => scene.alias === alias));
    return sendChat(this.outrider.url, { model, ...ask, traceparent: createTraceParent().traceparent });
  }

  async play({ alias, answers, ask = {} }: Pick<Scene, "alias" | "answers" | "ask">): Promise<string[]> {
    const { receiver, outrider } = this.#running;
    const index = this.#scenes.findIndex((scene) => scene.alias === alias);
    this.script(answers);
    const before = await this.#readCounters();
    const { traceId, spanId, traceparent } = createTraceParent();
    const answer = await sendChat(outrider.url, { model: aliasName(index), ...ask, traceparent });
    const spans = await this.#waitForSpans(traceId);
    const root = spans.find((span) => span.parentSpanId === spanId);
    // Every span that names a fallback is due an event; what is missing after a while is missing in the story.
    const due = spans.filter((span) => "outrider.fallback.to" in span.attributes).length;
    const events = () =>
      receiver.logs.filter((log) => log.traceId === traceId && log.eventName === "outrider.fallback");
    await waitUntil(() => events().length >= due, 1000);
    const after = await this.#readCounters();
    const id = root?.attributes["outrider.request.id"];
    const lines = [
      ...tellAnswer(answer),
      ...this.#tellRequests(),
      ...tellSpans(spans, root),
      ...tellCounters(before, after),
      ...tellEvents(events(), spans),
      await tellSummary(outrider.adminUrl, String(id)),
    ];
    return lines.map((line) => line.replaceAll(markOf(index), "").replaceAll(aliasName(index), "ALIAS"));
  }

  async close(): Promise<void> {
    const { outrider, players, receiver, folder } = this.#running;
    await outrider.stop();
    for (const each of [...Object.values(players), receiver]) await each.close();
    rmSync(folder, { recursive: true, force: true });
  }

  async #readCounters(): Promise<SampleMap> {
    const page = await (await fetch(`${this.outrider.adminUrl}/metrics`)).text();
    const lines = page.split("\n").filter((line) => /^outrider_(?:attempts|fallbacks)_total/.test(line));
    return parseExposition(lines.join("\n"));
  }

  /** All spans of one exchange: the server's says how many attempts there are. */
  async #waitForSpans(traceId: string): Promise<ReceivedSpan[]> {
    const find = (): ReceivedSpan[] => this.#running.receiver.spans.filter((span) => span.traceId === traceId);
    await waitUntil(() => {
      const spans = find();
      const known = new Set(spans.map((span) => span.spanId));
      const root = spans.find((span) => span.kind === 2);
      const attempts = spans.filter((span) => "url.full" in span.attributes);
      const isWhole = attempts.every((span) => known.has(span.parentSpanId));
      return root !== undefined && isWhole && attempts.length === root.attributes["outrider.attempt.count"];
    }, 5000);
    return find();
  }

  /** One line for each request, in the order of their coming, and what is wrong with its credential. */
  #tellRequests(): string[] {
    const seen = upstreams.flatMap((name) =>
      this.#running.players[name].requests.map((request) => ({ name, request, at: request.startedAt })),
    );
    return seen
      .sort((left, right) => left.at - right.at)
      .map(({ name, request }) => {
        const whole = `${request.path}\n${request.rawHeaders.join("\n")}\n${request.body.toString()}`;
        const [header, value] = credentials[name];
        // Google takes it either way, by the dialect it is asked in.
        const held = request.path.includes("/openai/") ? readBearer(request) : request.header(header);
        const wrongs = [
          ...keys.filter((key) => whole.includes(key) && !value.includes(key)).map((key) => ` LEAKED ${key}`),
          ...(name !== "openai" && whole.includes("test-key-client") ? [" LEAKED the client's key"] : []),
          ...(/^x-outrider/im.test(whole) ? [" LEAKED a steering header"] : []),
        ];
        const whose = held === value ? "" : ` with ${held ?? "no credential"}`;
        const stream = /"stream":\s*true|streamGenerate/.test(whole) ? " streamed" : "";
        const path = request.path.replace(/models\/[^:?]+/, "models/M");
        return `sent ${name} ${path} ${modelOf(request.path, request.body)}${stream}${whose}${wrongs.join("")}`;
      });
  }
}

function readBearer({ header }: UpstreamRequest): string | undefined {
  return header("authorization")?.replace(/^Bearer /, "");
}

function modelOf(path: string, body: Buffer): string {
  const inPath = /models\/([^:?]+):/.exec(path)?.[1];
  if (inPath !== undefined) return decodeURIComponent(inPath);
  const { model } = JSON.parse(body.toString()) as { model?: string };
  return model ?? "?";
}

const told = ["served-by", "attempts", "fallback", "loss", "policy", "error"];

function tellAnswer({ status, text, header }: ClientAnswer): string[] {
  if (status === undefined) return [`got ${text}`];
  const shown = told.map((name) => [name, header(`x-outrider-${name}`)]).filter(([, value]) => value !== null);
  const retry = header("x-should-retry");
  return [
    `got ${status} ${text}`,
    ...shown.map(([name, value]) => `${name}: ${value}`),
    ...(retry === null ? [] : [`x-should-retry: ${retry}`]),
  ];
}

async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition() && performance.now() < deadlineMs) await sleep(5);
}

// From start to stop (reliability.md §2.6): what a supervisor, an app with open streams and a collector see of it.
import { Agent, request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderCommand, startOutriderCommand } from "../support/outrider-command.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { findFreePort } from "../support/ports.ts";
import {
  type Plan,
  type PlanChunk,
  type ScriptedUpstream,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";

const streamCount = 50;
const chunkCount = 20;
const chunkMs = 150;

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const event = (value: { type: string; [key: string]: unknown }): string => `event: ${value.type}\n${data(value)}`;
const chatChunk = (delta: object, finish: string | null = null): string =>
  data({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [{ index: 0, delta, finish_reason: finish }] });
const words = (piece: string): string[] => Array.from({ length: chunkCount }, () => piece);
const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-haiku-4-5", content: [] };

/** A whole stream of each dialect, one event a piece. */
const streams = {
  "/v1/chat/completions": [
    ...words(chatChunk({ content: "word " })),
    chatChunk({}, "stop"),
    data({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [], usage: { prompt_tokens: 7, completion_tokens: 20 } }),
    "data: [DONE]\n\n",
  ],
  "/v1/messages": [
    event({ type: "message_start", message: { ...message, usage: { input_tokens: 7, output_tokens: 1 } } }),
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    ...words(event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "word " } })),
    event({ type: "content_block_stop", index: 0 }),
    event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 20 } }),
    event({ type: "message_stop" }),
  ],
} as const;
type Path = keyof typeof streams;
const paths = Object.keys(streams) as Path[];

const plainBody = '{"id":"chatcmpl-2","model":"gpt-4o-mini","choices":[]}';
/** By the header x-test-plan. */
const plans: Record<string, (path: Path) => Plan> = {
  plain: () => ({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [plainBody] }),
  paced: (path) => ({
    headers: { "content-type": "text/event-stream" },
    chunks: streams[path].map((bytes): PlanChunk => ({ bytes, afterMs: chunkMs })),
  }),
  endless: (path) => ({
    headers: { "content-type": "text/event-stream" },
    chunks: streams[path].slice(0, 6),
    ending: "stall",
  }),
  silent: () => ({ delayMs: 60_000, chunks: [] }),
};

let upstream: ScriptedUpstream;
const receivers: OtlpReceiver[] = [];
const processes: OutriderProcess[] = [];
const commands: OutriderCommand[] = [];
const home = mkdtempSync(join(tmpdir(), "outrider-lifecycle-"));

beforeAll(async () => {
  upstream = await startScriptedUpstream((request) =>
    (plans[request.header("x-test-plan") ?? ""] ?? plans["plain"])!(request.path as Path),
  );
});

afterAll(async () => {
  for (const { child } of commands) child.kill("SIGKILL");
  for (const each of processes) await each.stop("SIGKILL");
  for (const each of receivers) await each.close();
  await upstream?.close();
  rmSync(home, { recursive: true, force: true });
});

async function startObserved(drainSeconds: number): Promise<{ outrider: OutriderProcess; receiver: OtlpReceiver }> {
  const receiver = await startOtlpReceiver();
  receivers.push(receiver);
  const outrider = await startOutrider({
    options: {
      providers: { openai: { baseUrl: `${upstream.url}/v1` }, anthropic: { baseUrl: upstream.url } },
      limits: { drainSeconds },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
  });
  processes.push(outrider);
  return { outrider, receiver };
}

interface Call {
  /** Resolves at the first bytes of the body, or at the end when there are none. */
  begun: Promise<void>;
  ended: Promise<{ status: number; body: string; whole: boolean }>;
}

function call(outrider: OutriderProcess, path: Path, plan: string, agent?: Agent): Call {
  const begun = Promise.withResolvers<void>();
  const ended = new Promise<{ status: number; body: string; whole: boolean }>((resolve) => {
    let [status, body] = [0, ""];
    const finish = (whole: boolean): void => {
      begun.resolve();
      resolve({ status, body, whole });
    };
    const request = httpRequest(`${outrider.url}${path}`, {
      method: "POST",
      agent,
      headers: { "content-type": "application/json", "x-api-key": "test-key", "x-test-plan": plan },
    });
    request.on("response", (response) => {
      status = response.statusCode ?? 0;
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        body += piece;
        begun.resolve();
      });
      response.on("end", () => finish(true));
      response.on("error", () => finish(false));
    });
    request.on("error", () => finish(false));
    const model = path === "/v1/messages" ? "claude-haiku-4-5" : "gpt-4o-mini";
    const stream = plan === "plain" ? {} : { stream: true, stream_options: { include_usage: true } };
    request.end(JSON.stringify({ model, max_tokens: 50, ...stream, messages: [{ role: "user", content: "hi" }] }));
  });
  return { begun: begun.promise, ended };
}

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

/** Milliseconds until `/readyz` gives this status. */
async function timeReadiness(adminUrl: string, status: number): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const seen = await fetch(`${adminUrl}/readyz`).then(
      async (response) => [response.status, await response.text()] as const,
      () => undefined,
    );
    if (seen?.[0] === status) return performance.now() - startedMs;
    if (performance.now() - startedMs > 10_000) throw new Error(`/readyz never gave ${status}`);
    await pause(5);
  }
}

const openStreams = (outrider: OutriderProcess, count: number, plan: string): Call[] =>
  Array.from({ length: count }, (_, index) => call(outrider, paths[index % paths.length] as Path, plan));

describe.concurrent("SIGTERM", () => {
  it(`with ${streamCount} live streams truncates none, still serves, and ends with every span delivered`, async () => {
    const { outrider, receiver } = await startObserved(20);
    const live = openStreams(outrider, streamCount, "paced");
    await Promise.all(live.map(({ begun }) => begun));

    const stopped = outrider.stop();
    const readinessMs = await timeReadiness(outrider.adminUrl, 503);
    expect(readinessMs).toBeLessThan(1000);
    // The app does not know yet: it goes on asking, over new connections and over ones it holds.
    const agent = new Agent({ keepAlive: true });
    const late = [];
    for (let index = 0; index < 6; index++) {
      late.push(await call(outrider, "/v1/chat/completions", "plain", index % 2 === 0 ? agent : undefined).ended);
      await pause(200);
    }
    expect(late).toEqual(late.map(() => ({ status: 200, body: plainBody, whole: true })));
    agent.destroy();

    for (const [index, { ended }] of live.entries()) {
      const body = streams[paths[index % paths.length] as Path].join("");
      expect(await ended).toEqual({ status: 200, body, whole: true });
    }
    const endedMs = performance.now();
    expect(await stopped).toBe(0);
    const waitedMs = performance.now() - endedMs;
    console.log(`unready after ${readinessMs.toFixed(0)} ms, exit ${waitedMs.toFixed(0)} ms after the last stream`);
    // It was quiet already, and only the flush was left.
    expect(waitedMs).toBeLessThan(4000);
    expect(receiver.spans.filter(({ kind }) => kind === 2).length).toBe(streamCount + late.length);
    expect(receiver.spans.length).toBe(3 * (streamCount + late.length));
    expect(receiver.logs.filter(({ eventName }) => eventName.startsWith("gen_ai.")).length).toBe(
      streamCount + late.length,
    );
    expect(receiver.spans.filter(({ attributes }) => "error.type" in attributes)).toEqual([]);
  });

  it("ends streams that outlast the drain with their dialect's error, and records them", async () => {
    const drainSeconds = 3;
    const { outrider, receiver } = await startObserved(drainSeconds);
    const live = openStreams(outrider, 10, "endless");
    const silent = paths.map((path) => call(outrider, path, "silent"));
    await Promise.all(live.map(({ begun }) => begun));
    await upstream.waitFor(
      () => upstream.requests.filter((each) => each.header("x-test-plan") === "silent").length === 2,
    );

    const startedMs = performance.now();
    expect(await outrider.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan((drainSeconds + 2) * 1000);

    for (const [index, { ended }] of live.entries()) {
      const path = paths[index % paths.length] as Path;
      const { status, body, whole } = await ended;
      const begun = streams[path].slice(0, 6).join("");
      expect([status, whole, body.slice(0, begun.length)]).toEqual([200, false, begun]);
      expect(body.slice(begun.length)).toMatch(
        path === "/v1/messages"
          ? /^event: error\ndata: .*draining.*\n\n$/
          : /^data: \{"error":.*"code":"draining".*\n\n$/,
      );
      expect(body).not.toMatch(/\[DONE\]|message_stop/);
    }
    // Nothing had reached these clients yet: they get a whole answer.
    for (const { ended } of silent) {
      const { status, body, whole } = await ended;
      expect([status, whole]).toEqual([503, true]);
      expect(body).toContain("draining");
    }
    const servers = receiver.spans.filter(({ kind }) => kind === 2);
    expect(servers.length).toBe(live.length + silent.length);
    for (const { attributes } of servers) expect(attributes["error.type"]).toBe("draining");
    const groups = receiver.spans.filter(({ attributes }) => attributes["gen_ai.operation.name"] === "chat");
    expect(groups.map(({ attributes }) => attributes["error.type"])).toEqual(servers.map(() => "draining"));
    const sources = groups.map(({ attributes }) => attributes["outrider.usage.source"]);
    expect(sources.filter((source) => source !== "missing").length).toBe(live.length);
  });

  it("twice ends at once, and what was under way is told and recorded all the same", async () => {
    const { outrider, receiver } = await startObserved(60);
    const live = openStreams(outrider, 10, "endless");
    await Promise.all(live.map(({ begun }) => begun));
    outrider.child.kill("SIGTERM");
    await pause(500);
    expect(outrider.child.exitCode).toBe(null);
    const startedMs = performance.now();
    expect(await outrider.stop()).toBe(0);
    const stopMs = performance.now() - startedMs;
    console.log(`exit ${stopMs.toFixed(0)} ms after the second SIGTERM`);
    expect(stopMs).toBeLessThan(3000);
    for (const { ended } of live)
      expect(await ended).toMatchObject({ whole: false, body: expect.stringContaining("draining") });
    expect(receiver.spans.filter(({ kind }) => kind === 2).length).toBe(live.length);
  });
});

/** Loaded before the bundle: moves the default ports away, and may take IPv6 from the machine. */
function preload({ ports, withIpv6 = true }: { ports: Record<number, number>; withIpv6?: boolean }): string {
  const code = `import net from "node:net";
    const listen = net.Server.prototype.listen;
    net.Server.prototype.listen = function (options, ...rest) {
      if (${!withIpv6} && options.host === "::1") {
        process.nextTick(() => this.emit("error", Object.assign(new Error("listen"), { code: "EADDRNOTAVAIL" })));
        return this;
      }
      return listen.call(this, { ...options, port: ${JSON.stringify(ports)}[options.port] ?? options.port }, ...rest);
    };`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

/** Whether this machine has an IPv6 loopback. */
function hasIpv6(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen({ host: "::1", port: 0 }, () => server.close(() => resolve(true)));
  });
}

describe("starting", () => {
  const start = (args: string[], environment: Record<string, string> = {}): OutriderCommand => {
    const command = startOutriderCommand(args, { HOME: home, ...environment });
    commands.push(command);
    return command;
  };

  it.each([
    ["needs nothing set", true, {}],
    ["leaves out ::1 where the machine has no IPv6", false, { OTEL_SDK_DISABLED: "true" }],
  ] as const)("%s", async (_name, withIpv6, environment) => {
    const [dataPort, adminPort] = [await findFreePort(), await findFreePort()];
    const spawnedMs = performance.now();
    const ports = { 4141: dataPort, 4142: adminPort };
    const command = start([], { NODE_OPTIONS: preload({ ports, withIpv6 }), ...environment });
    await timeReadiness(`http://127.0.0.1:${adminPort}`, 200);
    console.log(`start to /readyz: ${(performance.now() - spawnedMs).toFixed(0)} ms`);
    const hosts = ["127.0.0.1", ...(withIpv6 && (await hasIpv6()) ? ["[::1]"] : [])];
    for (const host of hosts) {
      const response = await fetch(`http://${host}:${dataPort}/v1/messages`, { method: "POST", body: "{" });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    }
    command.child.kill("SIGTERM");
    await pause(100);
    command.child.kill("SIGTERM");
    const { output, code } = await command.ended;
    expect(code).toBe(0);
    const lines = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ msg }) => msg === "listening")).toMatchObject({
      dataUrls: hosts.map((host) => `http://${host}:${dataPort}`),
      adminUrl: `http://127.0.0.1:${adminPort}`,
    });
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("fails with one line where the only address is IPv6 and the machine has none", async () => {
    const args = ["run", "--listen", `[::1]:${await findFreePort()}`, "--admin", `127.0.0.1:${await findFreePort()}`];
    const { output, code } = await start(args, { NODE_OPTIONS: preload({ ports: {}, withIpv6: false }) }).ended;
    expect(code).toBe(2);
    expect(output).toMatch(/^outrider: cannot listen on \[::1\]:\d+: .+\n$/);
  });

  it("fails with one line where another Outrider has the ports, which goes on undisturbed", async () => {
    const first = await startOutrider();
    processes.push(first);
    const [data, admin] = [new URL(first.url).host, new URL(first.adminUrl).host];
    const free = `127.0.0.1:${await findFreePort()}`;
    for (const [listen, adminAddress] of [
      [data, free],
      [free, admin],
    ] as const) {
      const { output, code } = await start(["run", "--listen", listen, "--admin", adminAddress]).ended;
      expect(code).toBe(2);
      expect(output).toMatch(/^outrider: cannot listen on 127\.0\.0\.1:\d+: the address is taken.*\n$/);
    }
    expect((await fetch(`${first.adminUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${first.url}/nothing/here`)).status).toBe(404);
  });
});

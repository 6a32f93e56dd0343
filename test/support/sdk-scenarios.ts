// What an application on an official SDK sees, and what telemetry must then say: one list for Node and Python.
// The applications are separate processes, started directly or under `outrider exec --`; they know only their environment.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { expect } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { createTempDir } from "./components/child.ts";
import { type CollectedSpan, type ExchangeTree, waitForTree } from "./collector-output.ts";
import { type OutriderProcess, startOutrider } from "./outrider-process.ts";
import { type Collector, startCollector } from "./real-components.ts";

/** One line that an application prints. */
export interface SeenCall {
  call: string;
  traceId: string;
  spanId: string;
  text?: string;
  responseId?: string;
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  tool?: string;
  toolArguments?: string[];
  vectors?: number;
  counted?: number;
  usageFrames?: number;
  errorStatus?: number;
  errorName?: string;
  /** Chunks read before the application hung up. */
  chunks?: number;
}

export interface SdkBench {
  simulator: Simulator;
  collector: Collector;
  outrider: OutriderProcess;
  outDir: string;
  /** Runs the application against the running sidecar. */
  runDirect(command: string[]): Promise<SeenCall[]>;
  /** Runs it under `outrider exec --`, which starts a sidecar of its own. */
  runUnderExec(command: string[]): Promise<SeenCall[]>;
  close(): Promise<void>;
}

/** Starts the simulator as the provider, a real collector and a sidecar. */
export async function openSdkBench(): Promise<SdkBench> {
  const outDir = createTempDir("sdks");
  const simulator = await startSimulator({ pace: { firstByteMs: 2, chunkMs: 1 } });
  const collector = await startCollector({ outDir });
  const telemetry = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.otlpHttpUrl,
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_BLRP_SCHEDULE_DELAY: "100",
  };
  const openai = `${simulator.url}/v1`;
  const anthropic = simulator.url;
  const outrider = await startOutrider({
    options: { providers: { openai: { baseUrl: openai }, anthropic: { baseUrl: anthropic } } },
    environment: telemetry,
  });
  const home = { PATH: process.env["PATH"] ?? "", HOME: outDir, PYTHONDONTWRITEBYTECODE: "1" };
  return {
    simulator,
    collector,
    outrider,
    outDir,
    runDirect: (command) =>
      runApplication(command, {
        ...home,
        OPENAI_BASE_URL: `${outrider.url}/v1`,
        ANTHROPIC_BASE_URL: outrider.url,
      }),
    runUnderExec: (command) =>
      runApplication([process.execPath, "dist/outrider.mjs", "exec", "--", ...command], {
        ...home,
        ...telemetry,
        OPENAI_BASE_URL: openai,
        ANTHROPIC_BASE_URL: anthropic,
      }),
    async close() {
      await outrider.stop();
      await collector.stop();
      await simulator.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

const applicationTimeoutMs = 60_000;

async function runApplication([file = "", ...args]: string[], env: Record<string, string>): Promise<SeenCall[]> {
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: applicationTimeoutMs });
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${String(code)}:\n${error}\n${out}`);
  return out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SeenCall);
}

/** What one call must look like to the application and in telemetry. */
interface Expectation {
  route: string;
  /** Absent for an operation that has HTTP spans only. */
  spanName?: string;
  /** Absent where a call ends without them: errors, aborts. */
  finishReason?: string;
  stream?: boolean;
  streamEnd?: string;
  errorType?: string;
  usageSource?: string;
  check?(seen: SeenCall, call: CollectedSpan): void;
}

const said = (seen: SeenCall): void => expect(seen.text?.length).toBeGreaterThan(10);
const calledTool = (seen: SeenCall): void => {
  expect(seen.tool).toBe("get_weather");
  expect(seen.toolArguments).toEqual(["city"]);
};
const failedWith =
  (status: number) =>
  (seen: SeenCall): void => {
    expect(seen.errorName).toMatch(/Error$/);
    expect(seen.errorStatus).toBe(status);
  };
const hungUp = (seen: SeenCall): void => expect(seen.chunks).toBe(5);

const chat = { route: "/v1/chat/completions" };
const messages = { route: "/v1/messages" };
const provided = { usageSource: "provider" };

export const openaiCalls: Record<string, Expectation> = {
  plain: { ...chat, ...provided, spanName: "chat gpt-4o-mini", finishReason: "stop", check: said },
  stream: {
    ...chat,
    ...provided,
    spanName: "chat gpt-4o",
    finishReason: "stop",
    stream: true,
    streamEnd: "complete",
    check: said,
  },
  "stream-without-usage": {
    ...chat,
    ...provided,
    spanName: "chat gpt-4o",
    finishReason: "stop",
    stream: true,
    streamEnd: "complete",
    check(seen, call) {
      said(seen);
      expect(seen.usageFrames).toBe(0);
      expect(call.attributes["gen_ai.usage.output_tokens"]).toBeGreaterThan(0);
    },
  },
  tools: { ...chat, ...provided, spanName: "chat gpt-4.1", finishReason: "tool_call", check: calledTool },
  "tools-stream": {
    ...chat,
    ...provided,
    spanName: "chat gpt-4.1",
    finishReason: "tool_call",
    stream: true,
    streamEnd: "complete",
    check: calledTool,
  },
  embeddings: {
    route: "/v1/embeddings",
    ...provided,
    spanName: "embeddings text-embedding-3-small",
    check: (seen) => expect(seen.vectors).toBe(2),
  },
  error: { ...chat, spanName: "chat sim-429-gpt-4o-mini", errorType: "upstream_rate_limited", check: failedWith(429) },
  "error-stream": {
    ...chat,
    spanName: "chat sim-error-event-gpt-4o-mini",
    stream: true,
    streamEnd: "error",
    errorType: "upstream_server_error",
    check: failedWith(0),
  },
  abort: {
    ...chat,
    spanName: "chat gpt-4o",
    stream: true,
    streamEnd: "client_aborted",
    errorType: "client_disconnected",
    usageSource: "estimated",
    check: hungUp,
  },
};

export const anthropicCalls: Record<string, Expectation> = {
  plain: { ...messages, ...provided, spanName: "chat claude-sonnet-4-5", finishReason: "stop", check: said },
  stream: {
    ...messages,
    ...provided,
    spanName: "chat claude-haiku-4-5",
    finishReason: "stop",
    stream: true,
    streamEnd: "complete",
    check: said,
  },
  tools: { ...messages, ...provided, spanName: "chat claude-sonnet-4-5", finishReason: "tool_call", check: calledTool },
  "tools-stream": {
    ...messages,
    ...provided,
    spanName: "chat claude-sonnet-4-5",
    finishReason: "tool_call",
    stream: true,
    streamEnd: "complete",
    check: calledTool,
  },
  "count-tokens": {
    route: "/v1/messages/count_tokens",
    check: (seen) => expect(seen.counted).toBeGreaterThan(0),
  },
  error: {
    ...messages,
    spanName: "chat sim-overloaded-claude-sonnet-4-5",
    errorType: "upstream_overloaded",
    check: failedWith(529),
  },
  "error-stream": {
    ...messages,
    spanName: "chat sim-error-event-claude-haiku-4-5",
    stream: true,
    streamEnd: "error",
    errorType: "upstream_overloaded",
    check(seen) {
      expect(seen.errorName).toMatch(/Error$/);
    },
  },
  abort: {
    ...messages,
    spanName: "chat claude-sonnet-4-5",
    stream: true,
    streamEnd: "client_aborted",
    errorType: "client_disconnected",
    check: hungUp,
  },
};

/** Holds what the application saw against its expectation and against the spans of its trace. */
export async function expectTelemetry(
  outDir: string,
  seen: SeenCall,
  expected: Expectation | undefined,
): Promise<void> {
  if (expected === undefined) throw new Error(`no expectation for ${seen.call}`);
  const tree = await waitForTree(outDir, seen.traceId);
  const { server, groups } = tree;
  expect(server.parentSpanId).toBe(seen.spanId);
  expect(server.attributes["http.route"]).toBe(expected.route);
  expect(groups).toHaveLength(1);
  const [{ span: call, attempts }] = groups as [ExchangeTree["groups"][number]];
  if (expected.spanName === undefined) {
    expect(call.name).toBe("POST");
    expect(call.attributes).not.toHaveProperty("gen_ai.operation.name");
  } else {
    expect(attempts.map(({ name }) => name)).toEqual(["POST"]);
    expect(call.name).toBe(expected.spanName);
    expect(call.status).toBe(expected.errorType === undefined ? "unset" : "error");
  }
  const attributes = { ...server.attributes, ...call.attributes };
  expect(call.attributes["error.type"]).toBe(expected.errorType);
  expect(call.attributes["gen_ai.request.stream"]).toBe(expected.stream);
  expect(server.attributes["outrider.stream.end"]).toBe(expected.streamEnd);
  if (expected.usageSource !== undefined) expect(attributes["outrider.usage.source"]).toBe(expected.usageSource);
  if (expected.finishReason !== undefined) {
    expect(call.attributes["gen_ai.response.finish_reasons"]).toEqual([expected.finishReason]);
  }
  // Whatever the SDK decoded, telemetry must have decoded too.
  const pairs = [
    [seen.responseId, "gen_ai.response.id"],
    [seen.model, "gen_ai.response.model"],
    [seen.inputTokens, "gen_ai.usage.input_tokens"],
    [seen.outputTokens, "gen_ai.usage.output_tokens"],
  ] as const;
  for (const [value, name] of pairs) if (value !== undefined) expect(call.attributes[name], name).toBe(value);
  expected.check?.(seen, call);
}

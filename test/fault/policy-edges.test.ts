// Calls at the edges of a policy: forms, sockets and paths that name an alias, sound, what a hedge asks, waits for and tells.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { callHttp2, openHttp2 } from "../support/http2-client.ts";
import { exchangeRaw } from "../support/raw-client.ts";
import { answerJson, answerStream, anthropicForms, googleForms, openaiForms } from "../support/scripted-answers.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const colon = "anthropic.claude-3-5-sonnet-20240620-v1:0";
const hedge = { afterMs: 50 };
const png = Buffer.from("89504e470d0a1a0a", "hex");
const policy = {
  apiVersion: "outrider/v1",
  models: {
    voice: { targets: [{ provider: "openai", model: "tts-1" }] },
    words: { targets: [{ provider: "openai", model: "whisper-1" }] },
    models: { targets: [{ provider: "google", model: "gemini-2.5-flash" }] },
    model: { targets: [{ provider: "bedrock", model: colon }] },
    deployed: {
      targets: [
        { provider: "azure", model: "gpt-here" },
        { provider: "openai", model: "gpt-there" },
      ],
    },
    meaning: { targets: [{ provider: "google", model: "gemini-embedding-001" }] },
    projected: { targets: [{ provider: "google", model: "gemini-2.5-flash" }] },
    pair: {
      targets: [
        { provider: "anthropic", model: "claude" },
        { provider: "openai", model: "late" },
      ],
      hedge,
    },
    long: {
      targets: [1, 2, 3, 4, 5, 6, 7].map((at) => ({ provider: "openai", model: `gpt-${at}` })),
      fallbacks: [{ to: "second/last" }],
    },
    seeing: {
      targets: [
        { provider: "openai", model: "first" },
        { provider: "google", model: "gemini-2.5-flash", dialect: "gemini-generate-content" },
      ],
      hedge,
    },
    narrow: {
      targets: [{ provider: "openai", model: "slow" }],
      fallbacks: [{ to: "second/spare", when: ["context_length"] }],
      hedge,
    },
    both: {
      targets: [{ provider: "openai", model: "first" }],
      fallbacks: [{ to: "second/other", when: ["server_error"] }],
    },
  },
  routes: [{ match: { model: "tunedModels/*" }, use: "google/gemini-2.5-flash" }],
  retry: { maxAttempts: 2, backoff: { baseMs: 5, maxMs: 10 } },
};

let openai: ScriptedUpstream;
let others: ScriptedUpstream;
let outrider: OutriderProcess;
const folder = mkdtempSync(join(tmpdir(), "outrider-edges-"));

beforeAll(async () => {
  openai = await startScriptedUpstream();
  others = await startScriptedUpstream();
  const file = join(folder, "policy.json");
  writeFileSync(file, JSON.stringify(policy));
  outrider = await startOutrider({
    options: {
      policy: { file },
      media: { fetch: { privateHosts: [others.url] } },
      providers: {
        openai: { baseUrl: `${openai.url}/v1` },
        anthropic: { baseUrl: others.url },
        google: { baseUrl: others.url },
        bedrock: { baseUrl: others.url },
        azure: { baseUrl: `${others.url}/openai/v1` },
        vertex: { baseUrl: others.url, project: "ours", region: "global" },
        second: { preset: "openai", baseUrl: `${others.url}/v1` },
      },
      credentials: { second: { env: "SECOND_KEY" }, bedrock: { env: "SECOND_KEY" }, azure: { env: "SECOND_KEY" } },
    },
    environment: {
      OPENAI_API_KEY: "test-key",
      ANTHROPIC_API_KEY: "test-key",
      GEMINI_API_KEY: "test-key",
      SECOND_KEY: "test-key",
      AWS_REGION: "us-east-1",
    },
  });
});

beforeEach(() => {
  for (const { requests } of [openai, others]) requests.length = 0;
});

afterAll(async () => {
  await outrider?.stop();
  for (const each of [openai, others]) await each?.close();
  rmSync(folder, { recursive: true, force: true });
});

function post(path: string, body: unknown): Promise<Response> {
  const isForm = body instanceof FormData;
  return fetch(outrider.url + path, {
    method: "POST",
    headers: isForm ? {} : { "content-type": "application/json" },
    body: isForm ? body : JSON.stringify(body),
  });
}

const chat = (model: string, more: Record<string, unknown> = {}): unknown => ({
  model,
  messages: [{ role: "user", content: "hi" }],
  ...more,
});

describe("an alias", () => {
  it("in a form is refused, since it cannot be replaced there", async () => {
    openai.setScript(answerJson({ text: "hello" }));
    const form = new FormData();
    form.set("model", "words");
    form.set("file", new Blob(["sound"]), "a.wav");
    const response = await post("/v1/audio/transcriptions", form);
    expect([response.status, response.headers.get("x-outrider-error")]).toEqual([
      404,
      "operation_unsupported;source=client",
    ]);
    expect(openai.requests).toEqual([]);
    form.set("model", "whisper-1");
    expect((await post("/v1/audio/transcriptions", form)).status).toBe(200);
  });

  it("at a WebSocket is refused, since its session goes to one provider as it is", async () => {
    const upgrade = [
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      `sec-websocket-key: ${"A".repeat(22)}==`,
    ];
    const port = Number(new URL(outrider.url).port);
    const { status, head } = await exchangeRaw(
      port,
      `GET /v1/realtime?model=voice HTTP/1.1\r\nhost: 127.0.0.1\r\n${upgrade.join("\r\n")}\r\n\r\n`,
      { timeoutMs: 1000 },
    );
    expect([status, head]).toEqual([404, expect.stringContaining("operation_unsupported")]);
    expect(openai.requests).toEqual([]);
  });

  it("that is called like a part of the path is replaced alone", async () => {
    others.setScript(googleForms.whole("hi"));
    const contents = [{ role: "user", parts: [{ text: "hi" }] }];
    expect((await post("/v1beta/models/models:generateContent", { contents })).status).toBe(200);
    expect(others.requests[0]?.path).toBe("/v1beta/models/gemini-2.5-flash:generateContent");
  });

  it("for an id with a colon goes to Bedrock percent-encoded", async () => {
    others.setScript(
      answerJson({ output: { message: { role: "assistant", content: [{ text: "hi" }] } }, stopReason: "end_turn" }),
    );
    const messages = [{ role: "user", content: [{ text: "hi" }] }];
    expect((await post("/model/model/converse", { messages })).status).toBe(200);
    expect(others.requests[0]?.path).toBe(`/model/${encodeURIComponent(colon)}/converse`);
  });

  it("in a path of Azure's is replaced there, and written anew for who has no such paths", async () => {
    others.setScript(openaiForms.refusal(429, "rate_limit_exceeded"));
    openai.setScript(openaiForms.whole("there"));
    const path = "/openai/deployments/deployed/chat/completions?api-version=2024-10-21";
    const response = await post(path, { messages: [{ role: "user", content: "hi" }] });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("there")]);
    expect(others.requests.map((request) => request.path)).toEqual([path.replace("deployed", "gpt-here")]);
    expect(openai.requests.map((request) => [request.path, JSON.parse(String(request.body))])).toEqual([
      ["/v1/chat/completions", expect.objectContaining({ model: "gpt-there" })],
    ]);
  });

  it("in a path of Google Cloud's is written anew for who has no projects", async () => {
    others.setScript(googleForms.whole("there"));
    const path = "/v1/projects/ours/locations/global/publishers/google/models/projected:generateContent";
    const response = await post(path, { contents: [{ role: "user", parts: [{ text: "hi" }] }] });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("there")]);
    expect(others.requests.map((request) => request.path)).toEqual(["/v1beta/models/gemini-2.5-flash:generateContent"]);
  });

  it("that a body names as well is replaced in both places", async () => {
    others.setScript(answerJson({ embeddings: [{ values: [0.5] }, { values: [0.25] }] }));
    const items = (model: string): unknown[] => ["a", "b"].map((text) => ({ model, content: { parts: [{ text }] } }));
    const response = await post("/v1beta/models/meaning:batchEmbedContents", {
      requests: items("models/meaning"),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ embeddings: [{ values: [0.5] }, { values: [0.25] }] });
    expect(others.requests.map((request) => [request.path, JSON.parse(String(request.body))])).toEqual([
      ["/v1beta/models/gemini-embedding-001:batchEmbedContents", { requests: items("models/gemini-embedding-001") }],
    ]);
  });

  it("for a model that the path cannot name is never answered by another", async () => {
    others.setScript(googleForms.whole("hi"));
    const contents = [{ role: "user", parts: [{ text: "hi" }] }];
    const response = await post("/v1beta/tunedModels/mine:generateContent", { contents });
    expect([response.status, others.requests.map(({ path }) => path)]).toEqual([404, []]);
  });
});

describe("an answer", () => {
  it("of sound streams", async () => {
    const late = { bytes: "b".repeat(100), afterMs: 1500 };
    openai.setScript({ headers: { "content-type": "audio/mpeg" }, chunks: ["a".repeat(100), late] });
    const startedMs = performance.now();
    const response = await post("/v1/audio/speech", { model: "voice", input: "hi", voice: "alloy" });
    const first = await response.body?.getReader().read();
    expect(first?.value?.length).toBe(100);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it("that nobody stands in for is counted by its own bytes", async () => {
    const refused = openaiForms.refusal(500, "server_error", undefined, "x".repeat(1000));
    openai.setScript(refused);
    others.setScript(openaiForms.refusal(500, "server_error", undefined, "y"));
    const response = await post("/v1/chat/completions", chat("both"));
    const text = await response.text();
    expect(text).toContain("xxx");
    expect((await readExchange(response)).responseBytes).toBe(text.length);
  });
});

describe("a hedge", () => {
  it("asks no fallback, which is for failures", async () => {
    openai.setScript({ ...openaiForms.whole("slow"), delayMs: 400 });
    others.setScript(openaiForms.whole("spare"));
    const response = await post("/v1/chat/completions", chat("narrow"));
    expect(response.headers.get("x-outrider-served-by")).toBe("openai/slow");
    expect(others.requests).toEqual([]);
  });

  it("tells what the winner's answer lost, not what another's would have", async () => {
    const citation = {
      type: "char_location",
      cited_text: "x",
      document_index: 0,
      start_char_index: 0,
      end_char_index: 1,
    };
    const message = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-real",
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 3, output_tokens: 2 },
      content: [{ type: "text", text: "hi", citations: [citation] }],
    };
    others.setScript({ ...answerJson(message), delayMs: 300 });
    openai.setScript({ ...openaiForms.whole("late"), delayMs: 2000 });
    const response = await post("/v1/chat/completions", chat("pair"));
    expect([response.headers.get("x-outrider-served-by"), openai.requests.length]).toEqual(["anthropic/claude", 1]);
    expect(response.headers.get("x-outrider-loss")).toContain("citations;unsupported");
    expect((await readExchange(response)).relayMode).toBe("translate");
  });

  it("does not keep the first's answer back while the second is made ready, nor asks it any more", async () => {
    openai.setScript({ ...openaiForms.whole("first"), delayMs: 300 });
    others.setScript(({ method }) =>
      method === "GET"
        ? { headers: { "content-type": "image/png" }, contentLength: true, chunks: [png], delayMs: 1500 }
        : googleForms.whole("second"),
    );
    const image = { type: "image_url", image_url: { url: `${others.url}/a.png` } };
    const startedMs = performance.now();
    const response = await post("/v1/chat/completions", {
      model: "seeing",
      messages: [{ role: "user", content: [image] }],
    });
    await response.text();
    expect(performance.now() - startedMs).toBeLessThan(1200);
    expect(response.headers.get("x-outrider-served-by")).toBe("openai/first");
    const exchange = await readExchange(response);
    expect([exchange.attempts, exchange.relayMode, exchange.end]).toEqual([1, "splice", "complete"]);
    expect(others.requests.map(({ method }) => method)).toEqual(["GET"]);
  });
});

describe("a client of HTTP/2", () => {
  it("may be made to wait for many tries, and gets the trailer of the answer that was held", async () => {
    openai.setScript(openaiForms.refusal(500, "server_error"));
    others.setScript(({ body }) => {
      if (!String(body).includes(`"last"`)) return openaiForms.refusal(500, "server_error");
      const { opening, content, closing } = openaiForms.frames("at last");
      const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
      const frame = { id: "c", object: "chat.completion.chunk", created: 1, model: "gpt", choices: [], usage };
      const [end = "", done = ""] = closing;
      return answerStream([...opening, ...content, end, `data: ${JSON.stringify(frame)}\n\n`, done]);
    });
    const session = openHttp2(outrider.url);
    const body = JSON.stringify(chat("long", { stream: true }));
    const headers = { "content-type": "application/json", te: "trailers" };
    const answer = await callHttp2(session, "/v1/chat/completions", { headers, body }).ended;
    session.close();
    expect([answer.status, answer.whole, answer.headers["x-outrider-attempts"]]).toEqual([200, true, "15"]);
    expect(answer.body).toContain("at last");
    expect(answer.trailers).toMatchObject({ "x-outrider-cost": expect.stringContaining("status=") });
    expect(outrider.output()).not.toContain("MaxListeners");
  });
});

describe("Outrider's own time", () => {
  const slow = { delayMs: 300 };
  it.each<[string, () => void]>([
    ["one answers", () => openai.setScript({ ...openaiForms.whole("a"), ...slow })],
    [
      "a fallback answers",
      () => {
        openai.setScript({ ...openaiForms.refusal(500, "server_error"), ...slow });
        others.setScript({ ...openaiForms.whole("b"), ...slow });
      },
    ],
    [
      "all fail",
      () => {
        openai.setScript({ kind: "raw", chunks: [], ending: "reset", ...slow });
        others.setScript({ ...openaiForms.refusal(500, "server_error"), ...slow });
      },
    ],
  ])("is no part of the waiting where %s", async (_what, script) => {
    script();
    await expectOwnTime(await post("/v1/chat/completions", chat("both")));
  });

  it.each<[string, number, number]>([
    ["the first wins", 300, 1500],
    ["the second wins", 1500, 300],
  ])("is no part of the waiting where %s a hedge", async (_what, firstMs, secondMs) => {
    others.setScript(({ path }) => {
      const isFirst = path.endsWith("/messages");
      return isFirst
        ? { ...anthropicForms.whole("a"), delayMs: firstMs }
        : { ...openaiForms.whole("b"), delayMs: secondMs };
    });
    openai.setScript({ ...openaiForms.whole("b"), delayMs: secondMs });
    await expectOwnTime(await post("/v1/chat/completions", chat("pair")));
  });
});

/** More than nothing, and far less than was waited. */
async function expectOwnTime(response: Response): Promise<void> {
  await response.text();
  const { overheadMs = 0, durationMs = 0 } = await readExchange(response);
  expect(durationMs).toBeGreaterThan(250);
  expect(overheadMs).toBeGreaterThan(0);
  expect(overheadMs).toBeLessThan(200);
}

function readExchange(response: Response): ReturnType<typeof waitForExchange> {
  return waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "");
}

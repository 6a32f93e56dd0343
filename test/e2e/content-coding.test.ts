// Request bodies in a content coding: the provider gets the client's own bytes, the span what they say.
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import {
  type ContentCoding,
  encodeContent,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "../support/scripted-upstream.ts";

const maxBodyBytes = 200_000;
const codings = ["gzip", "br", "zstd", "deflate"] as const;

const chatAnswer =
  '{"id":"x","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],' +
  '"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}';
const chatStream = [
  'data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n',
  'data: {"id":"c","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n',
  "data: [DONE]\n\n",
];
const message = '"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5"';
const messagesAnswer = `{${message},"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}}`;
const messagesStream = [
  `event: message_start\ndata: {"type":"message_start","message":{${message},"content":[],"usage":{"input_tokens":7,"output_tokens":1}}}\n\n`,
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
];

const calls = {
  chat: {
    path: "/v1/chat/completions",
    model: "gpt-4o-mini",
    body: (stream: boolean) =>
      `{"model":"gpt-4o-mini", "stream":${stream}${stream ? ',"stream_options":{"include_usage":true}' : ""},"messages":[{"role":"user","content":"hi"}]}`,
  },
  messages: {
    path: "/v1/messages",
    model: "claude-haiku-4-5",
    body: (stream: boolean) =>
      `{"model":"claude-haiku-4-5", "stream":${stream},"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`,
  },
} as const;

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

beforeAll(async () => {
  upstream = await startScriptedUpstream((request) => {
    const streams = request.header("x-test-stream") === "true";
    const isChat = request.path.startsWith(calls.chat.path);
    if (!streams) {
      const chunks = [isChat ? chatAnswer : messagesAnswer];
      return { headers: { "content-type": "application/json" }, contentLength: true, chunks };
    }
    return { headers: { "content-type": "text/event-stream" }, chunks: isChat ? chatStream : messagesStream };
  });
  receiver = await startOtlpReceiver();
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${upstream.url}/v1` },
        anthropic: { baseUrl: upstream.url },
        groq: { baseUrl: `${upstream.url}/groq/v1` },
      },
      limits: { maxBodyBytes, drainSeconds: 3 },
    },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, GROQ_API_KEY: "test-key" },
  });
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

interface Outcome {
  status: number;
  text: string;
  headers: Headers;
  sent: UpstreamRequest | undefined;
  id: string;
}

let posted = 0;

async function post(path: string, body: Uint8Array | string, headers: Record<string, string>): Promise<Outcome> {
  // Cases run side by side; each finds its own request.
  const testId = String((posted += 1));
  const all = { "content-type": "application/json", "x-api-key": "test-key", "x-test-id": testId, ...headers };
  const response = await fetch(outrider.url + path, { method: "POST", body: Buffer.from(body), headers: all });
  return {
    status: response.status,
    text: await response.text(),
    headers: response.headers,
    sent: upstream.requests.find((request) => request.header("x-test-id") === testId),
    id: response.headers.get("x-outrider-request-id") ?? "",
  };
}

/** The SERVER span of an exchange and the model call's span under it. */
async function findSpans(id: string): Promise<{ server: ReceivedSpan; group: ReceivedSpan | undefined }> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const server = receiver.spans.find(({ attributes }) => attributes["outrider.request.id"] === id);
    const group = receiver.spans.find(({ parentSpanId }) => server !== undefined && parentSpanId === server.spanId);
    if (server !== undefined) return { server, group };
    if (Date.now() > deadlineMs) throw new Error(`no span of exchange ${id}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describe.concurrent("a body in a content coding", () => {
  const cases = codings.flatMap((coding) =>
    (["chat", "messages"] as const).flatMap((call) => [true, false].map((stream) => [coding, call, stream] as const)),
  );
  it.each(cases)("%s, %s, stream %s: passes byte for byte, and is read", async (coding, name, stream) => {
    const { path, model, body } = calls[name];
    const encoded = encodeContent(Buffer.from(body(stream)), [coding]);
    const headers = { "content-encoding": coding, "x-test-stream": String(stream) };
    const { status, text, sent, id } = await post(path, encoded, headers);
    const streamed = name === "chat" ? chatStream : messagesStream;
    expect([status, text]).toEqual([200, stream ? streamed.join("") : name === "chat" ? chatAnswer : messagesAnswer]);
    expect(sent?.body.equals(encoded)).toBe(true);
    expect(sent?.header("content-encoding")).toBe(coding);
    expect(sent?.header("content-length")).toBe(String(encoded.length));
    expect(await waitForExchange(outrider, id)).toMatchObject({
      requestModel: model,
      stream,
      relayMode: "passthrough",
      requestBytes: encoded.length,
      usage: { source: "provider", inputTokens: 7, outputTokens: 3 },
    });
    const { server, group } = await findSpans(id);
    expect(group?.attributes).toMatchObject({ "gen_ai.request.model": model });
    expect(group?.attributes["gen_ai.request.stream"]).toBe(stream ? true : undefined);
    expect(server.attributes).not.toHaveProperty("outrider.request.unread");
  });

  it.each(["GZIP", " gzip ", "x-gzip"])("is found under the name %j too", async (name) => {
    const encoded = encodeContent(Buffer.from(calls.chat.body(false)), ["gzip"]);
    const { sent, id } = await post(calls.chat.path, encoded, { "content-encoding": name });
    expect(sent?.body.equals(encoded)).toBe(true);
    expect(await waitForExchange(outrider, id)).toMatchObject({ requestModel: "gpt-4o-mini" });
  });

  it("in zstd may ask for a window of 8 MiB", async () => {
    const encoded = zstdWithWindow(Buffer.from(calls.chat.body(false)), 13);
    const { sent, id } = await post(calls.chat.path, encoded, { "content-encoding": "zstd" });
    expect(sent?.body.equals(encoded)).toBe(true);
    expect(await waitForExchange(outrider, id)).toMatchObject({ requestModel: "gpt-4o-mini" });
  });

  it("under identity is as one without", async () => {
    const body = calls.chat.body(false);
    const { sent, id } = await post(calls.chat.path, body, { "content-encoding": "identity" });
    expect(sent?.body.toString()).toBe(body);
    expect(await waitForExchange(outrider, id)).toMatchObject({ requestModel: "gpt-4o-mini" });
  });
});

describe("an edit", () => {
  it.each<[ContentCoding]>(codings.map((coding) => [coding]))(
    "of a body in %s goes out without the coding, and is told",
    async (coding) => {
      const body = '{"model":"gpt-4o-mini","stream":true,"messages":[]}';
      const encoded = encodeContent(Buffer.from(body), [coding]);
      const headers = { "content-encoding": coding, "x-test-stream": "true" };
      const answer = await post(calls.chat.path, encoded, headers);
      // The usage frame that only Outrider asked for is taken out again.
      expect(answer.text).toBe([chatStream[0], chatStream[2]].join(""));
      const sent = answer.sent?.body.toString() ?? "";
      expect(JSON.parse(sent)).toEqual({ ...(JSON.parse(body) as object), stream_options: { include_usage: true } });
      expect(answer.sent?.header("content-encoding")).toBeUndefined();
      expect(answer.sent?.header("content-length")).toBe(String(Buffer.byteLength(sent)));
      expect(answer.headers.get("x-outrider-loss")).toBe("/stream_options/include_usage;injected, (body);moved");
      expect(await waitForExchange(outrider, answer.id)).toMatchObject({
        relayMode: "splice",
        requestBytes: encoded.length,
      });
    },
  );

  it("of the model sends the rest as it was", async () => {
    const body = '{"model":"groq/llama-3.3-70b", "messages":[],  "seed":1.0}';
    const encoded = encodeContent(Buffer.from(body), ["zstd"]);
    const { sent, status } = await post(calls.chat.path, encoded, { "content-encoding": "zstd" });
    expect(status).toBe(200);
    expect(sent?.path.startsWith("/groq/")).toBe(true);
    expect(sent?.body.toString()).toBe('{"model":"llama-3.3-70b", "messages":[],  "seed":1.0}');
    expect(sent?.header("content-encoding")).toBeUndefined();
  });
});

describe.concurrent("what cannot be read", () => {
  const json = Buffer.from(calls.chat.body(false));
  const whole = Object.fromEntries(codings.map((coding) => [coding, encodeContent(json, [coding])]));
  const bomb = Buffer.alloc(8_000_000, " ");
  const bombs = Object.fromEntries(codings.map((coding) => [coding, encodeContent(bomb, [coding])]));
  it.each<[string, string, () => Uint8Array, string]>([
    ...codings.map((coding): [string, string, () => Uint8Array, string] => [
      `a bomb in ${coding}`,
      coding,
      () => bombs[coding] as Uint8Array,
      "too_large",
    ]),
    ...codings.map((coding): [string, string, () => Uint8Array, string] => [
      `${coding} cut short`,
      coding,
      () => (whole[coding] as Uint8Array).subarray(0, -6),
      "corrupt",
    ]),
    ...codings.map((coding): [string, string, () => Uint8Array, string] => [
      `plain JSON said to be ${coding}`,
      coding,
      () => json,
      "corrupt",
    ]),
    ["deflate without its zlib wrapper", "deflate", () => deflateRawSync(json), "corrupt"],
    ["a zstd frame that asks for a window of 128 MiB", "zstd", () => zstdWithWindow(json, 17), "corrupt"],
    ["nothing at all in gzip", "gzip", () => Buffer.alloc(0), "corrupt"],
    ["a coding nobody knows", "x-snappy", () => json, "unknown_coding"],
    ["a name of Object's own", "constructor", () => json, "unknown_coding"],
    ["stacked codings", "gzip, br", () => encodeContent(json, ["gzip", "br"]), "unknown_coding"],
  ])("%s passes byte for byte, and is marked", async (_name, coding, encode, reason) => {
    const encoded = encode();
    expect(encoded.length).toBeLessThan(maxBodyBytes);
    const { status, sent, id } = await post(calls.chat.path, encoded, { "content-encoding": coding });
    expect(status).toBe(200);
    expect(sent?.body.equals(encoded)).toBe(true);
    expect(sent?.header("content-encoding")).toBe(coding);
    const exchange = await waitForExchange(outrider, id);
    expect([exchange.relayMode, exchange.requestModel]).toEqual(["passthrough", undefined]);
    expect((await findSpans(id)).server.attributes["outrider.request.unread"]).toBe(reason);
  });

  it("many bombs at once keep memory bounded and the loop alive", async () => {
    const encoded = bombs["br"] as Uint8Array;
    const pings: number[] = [];
    const watching = { on: true };
    const watch = (async () => {
      while (watching.on) {
        const startedMs = performance.now();
        await (await fetch(`${outrider.adminUrl}/livez`)).text();
        pings.push(performance.now() - startedMs);
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => post(calls.chat.path, encoded, { "content-encoding": "br" })),
    );
    watching.on = false;
    await watch;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(Math.max(...pings)).toBeLessThan(1000);
    const status = (await (await fetch(`${outrider.adminUrl}/status`)).json()) as { memory: { rssBytes: number } };
    expect(status.memory.rssBytes).toBeLessThan(400 * 1024 * 1024);
  });

  it("broken JSON inside a sound coding is refused as without one", async () => {
    const { status, sent, headers } = await post(
      calls.messages.path,
      encodeContent(Buffer.from('{"model":'), ["gzip"]),
      {
        "content-encoding": "gzip",
      },
    );
    expect([status, headers.get("x-outrider-error"), sent]).toEqual([
      400,
      "request_malformed;source=client",
      undefined,
    ]);
  });
});

/** A zstd frame of one raw block whose header asks for a window of 2^(10 + exponent) bytes (RFC 8878 §3.1.1). */
function zstdWithWindow(content: Buffer, exponent: number): Buffer {
  const blockHeader = Buffer.alloc(3);
  blockHeader.writeUIntLE((content.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3]), blockHeader, content]);
}

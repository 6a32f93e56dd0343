// HTTP/1.1 on the sockets themselves: order, framing, what follows on a connection, and clients that leave or are refused.
// Each through the built bundle, on connections that stay open; test/fault/client.test.ts has what one request alone can show.
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readStatus, waitForExchange, waitForExchangeWhere } from "../support/exchange-log.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { openConnection, type RawConnection, type ReadAnswer } from "../support/raw-connection.ts";
import { formatPost } from "../support/raw-client.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

const chat = "/v1/chat/completions";
const json = { "content-type": "application/json" };
const maxBodyBytes = 100_000;
const connections: RawConnection[] = [];

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  receiver = await startOtlpReceiver();
  outrider = await start();
});

afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy();
  expect(outrider.child.exitCode).toBeNull();
  await expect.poll(async () => (await readStatus(outrider)).exchanges.inFlight).toBe(0);
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

function start(): Promise<OutriderProcess> {
  return startOutrider({
    options: { providers: { openai: { baseUrl: `${upstream.url}/v1` } }, limits: { maxBodyBytes, drainSeconds: 5 } },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100" },
  });
}

function open(to = outrider): RawConnection {
  const connection = openConnection(Number(new URL(to.url).port));
  connections.push(connection);
  return connection;
}

const bodyFor = (word: string): string => `{"model":"${word}","messages":[]}`;
const plain = (word: string, headers: Record<string, string> = {}): string =>
  formatPost(chat, bodyFor(word), { ...json, ...headers });
const chunked = (word: string): string =>
  `POST ${chat} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n` +
  [bodyFor(word).slice(0, 7), bodyFor(word).slice(7), ""]
    .map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`)
    .join("");
/** The provider says which model it was asked for; `slow` takes its time. */
const answerModel = (): void =>
  upstream.setScript(({ body }) => {
    const model = /"model":"([^"]*)/.exec(body.toString())?.[1] ?? "";
    const delay = model.startsWith("slow") ? { delayMs: 120 } : {};
    return { headers: json, contentLength: true, ...delay, chunks: [`{"id":"${model}","model":"m","choices":[]}`] };
  });
const idOf = ({ body }: ReadAnswer): string => (JSON.parse(body.toString()) as { id: string }).id;
const exchangeId = ({ head }: ReadAnswer): string => /x-outrider-request-id: (\S+)/.exec(head)?.[1] ?? "";
const errorOf = ({ head }: ReadAnswer): string | undefined => /x-outrider-error: (\S+)/.exec(head)?.[1];
const spanCount = (id: string): number =>
  receiver.spans.filter(({ attributes }) => Object.values(attributes).includes(id)).length;

describe("requests on one connection", () => {
  it.each<[string, string[]]>([
    ["plain", ["slow-1", "2", "slow-3", "4"].map((word) => plain(word))],
    ["plain, chunked, plain", [plain("slow-1"), chunked("2"), plain("slow-3"), chunked("slow-4"), plain("5")]],
    ["chunked, then plain", [chunked("slow-1"), plain("2")]],
  ])("sent at once are answered in order: %s", async (_name, requests) => {
    answerModel();
    const connection = open();
    connection.say(requests.join(""));
    const ids: string[] = [];
    for (const _request of requests) {
      const answer = await connection.answer();
      expect(answer.head).toContain("connection: keep-alive");
      ids.push(idOf(answer));
      expect(await waitForExchange(outrider, exchangeId(answer))).toMatchObject({ end: "complete", status: 200 });
    }
    expect(ids.map((id) => Number(id.replace("slow-", "")))).toEqual(requests.map((_request, index) => index + 1));
    expect(connection.unread().length).toBe(0);
  });

  it("sent one after the other change their framing as they like", async () => {
    answerModel();
    const connection = open();
    for (const [index, format] of [plain, chunked, plain, chunked].entries()) {
      connection.say(format(String(index)));
      expect(idOf(await connection.answer())).toBe(String(index));
    }
  });

  it("are two hundred, to a provider that has one connection to give", async () => {
    answerModel();
    const connection = open();
    const before = { spans: receiver.spans.length, opened: upstream.sockets.opened };
    for (let index = 0; index < 200; index++) {
      connection.say(plain(String(index)));
      const answer = await connection.answer();
      expect([answer.status, idOf(answer)]).toEqual([200, String(index)]);
    }
    expect(upstream.sockets.opened - before.opened).toBeLessThanOrEqual(1);
    await expect.poll(() => receiver.spans.length - before.spans, { timeout: 10_000 }).toBeGreaterThanOrEqual(200);
  });

  it("are done after one that says so", async () => {
    answerModel();
    const connection = open();
    const before = upstream.requests.length;
    connection.say(plain("last", { connection: "close" }) + plain("never"));
    const answer = await connection.answer();
    expect([idOf(answer), answer.head.includes("connection: close")]).toEqual(["last", true]);
    await connection.ended;
    expect([connection.unread().length, upstream.requests.length - before]).toEqual([0, 1]);
  });

  it.each<[string, string, number, string | undefined]>([
    ["HEAD", "HEAD /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 200, undefined],
    ["OPTIONS", "OPTIONS /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 200, undefined],
    ["TRACE", "TRACE /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 405, "method_not_allowed;source=client"],
    ["CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n", 405, "method_not_allowed;source=client"],
    ["no HTTP", "hello\r\n\r\n", 400, "request_malformed;source=client"],
    [
      "an upgrade to what is not served",
      "GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      404,
      "operation_unsupported;source=client",
    ],
  ])("may be anything after a plain one: %s", async (_name, bytes, status, error) => {
    answerModel();
    const connection = open();
    connection.say(plain("1"));
    expect(idOf(await connection.answer())).toBe("1");
    upstream.setScript({ headers: { ...json, "x-made-for": "it" }, contentLength: 0 });
    connection.say(bytes);
    const answer = await connection.answer();
    expect([answer.status, errorOf(answer)]).toEqual([status, error]);
  });
});

describe("a request in pieces", () => {
  it.each<[string, (bytes: string) => string[]]>([
    ["its head in two", (bytes) => [bytes.slice(0, 30), bytes.slice(30)]],
    [
      "its head's last byte apart",
      (bytes) => [bytes.slice(0, bytes.indexOf("{") - 1), bytes.slice(bytes.indexOf("{") - 1)],
    ],
    ["its body apart", (bytes) => [bytes.slice(0, bytes.indexOf("{")), bytes.slice(bytes.indexOf("{"))]],
    [
      "its body byte by byte",
      (bytes) => [bytes.slice(0, bytes.indexOf("{")), ...bytes.slice(bytes.indexOf("{")).split("")],
    ],
    ["byte by byte", (bytes) => bytes.split("")],
  ])("is read whole: %s", async (_name, cut) => {
    answerModel();
    const connection = open();
    for (const piece of cut(plain("pieces"))) {
      connection.say(piece);
      await sleep(1);
    }
    expect(idOf(await connection.answer())).toBe("pieces");
    expect(upstream.requests.at(-1)?.body.toString()).toBe(bodyFor("pieces"));
    connection.say(plain("next"));
    expect(idOf(await connection.answer())).toBe("next");
  });
});

describe("clients that leave", () => {
  it("by ending their side while they wait end their request", async () => {
    upstream.setScript({ kind: "raw", chunks: [], ending: "stall" });
    const index = upstream.requests.length;
    const connection = open();
    connection.say(plain("waits"));
    await upstream.waitFor(() => upstream.requests[index] !== undefined);
    connection.socket.end();
    await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined);
    await connection.ended;
    await waitForExchangeWhere(outrider, ({ end, attempts }) => end === "client_aborted" && attempts === 1);
  });

  it("inside an upload that is relayed unread end it at the provider", async () => {
    const index = upstream.requests.length;
    const connection = open();
    connection.say(formatPost("/v1/files", "x".repeat(1000), { "content-length": "5000" }));
    await upstream.waitFor(() => upstream.requests[index] !== undefined);
    connection.socket.resetAndDestroy();
    await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined);
    expect(upstream.requests[index]?.bodyEndedAt).toBeUndefined();
    await waitForExchangeWhere(outrider, ({ end, route }) => end === "client_aborted" && !route.includes("chat"));
  });

  it("inside an answer with a length end it at the provider", async () => {
    upstream.setScript({ headers: json, contentLength: 1000, chunks: ['{"id":"x",'], ending: "stall" });
    const index = upstream.requests.length;
    const connection = open();
    connection.say(plain("x"));
    await expect.poll(() => connection.unread().includes('{"id":"x",')).toBe(true);
    connection.socket.resetAndDestroy();
    await upstream.waitFor(() => upstream.requests[index]?.abortedAt !== undefined);
    const id = /x-outrider-request-id: (\S+)/i.exec(connection.unread().toString())?.[1] ?? "";
    expect(await waitForExchange(outrider, id)).toMatchObject({ end: "client_aborted" });
    await expect.poll(() => spanCount(id), { timeout: 5000 }).toBeGreaterThan(0);
  });
});

describe("a refused request", () => {
  it.each<[string, string, number]>([
    ["announced too large", formatPost(chat, "{", { "content-length": String(maxBodyBytes + 1) }), 413],
    ["with a foreign Host", formatPost(chat, "{", { host: "evil.example", "content-length": "5000" }), 421],
    ["to nowhere", formatPost("/nowhere", "{", { "content-length": "5000" }), 404],
    ["to a path that is none, unread", formatPost("/openai/../admin", "{", { "content-length": "5000" }), 400],
  ])("whose body is still to come ends its connection: %s", async (_name, bytes, status) => {
    const connection = open();
    connection.say(bytes);
    const answer = await connection.answer();
    expect([answer.status, answer.head.includes("connection: close")]).toEqual([status, true]);
    await connection.ended;
    expect((await fetch(`${outrider.adminUrl}/readyz`)).status).toBe(200);
  });

  it.each<[string, string, number]>([
    ["with a foreign Host", formatPost(chat, "{}", { host: "evil.example" }), 421],
    ["too large", formatPost(chat, "x".repeat(maxBodyBytes + 1)), 413],
    ["to a path that is none, unread", formatPost("/openai/../admin", "{}"), 400],
  ])("whose body is there does not, or says so: %s", async (_name, bytes, status) => {
    answerModel();
    const connection = open();
    connection.say(bytes);
    const answer = await connection.answer();
    expect(answer.status).toBe(status);
    if (answer.head.includes("connection: close")) {
      await connection.ended;
      return;
    }
    connection.say(plain("next"));
    expect(idOf(await connection.answer())).toBe("next");
  });
});

describe("20 MiB to a client that reads slowly", () => {
  it.each([true, false])("arrive byte for byte (with a length: %s)", async (contentLength) => {
    const pieces = Array.from({ length: 320 }, () => randomBytes(65_536));
    const sum = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
    upstream.setScript({
      headers: { "content-type": "application/octet-stream" },
      chunks: pieces,
      ...(contentLength ? { contentLength: true } : {}),
    });
    const connection = open();
    const { socket } = connection;
    connection.say("GET /v1/files/f/content HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let read = 0;
    socket.on("data", (bytes: Buffer) => {
      const before = Math.floor(read / 1_000_000);
      read += bytes.length;
      if (Math.floor(read / 1_000_000) === before) return;
      socket.pause();
      setTimeout(() => socket.resume(), 20);
    });
    const answer = await connection.answer();
    expect([answer.body.length, answer.head.includes("transfer-encoding")]).toEqual([20_971_520, !contentLength]);
    expect(createHash("sha256").update(answer.body).digest("hex")).toBe(sum);
    answerModel();
    connection.say(plain("next"));
    expect(idOf(await connection.answer())).toBe("next");
  });
});

describe("SIGTERM", () => {
  const event = (choice: object): string => `data: ${JSON.stringify({ id: "c", model: "m", choices: [choice] })}\n\n`;
  it("says connection: close in every head that is still to come, and ends nothing before its end", async () => {
    const leaving = await start();
    const stream = [
      event({ index: 0, delta: { content: "word" } }),
      event({ index: 0, delta: {}, finish_reason: "stop" }),
      "data: [DONE]\n\n",
    ];
    upstream.setScript(({ body }) => ({
      headers: { "content-type": "text/event-stream" },
      ...(body.includes("late") ? { delayMs: 700 } : {}),
      chunks: stream.map((bytes) => ({ bytes, afterMs: 400 })),
    }));
    const streamed = (word: string): string => formatPost(chat, `{"model":"${word}","stream":true,"messages":[]}`);
    const [early, late, idle] = [open(leaving), open(leaving), open(leaving)];
    idle.say("GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    expect((await idle.answer()).status).toBe(404);
    const before = upstream.requests.length;
    early.say(streamed("early"));
    late.say(streamed("late"));
    await upstream.waitFor(() => upstream.requests.length === before + 2);
    await expect.poll(() => early.unread().includes("\r\n\r\n")).toBe(true);
    const stopped = leaving.stop("SIGTERM");
    await idle.ended;
    const answers = await Promise.all([early.answer(), late.answer()]);
    expect(answers.map(({ body }) => body.toString())).toEqual([stream.join(""), stream.join("")]);
    expect(answers.map(({ head }) => /connection: (\S+)/.exec(head)?.[1])).toEqual(["keep-alive", "close"]);
    await Promise.all([early.ended, late.ended]);
    expect(await stopped).toBe(0);
  });
});

// What a hostile HTTP/2 client may not ask for without end, and how the data port tells HTTP/2 from HTTP/1.1.
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readStatus } from "../support/exchange-log.ts";
import {
  callHttp2,
  formatFrame,
  formatHeaderBlock,
  frameTypes,
  openHttp2,
  openRawHttp2,
  preface,
  type RawHttp2,
} from "../support/http2-client.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { exchangeRaw, formatPost } from "../support/raw-client.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

const chat = "/v1/chat/completions";
const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';
const answerBody = '{"id":"x","model":"gpt-4o-mini","choices":[]}';
const enhanceYourCalm = 11;
const maxConnections = 20;

let upstream: ScriptedUpstream;
let outrider: OutriderProcess;
let port: number;
const sessions: ClientHttp2Session[] = [];
const raws: RawHttp2[] = [];

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  outrider = await startOutrider({
    options: {
      providers: { openai: { baseUrl: `${upstream.url}/v1` } },
      limits: { drainSeconds: 3, maxConnections },
    },
  });
  port = Number(new URL(outrider.url).port);
});

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const { socket } of raws.splice(0)) socket.destroy();
});

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
});

function open(): ClientHttp2Session {
  const session = openHttp2(outrider.url);
  sessions.push(session);
  return session;
}

function openRaw(first: string | Buffer): RawHttp2 {
  const raw = openRawHttp2(port, first);
  raws.push(raw);
  return raw;
}

const answerPlainly = (): void =>
  upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [answerBody] });
const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));
const within = <Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | "late"> =>
  Promise.race([promise, pause(timeoutMs).then(() => "late" as const)]);

describe("floods", () => {
  const answersAgain = async (): Promise<void> => {
    answerPlainly();
    expect((await callHttp2(open(), chat, { body }).ended).status).toBe(200);
    expect((await fetch(outrider.url + chat, { method: "POST", body })).status).toBe(200);
  };
  const goawayCode = ({ frames }: RawHttp2): number | undefined =>
    frames.find(({ type }) => type === frameTypes.goaway)?.payload.readUInt32BE(4);
  const request = formatHeaderBlock([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/v1/models"],
    [":authority", "127.0.0.1"],
  ]);
  const opening = Buffer.concat([Buffer.from(preface), formatFrame(frameTypes.settings, 0, 0)]);

  it("of requests taken back end the session, and few of them reach the provider", async () => {
    upstream.setScript({ delayMs: 60_000, chunks: [] });
    const before = upstream.requests.length;
    const cancel = Buffer.from([0, 0, 0, 8]);
    const raw = openRaw(opening);
    await upstream.waitFor(() => raw.frames.length > 0);
    for (let index = 0; index < 5000 && !raw.socket.destroyed; index++) {
      const id = 2 * index + 1;
      raw.socket.write(
        Buffer.concat([formatFrame(frameTypes.headers, 5, id, request), formatFrame(frameTypes.reset, 0, id, cancel)]),
      );
      if (index % 100 === 99) await pause(2);
    }
    expect(await within(raw.closed, 2000)).not.toBe("late");
    expect(goawayCode(raw)).toBe(enhanceYourCalm);
    expect(upstream.requests.length - before).toBeLessThanOrEqual(401);
    const deadlineMs = Date.now() + 3000;
    while ((await readStatus(outrider)).exchanges.inFlight > 0 && Date.now() < deadlineMs) await pause(20);
    expect((await readStatus(outrider)).exchanges.inFlight).toBe(0);
    await answersAgain();
  });

  const many = (frame: Buffer, count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => frame));
  it.each<[string, Buffer]>([
    ["SETTINGS", many(formatFrame(frameTypes.settings, 0, 0), 20_000)],
    ["PING", many(formatFrame(frameTypes.ping, 0, 0, Buffer.alloc(8)), 20_000)],
    ["empty DATA", Buffer.concat([formatFrame(1, 4, 1, request), many(formatFrame(frameTypes.data, 0, 1), 20_000)])],
    [
      "CONTINUATION",
      Buffer.concat([
        formatFrame(frameTypes.headers, 0, 1, request),
        many(formatFrame(frameTypes.continuation, 0, 1, formatHeaderBlock([["x", "y"]])), 20_000),
      ]),
    ],
    ["frames that are too large", formatFrame(frameTypes.ping, 0, 0, Buffer.alloc(60_000))],
    ["a header block that is no HPACK", formatFrame(1, 5, 1, Buffer.alloc(64, 0xff))],
    ["DATA on no stream", formatFrame(frameTypes.data, 0, 0, Buffer.from("x"))],
  ])("of %s end the session", async (_name, frames) => {
    const raw = openRaw(opening);
    await upstream.waitFor(() => raw.frames.length > 0);
    raw.socket.pause();
    raw.socket.write(frames);
    await pause(300);
    raw.socket.resume();
    expect(await within(raw.closed, 3000)).not.toBe("late");
    await answersAgain();
  });

  it("of streams past the cap are refused one by one, then with the session", async () => {
    upstream.setScript({ delayMs: 60_000, chunks: [] });
    const before = upstream.requests.length;
    const raw = openRaw(opening);
    await upstream.waitFor(() => raw.frames.length > 0);
    for (let index = 0; index < 1000; index++)
      raw.socket.write(formatFrame(frameTypes.headers, 5, 2 * index + 1, request));
    expect(await within(raw.closed, 3000)).not.toBe("late");
    expect(upstream.requests.length - before).toBeLessThanOrEqual(200);
    await answersAgain();
  });

  it("of headers, in one block or by an index that repeats them, are reset and cost no memory", async () => {
    const session = open();
    const headers = { "x-bomb": "b".repeat(40_000) };
    // Before the client has acknowledged the limit it is answered, then the stream is reset.
    const first = await callHttp2(session, chat, { headers }).ended;
    expect([[first.status, first.headers["x-outrider-error"]], first.rstCode]).toEqual(
      first.status === 0 ? [[0, undefined], enhanceYourCalm] : [[431, "headers_too_large;source=client"], 0],
    );
    answerPlainly();
    await callHttp2(session, chat, { body }).ended;
    const second = await callHttp2(session, chat, { headers }).ended;
    expect([second.status, second.rstCode]).toEqual([0, enhanceYourCalm]);
    // One entry of 4 KB in the dynamic table (RFC 7541 §6.2.1), then thousands of references of one byte each (62 is the newest entry).
    const entry = Buffer.concat([Buffer.from([0x40]), formatHeaderBlock([["x-bomb", "b".repeat(3900)]]).subarray(1)]);
    const block = Buffer.concat([request, entry, Buffer.alloc(10_000, 0x80 | 62)]);
    const before = upstream.requests.length;
    const raw = openRaw(Buffer.concat([opening, formatFrame(frameTypes.headers, 5, 1, block)]));
    await upstream.waitFor(() =>
      raw.frames.some(({ type }) => type === frameTypes.reset || type === frameTypes.goaway),
    );
    expect(upstream.requests.length).toBe(before);
    await answersAgain();
  });

  it("of sessions count with the connections of HTTP/1.1 against one cap", async () => {
    await pause(200);
    const idle = Array.from({ length: maxConnections + 5 }, () => openRaw(opening));
    await expect
      .poll(() => idle.filter(({ socket }) => !socket.destroyed).length, { timeout: 5000 })
      .toBeLessThanOrEqual(maxConnections);
    const refused = await exchangeRaw(port, formatPost(chat, body));
    expect([refused.status, refused.ending]).toEqual([0, expect.stringMatching(/closed|reset/)]);
    for (const { socket } of idle) socket.destroy();
    await Promise.all(idle.map(({ closed }) => closed));
    // The server counts a connection until it has seen its end.
    const isServed = async (): Promise<boolean> => (await callHttp2(open(), chat, { body }).ended).status === 200;
    answerPlainly();
    await expect.poll(isServed, { timeout: 5000 }).toBe(true);
    await answersAgain();
  });
});

describe("telling the protocols apart", () => {
  it.each<[string, string]>([
    ["another version", "PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n"],
    ["another second half", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"],
    ["a preface that is a request", "PRI * HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
    ["a letter too much", "PPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("answers %s as HTTP/1.1 that it cannot read", async (_name, bytes) => {
    const answer = await exchangeRaw(port, bytes);
    expect([answer.status, answer.ending]).toEqual([400, "closed"]);
  });

  it("takes a preface, and a request of HTTP/1.1, byte by byte", async () => {
    answerPlainly();
    const raw = openRaw("");
    for (const byte of preface) {
      raw.socket.write(byte);
      await pause(2);
    }
    raw.socket.write(formatFrame(frameTypes.settings, 0, 0));
    await upstream.waitFor(() => raw.frames.some(({ type }) => type === frameTypes.settings));

    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.setNoDelay(true);
      socket.on("data", (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      void (async () => {
        for (const byte of formatPost(chat, body)) {
          socket.write(byte);
          await pause(1);
        }
      })();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("serves requests on one HTTP/1.1 connection as before, pipelined ones too", async () => {
    answerPlainly();
    const answer = await exchangeRaw(port, formatPost(chat, body) + formatPost(chat, body), { timeoutMs: 700 });
    expect(answer.ending).toBe("open");
    expect((answer.head + answer.body).match(/HTTP\/1\.1 200/g)?.length).toBe(2);
  });

  it("lets go of a connection that says nothing, and of a preface that is never finished, with 408", async () => {
    const answers = ["", "PRI * HT"].map((bytes) => exchangeRaw(port, bytes, { timeoutMs: 15_000 }));
    for (const answer of await Promise.all(answers)) expect([answer.status, answer.ending]).toEqual([408, "closed"]);
  });

  it("lets go of a session that sends no SETTINGS", async () => {
    const raw = openRaw(preface);
    expect(await within(raw.closed, 15_000)).not.toBe("late");
  });
});

// Media at addresses, fetched from real loopback servers under a made-up name, for targets that take only bytes.
import { createServer as createPlainServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { findDialect, matchDialect } from "../../../src/dialects/index.ts";
import type { SidecarError } from "../../../src/errors.ts";
import { optionsSchema } from "../../../src/options.ts";
import { downloadMedia } from "../../../src/proxy/media-download.ts";
import { MediaFetch, type MediaFetchRooms } from "../../../src/proxy/media-fetch.ts";
import type { MediaFetchSettings } from "../../../src/proxy/media-host.ts";
import { translateCall } from "../../../src/proxy/translated-call.ts";
import { makeCertificate } from "../../support/certificate.ts";

const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("not really")]);

let server: Server;
let origin: string;
let host: string;
let respond: RequestListener;
let asked: IncomingMessage[];
/** The names that were resolved. */
let resolved: string[];
const openServers: Server[] = [];
const usual = getCACertificates("default");

async function listen(server: Server, address = "127.0.0.1"): Promise<number> {
  openServers.push(server);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
}

const sendPng: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "image/png", "content-length": png.length }).end(png);
};

beforeAll(async () => {
  const certificate = makeCertificate("media.test");
  setDefaultCACertificates([...usual, certificate.cert]);
  server = createServer(certificate, (request, response) => {
    asked.push(request);
    respond(request, response);
  });
  host = `media.test:${await listen(server)}`;
  origin = `https://${host}`;
});

beforeEach(() => {
  respond = sendPng;
  asked = [];
  resolved = [];
});

afterEach(() => {
  server.closeAllConnections();
});

afterAll(() => {
  setDefaultCACertificates(usual);
  for (const open of openServers) {
    open.closeAllConnections();
    open.close();
  }
});

function createFetch(settings: Partial<MediaFetchSettings> = {}, rooms: Partial<MediaFetchRooms> = {}): MediaFetch {
  return new MediaFetch({
    settings: { ...optionsSchema.parse({}).media.fetch, privateHosts: [host], ...settings },
    maxTotalBytes: 33_554_432,
    clock: systemClock,
    deadlineMs: systemClock.nowMs() + 60_000,
    resolve: (name) => {
      resolved.push(name);
      return Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    },
    ...rooms,
  });
}

const image = (url: string): unknown => ({ type: "image_url", image_url: { url } });

/** A chat of one message with these parts, as a client of OpenAI's writes it. */
function readChat(...content: unknown[]) {
  const body = {
    model: "m",
    messages: [{ role: "user", content: [{ type: "text", text: "what is this?" }, ...content] }],
  };
  const client = findDialect("openai-chat");
  const operation = matchDialect("POST", "/v1/chat/completions")?.operation;
  if (operation === undefined) throw new Error("chat has no operation");
  return { client, operation, body, request: client.decodeRequest(body, operation) };
}

const gemini = findDialect("gemini-generate-content");

async function fetchFor(fetch: MediaFetch, chat: ReturnType<typeof readChat>, target = gemini) {
  const media = await fetch.forTarget(chat.client, target, chat);
  if (media === undefined) throw new Error("nothing was to be fetched");
  return { ...media, parts: media.request.messages[0]?.parts.slice(1) ?? [] };
}

/** Why the only image of a chat is not fetched. */
async function refusalOf(
  path: string,
  settings: Partial<MediaFetchSettings> = {},
  rooms: Partial<MediaFetchRooms> = {},
) {
  const chat = readChat(image(path.startsWith("/") ? `${origin}${path}` : path));
  const { refusals, losses, request } = await fetchFor(createFetch(settings, rooms), chat);
  expect(losses).toEqual([]);
  expect(request.messages).toEqual(chat.request.messages);
  expect([...refusals.keys()]).toEqual(["/messages/0/content/1"]);
  return refusals.get("/messages/0/content/1");
}

describe("media at an address that the target cannot take", () => {
  it("is sent inline, which is told", async () => {
    const { parts, losses, refusals } = await fetchFor(createFetch(), readChat(image(`${origin}/a.png?size=2#x`)));
    expect(parts).toEqual([
      { type: "blob", modality: "image", mime_type: "image/png", content: png.toString("base64") },
    ]);
    expect(losses).toEqual([
      {
        pointer: "/messages/0/content/1",
        reason: "moved",
        severity: "tuning",
        detail: "fetched from its address, to go inline",
      },
    ]);
    expect(refusals.size).toBe(0);
    expect(asked.map(({ method, url }) => [method, url])).toEqual([["GET", "/a.png?size=2"]]);
  });

  it("is asked for under the host's own name, with nothing of the client's", async () => {
    await fetchFor(createFetch(), readChat(image(`${origin}/a.png`)));
    expect(asked[0]?.headers).toEqual({
      host,
      accept: "*/*",
      "accept-encoding": "identity",
      "user-agent": "outrider",
      connection: "close",
    });
    expect(asked[0]?.socket).toHaveProperty("servername", "media.test");
  });

  it("is not touched where the options allow no host", () => {
    const chat = readChat(image(`${origin}/a.png`));
    expect(createFetch({ privateHosts: [] }).forTarget(chat.client, gemini, chat)).toBeUndefined();
    expect(resolved).toEqual([]);
  });

  it.each(["anthropic-messages", "openai-responses", "cohere-chat"] as const)(
    "is left to %s, which takes addresses",
    (target) => {
      const chat = readChat(image(`${origin}/a.png`));
      expect(createFetch().forTarget(chat.client, findDialect(target), chat)).toBeUndefined();
    },
  );

  it.each(["gemini-generate-content", "bedrock-converse", "ollama-chat"] as const)(
    "is fetched for %s",
    async (target) => {
      const { losses } = await fetchFor(createFetch(), readChat(image(`${origin}/a.png`)), findDialect(target));
      expect(losses).toHaveLength(1);
    },
  );

  it("is left where the target takes that address itself", () => {
    const chat = readChat(image("gs://bucket/a.png"));
    expect(createFetch().forTarget(chat.client, gemini, chat)).toBeUndefined();
  });

  it("is fetched once, however often it stands there and however many providers are tried", async () => {
    const fetch = createFetch();
    const chat = readChat(image(`${origin}/a.png`), image(`${origin}/a.png`));
    expect((await fetchFor(fetch, chat)).losses).toHaveLength(2);
    expect((await fetchFor(fetch, chat, findDialect("ollama-chat"))).losses).toHaveLength(2);
    expect(asked).toHaveLength(1);
  });

  it("is fetched in tool results whose parts are read", async () => {
    const chat = readChat();
    const uri = { type: "uri", modality: "image", uri: `${origin}/a.png` } as const;
    const response = [{ type: "text", content: "seen" }, uri];
    const request = {
      ...chat.request,
      messages: [{ role: "tool", parts: [{ type: "tool_call_response" as const, id: "1", response }] }],
    };
    const media = await fetchFor(createFetch(), { ...chat, request });
    expect(media.request.messages[0]?.parts[0]).toMatchObject({
      response: [response[0], { type: "blob", mime_type: "image/png", content: png.toString("base64") }],
    });
  });

  it("is fetched without TLS only from a host that is listed so", async () => {
    const port = await listen(createPlainServer(sendPng));
    const uri = `http://media.test:${port}/a.png`;
    const { losses } = await fetchFor(
      createFetch({ privateHosts: [`http://media.test:${port}`] }),
      readChat(image(uri)),
    );
    expect(losses).toHaveLength(1);
    expect(await refusalOf(uri, { privateHosts: [`media.test:${port}`] })).toMatch(/does not list/);
  });
});

describe("the address that is dialled", () => {
  it("is the one that was checked, whatever the name resolves to by then", async () => {
    const certificate = makeCertificate("localhost");
    setDefaultCACertificates([...getCACertificates("default"), certificate.cert]);
    // The machine's own answer for this name is another address, where nobody listens.
    const port = await listen(createServer(certificate, sendPng), "127.0.0.2");
    let count = 0;
    const resolve = (): Promise<{ address: string; family: number }[]> =>
      Promise.resolve([{ address: count++ === 0 ? "127.0.0.2" : "169.254.169.254", family: 4 }]);
    const fetch = createFetch({ privateHosts: [`localhost:${port}`] }, { resolve });
    const { losses } = await fetchFor(fetch, readChat(image(`https://localhost:${port}/`)));
    expect(losses).toHaveLength(1);
    expect(count).toBe(1);
  });

  it("is none where the name leads to the machine itself and is not listed as private", async () => {
    expect(await refusalOf("/a.png", { hosts: ["*", host], privateHosts: [] })).toMatch(/not on the public Internet/);
    expect(asked).toHaveLength(0);
  });

  it("must answer for its name", async () => {
    const port = (server.address() as AddressInfo).port;
    const reason = await refusalOf(`https://other.test:${port}/`, { privateHosts: [`other.test:${port}`] });
    expect(reason).toBe("its host could not be reached");
    expect(asked).toHaveLength(0);
  });
});

describe("an answer that is not the medium", () => {
  const cases: [name: string, answer: RequestListener, reason: RegExp][] = [
    [
      "a redirect",
      (_, response) => response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end(),
      /redirects/,
    ],
    ["an error", (_, response) => response.writeHead(404, { "content-length": 0 }).end(), /answered 404/],
    [
      "a part of it",
      (_, response) => response.writeHead(206, { "content-length": png.length }).end(png),
      /answered 206/,
    ],
    [
      "a page",
      (_, response) => response.writeHead(200, { "content-type": "text/html", "content-length": 6 }).end("<html>"),
      /no image/,
    ],
    [
      "empty",
      (_, response) => response.writeHead(200, { "content-type": "image/png", "content-length": 0 }).end(),
      /no image/,
    ],
    [
      "compressed",
      (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(1_000_000))),
      /content coding/,
    ],
    [
      "stated to be too large",
      (_, response) => response.writeHead(200, { "content-length": 1_000_000 }).write(png),
      /larger than media.fetch.maxBytes/,
    ],
    [
      "cut",
      ({ socket }, response) => {
        response
          .writeHead(200, { "content-type": "image/png", "content-length": png.length + 1 })
          .write(png, () => socket.end());
      },
      /broke off/,
    ],
    [
      "without a length",
      ({ socket }) =>
        socket.end(`HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n${png.toString("latin1")}`, "latin1"),
      /no length/,
    ],
    ["no HTTP", ({ socket }) => socket.end("hello\r\n"), /could not be reached/],
    [
      "another protocol",
      ({ socket }) => socket.write("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
      /did not answer in HTTP/,
    ],
  ];

  it.each(cases)("is refused: %s", async (_name, answer, reason) => {
    respond = answer;
    expect(await refusalOf("/a.png", { maxBytes: 100_000 })).toMatch(reason);
    expect(asked).toHaveLength(1);
  });

  it("leaves no connection behind", async () => {
    const closed = Promise.withResolvers<void>();
    respond = (_request, response) => {
      response.on("close", closed.resolve);
      response.writeHead(302, { location: "/" }).write("and more");
    };
    const approved = {
      type: "approved",
      url: new URL(origin),
      addresses: [{ address: "127.0.0.1", family: 4 }],
    } as const;
    const never = new AbortController().signal;
    const answer = await downloadMedia(
      { ...approved, addresses: [...approved.addresses] },
      1000,
      { left: 1000 },
      never,
    );
    expect(answer.type).toBe("refused");
    await closed.promise;
  });

  it("is cut off at the cap where it never ends", async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    respond = (_request, response) => {
      response.writeHead(200, { "content-type": "image/png" });
      const more = (): void => {
        while (!response.destroyed && response.write(png)) sent += png.length;
      };
      response.on("drain", more).on("close", closed.resolve);
      more();
    };
    expect(await refusalOf("/a.png", { maxBytes: 100_000 })).toMatch(/larger than/);
    await closed.promise;
    expect(sent).toBeLessThan(16_777_216);
  });

  it.each([
    ["that trickles", true],
    ["that does not begin", false],
  ])("is given up in time: one %s", async (_name, trickles) => {
    const closed = Promise.withResolvers<void>();
    respond = (_request, response) => {
      const timer = setInterval(() => trickles && response.write("."), 10);
      response.on("close", () => {
        clearInterval(timer);
        closed.resolve();
      });
    };
    const startedMs = systemClock.nowMs();
    expect(await refusalOf("/a.png", { timeoutMs: 150 })).toMatch(/longer than media.fetch.timeoutMs/);
    expect(systemClock.nowMs() - startedMs).toBeLessThan(2000);
    await closed.promise;
  });

  it("is not waited for past the deadline of the call, nor for a name server that is silent", async () => {
    const silent = (): Promise<never> => new Promise(() => undefined);
    const deadlineMs = systemClock.nowMs() + 100;
    expect(await refusalOf("/a.png", { timeoutMs: 60_000 }, { resolve: silent, deadlineMs })).toMatch(/longer than/);
  });
});

describe("the caps of one call", () => {
  it("leave the addresses that are too many", async () => {
    const chat = readChat(...[1, 2, 3].map((number) => image(`${origin}/${number}`)));
    const { parts, refusals } = await fetchFor(createFetch({ maxItems: 2 }), chat);
    expect(parts.map(({ type }) => type)).toEqual(["blob", "blob", "uri"]);
    expect([...refusals]).toEqual([["/messages/0/content/3", "there are more addresses than media.fetch.maxItems"]]);
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["stated", sendPng],
    [
      "not stated",
      (_, response) => response.writeHead(200, { "content-type": "image/png" }).write(png) && response.end(),
    ],
  ] as [string, RequestListener][])("count the bytes of all of them, their length %s", async (_name, answer) => {
    respond = answer;
    const chat = readChat(...[1, 2, 3].map((number) => image(`${origin}/${number}`)));
    const { losses, refusals } = await fetchFor(createFetch({}, { maxTotalBytes: png.length * 2 }), chat);
    expect([losses.length, refusals.size]).toEqual([2, 1]);
  });

  it("ask for four at a time", async () => {
    let [open, most] = [0, 0];
    respond = (request, response) => {
      most = Math.max(most, (open += 1));
      setTimeout(() => {
        open -= 1;
        sendPng(request, response);
      }, 50);
    };
    const chat = readChat(...[1, 2, 3, 4, 5, 6, 7].map((number) => image(`${origin}/${number}`)));
    expect((await fetchFor(createFetch(), chat)).losses).toHaveLength(7);
    expect(most).toBe(4);
  });
});

describe("a client that leaves", () => {
  it("ends the fetches under way and begins no more", async () => {
    const leaving = new AbortController();
    const closed = Promise.withResolvers<void>();
    respond = (_request, response) => {
      response.on("close", closed.resolve);
      leaving.abort();
    };
    const chat = readChat(...[1, 2, 3, 4, 5, 6, 7].map((number) => image(`${origin}/${number}`)));
    const code = fetchFor(createFetch({ timeoutMs: 60_000 }, { signal: leaving.signal }), chat).catch(
      (error: SidecarError) => error.code,
    );
    expect(await code).toBe("client_disconnected");
    await closed.promise;
    expect(resolved).toHaveLength(4);
  });
});

describe("a translation with media at addresses", () => {
  const facts = { model: "gemini-2.5-flash", exchangeId: "0".repeat(32), epochSeconds: 0 };
  const rules = { semantic: "reject", tuning: "report" } as const;

  async function translate(fetch: MediaFetch, chat: ReturnType<typeof readChat>) {
    const media = await fetchFor(fetch, chat);
    const call = { ...chat, clientOperation: chat.operation, asksForUsage: false, header: () => undefined };
    return translateCall(chat.client, gemini, { ...call, request: media.request, media }, facts, rules);
  }

  it("has the bytes in the target's words, and tells that", async () => {
    const translated = await translate(createFetch(), readChat(image(`${origin}/a.png`)));
    expect(JSON.parse(translated.body.toString()).contents[0].parts[1]).toEqual({
      inlineData: { mimeType: "image/png", data: png.toString("base64") },
    });
    expect(translated.losses.map(({ pointer, reason }) => [pointer, reason])).toEqual([
      ["/messages/0/content/1", "moved"],
    ]);
  });

  it("is refused with the pointer and the reason, and without the address", async () => {
    respond = (_request, response) => response.writeHead(302, { location: "https://media.test/" }).end();
    await expect(translate(createFetch(), readChat(image(`${origin}/secret.png`)))).rejects.toMatchObject({
      code: "request_lossy",
      message: expect.stringMatching(
        /: \/messages\/0\/content\/1: Google does not fetch this address: the image is left out \(not fetched: its host redirects, which is not followed\)$/,
      ),
    });
  });
});

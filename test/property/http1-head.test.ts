// What readPlainHead accepts Node's own parser accepts too, and reads alike: 20,000 request heads, valid and mutated.
// Rerun with OUTRIDER_SEED; OUTRIDER_HEAD_CASES sets the number.
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { type PlainHead, readPlainHead } from "../../src/proxy/server-http1-head.ts";
import { createRandom, type Random } from "../support/random.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
const cases = Number(process.env["OUTRIDER_HEAD_CASES"] ?? 20_000);
console.log(`OUTRIDER_SEED=${seed}`);

/** Bodies up to this size are sent; of longer ones the announced length alone is compared. */
const maxBodyBytes = 4096;

// ---- Node's reading ----

interface Reading {
  method: string | undefined;
  url: string | undefined;
  rawHeaders: string[];
  /** Undefined: not sent. */
  bodyBytes: number | undefined;
  announced: number;
  /** The request after it on the same connection was found where it begins. */
  nextFound: boolean;
}

// As src/proxy/server.ts has it.
const server = createServer({
  maxHeaderSize: 32_768,
  requireHostHeader: true,
  joinDuplicateHeaders: false,
  insecureHTTPParser: false,
});
server.maxHeadersCount = 2000;
let onRequest: (request: IncomingMessage) => void = () => undefined;
let onRefused: (code: string) => void = () => undefined;
server.on("request", (request, response) => {
  onRequest(request);
  request.on("error", () => undefined);
  request.on("end", () => response.end());
});
server.on("clientError", (error: NodeJS.ErrnoException) => onRefused(error.code ?? error.message));
// Node answers 400 itself, without an event, where HTTP/1.1 has no Host.
server.on("checkExpectation", () => onRefused("expectation"));

/** What Node makes of the bytes of one request, and of a plain one after it; a string: why it refused. */
async function readWithNode(bytes: Buffer, head: PlainHead): Promise<Reading | string> {
  const length = head.contentLength ?? 0;
  const sendsBody = length <= maxBodyBytes;
  const next = Buffer.from("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  let reading: Reading | undefined;
  let refusal: string | undefined;
  let isWhole = false;
  onRefused = (code) => (refusal ??= code);
  onRequest = (request) => {
    if (reading !== undefined) {
      reading.nextFound = request.url === "/next";
      return;
    }
    const { method, url, rawHeaders, headers } = request;
    const announced = Number(headers["content-length"] ?? 0);
    const found: Reading = { method, url, rawHeaders, bodyBytes: undefined, announced, nextFound: false };
    reading = found;
    request.on("data", (chunk: Buffer) => (found.bodyBytes = (found.bodyBytes ?? 0) + chunk.length));
    request.on("end", () => {
      found.bodyBytes ??= 0;
      isWhole = true;
    });
  };
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  socket.on("error", () => undefined);
  server.emit("connection", socket);
  socket.push(sendsBody ? Buffer.concat([bytes, Buffer.alloc(length, "x"), next]) : bytes);
  // Everything happens in memory: what has not come after some turns will not come.
  const isDone = (): boolean => {
    if (refusal !== undefined) return true;
    if (reading === undefined) return false;
    return !sendsBody || (isWhole && (reading.nextFound || !head.keepAlive));
  };
  for (let turn = 0; turn < 50 && !isDone(); turn++) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  return reading ?? refusal ?? "no request";
}

afterAll(() => {
  server.closeAllConnections();
});

// ---- heads ----

const sdkHeads: string[][] = [
  [
    "POST /v1/chat/completions HTTP/1.1",
    "Host: 127.0.0.1:4141",
    "accept-encoding: gzip, deflate",
    "connection: keep-alive",
    "accept: application/json",
    "content-type: application/json",
    "user-agent: OpenAI/Python 2.8.1",
    "x-stainless-lang: python",
    "authorization: Bearer test-key",
    "content-length: 67",
  ],
  [
    "POST /v1/messages?beta=true HTTP/1.1",
    "host: localhost:4141",
    "connection: keep-alive",
    "anthropic-version: 2023-06-01",
    "x-api-key: test-key",
    "accept-language: *",
    "sec-fetch-mode: cors",
    "content-length: 120",
  ],
  ["GET /v1/models HTTP/1.1", "Host: localhost", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"],
  ["DELETE /v1/files/file-1 HTTP/1.1", "Host: [::1]:4141", "Connection: close", "Accept: */*"],
  [
    "POST /model/anthropic.claude-v2%3A1/converse HTTP/1.1",
    "host: 127.0.0.1",
    "X-Amz-Date: 20260101T000000Z",
    "Content-Length: 2",
    "Connection: Keep-Alive",
  ],
];

const names = [
  "Host",
  "Content-Length",
  "Connection",
  "Transfer-Encoding",
  "Expect",
  "Upgrade",
  "Trailer",
  "Proxy-Connection",
  "Keep-Alive",
  "X-A",
  "TE",
  "Cookie",
  "Set-Cookie",
  "__proto__",
  "x!#$%&'*+-.^_`|~9",
  "",
  "X A",
  "X\tA",
  "X(A)",
  "X\u00e9",
];
const values = [
  "",
  "a",
  " a",
  "a ",
  "\ta\t",
  " \t a b \t ",
  "h",
  "0",
  "5",
  "05",
  "+1",
  "-1",
  " 5",
  "5 ",
  "5\t",
  "\t5",
  "5 5",
  "5,5",
  "0x5",
  "5.0",
  "1e2",
  "999999999999999",
  "9999999999999999999999",
  "18446744073709551617",
  "keep-alive",
  "close",
  "Close",
  "KEEP-ALIVE",
  "close, keep-alive",
  "upgrade",
  "keep-alive, x-a",
  "close\t",
  "chunked",
  "gzip, chunked",
  "100-continue",
  "websocket",
  "\u0080\u00ff",
  "a\u0000b",
  "a\u0001",
  "a\u007fb",
  "a\rb",
  "a\nb",
  "a\r\n b",
  "a\r\n\tb",
  "a:b",
  '"<>{}|\\^`',
];
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PURGE", "QUERY"];
const oddMethods = ["get", "Post", "", "G ET", "POST ", " POST", "PRI", "\u00c9"];
const targets = [
  "/",
  "/a?b=c&d",
  "/#f",
  "/a#b#c?d",
  "/a?b#c",
  "//a",
  "/a//b/../c",
  "/%00%zz",
  "/\"<>{}|\\^`;@!$&'()*+,=~",
  "/a?\"<>{}|\\^`?'[]",
  "/a#\"<>{}|\\^`'[]",
  "http://h/a",
  "*",
  "a",
  "",
  "/a b",
  "/\u00e9",
  "/a\u0000",
  "/a\tb",
  "/a\u007f",
  "h:443",
  "?a",
  "#a",
];
const versions = ["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/01.1", "", "ICE/1.0"];
const characters = '\0\u0001\b\t\n\u000b\f\r\u001f !"#%:;<=>@\\_`{|~\u007f\u0080\u00a0\u00ff09Az';

type Mutation = (lines: string[], random: Random) => void;

/** Any line but the first. */
const lineAt = (lines: string[], random: Random): number => 1 + random.integer(Math.max(lines.length - 1, 1));
const colons = [":", ": ", ":  ", ":\t", " :", "\t:", "", "::", " "];

const mutations: Mutation[] = [
  (lines, random) => void lines.push(`${random.pick(names)}: ${random.pick(values)}`),
  (lines, random) => void lines.push(`x-${random.integer(99)}${random.pick(colons)}${random.pick(values)}`),
  (lines, random) => void lines.splice(lineAt(lines, random), 0, lines[lineAt(lines, random)] ?? ""),
  (lines, random) => void lines.splice(lineAt(lines, random), 1),
  (lines, random) => {
    const at = lineAt(lines, random);
    const [name = ""] = (lines[at] ?? "").split(":");
    lines[at] = `${name}${random.pick(colons)}${random.pick(values)}`;
  },
  (lines, random) => {
    const at = lineAt(lines, random);
    const line = lines[at] ?? "";
    lines[at] = random.pick([line.toUpperCase(), line.toLowerCase(), ` ${line}`, `\t${line}`, `${line} `, `${line}\t`]);
  },
  (lines, random) => {
    const [method, target, version] = (lines[0] ?? "").split(" ");
    const kind = random.integer(5);
    if (kind === 0) lines[0] = `${random.pick(methods)} ${target} ${version}`;
    else if (kind === 1) lines[0] = `${random.pick(oddMethods)} ${target} ${version}`;
    else if (kind === 2) lines[0] = `${method} ${target} ${random.pick(versions)}`;
    else if (kind === 3) lines[0] = `${method}${random.pick(["  ", "\t", "", " "])}${target}\t${version}`;
    else lines[0] = `${method} ${random.pick(targets)} ${version}`;
  },
  (lines, random) => {
    const [method, , version] = (lines[0] ?? "").split(" ");
    lines[0] = `${method} ${random.pick(targets)} ${version}`;
  },
  (lines, random) => {
    const count = random.pick([40, 60, 89, 95, 100, 120]);
    for (let index = 0; index < count; index++) lines.push(`x-many-${index}: ${index}`);
  },
  (lines, random) =>
    void lines.push(`x-long: ${"v".repeat(random.pick([1000, 16_384, 31_000, 32_300, 32_600, 33_000]))}`),
  (lines, random) => void lines.unshift(...random.pick([[""], ["", ""], ["X: y"]])),
  (lines, random) =>
    void lines.splice(lineAt(lines, random), 0, random.pick(["", " folded", "\tfolded", ":", ": v", "no colon"])),
];

/** Puts, takes or changes one character anywhere. */
function mutateText(text: string, random: Random): string {
  const at = random.integer(text.length);
  const character = characters[random.integer(characters.length)] ?? "";
  switch (random.integer(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + character + text.slice(at + 1);
    case 2:
      return text.replace("\r\n", random.pick(["\n", "\r", "\r\r\n", "\n\r\n"]));
    case 3: {
      const end = text.lastIndexOf("\r\n", text.length - 5);
      return text.slice(0, end) + random.pick(["\n", "\r", "\r\n\n"]) + text.slice(end + 2);
    }
    default:
      return text.slice(0, at) + character + text.slice(at);
  }
}

function createHead(random: Random): Buffer {
  const lines = [...random.pick(sdkHeads)];
  const count = random.integer(4);
  for (let index = 0; index < count; index++) random.pick(mutations)(lines, random);
  let text = `${lines.join("\r\n")}\r\n\r\n`;
  if (random.integer(4) === 0) text = mutateText(text, random);
  return Buffer.from(text, "latin1");
}

// ---- tests ----

const toReading = (head: PlainHead, wasSent: boolean): Reading => ({
  method: head.method,
  url: head.target,
  rawHeaders: head.rawHeaders,
  bodyBytes: wasSent ? (head.contentLength ?? 0) : undefined,
  announced: head.contentLength ?? 0,
  nextFound: wasSent && head.keepAlive,
});

describe("a plain head", () => {
  it("is read by Node alike, whatever was done to it", async () => {
    const random = createRandom(seed);
    let accepted = 0;
    for (let index = 0; index < cases; index++) {
      const bytes = createHead(random);
      const head = readPlainHead(bytes);
      if (head === undefined) continue;
      accepted += 1;
      const shown = `case ${index} of seed ${seed}: ${JSON.stringify(bytes.toString("latin1").slice(0, 2000))}`;
      const wasSent = (head.contentLength ?? 0) <= maxBodyBytes;
      const read = await readWithNode(bytes.subarray(0, head.headBytes), head);
      expect(read, shown).toEqual(toReading(head, wasSent));
    }
    // Else the test would hold of a reader that takes nothing, or everything.
    expect(accepted / cases).toBeGreaterThan(0.3);
    expect(accepted / cases).toBeLessThan(0.8);
  });

  it.each(sdkHeads.map((lines) => [lines[0] ?? "", lines] as const))("is what SDKs send: %s", (_line, lines) => {
    const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
    const head = readPlainHead(Buffer.concat([bytes, Buffer.from("body")]));
    expect(head?.headBytes).toBe(bytes.length);
    expect(head?.names).toEqual(lines.slice(1).map((line) => line.slice(0, line.indexOf(":")).toLowerCase()));
  });

  it.each<[string, string]>([
    ["cut before its end", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"],
    ["without Host", "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n"],
    ["with two of a name", "POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\n"],
    ["chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["with an expectation", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"],
    ["that offers an upgrade", "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["of HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\n\r\n"],
    ["of another method", "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"],
    ["of more than 32 KiB", `GET / HTTP/1.1\r\nHost: h\r\nX-A: ${"a".repeat(32_768)}\r\n\r\n`],
    ["with a length that is no number", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n"],
    [
      "with a length past what a number holds",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999\r\n\r\n",
    ],
  ])("is not one %s", (_name, text) => {
    expect(readPlainHead(Buffer.from(text, "latin1"))).toBeUndefined();
  });
});

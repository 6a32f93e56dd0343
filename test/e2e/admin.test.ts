// The admin server on a real socket: who may read it, what each page answers, and how its event stream treats readers.
import { createHash } from "node:crypto";
import { get, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SidecarError } from "../../src/errors.ts";
import { createInspector, type ExchangeSummary, type Inspector } from "../../src/inspect/index.ts";
import { createAdminServer, type Explanation } from "../../src/proxy/index.ts";
import { buildGroup, buildRecord } from "../support/exchange-record.ts";
import { exchangeRaw } from "../support/raw-client.ts";

const noAccounting = { produced: 0, exported: 0, dropped: 0, queued: 0 };
let inspector: Inspector;
let readiness: { started: boolean; ready: boolean; reason?: string };
let exposition: () => Promise<string>;
let explain: (model: string) => Explanation;
let server: ReturnType<typeof createAdminServer>;
let url: string;

beforeEach(async () => {
  inspector = createInspector({ capacity: 10 });
  readiness = { started: true, ready: true };
  exposition = () => Promise.resolve("up 1\n");
  explain = () => {
    throw new SidecarError("operation_unsupported", "nothing is served there");
  };
  server = createAdminServer({
    address: "127.0.0.1:0",
    hosts: ["outrider.internal"],
    readiness: () => readiness,
    inspector,
    exposition: () => exposition(),
    accounting: () => ({ traces: noAccounting, logs: noAccounting, metrics: noAccounting }),
    status: () => ({ version: "0.0.0", listeners: [], exchanges: { started: 3, ended: 2, inFlight: 1 } }),
    explain: ({ model }) => explain(model),
  });
  url = await server.listen();
});
afterEach(() => server.close());

const port = (): number => Number(new URL(url).port);
const ask = (path: string, headers: Record<string, string> = {}, method = "GET") => {
  const all = { host: "127.0.0.1", connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return exchangeRaw(port(), `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
};

const pages = ["/", "/status", "/exchanges", "/metrics"];
const probes = ["/livez", "/readyz", "/startupz"];

describe("who may read", () => {
  const hosts: [string, boolean][] = [
    ["localhost", true],
    ["localhost:4142", true],
    ["LOCALHOST", true],
    ["127.0.0.1:4142", true],
    ["[::1]:4142", true],
    ["outrider.internal", true],
    ["evil.example", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["10.1.2.3:4142", false],
    ["localhost:4142@evil.example", false],
    ["", false],
  ];
  it.each(hosts)("Host %j may read pages: %s", async (host, allowed) => {
    for (const page of pages) expect((await ask(page, { host })).status, page).toBe(allowed ? 200 : 421);
    for (const probe of probes) expect((await ask(probe, { host })).status, probe).toBe(200);
  });

  const origins: [Record<string, string>, boolean][] = [
    [{}, true],
    [{ "sec-fetch-site": "none" }, true],
    [{ "sec-fetch-site": "same-origin" }, true],
    [{ origin: "http://127.0.0.1", "sec-fetch-site": "same-origin" }, true],
    [{ origin: "http://evil.example" }, false],
    [{ origin: "https://127.0.0.1" }, false],
    [{ origin: "http://127.0.0.1:9999" }, false],
    [{ origin: "null" }, false],
    [{ "sec-fetch-site": "same-site" }, false],
    [{ "sec-fetch-site": "cross-site" }, false],
    [{ origin: "http://127.0.0.1", "sec-fetch-site": "cross-site" }, false],
  ];
  it.each(origins)("a browser's %j is let in: %s", async (headers, allowed) => {
    for (const page of [...pages, ...probes]) {
      const { status, head } = await ask(page, headers);
      expect(status, page).toBe(allowed ? 200 : 403);
      expect(head.toLowerCase()).not.toContain("access-control-");
    }
  });

  it("refuses two Host headers, a URL as target and none at all", async () => {
    const twoHosts = await exchangeRaw(
      port(),
      "GET /status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    expect(twoHosts.status).toBe(400);
    const noHost = await exchangeRaw(port(), "GET /status HTTP/1.1\r\nconnection: close\r\n\r\n");
    expect(noHost.status).toBe(400);
    expect((await ask("http://localhost/status")).status).toBe(421);
  });
});

describe("pages", () => {
  it("answer 405 with Allow to any other method, and change nothing", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]) {
      const { status, head } = await ask("/status", {}, method);
      expect(status, method).toBe(405);
      expect(head).toMatch(/^allow: GET, HEAD$/im);
    }
  });

  it("answer 404 to unknown paths, disguised ones too, with what is served", async () => {
    for (const path of ["/nope", "//status", "/status/", "/x/../status", "/%73tatus", "/v1/chat/completions"]) {
      const { status, body } = await ask(path);
      expect(status, path).toBe(404);
      expect(JSON.parse(body)).toMatchObject({
        served: ["/", ...probes, "/status", "/exchanges", "/explain", "/metrics"],
      });
    }
    expect((await ask("*")).status).toBe(421);
  });

  it("serve the page with a policy that its own style and script satisfy", async () => {
    const { head, body } = await ask("/");
    const hashOf = (tag: string): string => {
      const text = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(body)?.[1] ?? "";
      return createHash("sha256").update(text).digest("base64");
    };
    expect(head).toContain(`style-src 'sha256-${hashOf("style")}'; script-src 'sha256-${hashOf("script")}'`);
    expect(head).toMatch(/content-type: text\/html/);
    expect(body).toMatch(/<table>/);
  });

  it("serve HEAD without a body", async () => {
    const { status, body } = await ask("/status", {}, "HEAD");
    expect([status, body]).toEqual([200, ""]);
  });

  it("tell readiness and startup apart", async () => {
    readiness = { started: true, ready: false, reason: "draining" };
    expect(await ask("/readyz")).toMatchObject({ status: 503, body: "draining\n" });
    expect((await ask("/startupz")).status).toBe(200);
    expect((await ask("/livez")).status).toBe(200);
    readiness = { started: false, ready: false };
    expect((await ask("/startupz")).status).toBe(503);
  });

  it("show the process's state", async () => {
    const { body } = await ask("/status");
    expect(JSON.parse(body)).toMatchObject({
      version: "0.0.0",
      exchanges: { started: 3, ended: 2, inFlight: 1 },
      ready: true,
      memory: { rssBytes: expect.any(Number) },
      eventLoopDelayMs: { p50: expect.any(Number), p99: expect.any(Number), max: expect.any(Number) },
      telemetry: { traces: noAccounting },
    });
  });

  it("serve metrics as Prometheus text, and 500 without detail when that fails", async () => {
    const { head, body } = await ask("/metrics");
    expect(head).toMatch(/content-type: text\/plain; version=0\.0\.4/);
    expect(body).toBe("up 1\n");
    exposition = () => Promise.reject(new Error("canary"));
    const failed = await ask("/metrics");
    expect(failed.status).toBe(500);
    expect(failed.body).not.toContain("canary");
  });

  it("keep a client's text inside JSON", async () => {
    inspector.add(buildRecord({ groups: [buildGroup({ requestModel: "</script><script>alert(1)\r\n\r\n" })] }));
    const { body, head } = await ask("/exchanges");
    expect(head).toMatch(/content-type: application\/json/);
    expect(head).toMatch(/x-content-type-options: nosniff/);
    expect((JSON.parse(body) as ExchangeSummary[])[0]?.requestModel).toBe("</script><script>alert(1)\r\n\r\n");
  });
});

describe("connections", () => {
  it("end after a request with a body, which is not read", async () => {
    const { status, ending } = await exchangeRaw(
      port(),
      "GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello",
    );
    expect([status, ending]).toEqual([200, "closed"]);
  });

  it.each([
    ["upgrade", "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 501],
    ["connect", "CONNECT evil.example:80 HTTP/1.1\r\nhost: evil.example\r\n\r\n", 405],
    ["expect", "POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n", 417],
    ["other expectation", "GET / HTTP/1.1\r\nhost: localhost\r\nexpect: magic\r\n\r\n", 417],
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a head beyond 32 KiB", `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(40_000)}\r\n\r\n`, 431],
  ])("answer %s and close", async (_name, bytes, status) => {
    expect(await exchangeRaw(port(), bytes)).toMatchObject({ status, ending: "closed" });
    expect((await ask("/livez")).status).toBe(200);
  });
});

describe("event stream", () => {
  it("sends each further exchange, and after Last-Event-ID what was missed", async () => {
    for (const id of ["a", "b", "c"]) inspector.add(buildRecord({ id }));
    const reader = await openStream({ "last-event-id": "a" });
    inspector.add(buildRecord({ id: "d" }));
    await reader.until((text) => text.includes("id: d\n"));
    expect([...reader.text().matchAll(/^id: (.*)$/gm)].map((match) => match[1])).toEqual(["b", "c", "d"]);
    const data = /^data: (.*)$/m.exec(reader.text())?.[1] ?? "";
    expect(JSON.parse(data)).toMatchObject({ id: "b", status: 200 });
    reader.close();
  });

  it("cuts a reader that does not read, and buffers no more than its cap for it", async () => {
    const slow = await openStream();
    slow.pause();
    const cut = slow.ended();
    const big = buildRecord({ groups: [buildGroup({ requestModel: "x".repeat(200) })] });
    const before = process.memoryUsage().external + process.memoryUsage().heapUsed;
    for (let index = 0; index < 40_000; index++) {
      inspector.add({ ...big, id: String(index) });
      if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    slow.resume();
    await cut;
    expect(slow.text().split("event: exchange").length).toBeLessThan(40_000);
    expect(process.memoryUsage().external + process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024);
    expect((await ask("/livez")).status).toBe(200);
  });

  it("refuses the 33rd reader and takes one again after another has left", async () => {
    const readers = await Promise.all(Array.from({ length: 32 }, () => openStream()));
    expect((await ask("/exchanges", { accept: "text/event-stream" })).status).toBe(503);
    readers[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    readers.push(await openStream());
    for (const reader of readers) reader.close();
  });

  it("ends when the server closes", async () => {
    const reader = await openStream();
    const ended = reader.ended();
    await server.close();
    await expect(ended).resolves.toBeUndefined();
  });
});

interface Reader {
  text(): string;
  until(test: (text: string) => boolean): Promise<void>;
  ended(): Promise<void>;
  pause(): void;
  resume(): void;
  close(): void;
}

function openStream(headers: Record<string, string> = {}): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const request = get(
      `${url}/exchanges`,
      { headers: { accept: "text/event-stream", ...headers }, agent: false },
      (response: IncomingMessage) => {
        if (response.statusCode !== 200) return reject(new Error(`answered ${response.statusCode}`));
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("error", () => undefined);
        resolve({
          text: () => text,
          async until(test) {
            const deadlineMs = Date.now() + 5000;
            while (!test(text)) {
              if (Date.now() > deadlineMs) throw new Error(`not seen in: ${text}`);
              await new Promise((done) => setTimeout(done, 10));
            }
          },
          ended: () => new Promise((done) => request.socket?.once("close", () => done())),
          pause: () => void response.pause(),
          resume: () => void response.resume(),
          close: () => void request.destroy(),
        });
      },
    );
    request.on("error", reject);
  });
}

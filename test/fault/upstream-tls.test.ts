// Providers are reached over TLS: certificates are checked, connections and sessions used again.
// The certificates are made here, one for localhost and one for another name.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Certificate, makeCertificate } from "../support/certificate.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";

const answer =
  '{"id":"x","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}';
const question = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}';

let folder: string;
let trusted: Server;
let otherName: Server;
let connections = 0;

function respond(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(answer));
}

async function serve({ key, cert }: Certificate): Promise<Server> {
  const server = createServer({ key, cert }, respond);
  server.on("secureConnection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function originOf(server: Server): string {
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

const running: OutriderProcess[] = [];

async function startRunning(server: Server, authority: string | undefined): Promise<OutriderProcess> {
  const outrider = await startOutrider({
    environment: {
      OUTRIDER_PROVIDER_OPENAI_BASE_URL: `${originOf(server)}/v1`,
      ...(authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority }),
    },
  });
  running.push(outrider);
  return outrider;
}

function ask(outrider: OutriderProcess, body = question): Promise<Response> {
  const headers = { "content-type": "application/json", authorization: "Bearer test-key-tls" };
  return fetch(`${outrider.url}/v1/chat/completions`, { method: "POST", headers, body });
}

let authority: string;
let otherAuthority: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "outrider-tls-"));
  const local = makeCertificate("localhost");
  const other = makeCertificate("provider.test");
  [authority, otherAuthority] = [join(folder, "local.pem"), join(folder, "other.pem")];
  writeFileSync(authority, local.cert);
  writeFileSync(otherAuthority, other.cert);
  trusted = await serve(local);
  otherName = await serve(other);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((outrider) => outrider.stop()));
});

afterAll(() => {
  for (const server of [trusted, otherName]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

describe("a provider behind TLS", () => {
  it("is asked over one connection when requests follow each other", async () => {
    const outrider = await startRunning(trusted, authority);
    const before = connections;
    for (let count = 0; count < 5; count++) {
      const response = await ask(outrider);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(answer);
    }
    expect(connections - before).toBe(1);
  });

  it("takes a body larger than one TLS record", async () => {
    const outrider = await startRunning(trusted, authority);
    const content = "a".repeat(300_000);
    const response = await ask(outrider, JSON.stringify({ model: "m", messages: [{ role: "user", content }] }));
    expect(response.status).toBe(200);
  });

  it("is refused when nobody vouches for its certificate", async () => {
    const outrider = await startRunning(trusted, undefined);
    const response = await ask(outrider);
    expect(response.status).toBe(502);
    expect(response.headers.get("x-outrider-error")).toBe("upstream_tls;source=provider");
  });

  it("is refused when its certificate is for another name", async () => {
    const outrider = await startRunning(otherName, otherAuthority);
    const response = await ask(outrider);
    expect(response.status).toBe(502);
    expect(response.headers.get("x-outrider-error")).toBe("upstream_tls;source=provider");
  });
});

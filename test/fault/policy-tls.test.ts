// A policy endpoint that asks for a client certificate: who has it gets the policy, who has not keeps the one it had and says why; so
// does who does not trust the endpoint. The certificates are made here.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { OptionsInput } from "../../src/options.ts";
import type { PolicyStatus } from "../../src/policy/index.ts";
import { makeCertificate } from "../support/certificate.ts";
import { readStatus } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { waitFor } from "../support/policy-run.ts";

type Mtls = NonNullable<NonNullable<OptionsInput["policy"]>["mtls"]>;

const certificates = {
  endpoint: makeCertificate("localhost"),
  client: makeCertificate("sidecar"),
  stranger: makeCertificate("localhost"),
};
const running: OutriderProcess[] = [];
let folder: string;
let server: Server;
let url: string;
let version: number;
/** Names of the clients that were let in. */
let clients: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "outrider-policy-tls-"));
  for (const [name, { key, cert }] of Object.entries(certificates)) {
    writeFileSync(join(folder, `${name}.key`), key, { mode: 0o600 });
    writeFileSync(join(folder, `${name}.pem`), cert);
  }
  [version, clients] = [5, []];
  const { endpoint, client } = certificates;
  const demands = { ca: client.cert, requestCert: true, rejectUnauthorized: true };
  server = createServer({ ...endpoint, ...demands }, ({ socket }, response) => {
    clients.push((socket as TLSSocket).getPeerCertificate().subject.CN);
    const document = `version: ${version}\nmodels: {smart: {targets: [{provider: openai, model: gpt-4o}]}}\n`;
    response.writeHead(200, { "content-length": Buffer.byteLength(document) }).end(document);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}/policy`;
});

afterEach(async () => {
  for (const outrider of running.splice(0)) await outrider.stop("SIGKILL");
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

async function start(mtls: Mtls, policy: OptionsInput["policy"] = {}): Promise<OutriderProcess> {
  const files = Object.fromEntries(Object.entries(mtls).map(([part, name]) => [part, join(folder, name as string)]));
  const outrider = await startOutrider({
    options: { policy: { url, pollSeconds: 1, ...(Object.keys(files).length > 0 ? { mtls: files } : {}), ...policy } },
  });
  running.push(outrider);
  return outrider;
}

async function statusOf(outrider: OutriderProcess): Promise<PolicyStatus> {
  const { policy } = (await readStatus(outrider)) as unknown as { policy: PolicyStatus };
  return policy;
}

async function expectStatus(outrider: OutriderProcess, status: object): Promise<void> {
  await expect.poll(() => statusOf(outrider), { timeout: 8000 }).toMatchObject(status);
}

const right: Mtls = { cert: "client.pem", key: "client.key", ca: "endpoint.pem" };

it("gives its policy to a sidecar with the client certificate, and keeps it while its own is another's", async () => {
  const outrider = await start(right);
  expect(await statusOf(outrider)).toMatchObject({ version: "5", source: "network", place: url });
  expect(clients[0]).toBe("sidecar");

  version = 6;
  server.setSecureContext({ ...certificates.stranger, ca: certificates.client.cert });
  const asked = clients.length;
  const problem = { outcome: "unreachable", reason: "DEPTH_ZERO_SELF_SIGNED_CERT" };
  await expectStatus(outrider, { version: "5", source: "network", problem });
  expect(clients).toHaveLength(asked);

  server.setSecureContext({ ...certificates.endpoint, ca: certificates.client.cert });
  await expectStatus(outrider, { version: "6", source: "network" });
  expect(await statusOf(outrider)).not.toHaveProperty("problem");
  const secrets = certificates.client.key.split("\n").slice(1, -2);
  expect(secrets.filter((line) => outrider.output().includes(line))).toEqual([]);
});

it.each<[name: string, mtls: Mtls, reason: RegExp, outcome?: string]>([
  ["no client certificate", { ca: "endpoint.pem" }, /^ERR_SSL_\w+_CERTIFICATE_REQUIRED$/],
  [
    "a client certificate that the endpoint does not know",
    { ...right, cert: "stranger.pem", key: "stranger.key" },
    /^ECONNRESET$/,
  ],
  ["another authority", { ...right, ca: "stranger.pem" }, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
  ["the machine's authorities", { cert: "client.pem", key: "client.key" }, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
  ["a key of another certificate", { ...right, key: "stranger.key" }, /cannot be used$/, "unreadable"],
])(
  "with %s the policy on disk stays, or the options alone, and the reason is told",
  async (_, mtls, reason, outcome = "unreachable") => {
    const cacheDir = join(folder, "cache");
    await start(right, { cacheDir });
    const isKept = (entry: string): boolean => /^policy-[\da-f]+$/.test(entry);
    await waitFor(() => existsSync(cacheDir) && readdirSync(cacheDir).some(isKept), "a copy on disk");
    for (const outrider of running.splice(0)) await outrider.stop("SIGKILL");
    [version, clients] = [6, []];

    const problem = { outcome, reason: expect.stringMatching(reason) };
    await expectStatus(await start(mtls, { cacheDir }), { version: "5", source: "disk", problem });
    await expectStatus(await start(mtls, { required: false }), { version: "none", source: "options", problem });
    expect(clients).toEqual([]);
  },
);

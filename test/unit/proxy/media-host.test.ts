// Which addresses of a client's may be fetched from: the corpus of spellings that have fooled other gateways.
import { describe, expect, it } from "vitest";
import { optionsSchema } from "../../../src/options.ts";
import { approveAddress, type ResolveHost } from "../../../src/proxy/media-host.ts";

const publicAddress = "93.184.215.14";

/** Names that tests ask for, and what a hostile or an honest name server says of them. */
const zone: Record<string, string[]> = {
  "media.test": [publicAddress],
  "cdn.media.test": [publicAddress, "2606:2800:220::1"],
  "evil.test": [publicAddress],
  "xn--mdia-bpa.test": [publicAddress],
  "loopback.test": ["127.0.0.1"],
  "mapped.test": ["::ffff:169.254.169.254"],
  "mixed.test": [publicAddress, "10.0.0.1"],
  "metadata.test": ["169.254.169.254"],
  localhost: ["127.0.0.1", "::1"],
  "localhost.": ["127.0.0.1"],
  "media.test.": [publicAddress],
  "silent.test": [],
};

const resolve: ResolveHost = (name) => {
  const addresses = zone[name];
  if (addresses === undefined) return Promise.reject(new Error("ENOTFOUND"));
  return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
};

async function decide(uri: string, hosts: string[], privateHosts: string[] = []): Promise<string> {
  const answer = await approveAddress(uri, { hosts, privateHosts }, resolve);
  return answer.type === "approved" ? `${answer.url.href} at ${answer.addresses[0]?.address}` : answer.reason;
}

const notWeb = "it is no web address";
const notListed = "media.fetch.hosts does not list its host, scheme and port";
const notPublic = "its host is not on the public Internet, and media.fetch.privateHosts does not list it";
const hasUser = "it holds a user name or a password";
const unresolved = "its host's name could not be resolved";

describe("an address that any public host may have", () => {
  it.each([
    ["https://2130706433/", notPublic],
    ["https://0x7f.1/", notPublic],
    ["https://017700000001/", notPublic],
    ["https://127.1/", notPublic],
    ["https://0/", notPublic],
    ["https://①②⑦.0.0.1/", notPublic],
    ["https://169.254.169.254/latest/meta-data/", notPublic],
    ["https://[::ffff:169.254.169.254]/", notPublic],
    ["https://[::ffff:a9fe:a9fe]/", notPublic],
    ["https://[64:ff9b::a9fe:a9fe]/", notPublic],
    ["https://[2002:a9fe:a9fe::]/", notPublic],
    ["https://[2001:0:a9fe:a9fe::1]/", notPublic],
    ["https://[::1]/", notPublic],
    ["https://[::]/", notPublic],
    ["https://localhost/", notPublic],
    ["https://localhost./", notPublic],
    ["https://loopback.test/", notPublic],
    ["https://mapped.test/", notPublic],
    ["https://mixed.test/", notPublic],
    ["https://metadata.test/", notPublic],
    ["https://unknown.test/", unresolved],
    ["https://silent.test/", unresolved],
    ["http://media.test/", notListed],
    ["https://media.test:8443/", notListed],
    ["https://user@media.test/", hasUser],
    ["https://:word@media.test/", hasUser],
    ["https://media.test@169.254.169.254/", hasUser],
    ["file:///etc/passwd", notWeb],
    ["ftp://media.test/", notWeb],
    ["gs://bucket/a.png", notWeb],
    ["data:image/png;base64,AAAA", notWeb],
    ["//media.test/a.png", notWeb],
    ["https://", notWeb],
    ["https://[fe80::1%25eth0]/", notWeb],
    ["https://media test/", notWeb],
    ["", notWeb],
  ])("%j is refused: %s", async (uri, reason) => {
    expect(await decide(uri, ["*"])).toBe(reason);
  });

  it.each([
    ["https://media.test/a.png", `https://media.test/a.png at ${publicAddress}`],
    ["HTTPS://MEDIA.test:443/a", `https://media.test/a at ${publicAddress}`],
    ["https://média.test/", `https://xn--mdia-bpa.test/ at ${publicAddress}`],
    ["https://93.184.215.14/", "https://93.184.215.14/ at 93.184.215.14"],
    ["https://[2606:4700::1111]/", "https://[2606:4700::1111]/ at 2606:4700::1111"],
  ])("%j is fetched", async (uri, approved) => {
    expect(await decide(uri, ["*"])).toBe(approved);
  });
});

describe("an address of a listed host", () => {
  it.each([
    ["https://evil.test/", ["media.test"]],
    ["https://media.test.evil.test/", ["media.test"]],
    ["https://media.test./", ["media.test"]],
    ["https://evil.test#media.test", ["media.test"]],
    ["https://evil.test\\.media.test/", ["*.media.test"]],
    ["https://evil.test/.media.test", ["*.media.test"]],
    ["https://evil.test?.media.test", ["*.media.test"]],
    ["https://media.test/", ["*.media.test"]],
    ["https://evilmedia.test/", ["*.media.test"]],
    ["https://media.test/", ["media.test:8443"]],
    ["https://media.test/", ["http://media.test"]],
    ["http://media.test:443/", ["media.test"]],
    ["https://media.test/", []],
  ])("%j is refused where only %j is listed", async (uri, hosts) => {
    expect(await decide(uri, hosts)).toBe(notListed);
  });

  it.each([
    ["https://cdn.media.test/a", ["*.media.test"], "https://cdn.media.test/a"],
    ["https://media.test\\@evil.test/", ["media.test"], "https://media.test/@evil.test/"],
    ["https://media.test:8443/", ["media.test:8443"], "https://media.test:8443/"],
    ["http://media.test/", ["http://media.test"], "http://media.test/"],
    ["https://media.test/", ["MEDIA.test"], "https://media.test/"],
  ])("%j is fetched where %j is listed, from that host", async (uri, hosts, href) => {
    expect(await decide(uri, hosts)).toBe(`${href} at ${publicAddress}`);
  });

  it("may be private only where the options say so of that very host", async () => {
    expect(await decide("https://loopback.test/", ["loopback.test", "*"])).toBe(notPublic);
    expect(await decide("https://loopback.test/", [], ["loopback.test"])).toBe("https://loopback.test/ at 127.0.0.1");
    expect(await decide("https://[::1]:8443/", [], ["[::1]:8443"])).toBe("https://[::1]:8443/ at ::1");
    expect(await decide("https://mixed.test/", ["*"], ["loopback.test"])).toBe(notPublic);
  });

  it("is never the metadata of the machine", async () => {
    expect(await decide("https://metadata.test/", [], ["metadata.test"])).toBe(notPublic);
    expect(await decide("https://mapped.test/", [], ["mapped.test"])).toBe(notPublic);
    expect(await decide("http://169.254.169.254/", [], ["http://169.254.169.254"])).toBe(notPublic);
  });
});

describe("the options' list of hosts", () => {
  const takes = (key: "hosts" | "privateHosts", host: string): boolean =>
    optionsSchema.safeParse({ media: { fetch: { [key]: [host] } } }).success;

  it.each(["media.test", "media.test:8443", "http://media.test:8080", "93.184.215.14", "[::1]:8443"])(
    "takes %j",
    (host) => {
      expect([takes("hosts", host), takes("privateHosts", host)]).toEqual([true, true]);
    },
  );

  it.each(["*", "*.media.test", "*.media.test:8443"])("takes %j, though not as private", (host) => {
    expect([takes("hosts", host), takes("privateHosts", host)]).toEqual([true, false]);
  });

  it.each([
    "",
    "http://*",
    "http://*.media.test",
    "https://media.test",
    "media.test/",
    "a@media.test",
    "999.1.1.1",
    "*.*",
    "a:99999",
  ])("refuses %j", (host) => {
    expect([takes("hosts", host), takes("privateHosts", host)]).toEqual([false, false]);
  });
});

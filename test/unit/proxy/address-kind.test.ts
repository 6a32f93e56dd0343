// Whose network an address belongs to, in every spelling that a resolver or a parsed URL may hand over.
import { describe, expect, it } from "vitest";
import { type AddressKind, kindOfAddress } from "../../../src/proxy/address-kind.ts";
import { mayPropagate } from "../../../src/proxy/propagation.ts";

const kinds: Record<AddressKind, string[]> = {
  public: [
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::808:808",
    "64:ff9b::8.8.8.8",
  ],
  private: [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:0:0:0:0:a00:1",
  ],
  link_local: ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "fe80::1%eth0", "febf::1"],
  reserved: [
    "0.0.0.0",
    "::",
    "::ffff:0.0.0.0",
    "64:ff9b::",
    "192.0.0.192",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "fec0::1",
    "::7f00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:0:808:808::1",
    "2001:db8::1",
    "100::1",
    "3fff::1",
    "",
    "localhost",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[::1]",
  ],
};

describe("the kind of an address", () => {
  const cases = Object.entries(kinds).flatMap(([kind, addresses]) => addresses.map((address) => [address, kind]));
  it.each(cases)("of %j is %s", (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind);
  });

  it("decides whether a provider is told the trace that it is part of", () => {
    expect(["10.0.0.1", "fe80::1", "::1"].map((host) => mayPropagate("auto", host))).toEqual([true, true, true]);
    expect(["8.8.8.8", "224.0.0.1", "provider.test"].map((host) => mayPropagate("auto", host))).toEqual([
      false,
      false,
      false,
    ]);
  });
});

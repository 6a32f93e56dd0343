// Makes a self-signed certificate for a host name, so that TLS is tested without keys in the repository or programs on the machine.
// X.509 v3 in DER (RFC 5280 §4.1), EC P-256, valid for a day around now.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface Certificate {
  /** Both in PEM. */
  key: string;
  cert: string;
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = Buffer.from(length.toString(16).padStart(length > 255 ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, content]);
}

const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents);
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));

// 2.5.4.3, 1.2.840.10045.4.3.2, 2.5.29.17 and 2.5.29.19.
const commonName = objectId("550403");
const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
const subjectAltName = objectId("551d11");
const basicConstraints = objectId("551d13");

function utcTime(at: Date): Buffer {
  const digits = at.toISOString().replace(/\D/g, "");
  return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

/** A certificate that is its own authority, for this name and no other. */
export function makeCertificate(host: string): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(host)))));
  const hour = 3_600_000;
  const validity = sequence(utcTime(new Date(Date.now() - hour)), utcTime(new Date(Date.now() + 23 * hour)));
  const names = der(0x04, sequence(der(0x82, Buffer.from(host))));
  const authority = der(0x04, sequence(der(0x01, Buffer.from([0xff]))));
  const extensions = der(0xa3, sequence(sequence(subjectAltName, names), sequence(basicConstraints, authority)));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    extensions,
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const lines = (
    sequence(body, ecdsaWithSha256, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  ).join("\n");
  const [begin, end] = ["BEGIN", "END"].map((word) => `-----${word} CERTIFICATE-----`);
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: `${begin}\n${lines}\n${end}\n` };
}

// Room providers: AWS Signature Version 4 for a request that is about to be sent, by AWS's own signer.
// Invariant: signed is what goes on the wire: this host, path, query and body. A client's own signature covers another host and is never sent.

import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";

import { SignatureV4 } from "@smithy/signature-v4";

import type { AwsCredentials } from "./aws-credentials.ts";
import type { OutgoingRequest } from "./authorizers.ts";

/** What a signature is made for. */
export interface SigningScope {
  service: string;
  region: string;
  epochMs: number;
}

/** The headers that carry the signature, flat; they are added to the request's own. */
export async function signRequest(
  request: OutgoingRequest,
  credentials: AwsCredentials,
  { service, region, epochMs }: SigningScope,
): Promise<string[]> {
  const { origin, path } = request.address;
  const cut = path.indexOf("?");
  const host = origin.slice(origin.indexOf("//") + 2);
  // The hash of the body is in the signature; a header that repeats it is asked for by S3 alone.
  const signer = new SignatureV4({ service, region, credentials, sha256: NodeSha256, applyChecksum: false });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: origin.slice(0, origin.indexOf("//")),
      hostname: request.address.hostname,
      path: cut === -1 ? path : path.slice(0, cut),
      query: parseQuery(cut === -1 ? "" : path.slice(cut + 1)),
      headers: { host, ...pickSigned(request.headers) },
      body: request.body ?? "",
    },
    { signingDate: new Date(epochMs) },
  );
  const added: string[] = [];
  for (const name of ["x-amz-date", "x-amz-security-token", "authorization"]) {
    const value = signed.headers[name];
    if (value !== undefined) added.push(name, value);
  }
  return added;
}

/** Content type and all `x-amz-…` headers are signed; what else the client sent may still change on its way. */
function pickSigned(headers: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    if (name !== "content-type" && !name.startsWith("x-amz-")) continue;
    const value = headers[index + 1] as string;
    picked[name] = picked[name] === undefined ? value : `${picked[name]},${value}`;
  }
  return picked;
}

/** Decoded, for the signer encodes it in its own way. */
function parseQuery(query: string): Record<string, string | string[]> {
  const members: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const member of query === "" ? [] : query.split("&")) {
    if (member === "") continue;
    const cut = member.indexOf("=");
    const name = decode(cut === -1 ? member : member.slice(0, cut));
    const value = cut === -1 ? "" : decode(member.slice(cut + 1));
    const known = members[name];
    members[name] = known === undefined ? value : [known, value].flat();
  }
  return members;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The signer's idea of a hash, by node:crypto. */
class NodeSha256 {
  readonly #secret: string | Uint8Array | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? undefined : toBytes(secret);
    this.#hash = this.#start();
  }

  #start(): Hash | Hmac {
    return this.#secret === undefined ? createHash("sha256") : createHmac("sha256", this.#secret);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toBytes(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    this.#hash = this.#start();
  }
}

function toBytes(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === "string") return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

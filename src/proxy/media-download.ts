// Room proxy: one GET of one medium, at an address that was checked.
// Invariant: only the checked IP addresses are dialled, under the host's own name; no redirect, no content coding, no credential, no
// cookie and nothing of the client's goes out; never more than the allowed bytes are held.

import { request as requestPlain, type IncomingMessage } from "node:http";
import { request as requestTls } from "node:https";
import type { LookupFunction } from "node:net";
import { type ApprovedAddress, type HostAddress, type MediaRefusal, refuseMedia } from "./media-host.ts";

/** A whole answer. */
export interface Download {
  type: "downloaded";
  bytes: Buffer;
  /** As the answer says. */
  contentType: string | undefined;
}

/** Bytes that may still be fetched, shared by the fetches of one exchange; it only falls. */
export interface ByteAllowance {
  left: number;
}

/** Fetches it; at most `maxBytes`, and at most what `allowance` has left. Never rejects; an abort of `signal` ends it at once. */
export function downloadMedia(
  { url, addresses }: ApprovedAddress,
  maxBytes: number,
  allowance: ByteAllowance,
  signal: AbortSignal,
): Promise<Download | MediaRefusal> {
  const { promise, resolve } = Promise.withResolvers<Download | MediaRefusal>();
  const ask = url.protocol === "https:" ? requestTls : requestPlain;
  const request = ask(url, {
    // Of its own: a connection that is kept would outlive the check of its address, and a shared agent may use a proxy.
    agent: false,
    lookup: pinTo(addresses),
    headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "outrider" },
    signal,
  });
  request.on("error", () => resolve(refuseMedia("its host could not be reached")));
  request.on("upgrade", () => resolve(refuseMedia("its host did not answer in HTTP")));
  request.on("response", (response) => void readAnswer(response, maxBytes, allowance).then(resolve));
  request.end();
  return promise.finally(() => request.destroy());
}

/** Answers every look-up with what was checked, so that a second answer of the name's server changes nothing. */
function pinTo(addresses: readonly HostAddress[]): LookupFunction {
  return (_name, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family);
  };
}

async function readAnswer(
  response: IncomingMessage,
  maxBytes: number,
  allowance: ByteAllowance,
): Promise<Download | MediaRefusal> {
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400) return refuseMedia("its host redirects, which is not followed");
  if (statusCode !== 200) return refuseMedia(`its host answered ${statusCode}`);
  const coding = headers["content-encoding"]?.trim().toLowerCase();
  if (coding !== undefined && coding !== "identity") return refuseMedia("its host answered in a content coding");
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
    return refuseMedia("its host gave no length, so that a cut answer could not be told");
  }
  const tooLarge = refuseMedia(
    "it is larger than media.fetch.maxBytes, or than limits.maxBodyBytes with what else was fetched",
  );
  if (Number(headers["content-length"] ?? 0) > Math.min(maxBytes, allowance.left)) return tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      allowance.left -= chunk.length;
      if (size > maxBytes || allowance.left < 0) return tooLarge;
      chunks.push(chunk);
    }
  } catch {
    return refuseMedia("its host broke off");
  }
  return { type: "downloaded", bytes: Buffer.concat(chunks), contentType: headers["content-type"] };
}

// Room providers: which AWS region a request is meant for, as its host or its client's signature says.
// Invariant: only texts of a region's shape come out, of which there are few.

/** Regions of the commercial and GovCloud partitions, whose hosts end in amazonaws.com. */
const region = "(?:af|ap|ca|eu|il|me|mx|sa|us)(?:-gov)?-(?:central|(?:north|south)(?:east|west)?|east|west)-[1-9]";

const hostRegion = new RegExp(`[.-](${region})\\.(?:vpce\\.)?(?:amazonaws\\.com|api\\.aws)$`);
const scopeRegion = new RegExp(`\\bCredential=[^/,\\s]+/\\d{8}/(${region})/`);

/** What AWS4 signatures begin with, in an `authorization` header. */
export const signaturePrefix = /^AWS4-(?:HMAC-SHA256|ECDSA-P256-SHA256)\b/i;

/** `us-east-1` of `bedrock-runtime.us-east-1.amazonaws.com`. */
export function readHostRegion(hostname: string): string | undefined {
  return hostRegion.exec(hostname)?.[1];
}

/** The region in the scope of a client's signature, in its flat headers. */
export function readSignedRegion(headers: readonly string[]): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    if (name.length !== 13 || name.toLowerCase() !== "authorization" || !signaturePrefix.test(value)) continue;
    return scopeRegion.exec(value)?.[1];
  }
  return undefined;
}

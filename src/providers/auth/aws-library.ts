// Room providers: the door to AWS's own libraries. A bundle of its own, dist/outrider-aws.mjs, loaded by the first request that needs it:
// inside the main one it would cost every start 7 MiB and a tenth of its time (measured 2026-11-21).

import { defaultProvider } from "@aws-sdk/credential-provider-node";

import type { AwsCredentials } from "./aws-credentials.ts";

export { signRequest } from "./sigv4.ts";

/** The standard credential chain; it caches what it found and refreshes it in time. */
export function createDefaultChain(): () => Promise<AwsCredentials> {
  return defaultProvider();
}

// Room providers: AWS credentials of the machine: static keys out of the environment, else the standard chain of AWS's own library
// (shared files and AWS_PROFILE, SSO, process, web identity, container endpoint, instance metadata).
// Invariant: the library is loaded when the first request needs it, and asked anew only when its answer has run out.

import type { Clock } from "../../clock.ts";
import type { Environment } from "../settings.ts";

/** What AWS's signer takes. Never logged: the library wants plain texts. */
export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
}

/** Undefined when the machine has none. The chain does its own caching and refreshing. */
export type AwsCredentialSource = () => Promise<AwsCredentials | undefined>;

/** For how long "none" is believed: the last place that the chain looks at is a network address that may not answer. */
const noneForMs = 30_000;

/** `loadChain` is for tests. */
export function createAwsCredentials(
  environment: Environment,
  clock: Pick<Clock, "nowMs">,
  loadChain: () => Promise<() => Promise<AwsCredentials>> = loadDefaultChain,
): AwsCredentialSource {
  const fixed = readStaticKeys(environment);
  if (fixed !== undefined) return () => Promise.resolve(fixed);
  let loading: Promise<() => Promise<AwsCredentials>> | undefined;
  let asking: Promise<AwsCredentials | undefined> | undefined;
  let noneUntilMs = 0;

  async function ask(): Promise<AwsCredentials | undefined> {
    // Outside the try: a library that is not there is a broken installation, and no "none".
    const askChain = await (loading ??= loadChain());
    try {
      return await askChain();
    } catch {
      // Its message names files and profiles of the operator, and the answer is the same: there are none.
      noneUntilMs = clock.nowMs() + noneForMs;
      return undefined;
    }
  }

  return async () => {
    if (noneUntilMs > clock.nowMs()) return undefined;
    asking ??= ask();
    try {
      return await asking;
    } finally {
      asking = undefined;
    }
  };
}

/** As AWS's JavaScript SDK 3.1162 does, a named profile wins over keys in the environment. */
function readStaticKeys(environment: Environment): AwsCredentials | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE } = environment;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY || AWS_PROFILE) return undefined;
  const keys: AwsCredentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  if (AWS_SESSION_TOKEN) keys.sessionToken = AWS_SESSION_TOKEN;
  return keys;
}

async function loadDefaultChain(): Promise<() => Promise<AwsCredentials>> {
  const { createDefaultChain } = await import("./aws-library.ts");
  return createDefaultChain();
}

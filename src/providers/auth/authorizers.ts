// Room providers: credentials that are made for a request at its last step: AWS signatures and Google access tokens.
// Invariant: nothing is loaded, read or asked over the network before a request needs it.

import type { Clock } from "../../clock.ts";
import { SidecarError } from "../../errors.ts";
import { type CredentialFiles, machineFiles } from "../credential-files.ts";
import type { UpstreamAddress } from "../join.ts";
import type { Provider } from "../provider.ts";
import type { Environment } from "../settings.ts";
import { createAwsCredentials } from "./aws-credentials.ts";
import { readHostRegion } from "./aws-region.ts";
import { createGoogleTokens, type GoogleToken, type GoogleTokenSource } from "./google-token.ts";

/** A request as it is about to be sent; only what travels with it later may still be added, unsigned. */
export interface OutgoingRequest {
  method: string;
  address: UpstreamAddress;
  /** Flat; without credentials. */
  headers: readonly string[];
  body: Buffer | undefined;
  /** The region that the client's own signature was made for, where it brought one. */
  signedRegion?: string | undefined;
}

/** The makers of such credentials; one of each per process. */
export interface Authorizers {
  /**
   * Headers, flat, to be added to the request's own; undefined when the machine has no credentials for the provider.
   * @throws SidecarError upstream_auth, operation_unsupported (no region)
   */
  authorize(provider: Provider, request: OutgoingRequest): Promise<string[] | undefined>;
}

export interface AuthorizersInput {
  /** The process's own; read once. */
  environment: Environment;
  clock: Clock;
  files?: CredentialFiles;
}

export function createAuthorizers({ environment, clock, files = machineFiles }: AuthorizersInput): Authorizers {
  const awsCredentials = createAwsCredentials(environment, clock);
  const googleTokens: GoogleTokenSource = createGoogleTokens({ environment, clock, files });

  async function sign(provider: Provider, service: string, request: OutgoingRequest): Promise<string[] | undefined> {
    const credentials = await awsCredentials();
    if (credentials === undefined) return undefined;
    const region = readHostRegion(request.address.hostname) ?? provider.settings.region ?? request.signedRegion;
    if (region === undefined) {
      const hint = `providers.${provider.id}.region or AWS_REGION`;
      throw new SidecarError("operation_unsupported", `a signature for ${provider.id} needs a region: set ${hint}`);
    }
    const { signRequest } = await import("./aws-library.ts");
    return signRequest(request, credentials, { service, region, epochMs: clock.epochMs() });
  }

  return {
    async authorize(provider, request) {
      if (provider.auth.scheme === "sigv4") return sign(provider, provider.auth.service, request);
      if (provider.auth.scheme !== "gcp") return undefined;
      const token = await googleTokens();
      return token === undefined ? undefined : toHeaders(token, request.headers);
    },
  };
}

function toHeaders({ secret, quotaProject }: GoogleToken, headers: readonly string[]): string[] {
  const added = ["authorization", `Bearer ${secret.reveal()}`];
  const hasProject = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "x-goog-user-project");
  if (quotaProject !== undefined && !hasProject) added.push("x-goog-user-project", quotaProject);
  return added;
}

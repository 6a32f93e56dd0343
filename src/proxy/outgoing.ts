// Room proxy: a request made ready for one provider: its address, and the right credential as the very last change.
// Invariant: what is signed here is what is sent; later steps only add headers that no signature covers.

import type { DialectId } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import {
  applyCredential,
  joinUrl,
  type OutgoingRequest,
  type Provider,
  readSignedRegion,
  type UpstreamAddress,
} from "../providers/index.ts";
import type { Exchange } from "./exchange.ts";
import type { Destination } from "./ingress.ts";

/** Where a request goes and with which headers. */
export interface Outgoing {
  address: UpstreamAddress;
  /** The client's, with the right credential in them. */
  headers: string[];
  /** The credential is Outrider's own. */
  heldCredential: boolean;
}

/** Whether a request there must be whole before it is sent, because it may have to be signed. */
export function needsWholeBody({ auth }: Provider): boolean {
  return auth.scheme === "sigv4";
}

/**
 * Waits only where a signature or a token has to be made. `received` is flat and not changed.
 * @throws SidecarError request_malformed, operation_unsupported, upstream_auth
 */
export function prepareOutgoing(
  exchange: Exchange,
  destination: Destination,
  provider: Provider,
  { received, body, dialect }: { received: string[]; body: Buffer | undefined; dialect: DialectId | undefined },
): Outgoing | Promise<Outgoing> {
  const credentialed = applyCredential(received, destination.query, provider, {
    addressed: provider.id === destination.provider.id,
    held: exchange.rooms.credentials.for(provider),
    dialect,
  });
  const { headers, query, use } = credentialed;
  const signedRegion = provider.auth.scheme === "sigv4" ? readSignedRegion(received) : undefined;
  const named = signedRegion === undefined ? {} : { region: signedRegion };
  const address = joinUrl(provider, dialect, destination.path, query, named);
  if (use === "machine") {
    const request = { method: exchange.inbound.method, address, headers, body, signedRegion };
    return addMachineCredential(exchange, provider, request, credentialed.signatureDropped === true);
  }
  if (use === "none" && credentialed.signatureDropped === true) throw unsignable(provider);
  return { address, headers, heldCredential: use === "own" };
}

async function addMachineCredential(
  { rooms, own }: Exchange,
  provider: Provider,
  request: OutgoingRequest & { headers: string[] },
  isRequired: boolean,
): Promise<Outgoing> {
  own.leave();
  try {
    const added = await rooms.authorizers.authorize(provider, request);
    if (added === undefined && isRequired) throw unsignable(provider);
    const { address, headers } = request;
    return { address, headers: [...headers, ...(added ?? [])], heldCredential: added !== undefined };
  } finally {
    own.enter();
  }
}

function unsignable({ id }: Provider): SidecarError {
  return new SidecarError(
    "upstream_auth",
    `the request's AWS signature was made for Outrider's address and cannot be right at ${id}; ` +
      "Outrider found no AWS credentials of its own to sign it anew, and no AWS_BEARER_TOKEN_BEDROCK",
  );
}

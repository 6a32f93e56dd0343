// Room proxy: which of a provider's answers never reach the client, by their head alone.
// Invariant: pure; what is refused is told as an error of Outrider's own, with nothing of the answer's body in it.

import { type Dialect, findFraming, type Operation } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { isJsonMediaType } from "./classification.ts";

/** Why such an answer is not passed to the client; undefined when it is. */
export function refuseAnswer(
  { call, heldCredential }: { call: { dialect: Dialect; operation: Operation } | undefined; heldCredential: boolean },
  status: number,
  mediaType: string,
): SidecarError | undefined {
  if (heldCredential && (status === 401 || status === 403)) {
    return new SidecarError("upstream_auth", `the provider refused the credential that Outrider holds (${status})`);
  }
  if (call === undefined) return undefined;
  if (status >= 300 && status < 400) {
    return new SidecarError(
      "upstream_redirect",
      `the provider answered with a redirect (${status}), which is not followed`,
    );
  }
  const { dialect, operation } = call;
  const isExpected = isJsonMediaType(mediaType) || findFraming(mediaType, dialect, operation) !== undefined;
  if (status < 300 && status !== 204 && !isExpected && operation.anyAnswer !== true) {
    const shown = mediaType.replace(/[^a-z0-9.+/-]/g, "_").slice(0, 64);
    return new SidecarError("upstream_invalid", `the provider answered ${shown} where JSON or an event stream was due`);
  }
  return undefined;
}

// Room proxy: what a transport's error means, as one of Outrider's own.
// Invariant: the message names no address, since it reaches the client.

import { type ErrorCode, SidecarError } from "../errors.ts";

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}

/** The connection ended, rather than the request on it being wrong. */
export function isConnectionLoss(error: Error): boolean {
  const code = codeOf(error);
  return code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET";
}

const codes: Record<string, ErrorCode> = {
  UND_ERR_CONNECT_TIMEOUT: "upstream_connect_timeout",
  ETIMEDOUT: "upstream_connect_timeout",
  UND_ERR_HEADERS_TIMEOUT: "upstream_first_byte_timeout",
  UND_ERR_BODY_TIMEOUT: "stream_idle",
  ENOTFOUND: "upstream_dns",
  EAI_AGAIN: "upstream_dns",
  EAI_FAIL: "upstream_dns",
  EAI_NODATA: "upstream_dns",
  UND_ERR_RES_EXCEEDED_MAX_SIZE: "upstream_too_large",
  UND_ERR_HEADERS_OVERFLOW: "upstream_too_large",
};

const messages: Partial<Record<ErrorCode, string>> = {
  upstream_connect_timeout: "the provider did not accept a connection in time",
  upstream_first_byte_timeout: "the provider did not begin to answer in time",
  stream_idle: "the provider's answer stalled",
  upstream_dns: "the provider's name could not be resolved",
  upstream_too_large: "the provider's answer is too large",
  upstream_tls: "the TLS connection to the provider could not be made",
  upstream_invalid: "the provider's answer is not valid HTTP",
  stream_truncated: "the provider's answer broke off",
  upstream_unreachable: "the provider could not be reached",
};

const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/;

/** `headSeen`: the answer had begun. */
export function toSidecarError(cause: Error, headSeen: boolean): SidecarError {
  const transportCode = codeOf(cause);
  const code = classify(cause.name, transportCode, headSeen);
  const suffix = transportCode === "" ? "" : ` (${transportCode})`;
  return new SidecarError(code, `${messages[code] ?? "the provider could not be reached"}${suffix}`, { cause });
}

function classify(name: string, transportCode: string, headSeen: boolean): ErrorCode {
  const known = codes[transportCode];
  if (known !== undefined && !(headSeen && transportCode === "ETIMEDOUT")) return known;
  if (!headSeen && tlsCode.test(transportCode)) return "upstream_tls";
  if (headSeen) return "stream_truncated";
  if (name === "HTTPParserError" || transportCode === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") return "upstream_invalid";
  if (transportCode.startsWith("UND_ERR_INVALID") || transportCode === "UND_ERR_NOT_SUPPORTED") return "internal";
  return "upstream_unreachable";
}

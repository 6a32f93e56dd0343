// Room providers: Google access tokens from Application Default Credentials: a key file, gcloud's user file, or the metadata server.
// By hand, because google-auth-library brings 30 packages for one signed JWT. Sources, read 2026-11-21: Google's "OAuth 2.0 for server to
// server" page (the JWT grant), RFC 7523, AIP-4110 (order of the sources), AIP-4115 (metadata server).
// Invariant: one request for a token at a time; a token is used until shortly before its end; no error names a credential.

import { createSign } from "node:crypto";

import { request } from "undici";
import type { Clock } from "../../clock.ts";
import { SidecarError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { CredentialFiles } from "../credential-files.ts";
import type { Environment } from "../settings.ts";

/** An access token, and the project that a user's own requests are counted against. */
export interface GoogleToken {
  secret: Secret;
  quotaProject?: string;
}

/** Undefined when the machine has no credentials. @throws SidecarError upstream_auth when it has some that give no token */
export type GoogleTokenSource = () => Promise<GoogleToken | undefined>;

export interface GoogleTokenInput {
  environment: Environment;
  clock: Clock;
  files: CredentialFiles;
}

/** A token is not used in its last minutes (google-auth 2 for Python does the same). */
const marginMs = 225_000;
/** For how long "none" is believed. */
const noneForMs = 30_000;
const tokenTimeoutMs = 10_000;
/** The metadata server answers within milliseconds or is not there. */
const metadataTimeoutMs = 1500;
const maxAnswerBytes = 65_536;

const scope = "https://www.googleapis.com/auth/cloud-platform";
const tokenUrl = "https://oauth2.googleapis.com/token";

interface Issued {
  token: GoogleToken;
  untilMs: number;
}

export function createGoogleTokens(input: GoogleTokenInput): GoogleTokenSource {
  const { clock } = input;
  let issued: Issued | undefined;
  let noneUntilMs = -Infinity;
  let asking: Promise<Issued | undefined> | undefined;
  return async () => {
    const nowMs = clock.nowMs();
    if (issued !== undefined && nowMs < issued.untilMs) return issued.token;
    if (nowMs < noneUntilMs) return undefined;
    asking ??= issueToken(input);
    try {
      issued = await asking;
    } finally {
      asking = undefined;
    }
    if (issued === undefined) noneUntilMs = clock.nowMs() + noneForMs;
    return issued?.token;
  };
}

async function issueToken({ environment, clock, files }: GoogleTokenInput): Promise<Issued | undefined> {
  const file = readCredentialFile(environment, files);
  if (file === undefined) return askMetadata(environment, clock);
  const answer = await askTokenServer(file, clock);
  const issued = readAnswer(answer, clock);
  if (issued === undefined) throw new SidecarError("upstream_auth", "Google's token server gave no access token");
  const quotaProject = file["quota_project_id"];
  if (typeof quotaProject === "string" && file["type"] === "authorized_user") issued.token.quotaProject = quotaProject;
  return issued;
}

/** A file that was named must be there; gcloud's own may be absent. */
function readCredentialFile(environment: Environment, files: CredentialFiles): Record<string, unknown> | undefined {
  const named = environment["GOOGLE_APPLICATION_CREDENTIALS"];
  const path = named || wellKnownPath(environment);
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = files.read(path);
  } catch (cause) {
    if (!named) return undefined;
    throw new SidecarError("upstream_auth", "the file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read", {
      cause,
    });
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // The parser's message quotes the text.
  }
  throw new SidecarError("upstream_auth", "the Google credential file is not JSON");
}

function wellKnownPath({ CLOUDSDK_CONFIG, APPDATA, HOME }: Environment): string | undefined {
  const folder = CLOUDSDK_CONFIG || (APPDATA && `${APPDATA}/gcloud`) || (HOME && `${HOME}/.config/gcloud`);
  return folder ? `${folder}/application_default_credentials.json` : undefined;
}

function askTokenServer(file: Record<string, unknown>, clock: Clock): Promise<unknown> {
  const text = (name: string): string => {
    const value = file[name];
    if (typeof value === "string" && value !== "") return value;
    throw new SidecarError("upstream_auth", `the Google credential file has no ${name}`);
  };
  const url = typeof file["token_uri"] === "string" ? file["token_uri"] : tokenUrl;
  switch (file["type"]) {
    case "service_account": {
      const assertion = signAssertion(text("client_email"), text("private_key"), file["private_key_id"], url, clock);
      return postForm(url, { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    }
    case "authorized_user":
      return postForm(url, {
        grant_type: "refresh_token",
        client_id: text("client_id"),
        client_secret: text("client_secret"),
        refresh_token: text("refresh_token"),
      });
    default:
      throw new SidecarError(
        "upstream_auth",
        "the Google credential file is neither of type service_account nor of authorized_user",
      );
  }
}

function signAssertion(email: string, privateKey: string, keyId: unknown, audience: string, clock: Clock): string {
  const issuedAt = Math.floor(clock.epochMs() / 1000);
  const header = { alg: "RS256", typ: "JWT", ...(typeof keyId === "string" ? { kid: keyId } : {}) };
  const claims = { iss: email, scope, aud: audience, iat: issuedAt, exp: issuedAt + 3600 };
  const signed = `${encodeJson(header)}.${encodeJson(claims)}`;
  try {
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
  } catch {
    throw new SidecarError("upstream_auth", "the private key in the Google credential file cannot sign");
  }
}

function encodeJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

async function postForm(url: string, fields: Record<string, string>): Promise<unknown> {
  const answer = await ask(url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
    timeoutMs: tokenTimeoutMs,
  }).catch((cause: unknown) => {
    throw new SidecarError("upstream_auth", "Google's token server could not be reached", { cause });
  });
  if (answer.status !== 200) {
    throw new SidecarError("upstream_auth", `Google's token server refused the credential (${answer.status})`);
  }
  return answer.json;
}

async function askMetadata(environment: Environment, clock: Clock): Promise<Issued | undefined> {
  if (environment["NO_GCE_CHECK"] === "true") return undefined;
  const host = environment["GCE_METADATA_HOST"] || "metadata.google.internal";
  try {
    const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
    const answer = await ask(url, {
      method: "GET",
      headers: { "metadata-flavor": "Google" },
      timeoutMs: metadataTimeoutMs,
    });
    // Another server at that name is not to be believed.
    const isGoogle = answer.flavor === "Google";
    return answer.status === 200 && isGoogle ? readAnswer(answer.json, clock) : undefined;
  } catch {
    return undefined;
  }
}

function readAnswer(answer: unknown, clock: Clock): Issued | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { access_token: token, expires_in: seconds } = answer as Record<string, unknown>;
  if (typeof token !== "string" || token === "") return undefined;
  const lifeMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : 0;
  // The metadata server hands out tokens near their end: half of what is left is used then.
  return {
    token: { secret: new Secret(token) },
    untilMs: clock.nowMs() + Math.max(lifeMs - marginMs, lifeMs / 2),
  };
}

async function ask(
  url: string,
  {
    method,
    headers,
    body,
    timeoutMs,
  }: { method: "GET" | "POST"; headers: Record<string, string>; body?: string; timeoutMs: number },
): Promise<{ status: number; flavor: unknown; json: unknown }> {
  const answer = await request(url, {
    method,
    headers,
    body: body ?? null,
    // The connection is not kept: the next token is an hour away.
    reset: true,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxAnswerBytes) throw new Error("the answer is too large");
    chunks.push(chunk as Buffer);
  }
  let json: unknown;
  try {
    json = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    json = undefined;
  }
  return { status: answer.statusCode, flavor: answer.headers["metadata-flavor"], json };
}

// Room policy: the document from an endpoint, by conditional GET.
// Invariant: no redirect, one request at a time, ten seconds and 8 MiB at the most; the token goes to the configured URL only.

import { request as requestPlain, type IncomingMessage } from "node:http";
import { request as requestTls, type RequestOptions } from "node:https";
import { gunzip } from "node:zlib";
import type { Secret } from "../secret.ts";
import { maxDocumentBytes, oneAtATime, type PolicyFetch, type PolicySource } from "./source.ts";

/** How an endpoint is asked. `readToken` throws when there is none to be had; `tls` is PEM. */
export interface HttpSourceSettings {
  /** May hold `{instance}`, in whose place `instanceId` is asked for, percent-encoded. */
  url: string;
  instanceId: string;
  /** Time between two looks; each is up to 20 % sooner or later. */
  pollMs: number;
  /** For the whole of one look; default 10,000. */
  deadlineMs?: number;
  readToken: (() => Secret) | undefined;
  tls?: { cert?: string; key?: string; ca?: string };
  random: () => number;
}

const defaultDeadlineMs = 10_000;
const longestBackoffMs = 300_000;
/** An endpoint that keeps an ETag over a changed document would hide it for ever: every so many looks ask without. */
const looksPerFullFetch = 20;

/** Milliseconds until the next look: the poll ± 20 %, doubled with each failure in a row up to five minutes. */
export function nextLookMs(pollMs: number, failures: number, random: () => number): number {
  const baseMs = failures === 0 ? pollMs : Math.max(pollMs, Math.min(pollMs * 2 ** failures, longestBackoffMs));
  return baseMs * (0.8 + 0.4 * random());
}

/** A source that pulls from `settings.url`, which is https, or http on loopback (the options' schema sees to it). */
export function createHttpSource(settings: HttpSourceSettings): PolicySource {
  const { pollMs, random } = settings;
  const url = new URL(settings.url.replaceAll("{instance}", encodeURIComponent(settings.instanceId)));
  // As written, for the copy on disk is the next process's too, whose id is another.
  const { origin, pathname } = new URL(settings.url);
  let etag: string | undefined;
  let looks = 0;

  async function pull(): Promise<PolicyFetch> {
    if (looks++ % looksPerFullFetch === 0) etag = undefined;
    const answer = await ask(url, settings, etag);
    if (answer.type === "unchanged" && etag === undefined) {
      return failed("http_invalid", "304 to a request that named no ETag");
    }
    if (answer.type === "document") etag = answer.etag;
    // Whatever else came, the document must come whole next time.
    if (answer.type === "failed") etag = undefined;
    return answer.type === "document" ? { type: "document", bytes: answer.bytes } : answer;
  }

  return {
    kind: "network",
    place: `${origin}${pathname}`,
    fetch: oneAtATime(pull),
    watch(look) {
      let failures = 0;
      let stopped = false;
      let timer: NodeJS.Timeout;
      const schedule = (): void => {
        timer = setTimeout(() => void turn(), nextLookMs(pollMs, failures, random));
        timer.unref();
      };
      const turn = async (): Promise<void> => {
        failures = (await look()) ? 0 : failures + 1;
        if (!stopped) schedule();
      };
      schedule();
      return () => {
        stopped = true;
        clearTimeout(timer);
      };
    },
  };
}

type Answer =
  | { type: "document"; bytes: Buffer; etag: string | undefined }
  | Exclude<PolicyFetch, { type: "document" }>;

/** One request. Resolves in any case: also where the endpoint drips, hangs or never ends. */
function ask(url: URL, settings: HttpSourceSettings, etag: string | undefined): Promise<Answer> {
  const headers: Record<string, string> = {
    accept: "application/yaml, application/json, application/jose, */*;q=0.5",
    "accept-encoding": "gzip",
  };
  if (etag !== undefined) headers["if-none-match"] = etag;
  try {
    const token = settings.readToken?.();
    if (token !== undefined) headers["authorization"] = `Bearer ${token.reveal()}`;
  } catch {
    return Promise.resolve(failed("unreadable", "the token cannot be read"));
  }
  const options: RequestOptions = { method: "GET", headers, agent: false, maxHeaderSize: 32_768, ...settings.tls };
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let request: ReturnType<typeof requestPlain>;
  try {
    request = url.protocol === "https:" ? requestTls(url, options) : requestPlain(url, options);
  } catch {
    return Promise.resolve(failed("unreadable", "the certificate, key or token cannot be used"));
  }
  const deadlineMs = settings.deadlineMs ?? defaultDeadlineMs;
  const timer = setTimeout(() => resolve(failed("timeout", `no whole answer within ${deadlineMs} ms`)), deadlineMs);
  request.on("error", (error: NodeJS.ErrnoException) =>
    resolve(failed("unreachable", error.code ?? "connection lost")),
  );
  request.on("response", (response) => void readAnswer(response).then(resolve));
  request.on("upgrade", () => resolve(failed("http_invalid", "an upgrade nobody asked for")));
  request.end();
  return promise.finally(() => {
    clearTimeout(timer);
    request.destroy();
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const { statusCode = 0, headers } = response;
  if (statusCode === 304) return { type: "unchanged" };
  if (statusCode >= 300 && statusCode < 400) return failed("http_status", `${statusCode}: redirects are not followed`);
  if (statusCode !== 200) return failed("http_status", `status ${statusCode}`);
  if (/^text\/html\b/i.test(headers["content-type"] ?? "")) return failed("http_invalid", "a web page, not a policy");
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
    return failed("http_invalid", "no content-length, so that a cut document could not be told");
  }
  const coding = (headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (coding !== "identity" && coding !== "gzip") return failed("http_invalid", "an unknown content-encoding");
  if (Number(headers["content-length"] ?? 0) > maxDocumentBytes) return tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxDocumentBytes) return tooLarge;
      chunks.push(chunk);
    }
  } catch {
    return failed("unreachable", "the answer ended too early");
  }
  const body = Buffer.concat(chunks);
  const bytes = coding === "gzip" ? await decompress(body) : body;
  return Buffer.isBuffer(bytes) ? { type: "document", bytes, etag: headers.etag } : bytes;
}

function decompress(body: Buffer): Promise<Buffer | Failed> {
  return new Promise((resolve) => {
    gunzip(body, { maxOutputLength: maxDocumentBytes }, (error, bytes) => {
      if (error === null) resolve(bytes);
      else
        resolve(
          "code" in error && error.code === "ERR_BUFFER_TOO_LARGE" ? tooLarge : failed("http_invalid", "bad gzip"),
        );
    });
  });
}

type Failed = Extract<PolicyFetch, { type: "failed" }>;

function failed(outcome: Failed["outcome"], reason: string): Failed {
  return { type: "failed", outcome, reason };
}

const tooLarge = failed("too_large", `larger than ${maxDocumentBytes} bytes`);

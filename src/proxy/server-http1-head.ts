// Room proxy: the head of a plain HTTP/1.1 request, read strictly.
// Invariant: what is accepted here Node's own parser accepts too and reads alike (test/property/http1-head.test.ts);
// all else is not refused but left to it.

import { isCleanHead, readFields } from "./http1-fields.ts";

/** One request's head. */
export interface PlainHead {
  method: string;
  /** Path and query, as received. */
  target: string;
  /** Flat list `[name, value, …]`, order and case as received; no name twice. */
  rawHeaders: string[];
  /** The names alone, in lower case and the same order. */
  names: string[];
  /** Bytes of the body; undefined: none is announced. */
  contentLength: number | undefined;
  /** The client means to use the connection again. */
  keepAlive: boolean;
  /** Length of the head itself, in bytes. */
  headBytes: number;
}

const maxHeadBytes = 32_768;
const maxHeaders = 100;
const requestLine = /^(GET|POST|PUT|PATCH|DELETE) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const decimal = /^\d{1,15}$/;
/** Their meaning is more than a value. */
const notPlain = new Set(["transfer-encoding", "upgrade", "expect", "trailer", "proxy-connection", "http2-settings"]);

/** Reads the head at the start of `bytes`; undefined unless it is there whole and plain. */
export function readPlainHead(bytes: Buffer): PlainHead | undefined {
  const headBytes = bytes.indexOf("\r\n\r\n", 0, "latin1") + 4;
  if (headBytes < 20 || headBytes > maxHeadBytes) return undefined;
  // Without the empty line: every line ends in CRLF.
  const text = bytes.toString("latin1", 0, headBytes - 2);
  if (!isCleanHead(text)) return undefined;
  const lineEnd = text.indexOf("\r\n");
  const [, method, target] = requestLine.exec(text.slice(0, lineEnd)) ?? [];
  if (method === undefined || target === undefined) return undefined;

  const rawHeaders: string[] = [];
  const names: string[] = [];
  let contentLength: number | undefined;
  let keepAlive = true;
  const isPlain = readFields(text, lineEnd + 2, (rawName, name, value) => {
    if (notPlain.has(name) || names.includes(name) || names.length === maxHeaders) return false;
    if (name === "content-length") {
      if (!decimal.test(value)) return false;
      contentLength = Number(value);
    } else if (name === "connection") {
      const wish = value.toLowerCase();
      if (wish !== "keep-alive" && wish !== "close") return false;
      keepAlive = wish === "keep-alive";
    }
    names.push(name);
    rawHeaders.push(rawName, value);
    return true;
  });
  if (!isPlain || !names.includes("host")) return undefined;
  return { method, target, rawHeaders, names, contentLength, keepAlive, headBytes };
}

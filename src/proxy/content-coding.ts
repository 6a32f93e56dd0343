// Room proxy: content codings (RFC 9110 §8.4.1), for the copies that are read; what passes keeps its coding.
// Invariant: a decoded size is bounded by what its caller allows, and no decompression runs on the event loop.

import type { Transform } from "node:stream";
import { promisify } from "node:util";
// The default import: a name that an older Node lacks would stop the program before it can say which Node it needs.
import zlib from "node:zlib";
import type { RequestUnread } from "../record/index.ts";

/** RFC 9659: a zstd content coding needs a window of 8 MiB at most. Node allows 128 MiB, all of it per body. */
const zstdOptions = () => ({ params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } });

/** A decompressor for one content coding; undefined for a coding that is not known. */
export function createDecompressor(coding: string): Transform | undefined {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip();
    case "deflate":
      return zlib.createInflate();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress(zstdOptions());
    default:
      return undefined;
  }
}

/** The coding that a `content-encoding` names, in lower case; undefined where the bytes are the content itself. */
export function readCoding(contentEncoding: string | undefined): string | undefined {
  const coding = contentEncoding?.trim().toLowerCase();
  return coding === "" || coding === "identity" ? undefined : coding;
}

type Decode = (bytes: Buffer, maxOutputLength: number) => Promise<Buffer>;

const decodes: Record<string, Decode> = {
  gzip: (bytes, maxOutputLength) => promisify(zlib.gunzip)(bytes, { maxOutputLength }),
  deflate: (bytes, maxOutputLength) => promisify(zlib.inflate)(bytes, { maxOutputLength }),
  br: (bytes, maxOutputLength) => promisify(zlib.brotliDecompress)(bytes, { maxOutputLength }),
  zstd: (bytes, maxOutputLength) => promisify(zlib.zstdDecompress)(bytes, { ...zstdOptions(), maxOutputLength }),
};

/** The content of a body in one coding, or why it cannot be read: never throws. Stacked codings are unknown. */
export async function decodeContent(bytes: Buffer, coding: string, maxBytes: number): Promise<Buffer | RequestUnread> {
  const decode = Object.hasOwn(decodes, coding) ? decodes[coding] : decodes[coding === "x-gzip" ? "gzip" : ""];
  if (decode === undefined) return "unknown_coding";
  try {
    return await decode(bytes, maxBytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? "too_large" : "corrupt";
  }
}

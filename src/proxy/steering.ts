// Room proxy: the `x-outrider-*` request headers by which a client steers its own exchange.
// Invariant: none of them can choose a URL, host, region or credential; a value that makes no sense is a 400, never ignored.

import { SidecarError } from "../errors.ts";
import type { Inbound } from "./wire.ts";

export interface Steering {
  tags: Record<string, string>;
  session?: string;
  user?: string;
  /** Whole-exchange deadline, 1 ms to 2 h. */
  timeoutMs?: number;
  /** No other target than the first is to be asked. */
  fallbackOff: boolean;
}

const known = new Set([
  "x-outrider-tags",
  "x-outrider-session",
  "x-outrider-user",
  "x-outrider-fallback",
  "x-outrider-timeout-ms",
]);

const tagKey = /^[A-Za-z0-9_.-]{1,64}$/;
const printable = /^[\x20-\x7e]{1,256}$/;

function refuse(name: string, expected: string): never {
  throw new SidecarError("request_malformed", `header ${name}: expected ${expected}`);
}

function readTags(value: string): Record<string, string> {
  const tags: Record<string, string> = Object.create(null) as Record<string, string>;
  const pairs = value.split(",");
  if (pairs.length > 32) refuse("x-outrider-tags", "at most 32 tags");
  for (const pair of pairs) {
    const cut = pair.indexOf("=");
    const key = pair.slice(0, Math.max(cut, 0)).trim();
    const text = pair.slice(cut + 1).trim();
    if (cut < 1 || !tagKey.test(key) || !printable.test(text)) refuse("x-outrider-tags", "k=v,k=v");
    tags[key] = text;
  }
  return tags;
}

/** Reads and checks the steering headers. @throws SidecarError request_malformed */
export function readSteering(inbound: Inbound): Steering {
  const steering: Steering = { tags: {}, fallbackOff: false };
  const { rawHeaders } = inbound;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] as string;
    if (raw.length < 11 || (raw.charCodeAt(0) | 32) !== 120) continue;
    const name = raw.toLowerCase();
    if (!name.startsWith("x-outrider-")) continue;
    if (!known.has(name)) refuse(name, `one of ${[...known].join(", ")}`);
    const value = (rawHeaders[index + 1] as string).trim();
    if (name === "x-outrider-tags") {
      steering.tags = readTags(value);
    } else if (name === "x-outrider-fallback") {
      if (value !== "off") refuse(name, "off");
      steering.fallbackOff = true;
    } else if (name === "x-outrider-timeout-ms") {
      const timeoutMs = /^\d{1,7}$/.test(value) ? Number(value) : 0;
      if (timeoutMs < 1 || timeoutMs > 7_200_000) refuse(name, "whole milliseconds from 1 to 7200000");
      steering.timeoutMs = timeoutMs;
    } else {
      if (!printable.test(value)) refuse(name, "1 to 256 printable ASCII characters");
      if (name === "x-outrider-session") steering.session = value;
      else steering.user = value;
    }
  }
  return steering;
}

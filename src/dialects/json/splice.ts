// Room dialects, json: edits of single members in a request's raw bytes, and the way back for the one answer frame they cause.
// Invariant: every byte outside the edited member stays as it was, whitespace included.

import type { Frame } from "../dialect.ts";
import { isJsonObject } from "./fields.ts";
import type { BodyScan, GuardedKey } from "./scan.ts";

/** Replace the bytes from `start` to `end` (exclusive) by `text`. */
export interface ByteEdit {
  start: number;
  end: number;
  text: string;
}

/** The edit that gives the member `key` the value `newValueJson`; a member that is not there is put first. */
export function editMember(scan: BodyScan, key: GuardedKey, newValueJson: string): ByteEdit {
  const member = scan.members.get(key);
  if (member !== undefined) return { start: member.valueStart, end: member.valueEnd, text: newValueJson };
  const text = `${JSON.stringify(key)}:${newValueJson}${scan.isEmpty ? "" : ","}`;
  return { start: scan.bodyStart, end: scan.bodyStart, text };
}

/**
 * The edit that makes a streamed chat state its usage, for a body that parsed; undefined when there is nothing to do:
 * no `"stream":true`, or the client spoke on it already. An `include_usage` of any value, `stream_options: null` and a
 * `stream_options` that is no object are respected (headroomlabs-ai/headroom#2026).
 */
export function editUsageRequest(bytes: Buffer, scan: BodyScan): ByteEdit | undefined {
  const stream = scan.members.get("stream");
  if (stream === undefined || bytes.toString("latin1", stream.valueStart, stream.valueEnd) !== "true") return undefined;
  const member = scan.members.get("stream_options");
  if (member === undefined) return editMember(scan, "stream_options", '{"include_usage":true}');
  const options: unknown = JSON.parse(bytes.toString("utf8", member.valueStart, member.valueEnd));
  if (!isJsonObject(options) || Object.hasOwn(options, "include_usage")) return undefined;
  const start = member.valueStart + 1;
  const isEmpty = Object.keys(options).length === 0;
  return { start, end: start, text: `"include_usage":true${isEmpty ? "" : ","}` };
}

/** A copy of `bytes` with edits applied that all refer to the bytes as given and do not overlap. */
export function applyEdits(bytes: Buffer, edits: readonly ByteEdit[]): Buffer {
  const pieces: Buffer[] = [];
  let position = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    pieces.push(bytes.subarray(position, edit.start), Buffer.from(edit.text));
    position = edit.end;
  }
  pieces.push(bytes.subarray(position));
  return Buffer.concat(pieces);
}

/** A copy of `bytes` in which the top-level member `key` has the value `newValueJson`. */
export function spliceMember(bytes: Buffer, scan: BodyScan, key: GuardedKey, newValueJson: string): Buffer {
  return applyEdits(bytes, [editMember(scan, key, newValueJson)]);
}

/** Tells, for one stream whose request got `include_usage` from us, which frames the client must not see. */
export interface UsageFrameFilter {
  /** Whether the extra frame may be among these bytes; `shouldDrop` knows. */
  mayHold(bytes: Buffer): boolean;
  /** True only for the extra frame: `choices` is `[]` and `usage` is an object. */
  shouldDrop(frame: Frame): boolean;
  readonly droppedFrames: number;
}

/**
 * Starts a filter. All else stays: usage that rides on a chunk with choices, `"usage":null` members, and Azure's first
 * chunk, whose choices are empty but which has no usage (recorded: azure-openai).
 */
export function createUsageFrameFilter(): UsageFrameFilter {
  let droppedFrames = 0;
  return {
    mayHold: mayHaveEmptyChoices,
    get droppedFrames() {
      return droppedFrames;
    },
    shouldDrop(frame) {
      if (!isUsageOnlyChunk(frame.data)) return false;
      droppedFrames++;
      return true;
    },
  };
}

const choicesName = Buffer.from('"choices"');

/** False only where every list of choices has one: in raw bytes the lines of an event may be cut anywhere between two words. */
function mayHaveEmptyChoices(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(choicesName); at !== -1; at = bytes.indexOf(choicesName, at)) {
    at = skipBlanks(bytes, at + choicesName.length);
    const list = bytes[at] === colon ? skipBlanks(bytes, at + 1) : -1;
    if (bytes[list] !== openBracket || bytes[skipBlanks(bytes, list + 1)] !== openBrace) return true;
  }
  return false;
}

/** The place of the first byte from `at` that is neither blank nor tab: behind a line end the next line may be no data at all. */
function skipBlanks(bytes: Buffer, at: number): number {
  let place = at;
  while (bytes[place] === 0x20 || bytes[place] === 0x09) place++;
  return place;
}

const colon = 0x3a;
const openBracket = 0x5b;
const openBrace = 0x7b;
const emptyChoices = /"choices"\s*:\s*\[\s*\]/;

function isUsageOnlyChunk(data: string): boolean {
  // Cheap on the many: only a text that looks right is parsed.
  if (!emptyChoices.test(data)) return false;
  try {
    const chunk: unknown = JSON.parse(data);
    return (
      isJsonObject(chunk) &&
      Array.isArray(chunk["choices"]) &&
      chunk["choices"].length === 0 &&
      (chunk["error"] === undefined || chunk["error"] === null) &&
      isJsonObject(chunk["usage"])
    );
  } catch {
    return false;
  }
}

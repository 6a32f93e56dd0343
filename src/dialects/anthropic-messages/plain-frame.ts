// Room dialects, anthropic-messages: reads the frames of content blocks as Anthropic writes them from their bytes, neither cut nor parsed.
// Any other spelling of the same is left to the parser, which costs three times as much (measured 2026-11-22).
// Invariant: a frame that is read here has this shape to its last byte, so that its JSON can say nothing else.

import type { Part } from "../../canonical/index.ts";
import { decodeString, findClosingQuote } from "../framing/repetition.ts";

/** `start` is of a block that is still empty; `seal` a delta that says nothing to who does not keep content. */
export type PlainType = "ping" | "start" | "text" | "seal" | "stop";

/** Reads the plain frames of one stream. What it says of the last one is true until the next is read. */
export class PlainReader {
  /** The wire's number of the block. */
  index = 0;
  /** What the block must be for a delta to fit. */
  kind: Part["type"] = "text";
  /** What a block begins as. */
  value: Part = { type: "text", content: "" };
  /** UTF-16 units of a delta's text. */
  units = 0;
  /** A delta up to its text, as most that follow begin. A copy: the bytes of a frame may be written over by the next one's. */
  #head: Buffer | undefined;
  #deltaType: PlainType = "text";
  #deltaIndex = 0;
  #deltaKind: Part["type"] = "text";
  /** The delta that was read last, until the next frame comes. */
  #raw: Buffer | undefined;
  #textEnd = 0;

  /** From the bytes of one frame, separators included; undefined for any that is not as plain. `isBare`: they are the JSON alone. */
  read(raw: Buffer, isBare: boolean): PlainType | undefined {
    const head = this.#head;
    if (head !== undefined && raw.length > head.length && raw.compare(head, 0, head.length, 0, head.length) === 0) {
      return this.#readText(raw, head.length, isBare);
    }
    const text = raw.toString("latin1", 0, longestHead);
    const heads = isBare ? bareHeads : eventHeads;
    if (text.startsWith(heads.delta)) return this.#readDelta(raw, text, heads.delta.length, isBare);
    if (text.startsWith(heads.stop)) {
      const at = this.#readIndex(text, heads.stop.length);
      return isEnd(raw, at, isBare) ? "stop" : undefined;
    }
    // The stream around bare ones takes no output that is told later.
    if (!isBare && text.startsWith(startHead)) return this.#readStart(raw, text);
    return text === pings[0] || text === pings[1] ? "ping" : undefined;
  }

  /** The text of the delta that was read last. */
  get text(): string {
    return decodeString(this.#raw as Buffer, (this.#head as Buffer).length, this.#textEnd) ?? "";
  }

  #readStart(raw: Buffer, text: string): PlainType | undefined {
    const at = this.#readIndex(text, startHead.length);
    let end = at;
    if (text.startsWith(textStart, at)) {
      this.value = { type: "text", content: "" };
      end += textStart.length;
    } else if (text.startsWith(thinkingStart, at)) {
      this.value = { type: "reasoning", content: "" };
      end += thinkingStart.length;
    } else {
      callStart.lastIndex = Math.max(at, 0);
      const [words, id, name] = callStart.exec(text) ?? [];
      if (words === undefined || id === undefined || name === undefined) return undefined;
      this.value = { type: "tool_call", name, arguments: {}, id };
      end += words.length;
    }
    return isEnd(raw, end, false) ? "start" : undefined;
  }

  #readDelta(raw: Buffer, text: string, indexStart: number, isBare: boolean): PlainType | undefined {
    const at = this.#readIndex(text, indexStart);
    for (const { kind, words, type } of deltas) {
      if (!text.startsWith(words, at)) continue;
      this.#deltaIndex = this.index;
      this.#deltaKind = kind;
      this.#deltaType = type;
      const start = at + words.length;
      this.#head = Buffer.from(raw.subarray(0, start));
      return this.#readText(raw, start, isBare);
    }
    return undefined;
  }

  #readText(raw: Buffer, start: number, isBare: boolean): PlainType | undefined {
    this.#raw = raw;
    this.index = this.#deltaIndex;
    this.kind = this.#deltaKind;
    const closing = findClosingQuote(raw, start);
    const end = closing < 0 ? -closing : closing;
    if (raw[end] !== quote || raw[end + 1] !== closeBrace || !isEnd(raw, end + 2, isBare)) return undefined;
    const units = closing < 0 ? decodeString(raw, start, end)?.length : end - start;
    if (units === undefined) return undefined;
    this.#textEnd = end;
    this.units = units;
    return this.#deltaType;
  }

  /** Gives where its digits end; -1 where there are none, too many or a zero before others. */
  #readIndex(text: string, start: number): number {
    let index = 0;
    let at = start;
    for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(++at)) {
      index = index * 10 + code - zero;
    }
    this.index = index;
    return at === start || at - start > mostDigits || (at > start + 1 && text.charCodeAt(start) === zero) ? -1 : at;
  }
}

interface Heads {
  readonly delta: string;
  readonly stop: string;
}

const bareHeads: Heads = {
  delta: '{"type":"content_block_delta","index":',
  stop: '{"type":"content_block_stop","index":',
};

const eventHeads: Heads = {
  delta: `event: content_block_delta\ndata: ${bareHeads.delta}`,
  stop: `event: content_block_stop\ndata: ${bareHeads.stop}`,
};

const startHead = 'event: content_block_start\ndata: {"type":"content_block_start","index":';

/** Characters up to where the text of a delta begins, or the padding of the others, with room for the index. */
const longestHead = 256;

const pings = ['event: ping\ndata: {"type": "ping"}\n\n', 'event: ping\ndata: {"type":"ping"}\n\n'] as const;

const textStart = ',"content_block":{"type":"text","text":""}';
const thinkingStart = ',"content_block":{"type":"thinking","thinking":"","signature":""}';
const callStart =
  /,"content_block":\{"type":"tool_use","id":"([\w-]+)","name":"([\w-]+)","input":\{\}(?:,"caller":\{"type":"direct"\})?\}/y;

const deltas: readonly { readonly type: PlainType; readonly kind: Part["type"]; readonly words: string }[] = [
  { type: "text", kind: "text", words: ',"delta":{"type":"text_delta","text":"' },
  { type: "text", kind: "tool_call", words: ',"delta":{"type":"input_json_delta","partial_json":"' },
  { type: "text", kind: "reasoning", words: ',"delta":{"type":"thinking_delta","thinking":"' },
  { type: "seal", kind: "reasoning", words: ',"delta":{"type":"signature_delta","signature":"' },
];

const mostDigits = 6;
const lineFeed = 0x0a;
const blank = 0x20;
const zero = 0x30;
const nine = 0x39;
const closeBrace = 0x7d;
const quote = 0x22;

/** Whether there is nothing but the last brace, Anthropic's padding before it, and the blank line after it. */
function isEnd(raw: Buffer, start: number, isBare: boolean): boolean {
  let at = start;
  while (raw[at] === blank) at++;
  if (raw[at++] !== closeBrace) return false;
  if (isBare) return at === raw.length;
  return raw.length === at + 2 && raw[at] === lineFeed && raw[at + 1] === lineFeed;
}

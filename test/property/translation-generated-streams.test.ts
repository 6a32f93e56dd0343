// The response half of DESIGN §5 on streams that nobody recorded, for every client and every source: what is written reads as what was
// said, a whole answer in one piece reads the same, and nothing that broke ever looks whole. Rerun with OUTRIDER_SEED.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  type DialectId,
  type EventEncoder,
  findDialect,
  findFraming,
  translateResponse,
  translateStream,
} from "../../src/dialects/index.ts";
import { type AnswerPlan, answerPlan, bodyEvents, endEvents, headEvents } from "../support/generated-events.ts";
import { type Wire, wires } from "../support/generated-requests.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const settings = { seed, numRuns: 120, includeErrorInReport: true };

const facts = {
  model: "asked-model",
  exchangeId: "0123456789abcdef".repeat(2),
  epochSeconds: 1_700_000_000,
};

type Bytes = string | Buffer;

/** Everything the encoder gives for the events and their end. */
function encode(encoder: EventEncoder, events: readonly StreamEvent[]): Buffer {
  return join([...events.flatMap((event) => encoder.push(event)), ...encoder.end()]);
}

function join(bytes: readonly Bytes[]): Buffer {
  return Buffer.concat(bytes.map((one) => Buffer.from(one)));
}

interface Read {
  events: StreamEvent[];
  answer: InferenceResponse;
  isEnded: boolean;
  hasError: boolean;
}

function fold(events: StreamEvent[]): Read {
  const sum = createFold({ keepContent: true });
  for (const event of events) sum.push(event);
  return { events, answer: sum.result(), isEnded: sum.ended, hasError: sum.error !== undefined };
}

/** As the client's own decoder reads it, in the framing that its media type says. */
function read(client: Dialect, { path }: Wire, bytes: Buffer): Read {
  const operation = client.match("POST", path(true));
  if (operation === undefined) throw new Error(`${client.id} does not know its own call`);
  const type = client.encoder?.streamType.split(";", 1)[0] ?? "";
  const framing = findFraming(type, client, operation);
  if (framing === undefined) throw new Error(`${client.id} does not stream ${type}`);
  const [frames, decoder] = [createFrameDecoder(framing), client.eventDecoder(operation)];
  const whole = [...frames.push(bytes)];
  expect(frames.midFrame, "frames are complete").toBe(false);
  whole.push(...frames.end());
  expect(frames.corrupt || frames.overflowed, "frames are sound").toBe(false);
  const decoded = [...whole.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
  expect(decoded.filter(({ type: name }) => name === "unrecognized")).toEqual([]);
  return fold(decoded);
}

/** What every dialect can say of one choice. */
function told({ choices, usage }: InferenceResponse, choice = 0) {
  const one = choices.find(({ index }) => index === choice);
  const parts = one?.message.parts ?? [];
  const textOf = (type: "text" | "reasoning"): string =>
    parts.flatMap((part) => (part.type === type ? [part.content] : [])).join("");
  return {
    text: textOf("text"),
    reasoning: textOf("reasoning"),
    calls: parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, part.arguments]] : [])),
    finish: one?.finishReason?.unified,
    input: usage?.inputTokens,
    output: usage?.outputTokens,
  };
}

/** Words for a filter that the dialect does not have make the answer an error, never a whole one. */
const hasNoFilter = new Set<DialectId>(["cohere-chat", "ollama-chat"]);

function expected(client: DialectId, answer: InferenceResponse) {
  const all = told(answer);
  return hasNoFilter.has(client) && all.finish === "content_filter" ? { ...all, finish: "error" } : all;
}

/** Some have no way to say that nobody counted: there the counts are zero. */
function withUsageOf({ usage }: InferenceResponse, made: ReturnType<typeof told>) {
  return usage === undefined ? { ...made, input: made.input || undefined, output: made.output || undefined } : made;
}

const whole = (plan: AnswerPlan, source: string): StreamEvent[] => [
  ...headEvents(plan),
  ...bodyEvents(plan, source),
  ...endEvents(plan),
];

const entries = Object.entries(wires) as [DialectId, Wire][];
const pairs = entries.flatMap(([client, wire]) =>
  entries
    // What has the client's words already passes in them, also a reason that nobody knows.
    .filter(([source]) => source !== client && source !== findDialect(client).encoder?.words)
    .map(([source]) => ({ client, source, wire })),
);

describe.for(pairs)("$source for clients of $client", ({ client, source, wire }) => {
  const [from, to] = [findDialect(source), findDialect(client)];
  const open = () => translateStream(from, to, true, facts);

  it("says what the provider said, streamed and in one piece", () => {
    fc.assert(
      fc.property(answerPlan, (plan) => {
        const events = whole(plan, source);
        const { answer } = fold(events);
        const streamed = read(to, wire, encode(open().encoder, events));
        expect(withUsageOf(answer, told(streamed.answer))).toEqual(expected(client, answer));
        // Cohere's word for a filter is ERROR, which its clients read as an answer that failed.
        const isFailed = client === "cohere-chat" && plan.finish === "content_filter";
        expect([streamed.isEnded, streamed.hasError]).toEqual([!isFailed, isFailed]);
        const { body } = translateResponse(from, to, answer, facts);
        const operation = to.match("POST", wire.path(false));
        if (operation === undefined) throw new Error(`${client} does not know its own call`);
        const atOnce = to.decodeResponse(JSON.parse(JSON.stringify(body)) as Record<string, unknown>, operation);
        expect(told(atOnce)).toEqual(told(streamed.answer));
      }),
      settings,
    );
  });

  it("tells of an answer that never ended, and does not end it", () => {
    fc.assert(
      fc.property(answerPlan, fc.nat({ max: 40 }), fc.boolean(), (plan, cut, hasEnd) => {
        const events = [...headEvents(plan), ...bodyEvents(plan, source)].slice(0, cut);
        if (hasEnd) events.push({ type: "response_end" });
        const { encoder, losses } = open();
        const { isEnded, hasError, answer } = read(to, wire, encode(encoder, events));
        // The provider's own end stands for an end of each choice that it did not state; that it was not stated is told.
        const isWhole = hasEnd && events.some(({ type }) => type === "choice_start");
        expect([isEnded, hasError]).toEqual([isWhole, !isWhole]);
        if (!isWhole) return;
        const hasCalls = events.some((event) => event.type === "part_start" && event.value.type === "tool_call");
        expect(answer.choices[0]?.finishReason?.unified).toBe(hasCalls ? "tool_call" : "stop");
        expect(losses().map(({ reason }) => reason)).toContain("injected");
      }),
      settings,
    );
  });

  it("says nothing after an error", () => {
    fc.assert(
      fc.property(answerPlan, fc.nat({ max: 40 }), (plan, cut) => {
        const events = whole(plan, source);
        const { encoder } = open();
        const before = events.slice(0, cut).flatMap((event) => encoder.push(event));
        const error = encoder.push({ type: "error", error: { type: "overloaded_error", message: "too much" } });
        const rest = [...events.slice(cut), ...whole(plan, source)].flatMap((event) => encoder.push(event));
        expect(join([...rest, ...encoder.end()]).toString()).toBe("");
        const broken = read(to, wire, join([...before, ...error]));
        expect([broken.isEnded, broken.hasError]).toEqual([false, true]);
      }),
      settings,
    );
  });

  it("gives every choice, or tells that there were more", () => {
    fc.assert(
      fc.property(answerPlan, answerPlan, (plan, other) => {
        const events = [
          ...headEvents(plan),
          ...bodyEvents(plan, source),
          ...bodyEvents(other, source, 1),
          ...endEvents({ ...other, usage: undefined, hasDoubledEnds: false }, 1).slice(0, 1),
          ...endEvents(plan),
        ];
        const { answer } = fold(events);
        const { encoder, losses } = open();
        const streamed = read(to, wire, encode(encoder, events));
        expect(withUsageOf(answer, told(streamed.answer))).toEqual(expected(client, answer));
        if (streamed.answer.choices.length > 1)
          expect(withUsageOf(answer, told(streamed.answer, 1))).toEqual(told(answer, 1));
        else expect(losses().map(({ pointer }) => pointer)).toContain("response:/choices/1");
      }),
      settings,
    );
  });
});

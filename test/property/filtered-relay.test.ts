// Property: the relay takes the usage frame that Outrider asked for out of a stream, and nothing else, however the stream is cut into chunks:
// recorded streams with odd frames among them, against the same bytes cut into frames and observed in one piece. Rerun with OUTRIDER_SEED.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { createFrameDecoder, createUsageFrameFilter, type Frame } from "../../src/dialects/index.ts";
import type { SidecarError } from "../../src/errors.ts";
import type { Observation } from "../../src/proxy/observer.ts";
import { loadRecordings, responseBytes } from "../support/recordings.ts";
import type { Reading } from "../support/answer-observer.ts";
import { type Ending, formatStreamError, openObserver, relayStream } from "../support/relay-stage.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const cases = 5000;

// ---- Streams ----

const recorded = loadRecordings("openai-chat", "mistral")
  .filter(({ framing, response }) => framing === "sse" && response.status === 200)
  .map((recording) => cutFrames(responseBytes(recording)).map(({ raw }) => raw.toString("latin1")));

const usage = '"usage":{"prompt_tokens":31,"completion_tokens":17,"total_tokens":48}';
const long = "x".repeat(20_000);
const delta = (content: string): string => `{"choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]`;

/** Frames to put among the recorded ones. */
const oddFrames = {
  usageAlone: `data: {"id":"c","object":"chat.completion.chunk","choices":[],${usage}}\n\n`,
  usageFirst: `data: {${usage},"choices" : [ ]}\n\n`,
  usageLong: `data: {"id":"${long}","choices":[],${usage}}\n\n`,
  usageTwice: `data: {"choices":[],${usage}}\n\ndata: {"choices":[],${usage}}\n\n`,
  usageBehindEvent: `event: message\ndata: {"choices":[],${usage}}\n\n`,
  usageBehindComment: `: comment\ndata: {"choices":[],${usage}}\n\n`,
  usageOfTwoLists: `data: {"choices":[{"index":0,"delta":{}}],"choices":[],${usage}}\n\n`,
  usageOfEscapedName: `data: {"\\u0063hoices":[],"x":{"choices":[]},${usage}}\n\n`,
  withoutChoices: `data: {"object":"chat.completion.chunk",${usage}}\n\n`,
  choicesNull: `data: {"choices":null,${usage}}\n\n`,
  emptyWithoutUsage: `data: {"choices":[],"prompt_filter_results":[]}\n\n`,
  emptyWithNullUsage: `data: {"choices":[],"usage":null}\n\n`,
  emptyWithError: `data: {"choices":[],"error":{"message":"no"},${usage}}\n\n`,
  usageOnDelta: `data: ${delta("a")},${usage}}\n\n`,
  emptyInText: `data: ${delta('"choices":[]')},${usage}}\n\n`,
  emptyInside: `data: {"choices":[{"index":0,"delta":{"choices":[]}}],${usage}}\n\n`,
  longDelta: `data: ${delta(long)}}\n\n`,
  shortDelta: `data: ${delta("b")}}\n\n`,
  shortDeltas: `data: ${delta("c")}}\n\n`.repeat(3),
  byteOrderMark: `\u00ef\u00bb\u00bfdata: ${delta("d")}}\n\n`,
  comment: ": keep-alive\n\n",
  commentLines: ": keep\n: alive\n\n",
  blank: "\n",
  blanks: "\r\n\n\r\r\n",
  idAlone: "id: 7\n\n",
  emptyData: "data:\n\n",
  event: "event: extra\ndata: {}\n\n",
  retry: `retry: 3000\ndata: ${delta("e")}}\n\n`,
  noJson: `data: {"choices":[],${usage}\n\n`,
  list: `data: [{"choices":[],${usage}}]\n\n`,
  lineEndMissing: `data: {"choices":[],${usage}}\n`,
  frameEndMissing: `data: ${delta("f")}}`,
};
const oddNames = Object.keys(oddFrames) as (keyof typeof oddFrames)[];

/** What may stand between two words of a frame. A line of no known field is nobody's, whatever it looks like. */
const seam = fc.oneof(
  fc.constantFrom("", " ", "\t", "\ndata:", "\ndata: ", "\r\ndata:", "\rdata: "),
  fc.constantFrom("\n", "\n: comment\ndata:", "\nid: 7\ndata:", "\n:[{\ndata:", "\n[{\ndata:", "\n{\ndata:"),
);

/** A frame to put in: a named one, or one of usage alone with these seams. */
const oddFrame = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...oddNames).map((name) => ({ name, text: oddFrames[name] as string })) },
  {
    weight: 1,
    arbitrary: fc.tuple(seam, seam, seam).map(([a, b, c]) => ({
      name: "usageInLines",
      text: `data: {"choices"${a}:${b}[${c}],${usage}}\n\n`,
    })),
  },
);

/** Line ends of the frames in turn; undefined: as they are. */
const lineEnds = fc.oneof(
  { weight: 4, arbitrary: fc.constant([undefined]) },
  { weight: 1, arbitrary: fc.constant(["\r\n"]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(undefined, "\n", "\r\n", "\r"), { minLength: 1, maxLength: 4 }),
  },
);

const streamPlan = fc.record({
  recording: fc.nat({ max: recorded.length - 1 }),
  /** How many of its frames, from the front and from the back. */
  head: fc.oneof(fc.nat({ max: 6 }), fc.integer({ min: 8, max: 60 })),
  tail: fc.oneof(fc.constant(0), fc.nat({ max: 6 })),
  odd: fc.array(fc.record({ frame: oddFrame, at: fc.nat({ max: 20 }) }), { maxLength: 5 }),
  hasUsage: fc.boolean(),
  lineEnds,
  /** Bytes that are missing at the end. */
  missing: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }) },
  ),
});
type StreamPlan = typeof streamPlan extends fc.Arbitrary<infer Plan> ? Plan : never;

/** How the bytes come, in turn: so many frames and some bytes more or fewer, or so many bytes. */
const chunkPlan = fc.oneof(
  fc.constant([{ frames: 1, bytes: 0 }]),
  fc.array(fc.record({ frames: fc.integer({ min: 1, max: 8 }), bytes: fc.constant(0) }), {
    minLength: 1,
    maxLength: 5,
  }),
  fc.array(
    fc.record({ frames: fc.nat({ max: 4 }), bytes: fc.oneof(fc.constant(0), fc.integer({ min: -4, max: 40 })) }),
    { minLength: 1, maxLength: 6 },
  ),
  fc.array(fc.record({ frames: fc.constant(0), bytes: fc.integer({ min: 1, max: 900 }) }), {
    minLength: 1,
    maxLength: 6,
  }),
);
type ChunkPlan = typeof chunkPlan extends fc.Arbitrary<infer Plan> ? Plan : never;

function buildPieces({ recording, head, tail, odd, hasUsage, lineEnds: ends, missing }: StreamPlan): Buffer[] {
  const all = recorded[recording] ?? [];
  const front = all.slice(0, head);
  const pieces = [...front, ...all.slice(Math.max(front.length, all.length - tail))];
  if (hasUsage) pieces.splice(-1, 0, oddFrames.usageAlone);
  for (const { frame, at } of odd) pieces.splice(at, 0, frame.text);
  const built: Buffer[] = pieces.map((piece, index) => {
    const end = ends[index % ends.length];
    return Buffer.from(end === undefined ? piece : piece.replaceAll(/\r\n|[\r\n]/g, end), "latin1");
  });
  for (let left = missing; left > 0 && built.length > 0;) {
    const last = built.pop() as Buffer;
    if (last.length > left) built.push(last.subarray(0, last.length - left));
    left -= last.length;
  }
  return built;
}

function cutChunks(pieces: readonly Buffer[], plan: ChunkPlan): Buffer[] {
  const bytes = Buffer.concat(pieces);
  const ends: number[] = [];
  for (const piece of pieces) ends.push((ends.at(-1) ?? 0) + piece.length);
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const step = plan[turn % plan.length] as ChunkPlan[number];
    const start = at;
    const ahead = ends.filter((end) => end > start).slice(0, step.frames);
    // Never before the next byte: a turn that goes nowhere would be taken for ever.
    const end = Math.min(Math.max((ahead.at(-1) ?? at) + step.bytes, at + 1), bytes.length);
    // A copy: the chunks of a wire do not share memory.
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return chunks;
}

// ---- What it is held against ----

function cutFrames(bytes: Buffer): Frame[] {
  const decoder = createFrameDecoder("sse");
  return [...decoder.push(bytes), ...decoder.end()];
}

/** The frames that are the client's; of a stream that did not end without what is no whole frame. */
function keepFrames(bytes: Buffer, hasEnded: boolean): Buffer {
  const decoder = createFrameDecoder("sse");
  const filter = createUsageFrameFilter();
  const frames = [...decoder.push(bytes), ...(hasEnded ? decoder.end() : [])];
  return Buffer.concat(frames.filter((frame) => !filter.shouldDrop(frame)).map(({ raw }) => raw));
}

/** The stream read in one piece, and whether its end was seen. */
async function observe(
  reading: Reading,
  bytes: Buffer,
  hasEnded: boolean,
): Promise<{ isWhole: boolean; observation: Observation }> {
  const observer = openObserver(reading);
  observer.observeChunk(bytes, 0);
  if (hasEnded) observer.observeFrames(observer.endFrames(), 0);
  return { isWhole: observer.terminalSeen, observation: await observer.finish() };
}

const kinds = { error: "error", cut: "truncated", gone: "client_aborted" } as const;

/** What a client makes of the bytes. */
const readData = (bytes: Buffer): string[] =>
  cutFrames(bytes).flatMap(({ data, commentOnly }) => (commentOnly === true ? [] : [data]));

let uncut = 0;
let dropped = 0;

async function check(pieces: Buffer[], cut: ChunkPlan, reading: Reading, ending: Ending, sent: number): Promise<void> {
  const chunks = cutChunks(pieces, cut);
  const hasEnded = ending === "end";
  const count = hasEnded ? chunks.length : Math.ceil((chunks.length * sent) / 100);
  const came = chunks.slice(0, count);
  const bytes = Buffer.concat(came);
  const { end, client, settings } = await relayStream(reading, came, ending, chunks.slice(count));
  uncut += settings.uncut;
  dropped += settings.filter.droppedFrames;
  const kept = keepFrames(bytes, hasEnded);
  const written = Buffer.concat(client.written);
  expect(client.late).toBe(0);
  if (!hasEnded && count === 0) {
    expect([end.kind === "failed" || ending === "gone", written.length]).toEqual([true, 0]);
    return;
  }
  if (end.kind === "failed") throw new Error("nothing was committed");
  const { isWhole, observation } = await observe(reading, bytes, hasEnded);
  expect(end.observation).toEqual(observation);
  const atOnce = await relayStream(reading, [bytes], ending, []);
  expect([end.kind, end.error?.code]).toEqual([atOnce.end.kind, atOnce.end.error?.code]);
  if (!hasEnded) expect(end.kind).toBe(isWhole ? "complete" : kinds[ending]);
  if (client.state !== "cut") {
    expect(written.toString("latin1")).toBe(kept.toString("latin1"));
    return;
  }
  // Broken off: the client's frames, one that says so, and no end.
  const error = formatStreamError(end.error as SidecarError);
  const gap = written.toString("latin1", kept.length, written.length - error.length);
  expect(written.toString("latin1")).toBe(kept.toString("latin1") + gap + error.toString("latin1"));
  expect(["", "\n\n"]).toContain(gap);
  expect(readData(written)).toEqual([...readData(kept), ...readData(error)]);
}

it("passes all frames but those that Outrider asked for, and reads the stream as in one piece", async () => {
  const endings = fc.constantFrom<Ending[]>("end", "end", "end", "error", "cut", "gone");
  const reading = fc.record({ keepContent: fc.boolean(), isAwaited: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(streamPlan, chunkPlan, reading, endings, fc.nat({ max: 100 }), (stream, cut, read, ending, sent) =>
      check(buildPieces(stream), cut, read, ending, sent),
    ),
    { seed, numRuns: cases },
  );
  console.log(`${uncut} chunks passed uncut, ${dropped} frames dropped`);
  // Otherwise the shortcut, or the filter, was not there to be tested.
  expect(uncut).toBeGreaterThan(cases / 2);
  expect(dropped).toBeGreaterThan(cases / 4);
});

it("lets the error of a stream that broke off anywhere stand on its own, whatever its line ends", async () => {
  for (const lineEnd of ["\n", "\r\n", "\r"]) {
    const frames = Buffer.from(oddFrames.shortDeltas.replaceAll("\n", lineEnd));
    for (let length = 1; length < frames.length; length++) {
      const came = frames.subarray(0, length);
      await check([came], [{ frames: 1, bytes: 0 }], { keepContent: false, isAwaited: false }, "end", 100);
    }
  }
});

it("passes nothing of an event that is too large, and nothing after it", async () => {
  const before = Buffer.from(oddFrames.shortDelta);
  const large = [Buffer.from("data: "), Buffer.alloc(16_777_216, "x"), Buffer.from("\n\n")];
  for (const last of [[before, ...large, before], [Buffer.concat([before, ...large, before])]]) {
    const { end, client } = await relayStream(
      { keepContent: false, isAwaited: false },
      [before, before, ...last],
      "end",
      [],
    );
    expect(end.kind === "error" && end.error?.code).toBe("upstream_too_large");
    expect([client.state, client.late]).toEqual(["cut", 0]);
    const error = formatStreamError(end.error as SidecarError);
    expect(Buffer.concat(client.written).toString()).toBe(oddFrames.shortDelta.repeat(3) + error.toString());
  }
});

// What the observer leaves out changes nothing: frames that repeat the one before, and content that nobody keeps, on real bytes.
import { describe, expect, it } from "vitest";
import { createFold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  findDialect,
  type Frame,
  type Framing,
  type Operation,
} from "../../src/dialects/index.ts";
import type { Observation } from "../../src/proxy/observer.ts";
import { observeAnswer } from "../support/answer-observer.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { readRepeated } from "../support/repeated-frame.ts";

const dialects = {
  "openai-chat": "openai-chat",
  "openai-completions": "openai-chat",
  mistral: "openai-chat",
  "openai-responses": "openai-responses",
  "anthropic-messages": "anthropic-messages",
  gemini: "gemini-generate-content",
  "bedrock-converse": "bedrock-converse",
  "bedrock-invoke": "bedrock-invoke",
  "cohere-v2": "cohere-chat",
  ollama: "ollama-chat",
} as const;

const framings: Partial<Record<Recording["framing"], Framing>> = {
  sse: "sse",
  ndjson: "ndjson",
  eventstream: "aws-eventstream",
};

interface Answer {
  recording: Recording;
  dialect: Dialect;
  operation: Operation;
  framing: Framing | undefined;
}

const answers: Answer[] = Object.entries(dialects).flatMap(([folder, id]) =>
  loadRecordings(folder).flatMap((recording): Answer[] => {
    const dialect = findDialect(id);
    const path = new URL(recording.request.url).pathname;
    // The base of a provider may have a version before what the dialect knows, or one that it does not.
    const operation = dialect.match("POST", path) ?? dialect.match("POST", path.slice(path.indexOf("/v1")));
    if (operation === undefined || recording.response.status !== 200) return [];
    return [{ recording, dialect, operation, framing: framings[recording.framing] }];
  }),
);

const streams = answers.filter(({ framing }) => framing !== undefined);

function cutFrames({ recording, framing }: Answer): Buffer[] {
  const decoder = createFrameDecoder(framing ?? "sse");
  return [...decoder.push(responseBytes(recording)), ...decoder.end()].map(({ raw }) => raw);
}

async function observe(answer: Answer, chunks: readonly Buffer[], keepContent: boolean): Promise<Observation> {
  const observer = observeAnswer(answer, { keepContent, isAwaited: false });
  for (const chunk of chunks) observer.observeChunk(chunk, 0);
  observer.observeFrames(observer.endFrames(), 0);
  return observer.finish();
}

describe("a stream that comes frame by frame", () => {
  it("is read as the one that comes at once, with its content and without", async () => {
    for (const answer of streams) {
      const frames = cutFrames(answer);
      for (const keepContent of [true, false]) {
        const atOnce = await observe(answer, [Buffer.concat(frames)], keepContent);
        expect(await observe(answer, frames, keepContent), answer.recording.id).toEqual(atOnce);
      }
    }
    expect(streams.length).toBeGreaterThan(100);
  });

  it("gives the same events whether repeated frames are parsed or not", () => {
    let repeated = 0;
    let parsed = 0;
    for (const { recording, dialect, operation, framing } of streams) {
      const decoder = createFrameDecoder(framing ?? "sse");
      const frames = [...decoder.push(responseBytes(recording)), ...decoder.end()];
      for (const detail of ["whole", "facts"] as const) {
        const [short, long] = [dialect.eventDecoder(operation, detail), dialect.eventDecoder(operation, detail)];
        const told: StreamEvent[][] = frames.map((frame) => {
          const events = readRepeated(short, frame.raw);
          if (events === undefined) parsed += 1;
          else repeated += 1;
          return events ?? short.push(frame);
        });
        const parsedAlone = frames.map((frame) => long.push(frame));
        expect([...told, short.end()], `${recording.id}, ${detail}`).toEqual([...parsedAlone, long.end()]);
      }
    }
    console.log(`${repeated} frames repeated, ${parsed} parsed`);
    // Otherwise the shortcut is one in name only.
    expect(repeated).toBeGreaterThan(parsed / 4);
  });
});

describe("an answer whose content nobody keeps", () => {
  const stripped = ({ extensions: _dropped, ...facts }: InferenceResponse): unknown => ({
    ...facts,
    choices: facts.choices.map(({ index, message, finishReason }) => ({
      index,
      role: message.role,
      finishReason,
      isCompacted: message.parts.some(({ type }) => type === "compaction"),
    })),
  });

  it("states the same facts as one that is decoded whole", () => {
    for (const { recording, dialect, operation, framing } of answers) {
      if (recording.framing !== "json" || framing !== undefined) continue;
      const [facts, whole] = (["facts", "whole"] as const).map((detail) =>
        stripped(dialect.decodeResponse(jsonBody(recording), operation, detail)),
      );
      expect(facts, recording.id).toEqual(whole);
    }
  });

  it("folds to the same when it is streamed, to its end or broken off", () => {
    for (const answer of streams) {
      const { recording, dialect, operation, framing } = answer;
      const decoder = createFrameDecoder(framing ?? "sse");
      const frames = [...decoder.push(responseBytes(recording)), ...decoder.end()];
      for (const count of new Set([1, 2, 4, Math.floor(frames.length / 2), frames.length - 1, frames.length])) {
        const [facts, whole] = (["facts", "whole"] as const).map((detail) => {
          const events = dialect.eventDecoder(operation, detail);
          const fold = createFold({ keepContent: false });
          for (const frame of frames.slice(0, count)) for (const event of events.push(frame)) fold.push(event);
          for (const event of events.end()) fold.push(event);
          const response = fold.result();
          if (dialect.id !== "openai-responses" || fold.usage === undefined) return { ...fold, response };
          // The last event is read alone then: its parts are not told, and characters only stand in for usage that nobody stated.
          return { ...fold, outputCharacters: undefined, response: stripped(response) };
        });
        expect(facts, `${recording.id}, ${count} of ${frames.length} frames`).toEqual(whole);
      }
    }
  });
});

describe("what no recording has", () => {
  const openStream = (
    id: Parameters<typeof findDialect>[0],
    path: string,
  ): { dialect: Dialect; operation: Operation } => {
    const dialect = findDialect(id);
    const operation = dialect.match("POST", path);
    if (operation === undefined) throw new Error(`no call at ${path}`);
    return { dialect, operation };
  };
  const toFrames = (events: readonly Record<string, unknown>[]): Frame[] =>
    events.map((event) => {
      const data = JSON.stringify(event);
      return { data, raw: Buffer.from(`data: ${data}\n\n`) };
    });
  const foldWith = (detail: "facts" | "whole", events: readonly Record<string, unknown>[]): unknown => {
    const { dialect, operation } = openStream("openai-responses", "/v1/responses");
    const decoder = dialect.eventDecoder(operation, detail);
    const fold = createFold({ keepContent: false });
    for (const frame of toFrames(events)) for (const event of decoder.push(frame)) fold.push(event);
    for (const event of decoder.end()) fold.push(event);
    const { choices, ...facts } = fold.result();
    const ends = choices.map(({ finishReason }) => finishReason);
    return {
      ...facts,
      ends,
      characters: fold.outputCharacters,
      unrecognized: fold.unrecognizedEvents,
      ended: fold.ended,
    };
  };
  const item = { type: "message", id: "m", role: "assistant" };
  const at = { item_id: "m", output_index: 0, content_index: 0 };
  const created = { type: "response.created", response: { id: "r", model: "gpt-5" } };
  const added = { type: "response.output_item.added", output_index: 0, item: { ...item, content: [] } };
  const partAdded = { type: "response.content_part.added", ...at, part: { type: "output_text", text: "" } };
  const delta = { type: "response.output_text.delta", ...at, delta: "hi" };
  const done = (text: string): Record<string, unknown> => ({
    type: "response.output_item.done",
    output_index: 0,
    item: { ...item, content: [{ type: "output_text", text }] },
  });
  const completed = { type: "response.completed", response: { id: "r", status: "completed" } };
  const call = { type: "function_call", id: "f", call_id: "c", name: "look" };
  const callAdded = { type: "response.output_item.added", output_index: 0, item: { ...call, arguments: "" } };
  const callDelta = {
    type: "response.function_call_arguments.delta",
    item_id: "f",
    output_index: 0,
    delta: '{"a":',
  };
  const callDone = (wire: Record<string, unknown>): Record<string, unknown> => ({
    type: "response.output_item.done",
    output_index: 0,
    item: { ...call, ...wire },
  });

  it.each([
    { name: "an end that names no model", events: [created, added, delta, done("hi"), completed] },
    { name: "a text that comes whole alone", events: [created, added, partAdded, done("all at once"), completed] },
    {
      name: "a whole text that is longer than its deltas",
      events: [created, added, delta, done("hi there"), completed],
    },
    {
      name: "a call whose whole arguments are longer than their deltas",
      events: [created, callAdded, callDelta, callDone({ arguments: '{"a":1}' }), completed],
    },
    {
      name: "a call that comes whole alone",
      events: [created, callAdded, callDone({ arguments: '{"a":1}' }), completed],
    },
    {
      name: "a call whose whole item is no call as usual",
      events: [created, callAdded, callDelta, callDone({ name: 3, arguments: { a: 1 } }), completed],
    },
    {
      name: "a call that has its answer beside it",
      events: [
        created,
        callAdded,
        callDelta,
        callDone({ arguments: '{"a":1}' }),
        { type: "response.output_item.done", output_index: 1, item: { type: "function_call_output", call_id: "c" } },
        completed,
      ],
    },
    { name: "a beginning without a response", events: [{ type: "response.created" }] },
    {
      name: "a text that only its own end brings",
      events: [created, added, partAdded, { type: "response.output_text.done", ...at, text: "alone" }],
    },
  ])("has the same facts with its content and without: $name", ({ events }) => {
    expect(foldWith("facts", events)).toEqual(foldWith("whole", events));
  });

  it.each([
    { id: "openai-chat", path: "/v1/chat/completions", name: "reasoning under two names", deltas: ["a", "b"] },
  ] as const)("is told as without the shortcut: $name", ({ id, path, deltas }) => {
    const { dialect, operation } = openStream(id, path);
    const [short, long] = [dialect.eventDecoder(operation), dialect.eventDecoder(operation)];
    const frames = ["a", ...deltas].map((reasoning) => ({
      choices: [{ index: 0, delta: { reasoning_content: "a", reasoning } }],
    }));
    for (const frame of toFrames(frames)) {
      expect(readRepeated(short, frame.raw) ?? short.push(frame)).toEqual(long.push(frame));
    }
  });

  it("tells what Amazon adds to each of Claude's events on Bedrock", () => {
    const { dialect, operation } = openStream(
      "bedrock-invoke",
      "/model/anthropic.claude-sonnet-4/invoke-with-response-stream",
    );
    const decoder = dialect.eventDecoder(operation);
    const fold = createFold({ keepContent: true });
    const delta = {
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text: "a" },
      "amazon-bedrock-trace": { list: [1] },
    };
    const chunks = [
      { type: "message_start", message: { content: [] } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      delta,
      delta,
      delta,
    ];
    for (const chunk of chunks) {
      const data = JSON.stringify({ bytes: Buffer.from(JSON.stringify(chunk)).toString("base64") });
      for (const event of decoder.push({ event: "chunk", data, raw: Buffer.from(data) })) fold.push(event);
    }
    expect(fold.result().extensions).toEqual({ "bedrock-invoke": { "amazon-bedrock-trace": { list: [1, 1, 1] } } });
    expect(fold.outputCharacters).toBe(3);
  });

  it("does not take a line of blanks for a blank line", () => {
    const { dialect, operation } = openStream("anthropic-messages", "/v1/messages");
    const decoder = dialect.eventDecoder(operation);
    const text = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}';
    decoder.push({ data: '{"type":"message_start","message":{}}', raw: Buffer.alloc(0) });
    decoder.push({
      data: '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
      raw: Buffer.alloc(0),
    });
    decoder.push({ data: text, raw: Buffer.from(`data: ${text}\n\n`) });
    expect(readRepeated(decoder, Buffer.from(`data: ${text}  \n\n`))).toHaveLength(1);
    expect(readRepeated(decoder, Buffer.from(`data: ${text}\n \n`))).toBeUndefined();
  });
});

// A Responses stream whose content nobody keeps: what waits, what is told meanwhile, and what comes of it however the stream ends.
import { describe, expect, it } from "vitest";
import { createFold, type StreamEvent } from "../../../../src/canonical/index.ts";
import { type AnswerDetail, type EventDecoder, findDialect, type Frame } from "../../../../src/dialects/index.ts";
import { readRepeated } from "../../../support/repeated-frame.ts";

type Wire = Record<string, unknown> & { type: string };

const responses = findDialect("openai-responses");

function open(detail: AnswerDetail): EventDecoder {
  const operation = responses.match("POST", "/v1/responses");
  if (operation === undefined) throw new Error("no such call");
  return responses.eventDecoder(operation, detail);
}

function toFrame(event: Wire, lineEnd = "\n"): Frame {
  const data = JSON.stringify(event);
  const raw = Buffer.from(`event: ${event.type}${lineEnd}data: ${data}${lineEnd}${lineEnd}`);
  return { event: event.type, data, raw };
}

/** As an observer reads it: by its bytes where they tell, the first frame never. */
function read(decoder: EventDecoder, frames: readonly Frame[]): StreamEvent[][] {
  return frames.map(
    (frame, index) => (index === 0 ? undefined : readRepeated(decoder, frame.raw)) ?? decoder.push(frame),
  );
}

function sumUp(detail: AnswerDetail, frames: readonly Frame[]): unknown {
  const decoder = open(detail);
  const fold = createFold({ keepContent: false });
  for (const event of [...read(decoder, frames).flat(), ...decoder.end()]) fold.push(event);
  const { choices, ...facts } = fold.result();
  return {
    ...facts,
    reasons: choices.map(({ finishReason }) => finishReason),
    characters: fold.usage === undefined ? fold.outputCharacters : "stated",
    unrecognized: fold.unrecognizedEvents,
    ended: fold.ended,
    error: fold.error,
  };
}

const item = { type: "message", id: "m", role: "assistant" };
const place = { item_id: "m", output_index: 0, content_index: 0 };
const created: Wire = { type: "response.created", response: { id: "r", model: "gpt-5", status: "in_progress" } };
const added: Wire = { type: "response.output_item.added", output_index: 0, item: { ...item, content: [] } };
const partAdded: Wire = { type: "response.content_part.added", ...place, part: { type: "output_text", text: "" } };
const deltas = (count: number, delta = "some text "): Wire[] =>
  Array.from({ length: count }, (_, index) => ({
    type: "response.output_text.delta",
    ...place,
    sequence_number: index + 3,
    delta,
  }));
const output = [{ ...item, content: [{ type: "output_text", text: "some text some text " }] }];
const usage = { input_tokens: 7, output_tokens: 2, total_tokens: 9 };
const completed = (response: Record<string, unknown>): Wire => ({
  type: "response.completed",
  response: { id: "r", model: "gpt-5-mini", status: "completed", output, usage, ...response },
});

describe("a stream that waits for its last event", () => {
  it("tells output as it comes and nothing else, and all of it at the end", () => {
    const told = read(
      open("facts"),
      [created, added, partAdded, ...deltas(2), completed({})].map((event) => toFrame(event)),
    );
    const types = told.map((events) => events.map(({ type }) => type).join(" "));
    expect(types).toEqual([
      "",
      "",
      "output",
      "output",
      "output",
      "response_start choice_start choice_end usage response_end",
    ]);
  });

  it("says that an item without parts is output when it is whole", () => {
    const done: Wire = {
      type: "response.output_item.done",
      output_index: 0,
      item: { type: "reasoning", id: "m", summary: [] },
    };
    const decoder = open("facts");
    const [, , whole] = read(
      decoder,
      [created, added, done].map((event) => toFrame(event)),
    );
    expect(whole).toEqual([{ type: "output" }]);
    const [, , , , again] = read(
      open("facts"),
      [created, added, partAdded, ...deltas(1), done].map((event) => toFrame(event)),
    );
    expect(again).toEqual([]);
  });

  it.each([
    { name: "is complete", events: [created, added, ...deltas(2), completed({})] },
    { name: "is longer than what may wait", events: [created, added, partAdded, ...deltas(300), completed({})] },
    { name: "has long events", events: [created, added, partAdded, ...deltas(9, "x".repeat(4000)), completed({})] },
    { name: "breaks off", events: [created, added, partAdded, ...deltas(5)] },
    { name: "breaks off before anything", events: [created] },
    { name: "states no output at its end", events: [created, added, ...deltas(2), completed({ output: [] })] },
    { name: "states no usage at its end", events: [created, added, ...deltas(2), completed({ usage: null })] },
    { name: "names no model at its end", events: [created, added, ...deltas(2), completed({ model: null })] },
    { name: "ends early", events: [created, added, ...deltas(2), { ...completed({}), type: "response.incomplete" }] },
    {
      name: "fails",
      events: [
        created,
        ...deltas(1),
        {
          type: "response.failed",
          response: { id: "r", status: "failed", error: { code: "server_error", message: "no" } },
        },
      ],
    },
    {
      name: "has an event that nobody knows",
      events: [created, added, { type: "response.new" }, ...deltas(2), completed({})],
    },
    {
      name: "has an error in it",
      events: [created, ...deltas(1), { type: "error", code: "x", message: "no" }, ...deltas(1)],
    },
    {
      name: "begins anew",
      events: [created, completed({}), { ...created, response: { id: "s", model: "gpt-6" } }, ...deltas(2)],
    },
    {
      name: "calls a tool",
      events: [
        created,
        completed({ output: [{ type: "function_call", id: "f", call_id: "c", name: "look", arguments: "{}" }] }),
      ],
    },
    {
      name: "states fewer items at its end than began",
      events: [
        created,
        {
          type: "response.output_item.added",
          output_index: 0,
          item: { type: "function_call", id: "f", call_id: "c", name: "look", arguments: "" },
        },
        { type: "response.function_call_arguments.delta", item_id: "f", output_index: 0, delta: "{}" },
        {
          type: "response.output_item.done",
          output_index: 0,
          item: { type: "function_call", id: "f", call_id: "c", name: "look", arguments: "{}" },
        },
        { ...added, output_index: 1 },
        completed({}),
      ],
    },
    {
      name: "compacts",
      events: [created, completed({ output: [{ type: "compaction", id: "k", encrypted_content: "e" }] })],
    },
  ])("has the facts of one that is read at once when it $name", ({ events }) => {
    const frames = events.map((event) => toFrame(event as Wire));
    expect(sumUp("facts", frames)).toEqual(sumUp("whole", frames));
    const others = events.map((event) => toFrame(event as Wire, "\r\n"));
    expect(sumUp("facts", others)).toEqual(sumUp("whole", frames));
  });

  it("does not take an empty text for output", () => {
    const [, , told] = read(
      open("facts"),
      [created, added, ...deltas(1, "")].map((event) => toFrame(event)),
    );
    expect(told).toEqual([]);
  });

  it("does not take the bytes of two frames for one", () => {
    const decoder = open("facts");
    decoder.push(toFrame(created));
    const [one, other] = deltas(2).map((event) => toFrame(event).raw) as [Buffer, Buffer];
    expect(readRepeated(decoder, Buffer.concat([one, other]))).toBeUndefined();
    expect(readRepeated(decoder, one.subarray(0, -1))).toBeUndefined();
    expect(readRepeated(decoder, one)).toEqual([{ type: "output" }]);
  });
});

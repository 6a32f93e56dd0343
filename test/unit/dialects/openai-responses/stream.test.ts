// Streams of the Responses API: what each event adds, and what happens when events are missing, repeated or out of place.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../../src/canonical/index.ts";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";
import { foldEvents, framesOf } from "../../../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const operation = openaiResponses.match("POST", "/v1/responses");
const fetching = openaiResponses.match("GET", "/v1/responses/resp_1");
if (operation === undefined || fetching === undefined) throw new Error("no operation");

function run(events: readonly Json[], call = operation): StreamEvent[] {
  const decoder = openaiResponses.eventDecoder(call as NonNullable<typeof operation>);
  const decoded = framesOf(...events).flatMap((frame) => decoder.push(frame));
  return [...decoded, ...decoder.end()];
}

const usage = { input_tokens: 5, output_tokens: 7, total_tokens: 12 };
const message = (text: string, id = "msg_1") => ({
  type: "message",
  id,
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text, annotations: [] }],
});
const call = (id: string, args: string) => ({
  type: "function_call",
  id: `fc_${id}`,
  call_id: `call_${id}`,
  name: "f",
  arguments: args,
  status: "completed",
});
const created = {
  type: "response.created",
  response: { id: "resp_1", model: "gpt-5", status: "in_progress", output: [] },
};
const completed = (...output: Json[]) => ({
  type: "response.completed",
  response: { id: "resp_1", object: "response", model: "gpt-5", status: "completed", output, usage },
});
const added = (item: Json, index = 0) => ({
  type: "response.output_item.added",
  output_index: index,
  item: { ...item, ...("content" in item ? { content: [] } : { arguments: "" }), status: "in_progress" },
});
const done = (item: Json, index = 0) => ({ type: "response.output_item.done", output_index: index, item });
const textDelta = (delta: string, id = "msg_1", index = 0) => ({
  type: "response.output_text.delta",
  item_id: id,
  output_index: index,
  content_index: 0,
  delta,
});
const textDone = (text: string) => ({ ...textDelta(""), type: "response.output_text.done", text });
const argumentsDelta = (delta: string, id: string, index: number) => ({
  type: "response.function_call_arguments.delta",
  item_id: `fc_${id}`,
  output_index: index,
  delta,
});
/** What the whole answer of a terminal event amounts to by itself. */
const wholeOf = (terminal: { response: Json }) =>
  openaiResponses.decodeResponse(terminal.response, operation as NonNullable<typeof operation>);

describe("streamed responses", () => {
  it("tells each piece as it comes, and the head, the end and the usage with the terminal event", () => {
    const whole = message("Hello");
    expect(
      run([created, added(whole), textDelta("Hel"), textDelta("lo"), textDone("Hello"), done(whole), completed(whole)]),
    ).toEqual([
      { type: "response_start", id: "resp_1", model: "gpt-5" },
      { type: "choice_start", choice: 0, role: "assistant" },
      { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
      { type: "part_delta", choice: 0, part: 0, text: "Hel" },
      { type: "part_delta", choice: 0, part: 0, text: "lo" },
      {
        type: "part_extend",
        choice: 0,
        part: 0,
        extensions: {
          "openai-responses": { annotations: [], item: { type: "message", id: "msg_1", status: "completed" } },
        },
      },
      { type: "part_end", choice: 0, part: 0 },
      {
        type: "part_extend",
        choice: 0,
        part: 0,
        extensions: { "openai-responses": { item: { type: "message", id: "msg_1", status: "completed" } } },
      },
      {
        type: "response_start",
        id: "resp_1",
        model: "gpt-5",
        extensions: { "openai-responses": { status: "completed" } },
      },
      { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "completed" } },
      { type: "usage", usage: { inputTokens: 5, outputTokens: 7, raw: usage } },
      { type: "response_end" },
    ]);
  });

  const terminal = completed(message("Hello"));
  it.each([
    ["the terminal event alone", [terminal]],
    ["no deltas", [created, added(message("Hello")), done(message("Hello")), terminal]],
    ["deltas that were never announced", [created, textDelta("Hel"), textDelta("lo"), terminal]],
    ["a lost delta", [created, added(message("Hello")), textDelta("Hel"), terminal]],
    ["a lost delta, mended by the text's end", [textDelta("Hel"), textDone("Hello"), terminal]],
    [
      "everything twice",
      [
        created,
        created,
        added(message("Hello")),
        added(message("Hello")),
        textDelta("Hello"),
        textDone("Hello"),
        textDone("Hello"),
        done(message("Hello")),
        done(message("Hello")),
        terminal,
        terminal,
      ],
    ],
    ["late deltas", [done(message("Hello")), textDelta("Hel"), terminal, textDelta("lo")]],
    [
      "another id in each event (GitHub Copilot)",
      [created, added(message("Hello", "a")), textDelta("Hello", "b"), done(message("Hello", "c")), terminal],
    ],
    [
      "content counted over all items (Bedrock)",
      [added(message("Hello")), { ...textDelta("Hello"), content_index: 1 }, done(message("Hello")), terminal],
    ],
  ])("adds up to the whole answer with %s", (_name, events) => {
    expect(foldEvents(run(events))).toEqual(wholeOf(terminal));
  });

  it("drops an event that is repeated word for word", () => {
    const numbered = (event: Json, number: number) => ({ ...event, sequence_number: number });
    const delta = numbered(textDelta("Hello"), 3);
    expect(foldEvents(run([created, delta, delta, terminal]))).toEqual(wholeOf(terminal));
    // Some servers number every event 0: there a repeated delta is one more.
    const zero = numbered(textDelta("ha"), 0);
    const laugh = completed(message("haha"));
    expect(foldEvents(run([created, zero, zero, laugh]))).toEqual(wholeOf(laugh));
  });

  it("keeps calls apart whose arguments come in turns", () => {
    const [one, two] = [call("1", '{"a":1}'), call("2", '{"b":2}')];
    const whole = completed(one, two);
    const events = run([
      created,
      added(one, 0),
      added(two, 1),
      argumentsDelta('{"b"', "2", 1),
      argumentsDelta('{"a"', "1", 0),
      argumentsDelta(":2}", "2", 1),
      argumentsDelta(":1}", "1", 0),
      done(two, 1),
      done(one, 0),
      whole,
    ]);
    expect(foldEvents(events)).toEqual(wholeOf(whole));
    expect(foldEvents(events).choices[0]?.finishReason?.unified).toBe("tool_call");
  });

  it("tells two items apart that share an index, or an id", () => {
    const [one, two] = [message("A", "msg_1"), message("B", "msg_2")];
    const sameIndex = [added(one), textDelta("A"), done(one), added(two), textDelta("B", "msg_2"), done(two)];
    const whole = completed(one, two);
    expect(foldEvents(run([...sameIndex, whole]))).toEqual(wholeOf(whole));
    const again = message("B", "msg_1");
    const sameId = [added(one), textDelta("A"), done(one), added(again, 1), textDelta("B", "msg_1", 1), done(again, 1)];
    const wholeAgain = completed(one, again);
    expect(foldEvents(run([...sameId, wholeAgain]))).toEqual(wholeOf(wholeAgain));
  });

  it("takes the last word on what is encrypted", () => {
    const reasoning = (encrypted: string) => ({
      type: "reasoning",
      id: "rs_1",
      summary: [],
      encrypted_content: encrypted,
    });
    const whole = completed(reasoning("second"));
    expect(foldEvents(run([created, done(reasoning("first")), whole]))).toEqual(wholeOf(whole));
  });

  it("believes the stream where the terminal event leaves the output empty (ChatGPT's own backend)", () => {
    const item = call("1", "{}");
    const response = foldEvents(run([created, added(item), done(item), completed()]));
    expect(response.choices[0]?.message.parts).toHaveLength(1);
    expect(response.choices[0]?.finishReason?.unified).toBe("tool_call");
  });

  it("gives what there is of a stream that breaks off, without an end", () => {
    const item = { ...message("Hello"), content: [] };
    const annotated = { ...textDelta(""), type: "response.output_text.annotation.added", annotation: { url: "u" } };
    const part = { type: "output_text", text: "", annotations: [] };
    const partAdded = {
      type: "response.content_part.added",
      item_id: "msg_1",
      output_index: 0,
      content_index: 0,
      part,
    };
    const events = run([created, added(item), partAdded, textDelta("Hel"), annotated, added(call("1", ""), 1)]);
    expect(events.some(({ type }) => type === "response_end" || type === "choice_end" || type === "usage")).toBe(false);
    expect(foldEvents(events)).toMatchObject({
      id: "resp_1",
      choices: [
        {
          message: {
            parts: [
              {
                type: "text",
                content: "Hel",
                extensions: { "openai-responses": { annotations: [{ url: "u" }], item: { status: "in_progress" } } },
              },
              { type: "tool_call", id: "call_1", name: "f", arguments: {} },
            ],
          },
        },
      ],
    });
  });

  it("tells a failure as an error and an end", () => {
    const failed = {
      type: "response.failed",
      response: { id: "resp_1", status: "failed", output: [], error: { code: "server_error", message: "broke" } },
    };
    const events = run([created, { type: "error", code: "x", message: "first" }, failed]);
    expect(events.filter(({ type }) => type === "error")).toEqual([
      { type: "error", error: { code: "x", message: "first" } },
      { type: "error", error: { code: "server_error", message: "broke" } },
    ]);
    expect(events.at(-1)).toEqual({ type: "response_end" });
    expect(foldEvents(events).choices).toEqual([]);
  });

  it("leaves out the usage of a response that is fetched", () => {
    const response = foldEvents(run([created, completed(message("Hello"))], fetching));
    expect(response.usage).toBeUndefined();
    expect(response.extensions?.["openai-responses"]?.["usage"]).toEqual(usage);
  });

  it("counts each event it cannot use, by name alone", () => {
    const events = run([
      { type: "response.dreamt", secret: "s" },
      argumentsDelta("{}", "9", 4),
      { type: "response.output_item.added", item: 3 },
      { type: "response.output_text.delta", delta: 7 },
      { type: "response.completed", response: null },
      { object: "chat.completion.chunk" },
    ]);
    expect(events).toEqual(
      [
        "response.dreamt",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "response.output_text.delta",
        "response.completed",
        "unreadable",
      ].map((name) => ({ type: "unrecognized", name })),
    );
  });

  it("takes pings, comments and [DONE] for no events", () => {
    const decoder = openaiResponses.eventDecoder(operation);
    const raw = Buffer.alloc(0);
    expect(decoder.push({ data: "", raw, commentOnly: true })).toEqual([{ type: "keepalive" }]);
    expect(decoder.push({ data: '{"type":"keepalive","sequence_number":3}', raw })).toEqual([{ type: "keepalive" }]);
    expect(decoder.push({ data: " [DONE]", raw })).toEqual([]);
    expect(decoder.end()).toEqual([]);
  });
});

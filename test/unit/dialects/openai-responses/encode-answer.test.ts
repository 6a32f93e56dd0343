// Answers of other dialects for clients of the Responses API, whole and streamed: what the official SDK reads of them.
// Numbers in names are those of the list of real bugs that the project keeps.
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { FinishReason, InferenceResponse, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import type { DialectId } from "../../../../src/dialects/dialect.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { openaiResponses } from "../../../../src/dialects/openai-responses/index.ts";

type Json = Record<string, unknown>;

const { encoder } = openaiResponses;
if (encoder === undefined) throw new Error("no encode half");

const exchangeId = "0123456789abcdef0123456789abcdef";

function encodingFrom(source: DialectId): Encoding {
  return new Encoding({
    source,
    target: "openai-responses",
    model: "claude",
    exchangeId,
    epochSeconds: 1_700_000_000,
    toolResultParts: () => [],
  });
}

const usage = { inputTokens: 30, outputTokens: 9, cacheReadTokens: 4, cacheWriteTokens: 2, reasoningTokens: 5 };
const stop: FinishReason = { unified: "stop" };

function answer(parts: Part[], more: Partial<InferenceResponse> = {}, finishReason = stop): InferenceResponse {
  return { id: "msg_9", choices: [{ index: 0, message: { role: "assistant", parts }, finishReason }], usage, ...more };
}

function encode(response: InferenceResponse, source: DialectId = "anthropic-messages") {
  const encoding = encodingFrom(source);
  const body = encoder?.encodeResponse(response, encoding) ?? {};
  encoding.loseLeftovers(response);
  return { body, output: body["output"] as Json[], losses: encoding.losses.map(({ path }) => path.join("/")) };
}

const text = (content: string): Part => ({ type: "text", content });
const at = (part: number) => ({ choice: 0, part });
const start = (part: number, value: Part): StreamEvent => ({ type: "part_start", ...at(part), value });
const delta = (part: number, words: string): StreamEvent => ({ type: "part_delta", ...at(part), text: words });
const end = (part: number): StreamEvent => ({ type: "part_end", ...at(part) });
const finish = (finishReason = stop): StreamEvent => ({ type: "choice_end", choice: 0, finishReason });
const begin: StreamEvent = { type: "response_start", id: "msg_9", model: "claude-x" };

function write(events: readonly StreamEvent[], source: DialectId = "anthropic-messages") {
  const writer = encoder?.eventEncoder(encodingFrom(source), false);
  return [...events.flatMap((event) => writer?.push(event) ?? []), ...(writer?.end() ?? [])].map(String);
}

function read(frames: readonly string[]): Json[] {
  return frames.map((frame) => JSON.parse(frame.slice(frame.indexOf("data: ") + "data: ".length)) as Json);
}

const namesOf = (events: readonly Json[]): unknown[] => events.map(({ type }) => type);

const reasoning: Part = {
  type: "reasoning",
  content: "Hm",
  extensions: { "anthropic-messages": { signature: "c2ln" } },
};
const call = (id: string, value?: unknown): Part => ({
  type: "tool_call",
  id,
  name: "f",
  ...(value === undefined ? {} : { arguments: value }),
});

/** Thinking, a text and two calls of Anthropic's, as its decoder tells them. */
const events: StreamEvent[] = [
  begin,
  { type: "choice_start", choice: 0, role: "assistant" },
  start(0, { type: "reasoning", content: "" }),
  delta(0, "H"),
  delta(0, "m"),
  { type: "part_extend", ...at(0), extensions: { "anthropic-messages": { signature: "c2ln" } } },
  end(0),
  start(1, text("")),
  delta(1, "Let "),
  delta(1, "me."),
  end(1),
  start(2, call("toolu_1", {})),
  delta(2, '{"a"'),
  delta(2, ":1}"),
  end(2),
  start(3, call("toolu_2", {})),
  end(3),
  { type: "usage", usage },
  finish({ unified: "tool_call" }),
  { type: "response_end" },
];

describe("a whole answer", () => {
  it("has every member the SDK types as required, with neutral values", () => {
    const { body, losses } = encode(answer([text("Hi")], { model: "claude-x" }));
    expect(body).toEqual({
      id: `resp_${exchangeId}`,
      object: "response",
      created_at: 1_700_000_000,
      completed_at: 1_700_000_000,
      status: "completed",
      background: false,
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      metadata: {},
      model: "claude-x",
      output: [
        {
          id: "msg_0123456789abcdef00",
          type: "message",
          status: "completed",
          role: "assistant",
          content: [{ type: "output_text", text: "Hi", annotations: [], logprobs: [] }],
        },
      ],
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      service_tier: null,
      temperature: null,
      text: { format: { type: "text" } },
      tool_choice: "auto",
      tools: [],
      top_logprobs: 0,
      top_p: null,
      truncation: "disabled",
      usage: {
        input_tokens: 30,
        input_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
        output_tokens: 9,
        output_tokens_details: { reasoning_tokens: 5 },
        total_tokens: 39,
      },
    });
    expect(losses).toEqual([]);
  });

  it.each([
    [{ unified: "stop" }, "completed", null],
    [{ unified: "length" }, "incomplete", { reason: "max_output_tokens" }],
    [{ unified: "content_filter" }, "incomplete", { reason: "content_filter" }],
    [{ unified: "error" }, "failed", null],
  ] as [FinishReason, string, unknown][])("of finish %j", (finishReason, status, details) => {
    const { body } = encode(answer([text("Hi")], {}, finishReason));
    expect([body["status"], body["incomplete_details"]]).toEqual([status, details]);
    expect(body["error"] !== null).toBe(status === "failed");
  });

  it("that the limit cut inside a call is incomplete, and so is the call (16)", () => {
    const { body, output } = encode(answer([call("1", '{"a')], {}, { unified: "length" }));
    expect(body["status"]).toBe("incomplete");
    expect(output[0]).toMatchObject({ type: "function_call", status: "incomplete", arguments: '{"a' });
  });

  it("has signed reasoning under its family's mark, also without text and redacted (11, 12)", () => {
    const bag = (own: Json): Part => ({ type: "reasoning", content: "", extensions: { "anthropic-messages": own } });
    const redacted = bag({ type: "redacted_thinking", data: "ZGF0YQ==" });
    const { output, losses } = encode(answer([reasoning, redacted, bag({ signature: "c2lnMg==" })]));
    expect(output.map(({ summary, encrypted_content: value }) => [summary, value])).toEqual([
      [[{ type: "summary_text", text: "Hm" }], "outrider:anthropic-claude-v1:c2ln"],
      [[], "outrider:anthropic-claude-v1:redacted:ZGF0YQ=="],
      [[], "outrider:anthropic-claude-v1:c2lnMg=="],
    ]);
    expect(losses).toEqual([]);
  });

  it("has a call's thought signature in an item before it", () => {
    const signed = { ...call("1", {}), extensions: { "gemini-generate-content": { thoughtSignature: "c2ln" } } };
    const { output } = encode(answer([signed]), "gemini-generate-content");
    expect(output.map(({ type }) => type)).toEqual(["reasoning", "function_call"]);
    expect(output[0]?.["encrypted_content"]).toBe("outrider:google-gemini-v1:c2ln");
  });

  it("never hands the client a call that the provider ran", () => {
    const search: Part = {
      type: "server_tool_call",
      id: "srv_1",
      name: "web_search",
      server_tool_call: { type: "web_search", input: { query: "cats" } },
    };
    const code: Part = { type: "server_tool_call", name: "bash", server_tool_call: { type: "bash" } };
    const { output, losses } = encode(answer([search, code, text("Hi")]));
    expect(output.map(({ type }) => type)).toEqual(["web_search_call", "message"]);
    expect(output[0]?.["action"]).toEqual({ type: "search", query: "cats" });
    expect(losses).toEqual(["choices/0/message/parts/1"]);
  });

  it("has refusals, annotations and log probabilities of a chat completion", () => {
    const logprobs = { content: [{ token: "Hi", logprob: -1, bytes: [72, 105], top_logprobs: [] }] };
    const annotations = [
      { type: "url_citation", url_citation: { url: "https://a", title: "A", start_index: 0, end_index: 2 } },
    ];
    const refusal: Part = { ...text("No."), extensions: { "openai-chat": { type: "refusal" } } };
    const message = { role: "assistant", parts: [text("Hi"), refusal], extensions: { "openai-chat": { annotations } } };
    const extensions = { "openai-chat": { logprobs } };
    const { output, losses } = encode(
      { choices: [{ index: 0, message, finishReason: stop, extensions }] },
      "openai-chat",
    );
    expect(output[0]?.["content"]).toEqual([
      {
        type: "output_text",
        text: "Hi",
        annotations: [{ type: "url_citation", url: "https://a", title: "A", start_index: 0, end_index: 2 }],
        logprobs: logprobs.content,
      },
      { type: "refusal", refusal: "No." },
    ]);
    expect(losses).toEqual([]);
  });

  it("tells the choices that it cannot hold", () => {
    const [choice] = answer([text("A")]).choices;
    if (choice === undefined) throw new Error("no choice");
    expect(encode({ choices: [choice, { ...choice, index: 1 }] }).losses).toEqual(["choices/1"]);
  });
});

describe("a streamed answer", () => {
  const written = read(write(events));

  it("has the whole sequence of events, numbered from 0", () => {
    expect(namesOf(written)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(written.map((event) => event["sequence_number"])).toEqual(written.map((_, index) => index));
  });

  it("names each event as its body does", () => {
    for (const frame of write(events)) {
      const [, name] = /^event: (.+)\ndata: .+\n\n$/.exec(frame) ?? [];
      expect(read([frame])[0]?.["type"]).toBe(name);
    }
  });

  it("ends in the response that the whole answer is, under the ids that were streamed (50)", () => {
    const whole = encode(
      answer(
        [reasoning, text("Let me."), call("toolu_1", { a: 1 }), call("toolu_2")],
        { model: "claude-x" },
        { unified: "tool_call" },
      ),
    ).body;
    const output = (whole["output"] as Json[]).map((item) =>
      item["type"] === "message"
        ? { ...item, content: [{ type: "output_text", text: "Let me.", annotations: [], logprobs: [] }] }
        : item,
    );
    expect(written.at(-1)?.["response"]).toEqual({ ...whole, output });
    const done = written.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item);
    expect(done).toEqual(output);
    const added = written
      .filter(({ type }) => type === "response.output_item.added")
      .map(({ item }) => (item as Json)["id"]);
    expect(added).toEqual(output.map((item) => (item as Json)["id"]));
  });

  it("gives a call that never got arguments those of none (3, 4)", () => {
    const last = written.filter(({ type }) => type === "response.function_call_arguments.done").at(-1);
    expect(last?.["arguments"]).toBe("{}");
  });

  it("drops no text where a call begins, and goes on in a new item where text comes after it (6)", () => {
    const frames = write(
      [begin, start(0, text("")), delta(0, "A"), start(1, call("1")), delta(1, "{}"), delta(0, "B"), finish()],
      "openai-chat",
    );
    const response = read(frames).at(-1)?.["response"] as Json;
    const output = response["output"] as Json[];
    expect(output.map(({ type }) => type)).toEqual(["message", "function_call", "message"]);
    expect(
      output.flatMap((item) => (item["content"] as Json[] | undefined)?.map((part) => part["text"]) ?? []),
    ).toEqual(["A", "B"]);
  });

  it("keeps calls apart whose arguments come in turns (1, 2)", () => {
    const frames = write([
      begin,
      start(0, call("1")),
      start(1, call("2")),
      delta(0, '{"a"'),
      delta(1, '{"b"'),
      delta(0, ":1}"),
      delta(1, ":2}"),
      finish(),
    ]);
    const response = read(frames).at(-1)?.["response"] as Json;
    expect((response["output"] as Json[]).map((item) => item["arguments"])).toEqual(['{"a":1}', '{"b":2}']);
  });

  it("does not end cleanly where the provider's stream broke off (33, 49)", () => {
    const cut = events.slice(0, 9);
    const names = namesOf(read(write(cut)));
    expect(names.at(-1)).toBe("error");
    expect(names).not.toContain("response.completed");
  });

  it("says nothing after a provider's error (34)", () => {
    const names = namesOf(read(write([begin, { type: "error", error: { message: "overloaded" } }, ...events])));
    expect(names).toEqual(["response.created", "response.in_progress", "error"]);
  });

  it("has no usage where none was stated, and an incomplete end at the limit", () => {
    const last = read(write([begin, start(0, call("1")), delta(0, '{"a'), finish({ unified: "length" })])).at(-1);
    const response = last?.["response"] as Json;
    expect(last?.["type"]).toBe("response.incomplete");
    expect(response["usage"]).toBeNull();
    expect((response["output"] as Json[])[0]).toMatchObject({ status: "incomplete", arguments: '{"a' });
  });

  it("keeps the connection alive with comments", () => {
    expect(encoder.eventEncoder(encodingFrom("openai-chat"), false).push({ type: "keepalive" })).toEqual([
      ": keepalive\n\n",
    ]);
  });

  it("is put together by the official SDK", async () => {
    const body = [": keepalive\n\n", ...write(events)].join("");
    const client = new OpenAI({
      apiKey: "test-key-1",
      baseURL: "http://127.0.0.1:1/v1",
      fetch: () => Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } })),
    });
    const stream = client.responses.stream({ model: "claude", input: "Hi" });
    let streamed = "";
    stream.on("response.output_text.delta", (event) => (streamed += event.delta));
    const response = await stream.finalResponse();
    expect(streamed).toBe("Let me.");
    expect(response.output_text).toBe("Let me.");
    expect(response.output.map(({ type }) => type)).toEqual(["reasoning", "message", "function_call", "function_call"]);
    expect(response.usage?.total_tokens).toBe(39);
  });
});

describe("what a tool result of this dialect holds", () => {
  it.each([
    ["ok", [text("ok")]],
    [null, []],
    [[text("a")], [text("a")]],
    [[{ stdout: "x", stderr: "" }], [text('[{"stdout":"x","stderr":""}]')]],
    [{ a: 1 }, [text('{"a":1}')]],
  ])("%j", (response, parts) => {
    expect(encoder.toolResultParts(response)).toEqual(parts);
  });
});

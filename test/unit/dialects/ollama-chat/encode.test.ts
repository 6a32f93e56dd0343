import { describe, expect, it } from "vitest";
import type { InferenceRequest, Part, StreamEvent } from "../../../../src/canonical/index.ts";
import type { Dialect } from "../../../../src/dialects/dialect.ts";
import type { EncodingFacts } from "../../../../src/dialects/encoding.ts";
import { findDialect } from "../../../../src/dialects/index.ts";
import { ollamaChat } from "../../../../src/dialects/ollama-chat/index.ts";
import {
  calls,
  decodeBytes,
  factsOf,
  foldAll,
  inObjects,
  openEncoding,
  readAnswer,
  readRequest,
  readStream,
} from "../../../support/recorded-translation.ts";

type Wire = Record<string, unknown>;

const { encoder } = ollamaChat;
if (encoder === undefined) throw new Error("Ollama has no encode half");
const chat = ollamaChat.match("POST", encoder.path("m", false));
const generate = ollamaChat.match("POST", "/api/generate");
if (chat === undefined || generate === undefined) throw new Error("the paths are not Ollama's own");
const openaiChat = findDialect("openai-chat");

const own = calls.filter(({ operation, dialect }) => dialect === ollamaChat && operation.kind === "chat");
const foreign = calls.filter(({ dialect }) => dialect !== ollamaChat);

function encode(request: Partial<InferenceRequest>, source: Dialect = openaiChat) {
  const encoding = openEncoding(source, ollamaChat);
  const body = encoder?.encodeRequest({ stream: false, messages: [], ...request }, encoding) as Wire;
  return { body, losses: encoding.losses };
}

function stream(events: readonly StreamEvent[], source: Dialect = openaiChat, more: Partial<EncodingFacts> = {}) {
  const encoding = openEncoding(source, ollamaChat, more);
  const writer = encoder?.eventEncoder(encoding, true);
  const pieces = events.flatMap((event) => writer?.push(event) ?? []);
  const text = [...pieces, ...(writer?.end() ?? [])].join("");
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Wire);
  return { text, lines, losses: encoding.losses };
}

const read = (text: string, operation = chat): StreamEvent[] =>
  decodeBytes(Buffer.from(text), ollamaChat, operation, "ndjson");

/** Forms that mean the same: null and absent, no text and "", no options and none, one stop string and its list, the one type of tools and none, streaming unless told. */
function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .map(([name, item]) => [name, name === "stop" && typeof item === "string" ? [item] : normalize(item)] as const)
    .filter(
      ([name, item]) =>
        item !== null &&
        !(name === "tool_calls" && (item as []).length === 0) &&
        !(name === "content" && item === "") &&
        !(name === "type" && item === "function"),
    );
  return Object.fromEntries(entries);
}

const textsOf = (parts: readonly Part[]): string[] =>
  parts.flatMap((part) => (part.type === "text" ? [part.content] : []));
const callsOf = (parts: readonly Part[]) =>
  parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, part.arguments ?? {}]] : []));

describe("Ollama's requests", () => {
  it("are the client's again (law 3), but for forms that mean the same", () => {
    const sent = own.flatMap((one) => readRequest(one) ?? []);
    expect(sent.length).toBeGreaterThan(0);
    for (const { body, request } of sent) {
      const encoding = openEncoding(ollamaChat, ollamaChat, { model: request.model ?? "" });
      const made = encoder.encodeRequest(request, encoding);
      expect(normalize(made)).toEqual(normalize({ stream: true, ...body }));
      expect(encoding.losses).toEqual([]);
    }
  });

  it("made of any recorded request read as the same texts and calls", () => {
    let made = 0;
    for (const one of foreign) {
      const sent = readRequest(one);
      if (sent === undefined) continue;
      const encoding = openEncoding(one.dialect, ollamaChat);
      let body: Wire;
      try {
        body = encoder.encodeRequest(sent.request, encoding);
      } catch (error) {
        expect(error, one.id).toMatchObject({ code: "request_lossy" });
        continue;
      }
      made += 1;
      const decoded = ollamaChat.decodeRequest(JSON.parse(JSON.stringify(body)) as Wire, chat);
      expect(decoded.stream).toBe(sent.request.stream);
      const [got, said] = [decoded, sent.request].map(({ messages }) => messages.flatMap(({ parts }) => parts)) as [
        Part[],
        Part[],
      ];
      expect(callsOf(got), one.id).toEqual(callsOf(said));
      const kept = textsOf(got).join("\n\n");
      for (const text of textsOf([...(sent.request.systemInstructions ?? []), ...said]))
        expect(kept, one.id).toContain(text);
    }
    expect(made).toBeGreaterThan(foreign.length / 2);
  });

  it.each([true, false])("say whether to stream, because absent means yes: %s", (value) => {
    expect(encode({ stream: value }).body["stream"]).toBe(value);
  });

  it("have sampling and the limit among their options", () => {
    const { body, losses } = encode({
      maxOutputTokens: 5,
      temperature: 0,
      topP: 1,
      topK: 2,
      seed: 3,
      stopSequences: ["x"],
      frequencyPenalty: 1,
      presencePenalty: -1,
    });
    expect(body["options"]).toEqual({
      num_predict: 5,
      temperature: 0,
      top_p: 1,
      top_k: 2,
      seed: 3,
      stop: ["x"],
      frequency_penalty: 1,
      presence_penalty: -1,
    });
    expect(losses).toEqual([]);
  });

  it.each([
    [{ type: "required" }, ["f", "g"], "unsupported", "semantic"],
    [{ type: "tool", name: "g" }, ["g"], "unsupported", "semantic"],
    [{ type: "allowed", mode: "auto", names: ["f"] }, ["f"], "approximated", "tuning"],
    [{ type: "none" }, undefined, "approximated", "tuning"],
  ] as const)("tell that a tool choice cannot be kept: %j", (toolChoice, names, reason, severity) => {
    const tools = ["f", "g"].map((name) => ({ type: "function", name }));
    const { body, losses } = encode({ tools, toolChoice: toolChoice as NonNullable<InferenceRequest["toolChoice"]> });
    expect((body["tools"] as { function: Wire }[] | undefined)?.map((tool) => tool.function["name"])).toEqual(names);
    expect(losses.find(({ path }) => path[0] === "toolChoice")).toMatchObject({ reason, severity });
  });

  it.each([
    [{ effort: "none" }, false, 0],
    [{ effort: "minimal" }, "low", 1],
    [{ effort: "high" }, "high", 0],
    [{ effort: "xhigh" }, "high", 1],
    [{ enabled: true }, true, 0],
    [{ budgetTokens: 500 }, true, 1],
    [{ budgetTokens: 0 }, false, 0],
  ])("ask for thinking: %j", (reasoning, think, count) => {
    const { body, losses } = encode({ reasoning });
    expect(body["think"]).toBe(think);
    expect(losses).toHaveLength(count);
  });

  it("have the schema itself as format", () => {
    const schema = { type: "object" };
    expect(encode({ outputFormat: { type: "json_schema", schema } }).body["format"]).toBe(schema);
    expect(encode({ outputFormat: { type: "json" } }).body["format"]).toBe("json");
    expect(encode({ outputFormat: { type: "text" } }).body).not.toHaveProperty("format");
  });

  it("name the tool of a result by the call that has its id", () => {
    const messages = [
      {
        role: "assistant",
        parts: [{ type: "tool_call" as const, id: "c", name: "weather", arguments: { city: "Ulm" } }],
      },
      { role: "tool", parts: [{ type: "tool_call_response" as const, id: "c", response: "12" }] },
    ];
    expect(encode({ messages }).body["messages"]).toEqual([
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "c", function: { name: "weather", arguments: { city: "Ulm" } } }],
      },
      { role: "tool", content: "12", tool_name: "weather", tool_call_id: "c" },
    ]);
  });

  it("refuse arguments that are no JSON object rather than call with none (wire.md §2.12)", () => {
    const messages = [
      { role: "assistant", parts: [{ type: "tool_call" as const, id: "c", name: "f", arguments: "{oops" }] },
    ];
    expect(() => encode({ messages })).toThrow(/\/messages\/0\/parts\/0\/arguments/);
  });

  it("have images inline only, and tell the others", () => {
    const parts: Part[] = [
      { type: "text", content: "look" },
      { type: "blob", modality: "image", mime_type: "image/png", content: "AAAA" },
      { type: "uri", modality: "image", uri: "https://example.com/a.png" },
      { type: "blob", modality: "document", content: "BBBB" },
    ];
    const { body, losses } = encode({ messages: [{ role: "user", parts }] });
    expect(body["messages"]).toEqual([{ role: "user", content: "look", images: ["AAAA"] }]);
    expect(losses.map(({ path, severity }) => [path.at(-1), severity])).toEqual([
      [2, "semantic"],
      [3, "semantic"],
    ]);
  });

  it("are located by pointer, or by what is around them", () => {
    const body = {
      options: { temperature: 1 },
      system: "s",
      messages: [
        { role: "assistant", thinking: "t", content: "c", images: ["i"], tool_calls: [{ function: {} }] },
        { role: "tool", content: "" },
      ],
    };
    expect(encoder.locate(["temperature"], body)).toBe("/options/temperature");
    expect(encoder.locate(["seed"], body)).toBe("/options");
    expect(encoder.locate(["temperature"], { temperature: 1, options: {} })).toBe("/temperature");
    expect([0, 1, 2, 3].map((part) => encoder.locate(["messages", 0, "parts", part], body))).toEqual(
      ["thinking", "content", "images/0", "tool_calls/0"].map((place) => `/messages/0/${place}`),
    );
    expect(encoder.locate(["messages", 1, "parts", 0], body)).toBe("/messages/1/content");
    expect(encoder.locate(["messages", 0, "parts", 0], { prompt: "p" })).toBe("/prompt");
  });
});

describe("Ollama's answers", () => {
  it.each([chat, generate])("made of any recorded answer read the same to a client of $route", (operation) => {
    let made = 0;
    for (const one of calls) {
      const answer = readAnswer(one);
      if (answer === undefined || answer.choices.length === 0) continue;
      made += 1;
      const encoding = openEncoding(one.dialect, ollamaChat, { operationKind: operation.kind });
      const body = JSON.parse(JSON.stringify(encoder.encodeResponse(answer, encoding))) as Wire;
      expect(body).toMatchObject({ model: answer.model ?? "target-model", done: true, created_at: expect.any(String) });
      const [facts, expected] = [factsOf(ollamaChat.decodeResponse(body, operation)), factsOf(answer)];
      const isTold = encoding.losses.some(({ path }) => path.at(-1) === "finishReason");
      const isCalled = expected.finish === "stop" && expected.calls.length > 0;
      expect({ ...facts, finish: isTold || isCalled ? expected.finish : facts.finish }, one.id).toEqual({
        ...expected,
        calls: inObjects(expected.calls),
      });
    }
    expect(made).toBeGreaterThan(5);
  });

  it("have arguments that are no object in one, and tell it, because ollama-python refuses the answer for a text", () => {
    const call: Part = { type: "tool_call", id: "c", name: "f", arguments: '{"a": ' };
    const response = { choices: [{ index: 0, message: { role: "assistant", parts: [call] } }] };
    const encoding = openEncoding(openaiChat, ollamaChat);
    const body = encoder.encodeResponse(response, encoding);
    const written = [{ id: "c", function: { name: "f", arguments: { input: '{"a": ' } } }];
    expect(body).toMatchObject({ message: { tool_calls: written } });
    const told = [["choices/0/message/parts/0/arguments", "approximated"]];
    expect(encoding.losses.map(({ path, reason }) => [path.join("/"), reason])).toEqual(told);
    const { lines, losses } = stream([
      { type: "part_start", choice: 0, part: 0, value: { type: "tool_call", id: "c", name: "f" } },
      { type: "part_delta", choice: 0, part: 0, text: '{"a": ' },
      { type: "choice_end", choice: 0, finishReason: { unified: "length", raw: "length" } },
    ]);
    expect(lines[0]).toMatchObject({ message: { tool_calls: written } });
    expect(losses.map(({ path, reason }) => [path.join("/"), reason])).toEqual(told);
  });

  it("have OpenAI's log probabilities, and make up no durations", () => {
    const content = [{ token: "a", logprob: -1, bytes: [97], top_logprobs: [] }];
    const choice = {
      index: 0,
      message: { role: "assistant", parts: [] },
      extensions: { "openai-chat": { logprobs: { content, refusal: null } } },
    };
    const response = { choices: [choice], usage: { inputTokens: 2, outputTokens: 3 } };
    const encoding = openEncoding(openaiChat, ollamaChat);
    const body = encoder.encodeResponse(response, encoding);
    encoding.loseLeftovers(response);
    expect(encoding.losses).toEqual([]);
    expect(body).toEqual({
      model: "target-model",
      created_at: "2023-11-14T22:13:20.000Z",
      message: { role: "assistant", content: "" },
      done: true,
      prompt_eval_count: 2,
      eval_count: 3,
      logprobs: content,
    });
  });
});

describe("Ollama's streams", () => {
  it.each([chat, generate])("made of any recorded stream read the same to a client of $route", (operation) => {
    let made = 0;
    for (const one of calls) {
      const events = readStream(one);
      if (events === undefined) continue;
      const source = foldAll(events);
      if (source.error !== undefined || source.answer.choices[0]?.finishReason === undefined) continue;
      made += 1;
      const { text, losses } = stream(events, one.dialect, { operationKind: operation.kind });
      const target = foldAll(read(text, operation));
      expect(target.ended, one.id).toBe(true);
      const [facts, expected] = [factsOf(target.answer), factsOf(source.answer)];
      const isTold = losses.some(({ path }) => path.at(-1) === "finishReason");
      const isCalled = expected.finish === "stop" && expected.calls.length > 0;
      expect({ ...facts, finish: isTold || isCalled ? expected.finish : facts.finish }, one.id).toEqual({
        ...expected,
        calls: inObjects(expected.calls),
      });
    }
    expect(made).toBeGreaterThan(5);
  });

  const start = (part: number, value: Part): StreamEvent => ({ type: "part_start", choice: 0, part, value });
  const delta = (part: number, text: string): StreamEvent => ({ type: "part_delta", choice: 0, part, text });
  const stop: StreamEvent = { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } };

  it("tell calls whole, in order, however their arguments come", () => {
    const { lines } = stream([
      start(0, { type: "tool_call", id: "a", name: "f" }),
      start(1, { type: "tool_call", id: "b", name: "g" }),
      delta(1, '{"y":'),
      delta(0, '{"x":1}'),
      delta(1, "2}"),
      { type: "part_end", choice: 0, part: 1 },
      stop,
    ]);
    expect(lines.flatMap(({ message }) => ((message as Wire)["tool_calls"] as unknown[] | undefined) ?? [])).toEqual([
      { id: "a", function: { name: "f", arguments: { x: 1 } } },
      { id: "b", function: { name: "g", arguments: { y: 2 } } },
    ]);
  });

  it("name one model and one time on every line, and are done once", () => {
    const { lines } = stream([
      { type: "response_start", model: "m-1" },
      start(0, { type: "text", content: "a" }),
      { type: "response_start", model: "m-2" },
      delta(0, "b"),
      stop,
      { type: "usage", usage: { inputTokens: 1, outputTokens: 2 } },
    ]);
    expect(new Set(lines.map(({ model, created_at: time }) => `${String(model)} ${String(time)}`)).size).toBe(1);
    expect(lines.map(({ done }) => done)).toEqual([false, false, true]);
    expect(lines.at(-1)).toMatchObject({ model: "m-1", done_reason: "stop", prompt_eval_count: 1, eval_count: 2 });
  });

  it("end in an error line, not in `done`, when nothing said that the answer ended", () => {
    const { lines } = stream([start(0, { type: "text", content: "half" })]);
    expect(lines.at(-1)).toHaveProperty("error");
    expect(lines.some(({ done }) => done === true)).toBe(false);
  });

  it("say nothing after an error", () => {
    const { lines } = stream([
      { type: "error", error: { message: "overloaded" } },
      start(0, { type: "text", content: "late" }),
      stop,
    ]);
    expect(lines).toMatchObject([{ error: "overloaded" }]);
  });
});

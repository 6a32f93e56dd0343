import { describe, expect, it } from "vitest";
import type { InferenceRequest, InferenceResponse } from "../../../../src/canonical/index.ts";
import { cohereChat } from "../../../../src/dialects/cohere-chat/index.ts";
import type { Dialect } from "../../../../src/dialects/dialect.ts";
import { findDialect } from "../../../../src/dialects/index.ts";
import { SidecarError } from "../../../../src/errors.ts";
import {
  calls,
  factsOf,
  inObjects,
  openEncoding,
  readAnswer,
  readRequest,
} from "../../../support/recorded-translation.ts";

type Wire = Record<string, unknown>;

const { encoder } = cohereChat;
if (encoder === undefined) throw new Error("Cohere has no encode half");
const chat = cohereChat.match("POST", encoder.path("m", false));
if (chat === undefined) throw new Error("the path is not Cohere's own");
const openaiChat = findDialect("openai-chat");
const anthropic = findDialect("anthropic-messages");

const own = calls.filter(({ operation, dialect }) => dialect === cohereChat && operation.kind === "chat");
const foreign = calls.filter(({ dialect }) => dialect !== cohereChat);

function encode(request: Partial<InferenceRequest>, source: Dialect = openaiChat) {
  const encoding = openEncoding(source, cohereChat);
  const body = encoder?.encodeRequest({ stream: false, messages: [], ...request }, encoding) as Wire;
  return { body, losses: encoding.losses };
}

/** Forms that mean the same: null and absent, one text and its list, `stream: false`, JSON text by its value. */
function normalize(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const [only] = value as Wire[];
    if (key === "content" && value.length === 1 && only?.["type"] === "text") return only["text"];
    return value.map((item) => normalize(item));
  }
  if (key === "arguments" && typeof value === "string") return JSON.parse(value === "" ? "{}" : value) as unknown;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(
    ([name, item]) =>
      item !== null && !(name === "stream" && item === false) && !(name === "citations" && (item as []).length === 0),
  );
  return Object.fromEntries(entries.map(([name, item]) => [name, normalize(item, name)]));
}

const user = (content: string) => ({ role: "user", parts: [{ type: "text" as const, content }] });
const call = (id: string, name = "f") => ({ type: "tool_call" as const, id, name, arguments: { a: 1 } });

describe("Cohere's requests", () => {
  it("are the client's again (law 3), but for forms that mean the same", () => {
    const bodies = own.flatMap((one) => readRequest(one) ?? []);
    expect(bodies.length).toBeGreaterThan(0);
    for (const { body, request } of bodies) {
      const encoding = openEncoding(cohereChat, cohereChat, { model: request.model ?? "" });
      expect(normalize(encoder.encodeRequest(request, encoding))).toEqual(normalize(body));
      expect(encoding.losses).toEqual([]);
    }
  });

  it("made of any recorded request read as the same texts and calls", () => {
    let made = 0;
    for (const one of foreign) {
      const sent = readRequest(one);
      if (sent === undefined) continue;
      const encoding = openEncoding(one.dialect, cohereChat);
      let body: Wire;
      try {
        body = encoder.encodeRequest(sent.request, encoding);
      } catch (error) {
        expect(error, one.id).toMatchObject({ code: "request_lossy" });
        continue;
      }
      made += 1;
      const decoded = cohereChat.decodeRequest(JSON.parse(JSON.stringify(body)) as Wire, chat);
      const callsOf = ({ messages }: InferenceRequest) =>
        messages.flatMap(({ parts }) =>
          parts.flatMap((part) => (part.type === "tool_call" ? [[part.name, part.arguments ?? {}]] : [])),
        );
      expect(inObjects(callsOf(decoded)), one.id).toEqual(inObjects(callsOf(sent.request)));
      const kept = decoded.messages.flatMap(({ parts }) =>
        parts.flatMap((part) => (part.type === "text" ? [part.content] : [])),
      );
      const said = [{ role: "system", parts: sent.request.systemInstructions ?? [] }, ...sent.request.messages];
      for (const { parts } of said) {
        for (const part of parts)
          if (part.type === "text" && part.content !== "") expect(kept, one.id).toContain(part.content);
      }
    }
    expect(made).toBeGreaterThan(foreign.length / 2);
  });

  it("narrow what Cohere narrows, and tell it", () => {
    const { body, losses } = encode({ topP: 1, frequencyPenalty: -1, presencePenalty: 0.5, topK: 3 });
    expect(body).toMatchObject({ p: 0.99, frequency_penalty: 0, presence_penalty: 0.5, k: 3 });
    expect(losses.map(({ path, reason }) => [path.join(), reason])).toEqual([
      ["topP", "approximated"],
      ["frequencyPenalty", "approximated"],
    ]);
  });

  it("do not call what asks for nothing a loss", () => {
    const { body, losses } = encode({
      choiceCount: 1,
      logprobs: false,
      topLogprobs: 0,
      toolChoice: { type: "auto" },
      outputFormat: { type: "text" },
      parallelToolCalls: true,
      logitBias: {},
      serviceTier: "auto",
      streamUsage: true,
      messages: [user("hi")],
    });
    expect(losses).toEqual([]);
    expect(body).toEqual({ model: "target-model", messages: [{ role: "user", content: "hi" }] });
  });

  it.each([
    ["choiceCount", 2, "semantic"],
    ["logitBias", { "1": 2 }, "tuning"],
    ["user", "u", "tuning"],
    ["previousResponseId", "r", "semantic"],
    ["topLogprobs", 3, "semantic"],
  ] as const)("tell that %s is lost", (field, value, severity) => {
    const { losses } = encode({ [field]: value });
    expect(losses).toMatchObject([{ path: [field], reason: "unsupported", severity }]);
  });

  it("offer only the tools that may be chosen, and ask for one", () => {
    const tools = ["f", "g"].map((name) => ({ type: "function", name }));
    const { body, losses } = encode({ tools, toolChoice: { type: "tool", name: "g" } });
    expect(body).toMatchObject({ tools: [{ function: { name: "g" } }], tool_choice: "REQUIRED" });
    expect(body["tools"]).toHaveLength(1);
    expect(losses.every(({ reason, severity }) => reason === "approximated" && severity === "tuning")).toBe(true);
    expect(losses.map(({ path }) => path.join())).toEqual(["toolChoice", "tools,0"]);
  });

  it.each([
    [{ effort: "none" }, { type: "disabled" }],
    [{ enabled: false }, { type: "disabled" }],
    [{ effort: "low" }, { type: "enabled", token_budget: 1024 }],
    [
      { enabled: true, budgetTokens: 77 },
      { type: "enabled", token_budget: 77 },
    ],
  ])("ask for thinking: %j", (reasoning, thinking) => {
    expect(encode({ reasoning }).body["thinking"]).toEqual(thinking);
  });

  it("have a strict flag when every tool is strict, and tell it when only some are", () => {
    const tool = (name: string, strict: boolean) => ({
      type: "function",
      name,
      extensions: { "openai-chat": { function: { strict } } },
    });
    expect(encode({ tools: [tool("f", true), tool("g", true)] }).body).toMatchObject({ strict_tools: true });
    const request: InferenceRequest = { stream: false, messages: [], tools: [tool("f", true), tool("g", false)] };
    const encoding = openEncoding(openaiChat, cohereChat);
    expect(encoder.encodeRequest(request, encoding)).not.toHaveProperty("strict_tools");
    encoding.loseLeftovers(request);
    expect(encoding.losses.map(({ path }) => path.join())).toContain("tools,0,function");
  });

  it("put tool results before what a user says beside them, one message each (wire.md §2.2)", () => {
    const { body } = encode(
      {
        messages: [
          { role: "assistant", parts: [call("c1"), call("c2", "g")] },
          {
            role: "user",
            parts: [
              { type: "tool_call_response", id: "c1", response: "one" },
              { type: "tool_call_response", id: "c2", response: [{ type: "text", text: "two" }] },
              { type: "text", content: "go on" },
            ],
          },
        ],
      },
      anthropic,
    );
    expect((body["messages"] as Wire[]).slice(1)).toEqual([
      { role: "tool", tool_call_id: "c1", content: "one" },
      { role: "tool", tool_call_id: "c2", content: "two" },
      { role: "user", content: "go on" },
    ]);
  });

  it("move images in a tool's result after all results, and tell it", () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
    const { body, losses } = encode(
      {
        messages: [
          { role: "assistant", parts: [call("c1"), call("c2")] },
          { role: "user", parts: [{ type: "tool_call_response", id: "c1", response: [image] }] },
          { role: "user", parts: [{ type: "tool_call_response", id: "c2", response: "two" }] },
        ],
      },
      anthropic,
    );
    const messages = body["messages"] as Wire[];
    expect(messages.map(({ role }) => role)).toEqual(["assistant", "tool", "tool", "user"]);
    expect(messages[3]?.["content"]).toContainEqual({
      type: "image_url",
      image_url: { url: "data:image/png;base64,AAAA" },
    });
    expect(losses).toMatchObject([
      { reason: "moved", severity: "semantic", path: ["messages", 1, "parts", 0, "response", 0] },
    ]);
  });

  it("give calls without ids the same id as their results, by name and order", () => {
    const gemini = findDialect("gemini-generate-content");
    const result = (name: string, value: string) => ({
      type: "tool_call_response" as const,
      response: { value },
      extensions: { "gemini-generate-content": { functionResponse: { name } } },
    });
    const { body } = encode(
      {
        messages: [
          {
            role: "assistant",
            parts: [
              { type: "tool_call", name: "f" },
              { type: "tool_call", name: "g" },
              { type: "tool_call", name: "f" },
            ],
          },
          { role: "user", parts: [result("g", "2"), result("f", "1"), result("f", "3")] },
        ],
      },
      gemini,
    );
    const [first, ...results] = body["messages"] as Wire[];
    const ids = ((first?.["tool_calls"] ?? []) as Wire[]).map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(results.map(({ tool_call_id: id }) => ids.indexOf(id))).toEqual([1, 0, 2]);
  });

  it("refuse a tool result that answers no call", () => {
    const messages = [{ role: "tool", parts: [{ type: "tool_call_response" as const, id: "x", response: "y" }] }];
    expect(() => encode({ messages })).toThrow(SidecarError);
    expect(() => encode({ messages })).toThrow(/\/messages\/0\/parts\/0/);
  });

  it("tell every part that Cohere cannot take", () => {
    const { body, losses } = encode({
      messages: [
        {
          role: "user",
          parts: [
            { type: "file", modality: "document", file_id: "f" },
            { type: "blob", modality: "audio", content: "AAAA" },
          ],
        },
        { role: "assistant", parts: [{ type: "server_tool_call", name: "s", server_tool_call: { type: "s" } }] },
      ],
    });
    expect(losses.map(({ path }) => path.join("/"))).toEqual([
      "messages/0/parts/0",
      "messages/0/parts/1",
      "messages/0",
      "messages/1/parts/0",
    ]);
    expect(body["messages"]).toEqual([{ role: "user", content: "(left out)" }]);
  });

  it("are located by pointer, or by what is around them", () => {
    const body = {
      p: 1,
      tools: [{ type: "function", function: { name: "f" } }],
      messages: [
        { role: "assistant", content: "a", tool_plan: "b", tool_calls: [{ id: "1" }] },
        { role: "user", content: [{ type: "text" }] },
      ],
    };
    expect(encoder.locate(["topP"], body)).toBe("/p");
    expect(encoder.locate(["tools", 0, "name"], body)).toBe("/tools/0/function/name");
    expect(encoder.locate(["messages", 0, "parts", 0], body)).toBe("/messages/0/content");
    expect(encoder.locate(["messages", 0, "parts", 1], body)).toBe("/messages/0/tool_plan");
    expect(encoder.locate(["messages", 0, "parts", 2, "arguments"], body)).toBe("/messages/0/tool_calls/0");
    expect(encoder.locate(["messages", 1, "parts", 0, "nothing"], body)).toBe("/messages/1/content/0");
    expect(encoder.locate(["seed"], body)).toBe("");
  });
});

describe("Cohere's answers", () => {
  it("made of any recorded answer read the same", () => {
    let made = 0;
    for (const one of calls) {
      const answer = readAnswer(one);
      if (answer === undefined || answer.choices.length === 0 || one.operation.kind === "chat_v1") continue;
      made += 1;
      const encoding = openEncoding(one.dialect, cohereChat);
      const body = JSON.parse(JSON.stringify(encoder.encodeResponse(answer, encoding))) as Wire;
      expect(body).toMatchObject({
        id: expect.any(String),
        finish_reason: expect.any(String),
        message: { role: "assistant" },
      });
      const [facts, expected] = [factsOf(cohereChat.decodeResponse(body, chat)), factsOf(answer)];
      const isTold = encoding.losses.some(
        ({ path, reason }) => path.at(-1) === "finishReason" && reason !== "unsupported",
      );
      // Who calls tools ends with a call here, whatever the source's word.
      const isCalled = expected.finish === "stop" && expected.calls.length > 0;
      const finish = isTold || isCalled ? expected.finish : facts.finish;
      expect({ ...facts, finish, calls: inObjects(facts.calls) }, one.id).toEqual({
        ...expected,
        calls: inObjects(expected.calls),
      });
    }
    expect(made).toBeGreaterThan(5);
  });

  it("leave what is billed to Cohere, and count images beside text", () => {
    const answer: InferenceResponse = {
      choices: [],
      usage: { inputTokens: 293, inputImageTokens: 259, outputTokens: 7, cacheReadTokens: 5, raw: { x: 1 } },
    };
    expect(encoder.encodeResponse(answer, openEncoding(openaiChat, cohereChat))["usage"]).toEqual({
      tokens: { input_tokens: 34, output_tokens: 7, image_tokens: 259 },
      cached_tokens: 5,
    });
  });

  it("are refused to clients of v1", () => {
    const encoding = openEncoding(openaiChat, cohereChat, { operationKind: "chat_v1" });
    expect(() => encoder.encodeResponse({ choices: [] }, encoding)).toThrow(/v2/);
    expect(() => encoder.eventEncoder(encoding, true)).toThrow(/v2/);
  });
});

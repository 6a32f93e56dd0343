// Requests of other dialects in Gemini's words, and Gemini's own written back. Numbers are those of wire.md §5.
import { describe, expect, it } from "vitest";
import type { InferenceRequest, Message, Part } from "../../../../src/canonical/index.ts";
import type { DialectId } from "../../../../src/dialects/index.ts";
import { Encoding } from "../../../../src/dialects/encoding.ts";
import { encoder } from "../../../../src/dialects/gemini-generate-content/encoder.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";

type Wire = Record<string, unknown>;

function open(source: DialectId, model: string): Encoding {
  return new Encoding({
    source,
    target: "gemini-generate-content",
    model,
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_795_000_000,
    toolResultParts: (response) =>
      typeof response === "string" ? [{ type: "text", content: response }] : (response as Part[]),
  });
}

function encode(request: Partial<InferenceRequest>, source: DialectId = "openai-chat", model = "gemini-2.0-flash") {
  const encoding = open(source, model);
  const whole: InferenceRequest = { stream: false, messages: [], ...request };
  const body = encoder.encodeRequest(whole, encoding);
  encoding.loseLeftovers(whole);
  const losses = encoding.losses.map(({ path, reason, severity }) => `${path.join("/")} ${reason} ${severity}`);
  return { body, losses };
}

const message = (role: string, ...parts: Part[]): Message => ({ role, parts });
const text = (content: string): Part => ({ type: "text", content });
const call = (id: string, name: string, args: unknown): Part => ({ type: "tool_call", id, name, arguments: args });
const result = (id: string, response: unknown): Part => ({ type: "tool_call_response", id, response });
const contents = (messages: Message[], source?: DialectId, model?: string) =>
  encode({ messages }, source, model).body["contents"];
const config = (request: Partial<InferenceRequest>, model?: string) => {
  const { body, losses } = encode(request, "openai-chat", model);
  return { config: body["generationConfig"], losses };
};

describe("the path", () => {
  it("names the model as one segment, and the stream as events", () => {
    expect(encoder.path("gemini-3-flash", false)).toBe("/v1beta/models/gemini-3-flash:generateContent");
    expect(encoder.path("models/a/b c", true)).toBe("/v1beta/models/a%2Fb%20c:streamGenerateContent?alt=sse");
  });

  it("is that of the resource where the name is one", () => {
    expect(encoder.path("tunedModels/t", false)).toBe("/v1beta/tunedModels/t:generateContent");
    const vertex = "projects/p/locations/global/publishers/google/models/gemini-3-flash";
    expect(encoder.path(vertex, false)).toBe(`/v1/${vertex}:generateContent`);
    expect(geminiGenerateContent.match("POST", encoder.path(vertex, false))?.model).toBe("gemini-3-flash");
  });
});

describe("a conversation", () => {
  it("puts instructions and leading system messages in their place, and later ones in the user's, told", () => {
    const { body, losses } = encode({
      systemInstructions: [text("first")],
      messages: [
        message("developer", text("second")),
        message("user", text("hello")),
        message("assistant", text("hi")),
        message("system", text("now be brief")),
      ],
    });
    expect(body).toEqual({
      systemInstruction: { parts: [{ text: "first" }, { text: "second" }] },
      contents: [
        { role: "user", parts: [{ text: "hello" }] },
        { role: "model", parts: [{ text: "hi" }] },
        { role: "user", parts: [{ text: "now be brief" }] },
      ],
    });
    expect(losses).toEqual(["messages/3 approximated semantic"]);
  });

  it("answers parallel calls in one turn, each by the name of its call, whatever the order", () => {
    const { body, losses } = encode({
      messages: [
        message("user", text("both")),
        message("assistant", call("a", "weather", { city: "Oslo" }), call("b", "time", {})),
        message("tool", result("b", "noon")),
        message("tool", result("a", "rain")),
      ],
    });
    expect((body["contents"] as Wire[]).slice(1)).toEqual([
      {
        role: "model",
        parts: [
          { functionCall: { id: "a", name: "weather", args: { city: "Oslo" } } },
          { functionCall: { id: "b", name: "time", args: {} } },
        ],
      },
      {
        role: "user",
        parts: [
          { functionResponse: { id: "b", name: "time", response: { output: "noon" } } },
          { functionResponse: { id: "a", name: "weather", response: { output: "rain" } } },
        ],
      },
    ]);
    expect(losses).toEqual([]);
  });

  it("matches results without ids by their name and else by order", () => {
    const calls: Part[] = ["f", "g", "h"].map((name) => ({ type: "tool_call", name, arguments: {} }));
    const bare = (response: string): Part => ({ type: "tool_call_response", response });
    const named: Part = { ...bare("1"), extensions: { "openai-chat": { name: "g" } } };
    const wire = contents([message("assistant", ...calls), message("tool", named, bare("2"), bare("3"))]) as Wire[];
    const names = wire
      .slice(1)
      .flatMap(({ parts }) => (parts as { functionResponse: Wire }[]).map((part) => part.functionResponse["name"]));
    expect(names).toEqual(["g", "f", "h"]);
  });

  it("is refused for a result that answers no call, naming its place", () => {
    expect(() => encode({ messages: [message("tool", result("x", "lost"))] })).toThrow(
      expect.objectContaining({ code: "request_lossy", details: { pointer: "/messages/0/parts/0" } }),
    );
  });

  it("keeps that a result is an error, and its media (45)", () => {
    const failed: Part = { ...result("a", "no"), extensions: { "anthropic-messages": { is_error: true } } };
    const image: Part = { type: "blob", modality: "image", mime_type: "image/png", content: "QUJD" };
    const messages = [
      message("assistant", call("a", "f", {}), call("b", "g", {})),
      message("user", failed, result("b", [text("seen"), image])),
    ];
    const { body, losses } = encode({ messages }, "anthropic-messages");
    expect((body["contents"] as Wire[])[1]?.["parts"]).toEqual([
      { functionResponse: { id: "a", name: "f", response: { error: "no" } } },
      {
        functionResponse: {
          id: "b",
          name: "g",
          response: { output: "seen" },
          parts: [{ inlineData: { mimeType: "image/png", data: "QUJD" } }],
        },
      },
    ]);
    expect(losses).toEqual([]);
  });

  it("sends arguments as an object: none for none (3), text that is no JSON under a name, told", () => {
    const { body, losses } = encode({
      messages: [message("assistant", call("a", "f", ""), call("b", "g", "not json"))],
    });
    expect((body["contents"] as Wire[])[0]?.["parts"]).toEqual([
      { functionCall: { id: "a", name: "f", args: {} } },
      { functionCall: { id: "b", name: "g", args: { input: "not json" } } },
    ]);
    expect(losses).toEqual(["messages/0/parts/1/arguments approximated semantic"]);
  });

  it("joins turns of one role and leaves out turns that say nothing (46)", () => {
    const { body, losses } = encode({
      messages: [
        message("user", text("a")),
        message("user", text("b")),
        message("assistant", text("")),
        message("user", text("c")),
      ],
    });
    expect((body["contents"] as Wire[]).map((content) => content["parts"])).toEqual([
      [{ text: "a" }, { text: "b" }, { text: "c" }],
    ]);
    expect(losses).toEqual(["messages/1 approximated tuning", "messages/3 approximated tuning"]);
  });

  it("tells media that Google does not fetch, and takes its own addresses", () => {
    const uri = (address: string): Part => ({ type: "uri", modality: "image", mime_type: "image/png", uri: address });
    const { body, losses } = encode({
      messages: [message("user", text("see"), uri("https://example.org/a.png"), uri("gs://bucket/a.png"))],
    });
    expect((body["contents"] as Wire[])[0]?.["parts"]).toEqual([
      { text: "see" },
      { fileData: { mimeType: "image/png", fileUri: "gs://bucket/a.png" } },
    ]);
    expect(losses).toEqual(["messages/0/parts/1 unsupported semantic"]);
  });
});

describe("thought signatures", () => {
  const signature = "c2lnbmF0dXJl";

  it("come back from Chat's reasoning_details and from a call's extra_content (10)", () => {
    const details = [{ type: "reasoning.text", text: "hm", signature, format: "google-gemini-v1" }];
    const extra = { extra_content: { google: { thought_signature: "Y2FsbA==" } } };
    const { body, losses } = encode(
      {
        messages: [
          message(
            "assistant",
            { type: "reasoning", content: "hm", extensions: { "openai-chat": { reasoning_details: details } } },
            { ...call("a", "f", {}), extensions: { "openai-chat": extra } },
          ),
        ],
      },
      "openai-chat",
      "gemini-3-flash",
    );
    expect((body["contents"] as Wire[])[0]?.["parts"]).toEqual([
      { text: "hm", thought: true, thoughtSignature: signature },
      { functionCall: { id: "a", name: "f", args: {} }, thoughtSignature: "Y2FsbA==" },
    ]);
    expect(losses).toEqual([]);
  });

  it("come back from Anthropic's signatures by their mark; one without text is that of the call after it", () => {
    const thought: Part = {
      type: "reasoning",
      content: "",
      extensions: { "anthropic-messages": { signature: `outrider:google-gemini-v1:${signature}` } },
    };
    const wire = contents([message("assistant", thought, call("a", "f", {}))], "anthropic-messages", "gemini-3-flash");
    expect((wire as Wire[])[0]?.["parts"]).toEqual([
      { functionCall: { id: "a", name: "f", args: {} }, thoughtSignature: signature },
    ]);
  });

  it("of another family never reach Google, and are told (11, 47)", () => {
    const signed: Part = {
      type: "reasoning",
      content: "hm",
      extensions: { "anthropic-messages": { signature: "RXhhbXBsZQ==" } },
    };
    const { body, losses } = encode({ messages: [message("assistant", signed)] }, "anthropic-messages");
    expect((body["contents"] as Wire[])[0]?.["parts"]).toEqual([{ text: "hm", thought: true }]);
    expect(losses).toEqual(["messages/0/parts/0/signature unsupported tuning"]);
  });

  it("that a Gemini 3 would miss are replaced by Google's own word, in the first call of a turn, told (13)", () => {
    const messages = [message("assistant", call("a", "f", {}), call("b", "g", {}))];
    const { body, losses } = encode({ messages }, "openai-chat", "gemini-3-pro");
    const parts = (body["contents"] as Wire[])[0]?.["parts"] as Wire[];
    expect(parts.map((part) => part["thoughtSignature"])).toEqual(["skip_thought_signature_validator", undefined]);
    expect(losses).toEqual(["messages injected tuning"]);
    expect(encode({ messages }, "openai-chat", "gemini-2.5-pro").losses).toEqual([]);
  });
});

describe("tools", () => {
  const schema = { $schema: "x", type: "object", propertyNames: { pattern: "^a" }, additionalProperties: false };

  it("go with their whole schema as JSON Schema (21), and names that Google takes", () => {
    const { body, losses } = encode({
      tools: [
        { type: "function", name: "f", description: "does", parameters: schema },
        { type: "function", name: "1/2" },
        { type: "web_search", name: "web_search" },
      ],
      toolChoice: { type: "tool", name: "1/2" },
    });
    const [{ functionDeclarations }] = body["tools"] as [{ functionDeclarations: Wire[] }];
    expect(functionDeclarations[0]).toEqual({ name: "f", description: "does", parametersJsonSchema: schema });
    const name = functionDeclarations[1]?.["name"] as string;
    expect(name).toMatch(/^[A-Za-z_][\w.:-]{0,63}$/);
    expect(body["toolConfig"]).toEqual({ functionCallingConfig: { mode: "ANY", allowedFunctionNames: [name] } });
    expect(losses).toEqual(["tools/1/name approximated semantic", "tools/2 unsupported semantic"]);
  });

  const tools = [{ type: "function", name: "f" }];
  it.each([
    [{ type: "none" }, { mode: "NONE" }],
    [{ type: "required" }, { mode: "ANY" }],
    [
      { type: "allowed", mode: "required", names: ["f"] },
      { mode: "ANY", allowedFunctionNames: ["f"] },
    ],
    [
      { type: "allowed", mode: "auto", names: ["f"] },
      { mode: "VALIDATED", allowedFunctionNames: ["f"] },
    ],
  ] as const)("are chosen by %j", (toolChoice, functionCallingConfig) => {
    const choice = "names" in toolChoice ? { ...toolChoice, names: [...toolChoice.names] } : toolChoice;
    expect(encode({ tools, toolChoice: choice }).body["toolConfig"]).toEqual({ functionCallingConfig });
  });

  it("are chosen by default without a word; that only one may be called is told", () => {
    const { body, losses } = encode({ tools, toolChoice: { type: "auto" }, parallelToolCalls: false });
    expect(body["toolConfig"]).toBeUndefined();
    expect(losses).toEqual(["parallelToolCalls unsupported semantic"]);
    expect(encode({ tools, parallelToolCalls: true }).losses).toEqual([]);
  });
});

describe("the config", () => {
  it("keeps zeros that mean something, and leaves out what is the default", () => {
    const { config: wire, losses } = config({
      maxOutputTokens: 9,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 0,
      frequencyPenalty: 0,
      presencePenalty: 0.5,
      stopSequences: ["x"],
      choiceCount: 1,
      logprobs: false,
      outputFormat: { type: "text" },
      logitBias: {},
      metadata: {},
    });
    expect(wire).toEqual({
      maxOutputTokens: 9,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 0,
      presencePenalty: 0.5,
      stopSequences: ["x"],
    });
    expect(losses).toEqual([]);
  });

  it("tells what Gemini has no place for (20)", () => {
    const { losses } = config({
      logitBias: { "1": 2 },
      user: "u",
      metadata: { a: "b" },
      previousResponseId: "r",
      conversationId: "c",
      stopSequences: ["1", "2", "3", "4", "5", "6"],
    });
    expect(losses.toSorted()).toEqual([
      "conversationId unsupported semantic",
      "logitBias unsupported tuning",
      "metadata unsupported tuning",
      "previousResponseId unsupported semantic",
      "stopSequences approximated semantic",
      "user unsupported tuning",
    ]);
  });

  it("asks for JSON by its media type, with the schema as JSON Schema", () => {
    expect(config({ outputFormat: { type: "json" } }).config).toEqual({ responseMimeType: "application/json" });
    const schema = { type: "object", additionalProperties: false };
    expect(config({ outputFormat: { type: "json_schema", name: "n", schema } })).toEqual({
      config: { responseMimeType: "application/json", responseJsonSchema: schema },
      losses: ["outputFormat/name unsupported tuning"],
    });
  });

  it.each([
    ["gemini-3-pro", { effort: "low" }, { thinkingLevel: "LOW" }, 0],
    ["gemini-3-pro", { effort: "xhigh" }, { thinkingLevel: "HIGH" }, 1],
    ["gemini-3-flash", { effort: "none" }, { thinkingLevel: "MINIMAL" }, 1],
    ["gemini-3-flash", { enabled: true, budgetTokens: 2048 }, { thinkingBudget: 2048 }, 0],
    ["gemini-2.5-flash", { effort: "medium" }, { thinkingBudget: 8192 }, 1],
    ["gemini-2.5-flash", { effort: "none" }, { thinkingBudget: 0 }, 0],
    ["gemini-2.5-pro", { enabled: false }, { thinkingBudget: 128 }, 1],
    ["gemini-2.5-pro", { enabled: true }, { thinkingBudget: -1 }, 0],
    ["gemini-2.5-pro", { enabled: true, budgetTokens: 2048 }, { thinkingBudget: 2048 }, 0],
  ] as const)("has thinking of %s by %j", (model, reasoning, thinkingConfig, approximated) => {
    const { config: wire, losses } = config({ reasoning }, model);
    expect(wire).toEqual({ thinkingConfig });
    expect(losses).toEqual(Array.from({ length: approximated }, () => "reasoning approximated tuning"));
  });

  it("has no thinking of a model that cannot, told where it was asked for", () => {
    const asked = config({ reasoning: { effort: "high" } }, "gemini-2.0-flash");
    expect(asked).toEqual({ config: undefined, losses: ["reasoning unsupported tuning"] });
    const none = config({ reasoning: { enabled: false } }, "gemini-2.0-flash");
    expect(none).toEqual({ config: undefined, losses: [] });
  });

  it("shows thoughts where the client would see them, not where it only asks for effort", () => {
    const thinking = (source: DialectId, request: Partial<InferenceRequest>) =>
      encode(request, source, "gemini-3-flash").body["generationConfig"];
    const reasoning = { enabled: true, budgetTokens: 1024 };
    const shown = { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } };
    expect(thinking("anthropic-messages", { reasoning })).toEqual(shown);
    const omitted = { extensions: { "anthropic-messages": { thinking: { display: "omitted" } } } };
    expect(thinking("anthropic-messages", { reasoning, ...omitted })).toEqual({
      thinkingConfig: { thinkingBudget: 1024 },
    });
    const summary = { extensions: { "openai-responses": { reasoning: { summary: "auto" } } } };
    expect(thinking("openai-responses", summary)).toEqual({ thinkingConfig: { includeThoughts: true } });
    expect(thinking("openai-chat", { reasoning: { effort: "low" } })).toEqual({
      thinkingConfig: { thinkingLevel: "LOW" },
    });
  });

  it.each([
    ["flex", "flex", []],
    ["default", "standard", []],
    ["auto", undefined, []],
    ["scale", undefined, ["serviceTier unsupported tuning"]],
  ] as const)("has the tier %s as %s", (serviceTier, word, told) => {
    const { body, losses } = encode({ serviceTier });
    expect(body["serviceTier"]).toBe(word);
    expect(losses).toEqual(told);
  });
});

describe("a request of this dialect", () => {
  function rewrite(body: Wire): Wire {
    const operation = geminiGenerateContent.match("POST", "/v1beta/models/m:generateContent");
    if (operation === undefined) throw new Error("no call");
    return encoder.encodeRequest(
      geminiGenerateContent.decodeRequest(body, operation),
      open("gemini-generate-content", "m"),
    );
  }

  it("is written back with what is newer than this proxy (19), subset schemas and roles as they were", () => {
    const body = {
      systemInstruction: { role: "system", parts: [{ text: "s" }] },
      contents: [
        { role: "user", parts: [{ text: "a", mediaResolution: { level: "LOW" } }, { newPart: { x: 1 } }] },
        { role: "user", parts: [{ text: "b" }] },
        { role: "model", parts: [{ functionCall: { name: "f", args: { a: 1 } }, thoughtSignature: "AA==" }] },
        { role: "function", parts: [{ functionResponse: { name: "f", response: { any: "thing" } } }] },
      ],
      tools: [
        { googleSearch: {} },
        { functionDeclarations: [{ name: "f", parameters: { type: "OBJECT" }, behavior: "BLOCKING" }] },
      ],
      toolConfig: { functionCallingConfig: { mode: "VALIDATED", allowedFunctionNames: ["f"] }, retrievalConfig: {} },
      generationConfig: {
        temperature: 0,
        candidateCount: 1,
        responseMimeType: "application/json",
        responseSchema: { type: "OBJECT" },
        thinkingConfig: { thinkingBudget: -1, includeThoughts: true },
        future: { deep: [1] },
      },
      safetySettings: [{ category: "c", threshold: "t" }],
      cachedContent: "cachedContents/1",
      labels: { team: "x" },
    };
    expect(rewrite(body)).toEqual(body);
  });

  it("is never written with a field in both of its spellings", () => {
    const { generationConfig, generation_config } = rewrite({
      contents: [],
      generation_config: { top_p: 0.5, response_schema: {}, new_field: 1 },
    });
    expect(generation_config).toBeUndefined();
    expect(generationConfig).toEqual({ topP: 0.5, response_schema: {}, new_field: 1 });
  });
});

describe("places in a body", () => {
  const body = {
    contents: { parts: [{ text: "a" }, { function_call: { name: "f", args: {} } }] },
    generation_config: { top_p: 0.5, thinkingConfig: {} },
    tools: [{ googleSearch: {} }, { functionDeclarations: [{ name: "f" }, { name: "g", parameters: {} }] }],
  };

  it.each([
    [["messages", 0, "parts", 1, "arguments"], "/contents/parts/1/function_call/args"],
    [["topP"], "/generation_config/top_p"],
    [["reasoning"], "/generation_config/thinkingConfig"],
    [["tools", 0], "/tools/0/googleSearch"],
    [["tools", 2, "parameters"], "/tools/1/functionDeclarations/1/parameters"],
    [["toolChoice"], ""],
    [["messages", 0, "parts", 7], "/contents/parts"],
  ])("of %j is %s", (path, pointer) => {
    expect(encoder.locate(path, body)).toBe(pointer);
  });
});

describe("a tool result of this dialect", () => {
  it("is its text where it says no more, and else its JSON", () => {
    expect(encoder.toolResultParts({ output: "a" })).toEqual([text("a")]);
    expect(encoder.toolResultParts({ result: "a" })).toEqual([text("a")]);
    expect(encoder.toolResultParts({ error: "a" })).toEqual([text('{"error":"a"}')]);
    expect(encoder.toolResultParts("a")).toEqual([text("a")]);
    expect(encoder.toolResultParts(null)).toEqual([]);
  });
});

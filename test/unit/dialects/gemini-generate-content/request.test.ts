import { describe, expect, it } from "vitest";
import type { InferenceRequest } from "../../../../src/canonical/index.ts";
import { geminiGenerateContent } from "../../../../src/dialects/gemini-generate-content/index.ts";

type Wire = Record<string, unknown>;

const bag = (facts: Wire) => ({ extensions: { "gemini-generate-content": facts } });

function decode(body: Wire, verb = "generateContent"): InferenceRequest {
  const operation = geminiGenerateContent.match("POST", `/v1beta/models/m:${verb}`);
  if (operation === undefined) throw new Error(`no ${verb}`);
  return geminiGenerateContent.decodeRequest(body, operation);
}

const config = (generationConfig: Wire): InferenceRequest => decode({ generationConfig });
const parts = (...wire: unknown[]) => decode({ contents: [{ role: "user", parts: wire }] }).messages[0]?.parts;

describe("a request", () => {
  it("takes model and stream from the path, and keeps what its body says of them", () => {
    expect(decode({ model: "models/other", contents: [] })).toEqual({
      model: "m",
      stream: false,
      messages: [],
      ...bag({ model: "models/other" }),
    });
    expect(decode({}, "streamGenerateContent").stream).toBe(true);
  });

  it("is read in camelCase and snake_case, mixed as clients mix them", () => {
    const camel = decode({
      systemInstruction: { parts: [{ text: "be brief" }] },
      generationConfig: {
        maxOutputTokens: 9,
        topP: 0.5,
        stopSequences: ["x"],
        thinkingConfig: { thinkingBudget: 128, thinkingLevel: "LOW" },
        responseMimeType: "application/json",
        responseJsonSchema: { type: "object" },
      },
      toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["f"] } },
      tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: { type: "object" } }] }],
    });
    const snake = decode({
      system_instruction: { parts: { text: "be brief" } },
      generation_config: {
        max_output_tokens: 9,
        top_p: 0.5,
        stop_sequences: ["x"],
        thinkingConfig: { thinking_budget: 128, thinking_level: "LOW" },
        response_mime_type: "application/json",
        response_json_schema: { type: "object" },
      },
      tool_config: { function_calling_config: { mode: "ANY", allowed_function_names: ["f"] } },
      tools: { function_declarations: { name: "f", parameters_json_schema: { type: "object" } } },
    });
    expect(snake).toEqual(camel);
    expect(camel).toEqual({
      model: "m",
      stream: false,
      systemInstructions: [{ type: "text", content: "be brief" }],
      messages: [],
      tools: [{ type: "function", name: "f", parameters: { type: "object" } }],
      toolChoice: { type: "tool", name: "f" },
      maxOutputTokens: 9,
      topP: 0.5,
      stopSequences: ["x"],
      outputFormat: { type: "json_schema", schema: { type: "object" } },
      reasoning: { enabled: true, budgetTokens: 128, effort: "LOW" },
    });
  });

  it("maps every setting, and keeps the ones without a place", () => {
    const settings = {
      temperature: 1,
      topK: 40,
      seed: 7,
      candidateCount: 2,
      responseLogprobs: true,
      logprobs: 5,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      responseModalities: ["TEXT"],
      thinkingConfig: { includeThoughts: true },
    };
    expect(config(settings)).toEqual({
      model: "m",
      stream: false,
      messages: [],
      temperature: 1,
      topK: 40,
      seed: 7,
      choiceCount: 2,
      logprobs: true,
      topLogprobs: 5,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      ...bag({ generationConfig: { responseModalities: ["TEXT"], thinkingConfig: { includeThoughts: true } } }),
    });
  });

  it("keeps safety settings, cache and store, and takes tier and labels", () => {
    const kept = {
      safetySettings: [{ category: "c", threshold: "t" }],
      cachedContent: "cachedContents/1",
      store: false,
    };
    expect(decode({ ...kept, serviceTier: "flex", labels: { team: "a" } })).toEqual({
      model: "m",
      stream: false,
      messages: [],
      serviceTier: "flex",
      metadata: { team: "a" },
      ...bag(kept),
    });
  });

  it.each([
    [{ thinkingBudget: 0 }, { enabled: false, budgetTokens: 0 }, undefined],
    [{ thinkingBudget: -1 }, { enabled: true }, { thinkingBudget: -1 }],
    [{ thinkingLevel: "HIGH" }, { effort: "HIGH" }, undefined],
    [{ thinkingBudget: "5" }, undefined, { thinkingBudget: "5" }],
  ])("reads thinking %j", (thinkingConfig, reasoning, kept) => {
    const request = config({ thinkingConfig });
    expect(request.reasoning).toEqual(reasoning);
    expect(request.extensions).toEqual(
      kept === undefined ? undefined : bag({ generationConfig: { thinkingConfig: kept } }).extensions,
    );
  });

  it.each([
    [{ responseMimeType: "text/plain" }, { type: "text" }, undefined],
    [{ responseMimeType: "application/json" }, { type: "json" }, undefined],
    [
      { responseMimeType: "application/json", responseSchema: { type: "OBJECT" } },
      { type: "json_schema", schema: { type: "OBJECT" } },
      { responseSchema: { type: "OBJECT" } },
    ],
    [
      { responseMimeType: "text/x.enum", responseSchema: { enum: ["a"] } },
      undefined,
      { responseMimeType: "text/x.enum", responseSchema: { enum: ["a"] } },
    ],
    [{ responseSchema: { type: "OBJECT" } }, undefined, { responseSchema: { type: "OBJECT" } }],
  ])("reads the output format of %j", (generationConfig, outputFormat, kept) => {
    const request = config(generationConfig);
    expect(request.outputFormat).toEqual(outputFormat);
    expect(request.extensions).toEqual(kept === undefined ? undefined : bag({ generationConfig: kept }).extensions);
  });

  it.each([
    [{ mode: "AUTO" }, { type: "auto" }, undefined],
    [{ mode: "NONE" }, { type: "none" }, undefined],
    [{ mode: "ANY" }, { type: "required" }, undefined],
    [{ mode: "ANY", allowedFunctionNames: ["a"] }, { type: "tool", name: "a" }, undefined],
    [
      { mode: "ANY", allowedFunctionNames: ["a", "b"] },
      { type: "allowed", mode: "required", names: ["a", "b"] },
      undefined,
    ],
    [
      { mode: "VALIDATED", allowedFunctionNames: ["a"] },
      { type: "allowed", mode: "auto", names: ["a"] },
      { mode: "VALIDATED" },
    ],
    [{ mode: "LATER", allowedFunctionNames: ["a"] }, undefined, { mode: "LATER", allowedFunctionNames: ["a"] }],
    [{ mode: "AUTO", streamFunctionCallArguments: true }, { type: "auto" }, { streamFunctionCallArguments: true }],
  ])("reads the tool choice %j", (functionCallingConfig, toolChoice, kept) => {
    const request = decode({ toolConfig: { functionCallingConfig } });
    expect(request.toolChoice).toEqual(toolChoice);
    expect(request.extensions).toEqual(
      kept === undefined ? undefined : bag({ toolConfig: { functionCallingConfig: kept } }).extensions,
    );
  });

  it("gives one definition for each declaration and each tool of the provider's own", () => {
    const parameters = { type: "OBJECT" };
    const { tools } = decode({
      tools: [
        {
          functionDeclarations: [
            { name: "a", description: "d", parameters },
            { name: "b", behavior: "BLOCKING" },
          ],
        },
        { google_search: {}, codeExecution: {} },
        { urlContext: { x: 1 } },
        "odd",
      ],
    });
    expect(tools).toEqual([
      { type: "function", name: "a", description: "d", parameters, ...bag({ parameters }) },
      { type: "function", name: "b", ...bag({ behavior: "BLOCKING" }) },
      { type: "googleSearch", name: "googleSearch", ...bag({ google_search: {} }) },
      { type: "codeExecution", name: "codeExecution", ...bag({ codeExecution: {} }) },
      { type: "urlContext", name: "urlContext", ...bag({ urlContext: { x: 1 } }) },
      { type: "unknown", name: "", ...bag({ value: "odd" }) },
    ]);
  });

  it("keeps every wrongly typed field", () => {
    const wrong = {
      contents: "hi",
      systemInstruction: "be brief",
      tools: 3,
      toolConfig: [],
      labels: "x",
      generationConfig: { temperature: "1", stopSequences: [1], candidateCount: null },
    };
    expect(decode(wrong)).toEqual({ model: "m", stream: false, messages: [], ...bag(wrong) });
  });
});

describe("contents", () => {
  it("are the model's, the user's or a function's, in Google's words", () => {
    const roles = decode({ contents: [{ role: "model" }, { role: "user" }, { role: "function" }, {}, { role: "x" }] });
    expect(roles.messages.map(({ role }) => role)).toEqual(["assistant", "user", "tool", "user", "x"]);
    expect(decode({ contents: [null, { parts: 3, more: 1 }] }).messages).toEqual([
      { role: "unknown", parts: [], ...bag({ value: null }) },
      { role: "user", parts: [], ...bag({ parts: 3, more: 1 }) },
    ]);
  });

  it("hold texts and thoughts, with their signatures", () => {
    expect(
      parts(
        { text: "a" },
        { text: "b", thought: true, thoughtSignature: "s1" },
        { text: "", thought_signature: "s2" },
        { thoughtSignature: "s3" },
        { text: "c", thought: false },
      ),
    ).toEqual([
      { type: "text", content: "a" },
      { type: "reasoning", content: "b", ...bag({ thoughtSignature: "s1" }) },
      { type: "text", content: "", ...bag({ thought_signature: "s2" }) },
      { type: "reasoning", content: "", ...bag({ thoughtSignature: "s3" }) },
      { type: "text", content: "c", ...bag({ thought: false }) },
    ]);
  });

  it("hold media, inline and by address, of the kind of their media type", () => {
    const videoMetadata = { fps: 1 };
    expect(
      parts(
        { inlineData: { mimeType: "image/png", data: "AAAA", displayName: "x" } },
        { inline_data: { mime_type: "audio/wav", data: "AAAA" } },
        { fileData: { fileUri: "gs://b/v.mp4", mimeType: "video/mp4" }, videoMetadata },
        { file_data: { file_uri: "https://example.test/a" } },
      ),
    ).toEqual([
      {
        type: "blob",
        modality: "image",
        mime_type: "image/png",
        content: "AAAA",
        ...bag({ inlineData: { displayName: "x" } }),
      },
      { type: "blob", modality: "audio", mime_type: "audio/wav", content: "AAAA" },
      { type: "uri", modality: "video", mime_type: "video/mp4", uri: "gs://b/v.mp4", ...bag({ videoMetadata }) },
      { type: "uri", modality: "document", uri: "https://example.test/a" },
    ]);
  });

  it("hold calls and their answers, which go by the function's name", () => {
    expect(
      parts(
        { functionCall: { id: "1", name: "f", args: { a: 1 } }, thoughtSignature: "s" },
        { function_call: { name: "g" } },
        { functionResponse: { id: "1", name: "f", response: { out: 2 }, parts: [{ inlineData: {} }] } },
        { function_response: { name: "g" } },
      ),
    ).toEqual([
      { type: "tool_call", id: "1", name: "f", arguments: { a: 1 }, ...bag({ thoughtSignature: "s" }) },
      { type: "tool_call", name: "g", arguments: {} },
      {
        type: "tool_call_response",
        id: "1",
        response: { out: 2 },
        ...bag({ functionResponse: { name: "f", parts: [{ inlineData: {} }] } }),
      },
      { type: "tool_call_response", response: null, ...bag({ function_response: { name: "g" } }) },
    ]);
  });

  it("hold what the provider runs itself", () => {
    expect(
      parts(
        { executableCode: { language: "PYTHON", code: "1" } },
        { codeExecutionResult: { outcome: "OUTCOME_OK", output: "1" } },
        { toolCall: { id: "t", toolType: "FILE_SEARCH", args: { q: 1 } } },
        { toolResponse: { id: "t", toolType: "FILE_SEARCH" } },
      ),
    ).toEqual([
      {
        type: "server_tool_call",
        name: "code_execution",
        server_tool_call: { type: "code_execution", language: "PYTHON", code: "1" },
      },
      {
        type: "server_tool_call_response",
        server_tool_call_response: { type: "code_execution", outcome: "OUTCOME_OK", output: "1" },
      },
      {
        type: "server_tool_call",
        id: "t",
        name: "FILE_SEARCH",
        server_tool_call: { type: "FILE_SEARCH", input: { q: 1 } },
      },
      { type: "server_tool_call_response", id: "t", server_tool_call_response: { type: "FILE_SEARCH" } },
    ]);
  });

  it.each([
    [{ newKind: { a: 1 }, more: 2 }, "newKind"],
    [{ function_call: { args: {} } }, "functionCall"],
    [{ inlineData: { mimeType: "image/png" } }, "inlineData"],
    [{}, "unknown"],
  ])("hold what is not known whole: %j", (wire, generic_type) => {
    expect(parts(wire)).toEqual([{ type: "generic", generic_type, ...bag(wire) }]);
  });
});

describe("the token counter's request", () => {
  it("is contents, or a whole request", () => {
    const contents = [{ role: "user", parts: [{ text: "a" }] }];
    const messages = [{ role: "user", parts: [{ type: "text", content: "a" }] }];
    expect(decode({ contents }, "countTokens")).toEqual({ model: "m", stream: false, messages });
    const whole = { contents, generationConfig: { temperature: 1 }, cachedContent: "c" };
    expect(decode({ generateContentRequest: whole }, "countTokens")).toEqual({
      model: "m",
      stream: false,
      messages,
      temperature: 1,
      ...bag({ generateContentRequest: { cachedContent: "c" } }),
    });
  });
});

// Writes one arbitrary conversation as the request body of each dialect, the way that dialect's clients do.
// Knows nothing of Outrider's encoders. What a dialect cannot say is left out, not bent.
import { writeChat, writeCohere, writeOllama, writeResponses } from "./generated-chats.ts";
import { extend, type Json, type Talk } from "./generated-talk.ts";
import { answerSchema, filled, nonEmpty, parse, plainCalls, schemaOf } from "./generated-words.ts";

/** A dialect's call and how its body is written. */
export interface Wire {
  path(stream: boolean): string;
  write(talk: Talk): Json;
}

function writeMessages(talk: Talk): Json {
  const { temperature, topP, topK, maxTokens, stop } = talk.settings;
  const messages = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user") {
      const content = turn.items.map((item) => {
        if (item.type === "text") return extend(talk, "part", { type: "text", text: item.text });
        const source =
          item.type === "url"
            ? { type: "url", url: item.url }
            : { type: "base64", media_type: item.mimeType, data: item.base64 };
        return extend(talk, "part", { type: "image", source });
      });
      return [extend(talk, "message", { role: "user", content })];
    }
    const calls = plainCalls(turn);
    const content = [
      ...(turn.reasoning === undefined ? [] : [{ type: "thinking", thinking: turn.reasoning, signature: "c2lnbmVk" }]),
      ...(turn.text === undefined ? [] : [{ type: "text", text: turn.text }]),
      ...calls.map(({ id, name, text }) => extend(talk, "call", { type: "tool_use", id, name, input: parse(text) })),
    ];
    const results = calls.map(({ id, result, isError }) =>
      extend(talk, "result", { type: "tool_result", tool_use_id: id, content: result, is_error: isError }),
    );
    return [
      extend(talk, "message", { role: "assistant", content }),
      ...(calls.length === 0 ? [] : [{ role: "user", content: results }]),
    ];
  });
  const choices = {
    auto: { type: "auto" },
    none: { type: "none" },
    required: { type: "any" },
    tool: { type: "tool", name: talk.tools[0]?.name },
  };
  const thinking = {
    low: undefined,
    high: undefined,
    budget: { type: "enabled", budget_tokens: 2345 },
    off: { type: "disabled" },
  };
  return extend(
    talk,
    "body",
    filled({
      model: "m",
      stream: talk.stream,
      max_tokens: maxTokens ?? 777,
      system:
        talk.system.length === 0 ? undefined : talk.system.map((text) => extend(talk, "part", { type: "text", text })),
      messages,
      tools:
        talk.tools.length === 0
          ? undefined
          : talk.tools.map(({ name, description, city }) =>
              extend(talk, "tool", filled({ name, description, input_schema: schemaOf(city) })),
            ),
      tool_choice: talk.toolChoice === undefined ? undefined : choices[talk.toolChoice],
      temperature,
      top_p: topP,
      top_k: topK,
      stop_sequences: stop,
      thinking: talk.reasoning === undefined ? undefined : thinking[talk.reasoning],
      output_config:
        talk.format === "schema"
          ? extend(talk, "settings", { format: { type: "json_schema", schema: answerSchema } })
          : undefined,
    }),
  );
}

/** Claude's body at InvokeModel: the path has the model, and says whether to stream. */
function writeInvoke(talk: Talk): Json {
  const { model: _model, stream: _stream, ...body } = writeMessages(talk);
  return { anthropic_version: "bedrock-2023-05-31", ...body };
}

function writeGemini(talk: Talk): Json {
  const { temperature, topP, topK, seed, frequencyPenalty, presencePenalty, maxTokens, stop } = talk.settings;
  const contents = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user") {
      const parts = turn.items.map((item) => {
        if (item.type === "text") return extend(talk, "part", { text: item.text });
        return extend(
          talk,
          "part",
          item.type === "url"
            ? { fileData: { mimeType: "image/png", fileUri: item.url } }
            : { inlineData: { mimeType: item.mimeType, data: item.base64 } },
        );
      });
      return [extend(talk, "message", { role: "user", parts })];
    }
    const calls = plainCalls(turn);
    const parts = [
      ...(turn.reasoning === undefined ? [] : [{ text: turn.reasoning, thought: true }]),
      ...(turn.text === undefined ? [] : [{ text: turn.text }]),
      ...calls.map(({ name, text }) => extend(talk, "call", { functionCall: { name, args: parse(text) } })),
    ];
    const results = calls.map(({ name, result }) =>
      extend(talk, "result", { functionResponse: { name, response: { result } } }),
    );
    return [
      extend(talk, "message", { role: "model", parts }),
      ...(calls.length === 0 ? [] : [{ role: "user", parts: results }]),
    ];
  });
  const modes = { auto: "AUTO", none: "NONE", required: "ANY", tool: "ANY" };
  const calling =
    talk.toolChoice === undefined
      ? undefined
      : filled({
          mode: modes[talk.toolChoice],
          allowedFunctionNames: talk.toolChoice === "tool" ? [talk.tools[0]?.name] : undefined,
        });
  const thinking = {
    low: { thinkingLevel: "LOW" },
    high: { thinkingLevel: "HIGH" },
    budget: { thinkingBudget: 2345 },
    off: { thinkingBudget: 0 },
  };
  const generationConfig = nonEmpty({
    temperature,
    topP,
    topK,
    seed,
    frequencyPenalty,
    presencePenalty,
    maxOutputTokens: maxTokens,
    stopSequences: stop,
    responseMimeType:
      talk.format === undefined ? undefined : talk.format === "text" ? "text/plain" : "application/json",
    responseJsonSchema: talk.format === "schema" ? answerSchema : undefined,
    thinkingConfig: talk.reasoning === undefined ? undefined : thinking[talk.reasoning],
  });
  const declarations = talk.tools.map(({ name, description, city }) =>
    extend(talk, "tool", filled({ name, description, parametersJsonSchema: schemaOf(city) })),
  );
  return extend(
    talk,
    "body",
    nonEmpty({
      systemInstruction: talk.system.length === 0 ? undefined : { parts: talk.system.map((text) => ({ text })) },
      contents,
      tools: declarations.length === 0 ? undefined : [{ functionDeclarations: declarations }],
      toolConfig: calling === undefined ? undefined : { functionCallingConfig: calling },
      generationConfig: extend(talk, "settings", generationConfig),
    }),
  );
}

function writeConverse(talk: Talk): Json {
  const { temperature, topP, topK, maxTokens, stop } = talk.settings;
  const messages = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user") {
      const content = turn.items.map((item) => {
        if (item.type === "text") return extend(talk, "part", { text: item.text });
        const image =
          item.type === "url"
            ? { format: "png", source: { s3Location: { uri: item.url.replace("https", "s3") } } }
            : { format: item.mimeType === "image/png" ? "png" : "jpeg", source: { bytes: item.base64 } };
        return extend(talk, "part", { image });
      });
      return [extend(talk, "message", { role: "user", content })];
    }
    const calls = plainCalls(turn);
    const content = [
      ...(turn.reasoning === undefined
        ? []
        : [{ reasoningContent: { reasoningText: { text: turn.reasoning, signature: "c2lnbmVk" } } }]),
      ...(turn.text === undefined ? [] : [{ text: turn.text }]),
      ...calls.map(({ id, name, text }) =>
        extend(talk, "call", { toolUse: { toolUseId: id, name, input: parse(text) } }),
      ),
    ];
    const results = calls.map(({ id, result, isError }) =>
      extend(talk, "result", {
        toolResult: {
          toolUseId: id,
          content: [{ text: result }, { json: { also: result } }],
          status: isError ? "error" : "success",
        },
      }),
    );
    return [
      extend(talk, "message", { role: "assistant", content }),
      ...(calls.length === 0 ? [] : [{ role: "user", content: results }]),
    ];
  });
  const choices = {
    auto: { auto: {} },
    none: undefined,
    required: { any: {} },
    tool: { tool: { name: talk.tools[0]?.name } },
  };
  const thinking = {
    low: { reasoning_effort: "low" },
    high: { reasoning_effort: "high" },
    budget: { thinking: { type: "enabled", budget_tokens: 2345 } },
    off: { thinking: { type: "disabled" } },
  };
  const tools = talk.tools.map(({ name, description, city }) => ({
    toolSpec: extend(talk, "tool", filled({ name, description, inputSchema: { json: schemaOf(city) } })),
  }));
  const schema = {
    type: "json_schema",
    structure: { jsonSchema: { schema: JSON.stringify(answerSchema), name: "verdict" } },
  };
  return extend(
    talk,
    "body",
    filled({
      system: talk.system.length === 0 ? undefined : talk.system.map((text) => ({ text })),
      messages,
      toolConfig:
        tools.length === 0
          ? undefined
          : filled({ tools, toolChoice: talk.toolChoice === undefined ? undefined : choices[talk.toolChoice] }),
      inferenceConfig: extend(talk, "settings", filled({ temperature, topP, maxTokens, stopSequences: stop })),
      additionalModelRequestFields: nonEmpty({
        top_k: topK,
        ...(talk.reasoning === undefined ? {} : thinking[talk.reasoning]),
      }),
      outputConfig: talk.format === "schema" ? { textFormat: schema } : undefined,
    }),
  );
}

/** By dialect. */
export const wires = {
  "openai-chat": { path: () => "/v1/chat/completions", write: writeChat },
  "openai-responses": { path: () => "/v1/responses", write: writeResponses },
  "anthropic-messages": { path: () => "/v1/messages", write: writeMessages },
  "gemini-generate-content": {
    path: (stream) => `/v1beta/models/m:${stream ? "streamGenerateContent" : "generateContent"}`,
    write: writeGemini,
  },
  "bedrock-converse": { path: (stream) => `/model/m/${stream ? "converse-stream" : "converse"}`, write: writeConverse },
  "bedrock-invoke": {
    path: (stream) => `/model/m/${stream ? "invoke-with-response-stream" : "invoke"}`,
    write: writeInvoke,
  },
  "cohere-chat": { path: () => "/v2/chat", write: writeCohere },
  "ollama-chat": { path: () => "/api/chat", write: writeOllama },
} satisfies Record<string, Wire>;

// Simulator: OpenAI's chat, completions, embeddings and models endpoints, as the real ones answer on the wire.

import {
  answerRandom,
  contentText,
  isObject,
  objectsOf,
  textOf,
  tokenLimit,
  type Answer,
  type Call,
  type JsonObject,
} from "./call.ts";
import { censorChoice, composeChoice, countChoiceTokens, type Ask, type Choice } from "./compose.ts";
import { faults, listedModels } from "./models.ts";
import { countPromptTokens, readPrompt } from "./prompt.ts";
import { refusalBody, refuseField } from "./refusals.ts";
import { countTokens, createRandom, hashText, splitWords, type Random } from "./text.ts";

const whole = (body: object): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: { kind: "whole", text: `${JSON.stringify(body, null, 2)}\n` },
});

const stream = (call: Call, frames: object[]): Answer => ({
  status: 200,
  headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  body: {
    kind: "stream",
    frames: [...frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`), "data: [DONE]\n\n"],
    keepAlive: ": keep-alive\n\n",
    errorFrame: `data: ${JSON.stringify(refusalBody("openai", "500", { requestId: call.requestId }))}\n\n`,
  },
});

/** Limits and ids that come with every answer of OpenAI's. */
export function openaiHeaders(requestId: string, refusedRate: boolean): Record<string, string> {
  return {
    "x-request-id": requestId,
    "openai-organization": "org-simulated",
    "openai-processing-ms": "42",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": refusedRate ? "0" : "499",
    "x-ratelimit-remaining-tokens": "199000",
    "x-ratelimit-reset-requests": refusedRate ? "1s" : "120ms",
    "x-ratelimit-reset-tokens": "300ms",
  };
}

/** `stream_options.include_usage`; the fault `no-usage` forgets it. */
const wantsUsage = (call: Call): boolean =>
  isObject(call.body["stream_options"]) &&
  call.body["stream_options"]["include_usage"] === true &&
  call.model.fault !== "no-usage";

const choiceCount = (call: Call): number => Math.min(8, tokenLimit(call.body["n"]) ?? 1);

function reasoningTokens(call: Call, random: Random): number {
  const effort = call.body["reasoning_effort"];
  const reasons = /^(o\d|gpt-5)/.test(call.model.answered) && effort !== "none" && effort !== "minimal";
  return reasons ? 64 * (1 + random.below(4)) : 0;
}

function usageOf(prompt: { tokens: number; cached: number }, completionTokens: number, reasoning: number): JsonObject {
  const completion = completionTokens + reasoning;
  return {
    prompt_tokens: prompt.tokens,
    completion_tokens: completion,
    total_tokens: prompt.tokens + completion,
    prompt_tokens_details: { cached_tokens: prompt.cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function readAsk(call: Call): Ask {
  const { body } = call;
  const last = objectsOf(body["messages"]).at(-1);
  const choice = body["tool_choice"];
  const chosen = isObject(choice) && isObject(choice["function"]) ? textOf(choice["function"]["name"]) : undefined;
  const format = isObject(body["response_format"]) ? body["response_format"] : {};
  const schema = isObject(format["json_schema"]) ? format["json_schema"]["schema"] : undefined;
  const { stop } = body;
  return {
    userText: last?.["role"] === "user" ? contentText(last["content"]) : "",
    tools: objectsOf(body["tools"])
      .map((tool) => tool["function"])
      .filter(isObject)
      .map((tool) => ({ name: textOf(tool["name"]), schema: tool["parameters"] })),
    toolChoice: {
      mode: choice === "none" || choice === "required" ? choice : "auto",
      ...(chosen === undefined ? {} : { name: chosen }),
    },
    parallelTools: body["parallel_tool_calls"] !== false,
    wantsTools: call.model.fault === "tools" && last?.["role"] !== "tool",
    maxTokens: tokenLimit(body["max_completion_tokens"]) ?? tokenLimit(body["max_tokens"]),
    stops:
      typeof stop === "string" ? [stop] : Array.isArray(stop) ? stop.filter((word) => typeof word === "string") : [],
    answerSchema:
      format["type"] === "json_object" ? { type: "object", properties: { answer: { type: "string" } } } : schema,
    thinks: false,
  };
}

const finishWord = (choice: Choice): string => (choice.finish === "stop_sequence" ? "stop" : choice.finish);

/** `POST /v1/chat/completions` */
export function answerChat(call: Call): Answer {
  const { body } = call;
  if (!Array.isArray(body["messages"]) || body["messages"].length === 0) return refuseField("openai", call, "messages");
  const prompt = readPrompt([body["tools"], body["messages"]]);
  const promptTokens = countPromptTokens(prompt) + 3 * body["messages"].length;
  const cached = call.cache.remember(call.credential, prompt.text);
  const ask = readAsk(call);
  const made = Array.from({ length: choiceCount(call) }, (_, index) =>
    composeChoice(ask, answerRandom(call, prompt.text, index)),
  );
  const choices = call.model.fault === "content-filter" ? made.map(censorChoice) : made;
  const toolIds = choices.map((choice) => choice.toolCalls.map(() => `call_${call.ids.letters(24)}`));
  const usage = usageOf(
    { tokens: promptTokens, cached },
    choices.reduce((sum, choice) => sum + countChoiceTokens(choice), 0),
    reasoningTokens(call, answerRandom(call, prompt.text)),
  );
  const head = {
    id: `chatcmpl-${call.ids.letters(29)}`,
    created: Math.floor(Date.now() / 1000),
    model: call.model.answered,
  };
  const tail = { service_tier: "default", system_fingerprint: "fp_simulated" };

  if (body["stream"] === true) return streamChat(call, choices, toolIds, { ...head, ...tail }, usage);
  return whole({
    ...head,
    object: "chat.completion",
    choices: choices.map((choice, index) => ({
      index,
      message: {
        role: "assistant",
        content: choice.toolCalls.length > 0 ? null : choice.text,
        ...(choice.toolCalls.length === 0
          ? {}
          : {
              tool_calls: choice.toolCalls.map((tool, at) => ({
                id: toolIds[index]?.[at],
                type: "function",
                function: { name: tool.name, arguments: tool.argumentsJson },
              })),
            }),
        refusal: null,
        annotations: [],
      },
      logprobs: null,
      finish_reason: finishWord(choice),
    })),
    ...(call.model.fault === "no-usage" ? {} : { usage }),
    ...tail,
  });
}

function deltasOf(choice: Choice, ids: readonly string[]): JsonObject[] {
  if (choice.toolCalls.length === 0) {
    return [
      { role: "assistant", content: "", refusal: null },
      ...splitWords(choice.text).map((content) => ({ content })),
    ];
  }
  const calls = choice.toolCalls.flatMap((tool, index): JsonObject[] => [
    { tool_calls: [{ index, id: ids[index], type: "function", function: { name: tool.name, arguments: "" } }] },
    ...(tool.argumentsJson.match(/.{1,8}/gsu) ?? []).map((piece) => ({
      tool_calls: [{ index, function: { arguments: piece } }],
    })),
  ]);
  return [{ role: "assistant", content: null, refusal: null, ...calls[0] }, ...calls.slice(1)];
}

function streamChat(call: Call, choices: Choice[], toolIds: string[][], head: JsonObject, usage: JsonObject): Answer {
  const withUsage = wantsUsage(call);
  const options = call.body["stream_options"];
  const obfuscate = !(isObject(options) && options["include_obfuscation"] === false);
  const chunk = (parts: JsonObject[], counted: JsonObject | null): JsonObject => ({
    ...head,
    object: "chat.completion.chunk",
    choices: parts,
    ...(withUsage ? { usage: counted } : {}),
    ...(obfuscate ? { obfuscation: call.ids.letters(call.ids.below(16)) } : {}),
  });
  const frames = choices.flatMap((choice, index) => [
    ...deltasOf(choice, toolIds[index] ?? []).map((delta) =>
      chunk([{ index, delta, logprobs: null, finish_reason: null }], null),
    ),
    chunk([{ index, delta: {}, logprobs: null, finish_reason: finishWord(choice) }], null),
  ]);
  if (withUsage) frames.push(chunk([], usage));
  return stream(call, frames);
}

/** `POST /v1/completions` */
export function answerCompletion(call: Call): Answer {
  const { body } = call;
  const prompt = readPrompt(body["prompt"] ?? "");
  const ask: Ask = { ...readAsk(call), userText: prompt.text, tools: [], answerSchema: undefined };
  const choices = Array.from({ length: choiceCount(call) }, (_, index) =>
    composeChoice(ask, answerRandom(call, prompt.text, index)),
  );
  const prompt_tokens = countPromptTokens(prompt);
  const completion_tokens = choices.reduce((sum, choice) => sum + countChoiceTokens(choice), 0);
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  const head = {
    id: `cmpl-${call.ids.letters(29)}`,
    object: "text_completion",
    created: Math.floor(Date.now() / 1000),
    model: call.model.answered,
  };
  const choiceOf = (index: number, text: string, finish: string | null): JsonObject => ({
    text,
    index,
    logprobs: null,
    finish_reason: finish,
  });

  if (body["stream"] !== true) {
    const shown = choices.map((choice, index) => choiceOf(index, choice.text, finishWord(choice)));
    return whole({ ...head, choices: shown, ...(call.model.fault === "no-usage" ? {} : { usage }) });
  }
  const withUsage = wantsUsage(call);
  const chunk = (parts: JsonObject[], counted: JsonObject | null): JsonObject => ({
    ...head,
    choices: parts,
    ...(withUsage ? { usage: counted } : {}),
  });
  const frames = choices.flatMap((choice, index) => [
    ...splitWords(choice.text).map((text) => chunk([choiceOf(index, text, null)], null)),
    chunk([choiceOf(index, "", finishWord(choice))], null),
  ]);
  if (withUsage) frames.push(chunk([], usage));
  return stream(call, frames);
}

const embeddingSizes: Readonly<Record<string, number>> = { "text-embedding-3-large": 3072 };

function writeVector(text: string, size: number): number[] {
  const random = createRandom(hashText(text));
  const vector = Array.from({ length: size }, () => random.next() * 2 - 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => Math.fround(value / length));
}

const isTokenList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number");

/** `POST /v1/embeddings` */
export function answerEmbeddings(call: Call): Answer {
  const { input } = call.body;
  const inputs: unknown[] = Array.isArray(input) && !isTokenList(input) ? input : [input];
  const valid =
    inputs.length > 0 && inputs.every((item) => (typeof item === "string" && item !== "") || isTokenList(item));
  if (!valid) return refuseField("openai", call, "input");
  const size = Math.min(8192, tokenLimit(call.body["dimensions"]) ?? embeddingSizes[call.model.answered] ?? 1536);
  const tokens = inputs.reduce<number>(
    (sum, item) => sum + (typeof item === "string" ? countTokens(item) : isTokenList(item) ? item.length : 0),
    0,
  );
  const list = inputs.map((item, index) => {
    const vector = writeVector(JSON.stringify(item), size);
    const embedding =
      call.body["encoding_format"] === "base64"
        ? Buffer.from(Float32Array.from(vector).buffer).toString("base64")
        : vector;
    return { object: "embedding", index, embedding };
  });
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return whole({
    object: "list",
    data: list,
    model: call.model.answered,
    ...(call.model.fault === "no-usage" ? {} : { usage }),
  });
}

/** `GET /v1/models` */
export function listOpenaiModels(): Answer {
  const names = [...listedModels.openai, ...Object.keys(faults).map((fault) => `sim-${fault}`)];
  return whole({
    object: "list",
    data: names.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "simulator" })),
  });
}

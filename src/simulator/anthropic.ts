// Simulator: Anthropic's messages, count_tokens and models endpoints, as the real ones answer on the wire.

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
import { countTokens, splitWords } from "./text.ts";

const whole = (body: object): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: { kind: "whole", text: JSON.stringify(body) },
});

const frameOf = (event: JsonObject): string => `event: ${textOf(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`;

/** Limits and ids that come with every answer of Anthropic's. */
export function anthropicHeaders(requestId: string, refusedRate: boolean): Record<string, string> {
  const reset = `${new Date(Date.now() + 1000).toISOString().slice(0, 19)}Z`;
  const limits = { requests: 50, tokens: 480_000, "input-tokens": 400_000, "output-tokens": 80_000 };
  const headers: Record<string, string> = { "request-id": requestId, "anthropic-organization-id": "org-simulated" };
  for (const [name, limit] of Object.entries(limits)) {
    headers[`anthropic-ratelimit-${name}-limit`] = String(limit);
    headers[`anthropic-ratelimit-${name}-remaining`] = refusedRate ? "0" : String(limit - 1);
    headers[`anthropic-ratelimit-${name}-reset`] = reset;
  }
  return headers;
}

const thinkingType = (call: Call): unknown =>
  isObject(call.body["thinking"]) ? call.body["thinking"]["type"] : undefined;

const omitsThinking = (call: Call): boolean =>
  isObject(call.body["thinking"]) && call.body["thinking"]["display"] === "omitted";

function readAsk(call: Call): Ask {
  const { body } = call;
  const last = objectsOf(body["messages"]).at(-1);
  const answersTool = objectsOf(last?.["content"]).some((block) => block["type"] === "tool_result");
  const choice = isObject(body["tool_choice"]) ? body["tool_choice"] : {};
  const format =
    isObject(body["output_config"]) && isObject(body["output_config"]["format"]) ? body["output_config"]["format"] : {};
  const stops = body["stop_sequences"];
  return {
    userText: last?.["role"] === "user" && !answersTool ? contentText(last["content"]) : "",
    tools: objectsOf(body["tools"])
      .filter((tool) => isObject(tool["input_schema"]))
      .map((tool) => ({ name: textOf(tool["name"]), schema: tool["input_schema"] })),
    toolChoice: {
      mode: choice["type"] === "none" ? "none" : choice["type"] === "any" ? "required" : "auto",
      ...(choice["type"] === "tool" ? { name: textOf(choice["name"]) } : {}),
    },
    parallelTools: choice["disable_parallel_tool_use"] !== true,
    wantsTools: call.model.fault === "tools" && !answersTool,
    maxTokens: tokenLimit(body["max_tokens"]),
    stops: Array.isArray(stops) ? stops.filter((word) => typeof word === "string") : [],
    answerSchema: format["schema"],
    thinks: ["enabled", "adaptive", "between_tools"].includes(textOf(thinkingType(call))),
  };
}

/** Everything that can carry a cache mark, in the order in which Anthropic builds the prompt. */
function promptSegments(body: JsonObject): unknown[] {
  const system = typeof body["system"] === "string" ? [body["system"]] : objectsOf(body["system"]);
  const messages = objectsOf(body["messages"]).flatMap((message): unknown[] =>
    typeof message["content"] === "string" ? [message["content"]] : objectsOf(message["content"]),
  );
  return [...objectsOf(body["tools"]), ...system, ...messages];
}

/** Input tokens split as Anthropic bills them: beside the cache, written to it, read from it. */
function countInput(call: Call): { input: number; written: number; read: number; hourly: boolean } {
  const segments = promptSegments(call.body);
  const all = segments.map((segment) => readPrompt(segment));
  const total = Math.max(
    1,
    all.reduce((sum, part) => sum + (part.text === "" && part.mediaParts === 0 ? 0 : countPromptTokens(part)), 0),
  );
  const marks = segments.map((segment) =>
    isObject(segment) && isObject(segment["cache_control"]) ? segment["cache_control"] : undefined,
  );
  const lastMark = isObject(call.body["cache_control"])
    ? segments.length - 1
    : marks.findLastIndex((mark) => mark !== undefined);
  const prefix = all
    .slice(0, lastMark + 1)
    .map((part) => part.text)
    .join("");
  const prefixTokens = Math.min(countTokens(prefix), total - 1);
  if (lastMark < 0 || prefixTokens < 1024) return { input: total, written: 0, read: 0, hourly: false };
  const known = call.cache.remember(call.credential, prefix);
  // The steps of the memory are coarse; a prefix known to its last full step is known whole.
  const read = known > 0 && prefixTokens - known < 128 ? prefixTokens : known;
  return { input: total - prefixTokens, written: prefixTokens - read, read, hourly: marks[lastMark]?.["ttl"] === "1h" };
}

function blocksOf(call: Call, choice: Choice): JsonObject[] {
  const blocks: JsonObject[] = [];
  if (choice.thinking !== "") {
    const signature = Buffer.from(call.ids.letters(96)).toString("base64");
    blocks.push({ type: "thinking", thinking: omitsThinking(call) ? "" : choice.thinking, signature });
  }
  if (choice.toolCalls.length === 0) blocks.push({ type: "text", text: choice.text });
  for (const tool of choice.toolCalls) {
    blocks.push({
      type: "tool_use",
      id: `toolu_01${call.ids.letters(22)}`,
      name: tool.name,
      input: JSON.parse(tool.argumentsJson),
    });
  }
  return blocks;
}

const stopReasons = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  stop_sequence: "stop_sequence",
  content_filter: "refusal",
} as const;

/** `POST /v1/messages` */
export function answerMessages(call: Call): Answer {
  const { body } = call;
  if (tokenLimit(body["max_tokens"]) === undefined) return refuseField("anthropic", call, "max_tokens");
  if (!Array.isArray(body["messages"]) || body["messages"].length === 0)
    return refuseField("anthropic", call, "messages");
  const { text } = readPrompt(promptSegments(body));
  const made = composeChoice(readAsk(call), answerRandom(call, text));
  const choice = call.model.fault === "content-filter" ? censorChoice(made) : made;
  const tokens = countInput(call);
  const input = {
    input_tokens: tokens.input,
    cache_creation_input_tokens: tokens.written,
    cache_read_input_tokens: tokens.read,
    cache_creation: {
      ephemeral_5m_input_tokens: tokens.hourly ? 0 : tokens.written,
      ephemeral_1h_input_tokens: tokens.hourly ? tokens.written : 0,
    },
  };
  const output = {
    output_tokens: countChoiceTokens(choice),
    output_tokens_details: { thinking_tokens: countTokens(choice.thinking) },
  };
  const tier = { service_tier: "standard", inference_geo: "not_available" };
  const stop = {
    stop_reason: stopReasons[choice.finish],
    stop_sequence: choice.stopSequence ?? null,
    stop_details:
      choice.finish === "content_filter"
        ? { type: "refusal", category: "simulated", explanation: "Refused by the simulator." }
        : null,
  };
  const head = { model: call.model.answered, id: `msg_01${call.ids.letters(22)}`, type: "message", role: "assistant" };
  const content = blocksOf(call, choice);
  const counted = call.model.fault !== "no-usage";

  if (body["stream"] !== true)
    return whole({ ...head, content, ...stop, ...(counted ? { usage: { ...input, ...output, ...tier } } : {}) });
  const started = { stop_reason: null, stop_sequence: null, stop_details: null };
  const events: JsonObject[] = [
    {
      type: "message_start",
      message: {
        ...head,
        content: [],
        ...started,
        ...(counted ? { usage: { ...input, output_tokens: 1, ...tier } } : {}),
      },
    },
    ...content.flatMap((block, index) => blockEvents(block, index)),
    { type: "message_delta", delta: stop, ...(counted ? { usage: { ...input, ...output } } : {}) },
    { type: "message_stop" },
  ];
  return {
    status: 200,
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
    body: {
      kind: "stream",
      frames: events.map(frameOf),
      keepAlive: frameOf({ type: "ping" }),
      errorFrame: frameOf({ ...refusalBody("anthropic", "overloaded", { requestId: call.requestId }) }),
    },
  };
}

function blockEvents(block: JsonObject, index: number): JsonObject[] {
  const delta = (type: string, member: string, value: string): JsonObject => ({
    type: "content_block_delta",
    index,
    delta: { type, [member]: value },
  });
  const empty: Record<string, JsonObject> = {
    text: { text: "" },
    thinking: { thinking: "", signature: "" },
    tool_use: { input: {} },
  };
  const deltas: JsonObject[] = [];
  if (block["type"] === "text")
    deltas.push(...splitWords(textOf(block["text"])).map((word) => delta("text_delta", "text", word)));
  if (block["type"] === "thinking") {
    deltas.push(...splitWords(textOf(block["thinking"])).map((word) => delta("thinking_delta", "thinking", word)));
    deltas.push(delta("signature_delta", "signature", textOf(block["signature"])));
  }
  if (block["type"] === "tool_use") {
    // Anthropic opens a tool's input with an empty piece, and sends nothing else for a tool without arguments.
    const json = JSON.stringify(block["input"]);
    const pieces = json === "{}" ? [] : (json.match(/.{1,8}/gsu) ?? []);
    deltas.push(...["", ...pieces].map((piece) => delta("input_json_delta", "partial_json", piece)));
  }
  const start = { type: "content_block_start", index, content_block: { ...block, ...empty[textOf(block["type"])] } };
  // One ping after the first block has opened, as in recorded traffic.
  return [start, ...(index === 0 ? [{ type: "ping" }] : []), ...deltas, { type: "content_block_stop", index }];
}

/** `POST /v1/messages/count_tokens` */
export function answerCountTokens(call: Call): Answer {
  if (!Array.isArray(call.body["messages"])) return refuseField("anthropic", call, "messages");
  const { input, written, read } = countInput({ ...call, cache: { remember: () => 0 } });
  return whole({ input_tokens: input + written + read });
}

/** `GET /v1/models` with an `anthropic-version` */
export function listAnthropicModels(): Answer {
  const ids = [...listedModels.anthropic, ...Object.keys(faults).map((fault) => `sim-${fault}`)];
  const list = ids.map((id) => ({ type: "model", id, display_name: id, created_at: "2025-10-01T00:00:00Z" }));
  return whole({ data: list, has_more: false, first_id: ids[0], last_id: ids.at(-1) });
}

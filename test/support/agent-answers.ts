// What the agent of test/support/agent-script.ts answers, in each provider's own words, whole and streamed. By hand, after the
// providers' references and recordings: nothing here comes from Outrider's encoders.
import { crc32 } from "node:zlib";
import { agentRedacted, agentSignatures, agentTurns, type AgentCall, type AgentTurn } from "./agent-script.ts";

type Json = Record<string, unknown>;

/** The dialects of providers; `google-chat` is Google's own layer for Chat clients, which signs its calls. */
export type AgentProvider = "openai" | "anthropic" | "google" | "google-chat" | "bedrock" | "cohere";

/** One answer as bytes. */
export interface AgentAnswer {
  contentType: string;
  body: string | Buffer;
}

/** The provider's answer of a turn (0 to 2). */
export function writeAgentAnswer(provider: AgentProvider, place: number, streams: boolean): AgentAnswer {
  const turn = agentTurns[place];
  if (turn === undefined) throw new Error(`the agent has no turn ${place}`);
  const writer = writers[provider];
  if (streams) return { contentType: writer.streamType, body: writer.stream(turn, place) };
  return { contentType: "application/json", body: JSON.stringify(writer.whole(turn, place)) };
}

interface Writer {
  streamType: string;
  whole(turn: AgentTurn, place: number): Json;
  stream(turn: AgentTurn, place: number): string | Buffer;
}

/** Cuts a text into two pieces. */
const halve = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
};

const argumentText = ({ arguments: given }: AgentCall): string => JSON.stringify(given);

const event = (data: Json): string => `data: ${JSON.stringify(data)}\n\n`;

const namedEvent = (data: Json & { type: string }): string => `event: ${data.type}\n${event(data)}`;

const chatUsage = ({ inputTokens, outputTokens }: AgentTurn): Json => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
});

const chatFinish = ({ calls }: AgentTurn): string => (calls.length > 0 ? "tool_calls" : "stop");

type Beside = (order: number, place: number) => Json;

/** `beside`: what stands in a call beside OpenAI's own members. */
const createChatWriter = (beside: Beside): Writer => ({
  streamType: "text/event-stream",
  whole(turn, place) {
    const { text = null, calls } = turn;
    const toolCalls = calls.map((call, order) => ({
      ...beside(order, place),
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: argumentText(call) },
    }));
    const message = {
      role: "assistant",
      content: text,
      refusal: null,
      ...(calls.length > 0 ? { tool_calls: toolCalls } : {}),
    };
    return {
      id: `chatcmpl-${place}`,
      object: "chat.completion",
      created: 1,
      model: "gpt-test-1",
      choices: [{ index: 0, message, logprobs: null, finish_reason: chatFinish(turn) }],
      usage: chatUsage(turn),
    };
  },
  stream(turn, place) {
    const head = { id: `chatcmpl-${place}`, object: "chat.completion.chunk", created: 1, model: "gpt-test-1" };
    const chunk = (delta: Json, finish: string | null = null): string =>
      event({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] });
    const calls = turn.calls.flatMap((call, index) => [
      chunk({
        tool_calls: [
          {
            index,
            id: call.id,
            type: "function",
            function: { name: call.name, arguments: "" },
            ...beside(index, place),
          },
        ],
      }),
      ...halve(argumentText(call)).map((text) => chunk({ tool_calls: [{ index, function: { arguments: text } }] })),
    ]);
    return [
      chunk({ role: "assistant", content: turn.text === undefined ? null : "" }),
      ...halve(turn.text ?? "").map((content) => (content === "" ? "" : chunk({ content }))),
      ...calls,
      chunk({}, chatFinish(turn)),
      event({ ...head, choices: [], usage: chatUsage(turn) }),
      "data: [DONE]\n\n",
    ].join("");
  },
});

const googleChat = createChatWriter((order, place) =>
  order === 0 ? { extra_content: { google: { thought_signature: agentSignatures[place] } } } : {},
);

const anthropicBlocks = (turn: AgentTurn, place: number): Json[] => [
  ...(turn.thinking === undefined
    ? []
    : [{ type: "thinking", thinking: turn.thinking, signature: agentSignatures[place] }]),
  ...(turn.thinking !== undefined && place === 0 ? [{ type: "redacted_thinking", data: agentRedacted }] : []),
  ...(turn.text === undefined ? [] : [{ type: "text", text: turn.text }]),
  ...turn.calls.map(({ id, name, arguments: input }) => ({ type: "tool_use", id, name, input })),
];

const anthropicStop = ({ calls }: AgentTurn): string => (calls.length > 0 ? "tool_use" : "end_turn");

const anthropicHead = (place: number): Json => ({
  id: `msg_${place}`,
  type: "message",
  role: "assistant",
  model: "claude-test-1",
});

/** A block as its start says it, and its pieces. */
function anthropicPieces(block: Json, turn: AgentTurn): { start: Json; deltas: Json[] } {
  switch (block["type"]) {
    case "thinking":
      return {
        start: { ...block, thinking: "", signature: "" },
        deltas: [
          ...halve(String(block["thinking"])).map((thinking) => ({ type: "thinking_delta", thinking })),
          { type: "signature_delta", signature: block["signature"] },
        ],
      };
    case "text":
      return {
        start: { ...block, text: "" },
        deltas: halve(turn.text ?? "").map((text) => ({ type: "text_delta", text })),
      };
    case "tool_use": {
      const pieces = halve(JSON.stringify(block["input"])).map((partial_json) => ({
        type: "input_json_delta",
        partial_json,
      }));
      return { start: { ...block, input: {} }, deltas: pieces };
    }
    default:
      return { start: block, deltas: [] };
  }
}

const anthropic: Writer = {
  streamType: "text/event-stream",
  whole: (turn, place) => ({
    ...anthropicHead(place),
    content: anthropicBlocks(turn, place),
    stop_reason: anthropicStop(turn),
    stop_sequence: null,
    usage: { input_tokens: turn.inputTokens, output_tokens: turn.outputTokens },
  }),
  stream(turn, place) {
    const usage = { input_tokens: turn.inputTokens, output_tokens: 1 };
    const message = { ...anthropicHead(place), content: [], stop_reason: null, stop_sequence: null, usage };
    const blocks = anthropicBlocks(turn, place).flatMap((block, index) => {
      const { start, deltas } = anthropicPieces(block, turn);
      return [
        namedEvent({ type: "content_block_start", index, content_block: start }),
        ...deltas.map((delta) => namedEvent({ type: "content_block_delta", index, delta })),
        namedEvent({ type: "content_block_stop", index }),
      ];
    });
    return [
      namedEvent({ type: "message_start", message }),
      namedEvent({ type: "ping" }),
      ...blocks,
      namedEvent({
        type: "message_delta",
        delta: { stop_reason: anthropicStop(turn), stop_sequence: null },
        usage: { output_tokens: turn.outputTokens },
      }),
      namedEvent({ type: "message_stop" }),
    ].join("");
  },
};

/** Of parallel calls the first alone is signed (Gemini API, "Thought signatures", read 2026-11-21). */
const googleParts = (turn: AgentTurn, place: number): Json[] => [
  ...(turn.thinking === undefined ? [] : [{ text: turn.thinking, thought: true }]),
  ...(turn.text === undefined ? [] : [{ text: turn.text }]),
  ...turn.calls.map(({ name, arguments: args }, index) => ({
    functionCall: { name, args },
    ...(index === 0 ? { thoughtSignature: agentSignatures[place] } : {}),
  })),
];

const googleTail = (turn: AgentTurn): Json => ({
  usageMetadata: {
    promptTokenCount: turn.inputTokens,
    candidatesTokenCount: turn.outputTokens,
    totalTokenCount: turn.inputTokens + turn.outputTokens,
  },
});

const google: Writer = {
  streamType: "text/event-stream",
  whole: (turn, place) => ({
    candidates: [{ content: { role: "model", parts: googleParts(turn, place) }, finishReason: "STOP", index: 0 }],
    ...googleTail(turn),
    modelVersion: "gemini-3-test",
    responseId: `resp-${place}`,
  }),
  stream(turn, place) {
    const head = { modelVersion: "gemini-3-test", responseId: `resp-${place}` };
    const pieces = googleParts(turn, place).flatMap((part) =>
      typeof part["text"] === "string" ? halve(part["text"]).map((text) => ({ ...part, text })) : [part],
    );
    return [
      ...pieces.map((part) =>
        event({ candidates: [{ content: { role: "model", parts: [part] }, index: 0 }], ...head }),
      ),
      event({
        candidates: [{ content: { role: "model", parts: [{ text: "" }] }, finishReason: "STOP", index: 0 }],
        ...googleTail(turn),
        ...head,
      }),
    ].join("");
  },
};

/** One message of AWS's event stream (smithy.io, `application/vnd.amazon.eventstream`, read 2026-11-21). */
function awsMessage(type: string, payload: Json): Buffer {
  const texts = { ":event-type": type, ":content-type": "application/json", ":message-type": "event" };
  const headers = Object.entries(texts).map(([name, value]) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(value.length);
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)]);
  });
  const head = Buffer.concat(headers);
  const body = Buffer.from(JSON.stringify(payload));
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(12 + head.length + body.length + 4, 0);
  prelude.writeUInt32BE(head.length, 4);
  const whole = Buffer.concat([prelude, checksumOf(prelude), head, body]);
  return Buffer.concat([whole, checksumOf(whole)]);
}

function checksumOf(bytes: Buffer): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return checksum;
}

const bedrockStop = ({ calls }: AgentTurn): string => (calls.length > 0 ? "tool_use" : "end_turn");

const bedrockUsage = ({ inputTokens, outputTokens }: AgentTurn): Json => ({
  usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
  metrics: { latencyMs: 1 },
});

function bedrockDeltas(turn: AgentTurn, place: number): { start?: Json; deltas: Json[] }[] {
  const thinking = halve(turn.thinking ?? "").map((text) => ({ reasoningContent: { text } }));
  const sealed = { reasoningContent: { signature: agentSignatures[place] } };
  return [
    ...(turn.thinking === undefined ? [] : [{ deltas: [...thinking, sealed] }]),
    ...(turn.thinking !== undefined && place === 0
      ? [{ deltas: [{ reasoningContent: { redactedContent: agentRedacted } }] }]
      : []),
    ...(turn.text === undefined ? [] : [{ deltas: halve(turn.text).map((text) => ({ text })) }]),
    ...turn.calls.map((call) => ({
      start: { toolUse: { toolUseId: call.id, name: call.name } },
      deltas: halve(argumentText(call)).map((input) => ({ toolUse: { input } })),
    })),
  ];
}

const bedrock: Writer = {
  streamType: "application/vnd.amazon.eventstream",
  whole(turn, place) {
    const reasoningText = { text: turn.thinking, signature: agentSignatures[place] };
    const content = [
      ...(turn.thinking === undefined ? [] : [{ reasoningContent: { reasoningText } }]),
      ...(turn.thinking !== undefined && place === 0 ? [{ reasoningContent: { redactedContent: agentRedacted } }] : []),
      ...(turn.text === undefined ? [] : [{ text: turn.text }]),
      ...turn.calls.map(({ id, name, arguments: input }) => ({ toolUse: { toolUseId: id, name, input } })),
    ];
    return {
      output: { message: { role: "assistant", content } },
      stopReason: bedrockStop(turn),
      ...bedrockUsage(turn),
    };
  },
  stream: (turn, place) =>
    Buffer.concat([
      awsMessage("messageStart", { role: "assistant" }),
      ...bedrockDeltas(turn, place).flatMap(({ start, deltas }, contentBlockIndex) => [
        ...(start === undefined ? [] : [awsMessage("contentBlockStart", { contentBlockIndex, start })]),
        ...deltas.map((delta) => awsMessage("contentBlockDelta", { contentBlockIndex, delta })),
        awsMessage("contentBlockStop", { contentBlockIndex }),
      ]),
      awsMessage("messageStop", { stopReason: bedrockStop(turn) }),
      awsMessage("metadata", bedrockUsage(turn)),
    ]),
};

const cohereEnd = (turn: AgentTurn): Json => ({
  finish_reason: turn.calls.length > 0 ? "TOOL_CALL" : "COMPLETE",
  usage: {
    billed_units: { input_tokens: 1, output_tokens: 1 },
    tokens: { input_tokens: turn.inputTokens, output_tokens: turn.outputTokens },
  },
});

const cohereEvent = (type: string, index: number, message: Json): string =>
  namedEvent({ type, index, delta: { message } });

const cohere: Writer = {
  streamType: "text/event-stream",
  whole(turn, place) {
    const content = [
      ...(turn.thinking === undefined ? [] : [{ type: "thinking", thinking: turn.thinking }]),
      ...(turn.text === undefined ? [] : [{ type: "text", text: turn.text }]),
    ];
    const toolCalls = turn.calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: argumentText(call) },
    }));
    const message = {
      role: "assistant",
      ...(content.length > 0 ? { content } : {}),
      ...(turn.calls.length > 0 ? { tool_calls: toolCalls } : {}),
    };
    return { id: `cohere-${place}`, message, ...cohereEnd(turn) };
  },
  stream(turn, place) {
    const contents = [
      { type: "thinking", text: turn.thinking },
      { type: "text", text: turn.text },
    ].filter((content): content is { type: string; text: string } => content.text !== undefined);
    return [
      namedEvent({
        type: "message-start",
        id: `cohere-${place}`,
        delta: { message: { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] } },
      }),
      ...contents.flatMap(({ type, text }, index) => [
        cohereEvent("content-start", index, { content: { type, [type]: "" } }),
        ...halve(text).map((piece) => cohereEvent("content-delta", index, { content: { [type]: piece } })),
        namedEvent({ type: "content-end", index }),
      ]),
      ...turn.calls.flatMap((call, index) => [
        cohereEvent("tool-call-start", index, {
          tool_calls: { id: call.id, type: "function", function: { name: call.name, arguments: "" } },
        }),
        ...halve(argumentText(call)).map((text) =>
          cohereEvent("tool-call-delta", index, { tool_calls: { function: { arguments: text } } }),
        ),
        namedEvent({ type: "tool-call-end", index }),
      ]),
      namedEvent({ type: "message-end", delta: cohereEnd(turn) }),
    ].join("");
  },
};

const writers: Readonly<Record<AgentProvider, Writer>> = {
  openai: createChatWriter(() => ({})),
  anthropic,
  google,
  "google-chat": googleChat,
  bedrock,
  cohere,
};

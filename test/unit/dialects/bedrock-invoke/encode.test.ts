// InvokeModel as a client's dialect: Claude's body for whatever provider, its answers and its streams. Expected values are written here.
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../../src/canonical/index.ts";
import {
  type DialectId,
  findDialect,
  translateRequest,
  translateResponse,
  translateStream,
} from "../../../../src/dialects/index.ts";
import { createAwsEventStreamDecoder } from "../../../../src/dialects/framing/aws-eventstream.ts";
import { readEvents } from "../../../support/bedrock-reading.ts";
import { loadRecordings } from "../../../support/recordings.ts";

type Json = Record<string, unknown>;

const invoke = findDialect("bedrock-invoke");
const facts = {
  model: "target-model",
  exchangeId: "0123456789abcdef0123456789abcdef",
  epochSeconds: 1_700_000_000,
};

function askIn(to: DialectId, body: Json, { model = "openai/gpt-x", action = "invoke", target = "target-model" } = {}) {
  const operation = invoke.match("POST", `/model/${encodeURIComponent(model)}/${action}`);
  if (operation === undefined) throw new Error(`no call of ${model}`);
  const request = invoke.decodeRequest(body, operation);
  return translateRequest(invoke, findDialect(to), { body, request }, { ...facts, model: target });
}

const claude = {
  anthropic_version: "bedrock-2023-05-31",
  max_tokens: 100,
  system: "Be brief.",
  messages: [{ role: "user", content: "Weather in Paris?" }],
};

describe("a request of Claude's form", () => {
  it("is a chat for OpenAI, with nothing lost", () => {
    const { body, losses } = askIn("openai-chat", claude);
    expect(losses).toEqual([]);
    expect(body).toMatchObject({
      model: "target-model",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Weather in Paris?" },
      ],
    });
    expect(JSON.stringify(body)).not.toContain("bedrock-2023-05-31");
  });

  it("is streamed where the path says so", () => {
    expect(askIn("openai-chat", claude, { action: "invoke-with-response-stream" }).body["stream"]).toBe(true);
    expect(askIn("openai-chat", claude).body["stream"] ?? false).toBe(false);
  });

  it("is Anthropic's own but for the version, whatever the block", () => {
    const messages = [
      { role: "user", content: [{ type: "text", text: "Hi", cache_control: { type: "ephemeral" } }] },
      { role: "assistant", content: [{ type: "thinking", thinking: "Hm", signature: "c2lnbmVk" }] },
      { role: "user", content: [{ type: "document", source: { type: "text", data: "x", media_type: "text/plain" } }] },
    ];
    const { anthropic_version: _version, ...sent } = { ...claude, messages, thinking: { type: "adaptive" }, top_k: 3 };
    const { body, losses } = askIn("anthropic-messages", { ...sent, anthropic_version: "bedrock-2023-05-31" });
    expect(body).toEqual({ model: "target-model", ...sent });
    expect(losses).toEqual([]);
  });

  it("has its features to try out in Anthropic's header, and told as lost elsewhere", () => {
    const body = { ...claude, anthropic_beta: ["context-1m-2025-08-07", "computer-use-2025-01-24"] };
    const own = askIn("anthropic-messages", body);
    expect(own.headers.join(" ")).toContain("anthropic-beta context-1m-2025-08-07,computer-use-2025-01-24");
    expect(own.body).not.toHaveProperty("anthropic_beta");
    expect(own.losses).toEqual([]);
    expect(askIn("openai-chat", body).losses).toMatchObject([{ pointer: "/anthropic_beta", severity: "tuning" }]);
  });

  it.each([["a\r\nx-injected: 1"], [7], [null]])("makes no header of the feature %j", (feature) => {
    const { headers, losses } = askIn("anthropic-messages", { ...claude, anthropic_beta: [feature] });
    expect(headers).toEqual(["anthropic-version", "2023-06-01"]);
    expect(losses).toMatchObject([{ pointer: "/anthropic_beta" }]);
  });

  it("points at its own body for what is lost", () => {
    const tools = [{ type: "web_search_20250305", name: "web_search" }];
    const { losses } = askIn("openai-chat", { ...claude, top_k: 3, tools });
    expect(losses.map(({ pointer }) => pointer)).toEqual(expect.arrayContaining(["/top_k", "/tools/0"]));
  });

  it("takes no notice of a model and a stream in the body, as Bedrock does not", () => {
    const { body, losses } = askIn("openai-chat", { ...claude, model: "claude-x", stream: true });
    expect(body["model"]).toBe("target-model");
    expect(body["stream"] ?? false).toBe(false);
    expect(losses).toEqual([]);
  });

  const recorded = loadRecordings("bedrock-invoke").filter(
    ({ request: { body } }) => (body as Json | undefined)?.["anthropic_version"] !== undefined,
  );

  it("is what it was when it is written back, as recorded", () => {
    expect(recorded.length).toBeGreaterThan(20);
    for (const { id, request } of recorded) {
      const path = new URL(request.url).pathname;
      const operation = invoke.match("POST", path);
      if (operation?.model === undefined) throw new Error(id);
      const body = request.body as Json;
      const told = { body, request: invoke.decodeRequest(body, operation) };
      const written = translateRequest(invoke, invoke, told, { ...facts, model: operation.model });
      expect(decodeURIComponent(written.path), id).toBe(decodeURIComponent(path));
      expect(plain(written.body), id).toEqual(plain(body));
      expect(written.losses, id).toEqual([]);
    }
  });
});

/** A text and the one text block it stands for are not told apart. */
function plain(body: Json): Json {
  const shorten = (content: unknown): unknown => {
    const [only, ...more] = Array.isArray(content) ? (content as Json[]) : [];
    const isText = more.length === 0 && only?.["type"] === "text" && Object.keys(only).length === 2;
    return isText ? only["text"] : content;
  };
  const messages = (body["messages"] as Json[]).map((message) => ({
    ...message,
    content: shorten(message["content"]),
  }));
  return { ...body, messages, ...("system" in body ? { system: shorten(body["system"]) } : {}) };
}

describe("a request of another family's form", () => {
  it.each([
    { family: "Titan", body: { inputText: "Hi" } },
    { family: "Llama", body: { prompt: "Hi", max_gen_len: 5 } },
    { family: "Nova", body: { messages: [{ role: "user", content: [{ text: "Hi" }] }], inferenceConfig: {} } },
    { family: "Command R", body: { message: "Hi" } },
    { family: "chat", body: { messages: [{ role: "user", content: "Hi" }] } },
  ])("is refused with the reason: $family", ({ body }) => {
    expect(() => askIn("openai-chat", body)).toThrow(
      expect.objectContaining({ code: "operation_unsupported", message: expect.stringMatching(/anthropic_version/) }),
    );
  });
});

describe("a request for InvokeModel", () => {
  const chat = { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };
  const ask = (model: string) => {
    const openai = findDialect("openai-chat");
    const operation = openai.match("POST", "/v1/chat/completions");
    if (operation === undefined) throw new Error("no chat");
    const told = { body: chat, request: openai.decodeRequest(chat, operation) };
    return translateRequest(openai, invoke, told, { ...facts, model });
  };

  it.each(["us.anthropic.claude-x-v1:0", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"])(
    "has Claude's form, the model in the path alone: %s",
    (model) => {
      expect(ask(model)).toMatchObject({ path: `/model/${encodeURIComponent(model)}/invoke`, losses: [] });
      expect(ask(model).body).toEqual({
        anthropic_version: "bedrock-2023-05-31",
        max_tokens: 100,
        messages: [{ role: "user", content: "Hi" }],
      });
    },
  );

  it.each(["amazon.titan-text-lite-v1", "us.meta.llama3-3-70b-instruct-v1:0"])("is refused for %s", (model) => {
    expect(() => ask(model)).toThrow(expect.objectContaining({ code: "operation_unsupported" }));
  });
});

const head: StreamEvent[] = [
  { type: "response_start", id: "chatcmpl-1", model: "gpt-x-1" },
  { type: "choice_start", choice: 0, role: "assistant" },
  { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
  { type: "part_delta", choice: 0, part: 0, text: "Hello" },
];
const tail: StreamEvent[] = [
  { type: "part_end", choice: 0, part: 0 },
  { type: "usage", usage: { inputTokens: 20, cacheReadTokens: 5, cacheWriteTokens: 3, outputTokens: 9 } },
  { type: "choice_end", choice: 0, finishReason: { unified: "stop", raw: "stop" } },
  { type: "response_end" },
];

function stream(source: DialectId, events: StreamEvent[]): Buffer {
  const { encoder } = translateStream(findDialect(source), invoke, true, facts);
  const pieces = [...events.flatMap((event) => encoder.push(event)), ...encoder.end()];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

describe("an answer", () => {
  it("is a message of Anthropic's", () => {
    const choice = {
      index: 0,
      message: { role: "assistant", parts: [{ type: "text", content: "Hello" } as const] },
      finishReason: { unified: "stop", raw: "stop" } as const,
    };
    const usage = { inputTokens: 20, outputTokens: 9 };
    const { body, losses } = translateResponse(findDialect("openai-chat"), invoke, { choices: [choice], usage }, facts);
    expect(losses).toEqual([]);
    expect(body).toMatchObject({
      type: "message",
      role: "assistant",
      model: "target-model",
      content: [{ type: "text", text: "Hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 20, output_tokens: 9 },
    });
  });

  it("streams Anthropic's events in chunks, with Amazon's counts in the last", () => {
    const events = readEvents(stream("openai-chat", [...head, { type: "keepalive" }, ...tail]));
    expect(new Set(events.map(({ name }) => name))).toEqual(new Set(["chunk"]));
    expect(events.map(({ body }) => body["type"])).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect(events[0]?.body).toMatchObject({ message: { model: "gpt-x-1" } });
    // 20 tokens of input, of which 5 were read from the cache and 3 written to it.
    expect(events.at(-1)?.body).toEqual({
      type: "message_stop",
      "amazon-bedrock-invocationMetrics": {
        inputTokenCount: 12,
        outputTokenCount: 9,
        cacheReadInputTokenCount: 5,
        cacheWriteInputTokenCount: 3,
      },
    });
  });

  it("says no counts where the provider said none", () => {
    const uncounted = tail.filter(({ type }) => type !== "usage");
    expect(readEvents(stream("openai-chat", [...head, ...uncounted])).at(-1)?.body).toEqual({ type: "message_stop" });
  });

  it.each([
    {
      what: "an error",
      last: { type: "error", error: { type: "overloaded_error", message: "busy" } } as const,
      exception: "serviceUnavailableException",
    },
    {
      what: "a limit",
      last: { type: "error", error: { code: "rate_limit_exceeded", message: "busy" } } as const,
      exception: "throttlingException",
    },
    { what: "nothing", last: undefined, exception: "modelStreamErrorException" },
  ])("that ends in $what ends in an exception, and nothing after", ({ last, exception }) => {
    const events = last === undefined ? head : [...head, last, ...tail];
    const frames = createAwsEventStreamDecoder().push(stream("openai-chat", events));
    expect(frames.map(({ event }) => event)).toEqual(["chunk", "chunk", "chunk", exception]);
    expect(frames.at(-1)?.exception).toBe(true);
  });
});

// Real bugs of other gateways around the bytes and the end of a stream. Each test's name begins with its number in the list of pitfalls and
// the report it comes from; what is expected is written here by hand.
import { describe, expect, it } from "vitest";
import { converseBeginning, converseEvent, converseException, converseStream } from "../support/converse-stream.ts";
import { foldEvents } from "../support/stream-decoding.ts";
import {
  chatChunk,
  type ChatDialect,
  chatUsage,
  type Json,
  messagesStream,
  readStream,
  type ReadEvent,
  sse,
  streamedBlock,
  streamIn,
} from "../support/translated-words.ts";

const namesOf = (events: readonly ReadEvent[]): string[] => events.map(({ name }) => name ?? "");

describe("a stream that ends in an error, or not at all, does not look whole", () => {
  it("31 Portkey-AI/gateway#1047: a Bedrock stream that is only an exception is an error, with nothing before it", () => {
    const stream = converseException("throttlingException", "Too many requests");
    const events = readStream("bedrock-converse", [stream]);
    expect(events.map(({ type }) => type)).toEqual(["error"]);
    const { bytes } = streamIn("bedrock-converse", "openai-chat", stream);
    expect(bytes.toString()).toContain('"error"');
    expect(bytes.toString()).not.toMatch(/finish_reason|\[DONE\]/);
  });

  it("33 BerriAI/litellm#32686: a ConverseStream without messageStop is an error: no finish, no usage", () => {
    const cut = Buffer.concat(converseBeginning);
    expect(foldEvents(readStream("bedrock-converse", [cut])).choices[0]).not.toHaveProperty("finishReason");
    const claude = streamIn("bedrock-converse", "anthropic-messages", cut);
    expect(namesOf(claude.events).at(-1)).toBe("error");
    expect(namesOf(claude.events)).not.toContain("message_stop");
    expect(namesOf(claude.events)).not.toContain("message_delta");
    const chat = streamIn("bedrock-converse", "openai-chat", cut).bytes.toString();
    expect(chat).toContain('"error"');
    expect(chat).not.toContain("[DONE]");
    expect(chat).not.toMatch(/"finish_reason":"|"usage":\{/);
  });

  it("34 Portkey-AI/gateway#949: overloaded in the middle of a Messages stream is an error to a Chat client", () => {
    const [start] = messagesStream([]).split("event: message_delta");
    const stream =
      (start ?? "") +
      sse(...streamedBlock(0, { type: "text", text: "" }, { type: "text_delta", text: "Hi" }).slice(0, 2), {
        type: "error",
        error: { type: "overloaded_error", message: "Overloaded" },
      });
    const { events, bytes } = streamIn("anthropic-messages", "openai-chat", stream);
    const last = events.at(-1)?.data as Json;
    expect(last["error"]).toMatchObject({ message: "Overloaded" });
    expect(bytes.toString()).not.toContain("[DONE]");
    expect(bytes.toString()).not.toMatch(/"finish_reason":"/);
  });

  it("49 openai/codex#41340: a Responses stream that ends early has neither response.completed nor a made-up finish", () => {
    const cut = sse(chatChunk({ role: "assistant", content: "Hi" }));
    const { events } = streamIn("openai-chat", "openai-responses", cut);
    expect(namesOf(events)).not.toContain("response.completed");
    expect(namesOf(events)).not.toContain("response.incomplete");
    const error = events.at(-1)?.data as Json;
    expect(["error", "response.failed"]).toContain(error["type"]);
    expect(JSON.stringify(error)).not.toContain("invalid_request_error");
  });
});

describe("35 musistudio/claude-code-router#1672: characters cut anywhere come out whole", () => {
  // Three bytes, then four, in UTF-8.
  const text = "日本 😀.";
  const said = (stream: ChatDialect, chunks: Buffer[]): string | undefined => {
    const [part] = foldEvents(readStream(stream, chunks)).choices[0]?.message.parts ?? [];
    return part?.type === "text" ? part.content : undefined;
  };
  const streams: [ChatDialect, Buffer][] = [
    ["openai-chat", Buffer.from(sse(chatChunk({ content: text }), chatChunk({}, "stop"), chatUsage, "[DONE]"))],
    [
      "anthropic-messages",
      Buffer.from(messagesStream(streamedBlock(0, { type: "text", text: "" }, { type: "text_delta", text }))),
    ],
    [
      "gemini-generate-content",
      Buffer.from(
        sse({ candidates: [{ index: 0, content: { role: "model", parts: [{ text }] }, finishReason: "STOP" }] }),
      ),
    ],
    [
      "ollama-chat",
      Buffer.from(
        `${JSON.stringify({ model: "m", message: { role: "assistant", content: text }, done: true, done_reason: "stop" })}\n`,
      ),
    ],
    [
      "bedrock-converse",
      Buffer.concat([
        converseEvent("messageStart", { role: "assistant" }),
        converseEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text } }),
        converseStream(),
      ]),
    ],
  ];

  it.each(streams)("35 %s at every byte", (dialect, bytes) => {
    expect(bytes.includes(Buffer.from(text))).toBe(true);
    const whole = said(dialect, [bytes]);
    expect(whole?.startsWith(text)).toBe(true);
    for (let at = 1; at < bytes.length; at++) {
      const chunks = [bytes.subarray(0, at), bytes.subarray(at)];
      expect(said(dialect, chunks), `cut at ${at}`).toBe(whole);
    }
    const client = dialect === "openai-chat" ? "anthropic-messages" : "openai-chat";
    const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    expect(streamIn(dialect, client, single).bytes.equals(streamIn(dialect, client, [bytes]).bytes)).toBe(true);
  });
});

describe("one framing for each client", () => {
  it("53 anthropics/anthropic-sdk-typescript#1199: Converse's frames are events to an Anthropic client, and an answer to Bedrock's is frames", () => {
    const { bytes, events } = streamIn("bedrock-converse", "anthropic-messages", converseStream());
    expect(bytes.toString().startsWith("event: message_start\ndata: {")).toBe(true);
    expect(namesOf(events).at(-1)).toBe("message_stop");
    const frames = streamIn("anthropic-messages", "bedrock-converse", messagesStream([])).bytes;
    expect(frames.readUInt32BE(0)).toBeLessThanOrEqual(frames.length);
    expect(namesOf(streamIn("anthropic-messages", "bedrock-converse", messagesStream([])).events)).toEqual([
      "messageStart",
      "messageStop",
      "metadata",
    ]);
  });
});

// Every recorded exchange of the OpenAI shape, decoded and held against a plain reading of its own bytes.
import { describe, expect, it } from "vitest";
import { createFold, type Fold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import { embeddings } from "../../src/dialects/embeddings/index.ts";
import type { Dialect, Operation } from "../../src/dialects/dialect.ts";
import { openaiChat } from "../../src/dialects/openai-chat/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { decodeEvents } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

/** Streams that end without a terminal event, and why that is what happened. */
const unendedStreams: Record<string, string> = {
  "openai-chat/groq/pydantic-ai-test-tool-use-failed-error-streaming-0-8e947bc8": "ends in an error event",
};

/** Frames that the decoder may leave unrecognized, by recording. None so far. */
const unrecognizedFrames: Record<string, string> = {};

const callPaths: Record<string, string> = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  embeddings: "/v1/embeddings",
};

const calls = loadRecordings("openai-chat", "openai-completions", "openai-embeddings", "mistral").flatMap(
  (recording) => {
    const path = callPaths[recording.operation];
    if (path === undefined || recording.request.method !== "POST") return [];
    const dialect = recording.operation === "embeddings" ? embeddings : openaiChat;
    const operation = dialect.match("POST", path);
    if (operation === undefined) throw new Error(`no operation for ${path}`);
    return [{ recording, dialect, operation }];
  },
);
const succeeded = calls.filter(({ recording }) => recording.response.status < 400);

function parseJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON objects of an answer: its one body, or each data line of its stream. */
function wireObjects(recording: Recording): Json[] {
  const text = responseBytes(recording).toString();
  const texts =
    recording.framing === "json"
      ? [text]
      : text.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []));
  return texts.map(parseJson).filter((object) => object !== undefined);
}

function decode(
  recording: Recording,
  dialect: Dialect,
  operation: Operation,
): { response: InferenceResponse; fold?: Fold } {
  if (recording.framing === "json") {
    const body = parseJson(responseBytes(recording).toString());
    if (body === undefined) throw new Error(`${recording.id}: no JSON object`);
    return { response: dialect.decodeResponse(body, operation) };
  }
  const fold = createFold({ keepContent: true });
  for (const event of decodeEvents(dialect.eventDecoder(operation), [responseBytes(recording)])) fold.push(event);
  return { response: fold.result(), fold };
}

const firstFilled = (objects: Json[], key: string) =>
  objects.map((object) => object[key]).find((value) => typeof value === "string" && value !== "");

/** The last word of each choice, by index. */
function wireFinishReasons(objects: Json[]): Record<number, string> {
  const words: Record<number, string> = {};
  for (const object of objects) {
    for (const [position, choice] of ((object["choices"] ?? []) as Json[]).entries()) {
      const word = choice["finish_reason"];
      if (typeof word === "string" && word !== "") words[Number(choice["index"] ?? position)] = word;
    }
  }
  return words;
}

/** The text of each choice as a plain reader adds it up, by index; undefined where the wire has lists of parts. */
function wireTexts(objects: Json[], kind: Operation["kind"], streamed: boolean): Record<number, string> | undefined {
  const texts: Record<number, string> = {};
  for (const object of objects) {
    for (const [position, choice] of ((object["choices"] ?? []) as Json[]).entries()) {
      // Perplexity's whole answers have an empty delta beside the message, its streams the message beside the delta.
      const holder = kind === "chat" ? (choice[streamed ? "delta" : "message"] as Json | undefined) : choice;
      const value = holder?.[kind === "chat" ? "content" : "text"];
      if (Array.isArray(value)) return undefined;
      if (typeof value === "string" && value !== "") {
        const index = Number(choice["index"] ?? position);
        texts[index] = (texts[index] ?? "") + value;
      }
    }
  }
  return texts;
}

/** The same of a decoded answer: its text parts but refusals. */
function decodedTexts(response: InferenceResponse): Record<number, string> {
  const texts: Record<number, string> = {};
  for (const { index, message } of response.choices) {
    for (const part of message.parts) {
      if (part.type === "text" && part.extensions === undefined) texts[index] = (texts[index] ?? "") + part.content;
    }
  }
  return texts;
}

describe("recorded OpenAI-shaped traffic", () => {
  it("covers all four folders", () => {
    expect(new Set(calls.map(({ recording }) => recording.dialect))).toEqual(
      new Set(["openai-chat", "openai-completions", "openai-embeddings", "mistral"]),
    );
  });

  it.each(succeeded)(
    "$recording.id: id, model, finish reasons, text and usage",
    ({ recording, dialect, operation }) => {
      const { response, fold } = decode(recording, dialect, operation);
      const objects = wireObjects(recording);
      expect(objects.length).toBeGreaterThan(0);
      expect(response.id).toBe(firstFilled(objects, "id"));
      expect(response.model).toBe(firstFilled(objects, "model"));
      expect(response.usage?.raw).toEqual(recording.usage);
      const finishReasons = response.choices.flatMap((choice) =>
        choice.finishReason === undefined ? [] : [[choice.index, choice.finishReason.raw]],
      );
      expect(Object.fromEntries(finishReasons)).toEqual(wireFinishReasons(objects));
      const texts = wireTexts(objects, operation.kind, fold !== undefined);
      if (dialect === openaiChat && texts !== undefined && !objects.some((object) => "value" in object)) {
        expect(decodedTexts(response)).toEqual(texts);
      }
      if (fold !== undefined) {
        expect(fold.unrecognizedEvents).toBe(recording.id in unrecognizedFrames ? 1 : 0);
        expect(fold.ended).toBe(!(recording.id in unendedStreams));
        expect(fold.error === undefined).toBe(!objects.some((object) => "error" in object));
      }
    },
  );

  it("states the conventions' counts where the wire has the two main ones", () => {
    for (const { recording, dialect, operation } of succeeded) {
      const { usage } = decode(recording, dialect, operation).response;
      if (usage === undefined) continue;
      // Mistral counts audio beside the prompt (11 + 375 in, 15 out, 401 in all), embeddings may state a total alone.
      const { prompt_tokens: prompt, total_tokens: total, completion_tokens: output } = recording.usage ?? {};
      const isAudioApart = typeof recording.usage?.["prompt_audio_seconds"] === "number";
      expect(usage.inputTokens, recording.id).toBe(isAudioApart ? Number(total) - Number(output) : (prompt ?? total));
      if (dialect === embeddings || recording.provider === "xai") continue;
      expect(usage.outputTokens, recording.id).toBe(recording.usage?.["completion_tokens"]);
    }
  });

  it("reads every error body", () => {
    const failed = calls.filter(({ recording }) => recording.response.status >= 400);
    expect(failed.length).toBeGreaterThan(0);
    for (const { recording, dialect } of failed) {
      const body: unknown = JSON.parse(responseBytes(recording).toString());
      expect(dialect.decodeError(body)?.message, recording.id).not.toBe("");
      expect(dialect.decodeError(body)?.message, recording.id).toBeDefined();
    }
  });

  it("sees no error in a whole answer", () => {
    for (const { recording, dialect } of succeeded) {
      if (recording.framing !== "json") continue;
      expect(dialect.decodeError(parseJson(responseBytes(recording).toString())), recording.id).toBeUndefined();
    }
  });

  it("reads every request: model, messages and stream as they were sent", () => {
    for (const { recording, dialect, operation } of calls) {
      const body = recording.request.body as Json | null | undefined;
      if (body === null || body === undefined) continue;
      const request = dialect.decodeRequest(body, operation);
      expect(request.model, recording.id).toBe(body["model"]);
      expect(request.stream, recording.id).toBe(body["stream"] === true);
      const messages = body["messages"];
      if (Array.isArray(messages)) expect(request.messages, recording.id).toHaveLength(messages.length);
      // No message content is lost: each string of the wire is somewhere in the canonical form.
      const canonical = JSON.stringify(request);
      for (const message of (messages ?? []) as Json[]) {
        if (typeof message["content"] === "string" && message["content"] !== "") {
          expect(canonical.includes(JSON.stringify(message["content"])), recording.id).toBe(true);
        }
      }
    }
  });

  it("gives every unfinished stream exactly one error or none, never a clean end", () => {
    const events = (id: string): StreamEvent[] => {
      const found = calls.find(({ recording }) => recording.id === id);
      return found === undefined
        ? []
        : decodeEvents(found.dialect.eventDecoder(found.operation), [responseBytes(found.recording)]);
    };
    for (const id of Object.keys(unendedStreams)) {
      expect(
        events(id).some((event) => event.type === "response_end"),
        id,
      ).toBe(false);
    }
  });
});

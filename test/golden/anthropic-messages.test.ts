// Every recorded exchange of the Messages API through its decoders; the official SDK is the independent reading of streams.
import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import { createFold, type Fold, type InferenceResponse, type StreamEvent } from "../../src/canonical/index.ts";
import { anthropicMessages } from "../../src/dialects/anthropic-messages/index.ts";
import type { Operation } from "../../src/dialects/dialect.ts";
import { createSseDecoder } from "../../src/dialects/framing/sse.ts";
import { jsonBody, loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";

const recordings = loadRecordings("anthropic-messages");
const matched = recordings.flatMap((recording) => {
  const operation = operationOf(recording);
  return operation === undefined ? [] : [{ recording, operation }];
});
const answers = matched.filter(
  ({ recording, operation }) =>
    recording.framing === "json" && recording.response.status === 200 && operation.kind === "chat",
);
const streams = matched.filter(({ recording }) => recording.framing === "sse");
const errors = matched.filter(({ recording }) => recording.response.status >= 400);

const requests = matched.flatMap(({ recording, operation }) => {
  const { body } = recording.request;
  return typeof body === "object" && body !== null
    ? [{ recording, operation, body: body as Record<string, unknown> }]
    : [];
});
const maxCuts = 200;

describe("recorded Messages traffic", () => {
  it("is all matched, except calls that are another API's", () => {
    const unmatched = recordings.filter((recording) => operationOf(recording) === undefined);
    const otherApi = /\/v1\/(complete|messages\/batches\/[^/]+(\/results)?)$/;
    expect(unmatched.map(({ request }) => request.url).filter((url) => !otherApi.test(url))).toEqual([]);
    expect(answers.length + streams.length + errors.length + unmatched.length).toBe(recordings.length);
    expect(Math.min(answers.length, streams.length)).toBeGreaterThan(0);
  });

  it.each(answers)("keeps model, stop reason and the exact usage of $recording.id", ({ recording, operation }) => {
    const body = jsonBody(recording);
    const response = anthropicMessages.decodeResponse(body, operation);
    expect(response.id).toBe(body["id"]);
    expect(response.model).toBe(body["model"]);
    expect(response.choices[0]?.finishReason?.raw).toBe(body["stop_reason"]);
    expect(response.choices[0]?.message.parts).toHaveLength((body["content"] as unknown[]).length);
    expect(response.usage?.raw).toEqual(recording.usage);
    expect(sumsOf(response)).toEqual(statedSumsOf(recording));
  });

  it.each(streams)("recognises every event and merges the exact usage of $recording.id", ({ recording, operation }) => {
    const events = decodeAll([responseBytes(recording)], operation);
    expect(events.filter(({ type }) => type === "unrecognized")).toEqual([]);
    expect(events.filter(({ type }) => type === "choice_end")).toHaveLength(1);
    const fold = foldOf(events);
    expect(fold.ended).toBe(true);
    expect(fold.error).toBeUndefined();
    expect(fold.result().usage?.raw).toEqual(recording.usage);
    expect(sumsOf(fold.result())).toEqual(statedSumsOf(recording));
  });

  it.each(streams)(
    "folds to what the official SDK's message decodes to: $recording.id",
    async ({ recording, operation }) => {
      const bytes = responseBytes(recording);
      const message = await accumulateWithSdk(bytes);
      const folded = foldOf(decodeAll([bytes], operation)).result();
      expect(comparable(folded)).toEqual(comparable(anthropicMessages.decodeResponse(message, operation)));
      expect(folded.id).toBe(message["id"]);
      expect(folded.choices[0]?.finishReason?.raw).toBe(message["stop_reason"]);
    },
  );

  it.each(streams)("gives the same events wherever it is cut in two: $recording.id", ({ recording, operation }) => {
    const bytes = responseBytes(recording);
    const whole = JSON.stringify(decodeAll([bytes], operation));
    // Every offset of a short stream; of a long one about maxCuts of them, at an odd stride so that all phases come up.
    const stride = bytes.length <= maxCuts ? 1 : Math.ceil(bytes.length / maxCuts) | 1;
    const different: number[] = [];
    for (let at = 1; at < bytes.length; at += stride) {
      const cut = decodeAll([bytes.subarray(0, at), bytes.subarray(at)], operation);
      if (JSON.stringify(cut) !== whole) different.push(at);
    }
    expect(different).toEqual([]);
  });

  it.each(requests)("loses no value of the request of $recording.id", ({ body, operation }) => {
    const request = anthropicMessages.decodeRequest(body, operation);
    const decoded = countLeaves(request);
    const lost = [...countLeaves(body)].filter(([leaf, count]) => (decoded.get(leaf) ?? 0) < count);
    expect(lost).toEqual([]);
    expect(request.model).toBe(body["model"]);
    expect(request.stream).toBe(body["stream"] ?? false);
    expect(request.messages).toHaveLength((body["messages"] as unknown[]).length);
  });

  it("knows every kind of content block", () => {
    const messages = [
      ...requests.flatMap(({ body, operation }) => anthropicMessages.decodeRequest(body, operation).messages),
      ...answers.flatMap(({ recording, operation }) =>
        anthropicMessages.decodeResponse(jsonBody(recording), operation).choices.map(({ message }) => message),
      ),
    ];
    const kinds = messages.flatMap(({ parts }) =>
      parts.flatMap((part) => (part.type === "generic" ? [part.generic_type] : [])),
    );
    const withoutCanonicalKind = ["container_upload", "tool_addition"];
    expect(kinds.filter((kind) => !withoutCanonicalKind.includes(kind))).toEqual([]);
  });

  it.each(errors)("decodes the error of $recording.id with the provider's own word", ({ recording }) => {
    const body = jsonBody(recording) as { error: { type: string; message: string } };
    expect(anthropicMessages.decodeError(body)).toMatchObject(body.error);
  });
});

function operationOf(recording: Recording): Operation | undefined {
  const { pathname } = new URL(recording.request.url);
  // The prefixes of the gateways that two recordings went through.
  const path = pathname.replace(/^\/(?:zen\/go|anthropic)(?=\/v1\/)/, "");
  return anthropicMessages.match(recording.request.method, path);
}

function decodeAll(chunks: Buffer[], operation: Operation): StreamEvent[] {
  const frames = createSseDecoder();
  const decoder = anthropicMessages.eventDecoder(operation);
  const events = chunks.flatMap((chunk) => frames.push(chunk)).flatMap((frame) => decoder.push(frame));
  events.push(...frames.end().flatMap((frame) => decoder.push(frame)), ...decoder.end());
  return events;
}

function foldOf(events: StreamEvent[]): Fold {
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return fold;
}

function sumsOf({ usage }: InferenceResponse): number[] {
  return [usage?.inputTokens, usage?.outputTokens, usage?.cacheReadTokens, usage?.cacheWriteTokens].map(
    (count) => count ?? 0,
  );
}

/** The same counts from the recording's own usage fields. */
function statedSumsOf({ usage }: Recording): number[] {
  const count = (key: string): number => (typeof usage?.[key] === "number" ? usage[key] : 0);
  const read = count("cache_read_input_tokens");
  const written = count("cache_creation_input_tokens");
  return [count("input_tokens") + read + written, count("output_tokens"), read, written];
}

/** The message that the official SDK makes of the recorded bytes. */
async function accumulateWithSdk(bytes: Buffer): Promise<Record<string, unknown>> {
  const client = new Anthropic({
    apiKey: "test-key",
    baseURL: "http://127.0.0.1:9",
    maxRetries: 0,
    fetch: async () => new Response(new Uint8Array(bytes), { headers: { "content-type": "text/event-stream" } }),
  });
  const stream = client.beta.messages.stream({ model: "any", max_tokens: 1, messages: [] });
  const message = JSON.parse(JSON.stringify(await stream.finalMessage())) as Record<string, unknown>;
  // The SDK's own addition.
  delete message["parsed_output"];
  return message;
}

/**
 * What the two readings must agree on. Null members go: the SDK drops a null of message_start that message_delta does
 * not restate. So does the raw usage object, which the merge test compares with the recording.
 */
function comparable({ usage, ...response }: InferenceResponse): unknown {
  const { raw: _raw, ...counts } = usage ?? {};
  return JSON.parse(JSON.stringify({ ...response, usage: counts }), (key, value: unknown) => {
    const isEmptied = (key === "extensions" || key === "anthropic-messages") && JSON.stringify(value) === "{}";
    return value === null || isEmptied ? undefined : value;
  });
}

/**
 * How often each text and number occurs in a JSON value. Not `type` words, many of which the canonical kinds say, and not
 * yes-or-nos, one of which (`disable_parallel_tool_use`) becomes its opposite.
 */
function countLeaves(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const leaf of leavesOf(value)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  return counts;
}

function leavesOf(value: unknown, key = ""): string[] {
  if (value === null || value === undefined || key === "type") return [];
  if (typeof value === "boolean") return [];
  if (typeof value !== "object") return [`${typeof value} ${String(value)}`];
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => leavesOf(item, name));
}

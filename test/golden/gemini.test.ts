// Every recorded exchange of Google's APIs through its decoders. What is expected is read off the wire here, by hand,
// or is the recording's `usage`.
import { describe, expect, it } from "vitest";
import {
  type Choice,
  createFold,
  type InferenceResponse,
  type StreamEvent,
  type Usage,
} from "../../src/canonical/index.ts";
import type { Operation } from "../../src/dialects/dialect.ts";
import { createFrameDecoder, findFraming } from "../../src/dialects/framing/framing.ts";
import { geminiGenerateContent } from "../../src/dialects/gemini-generate-content/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";
import { createSeededRandom } from "../support/random.ts";
import { cutAt } from "../support/stream-decoding.ts";

type Wire = Record<string, unknown>;

const seed = 20_261_121;
const recordings = loadRecordings("gemini");
const matched = recordings.flatMap((recording) => {
  const operation = operationOf(recording);
  return operation === undefined ? [] : [{ id: recording.id, recording, operation }];
});
const isOk = ({ recording }: { recording: Recording }): boolean => recording.response.status === 200;
const generations = matched.filter(isOk).filter(({ operation }) => operation.kind === "generate_content");
const streams = generations.filter(({ operation }) => operation.stream === true);
const answers = generations.filter(({ operation }) => operation.stream !== true);
const embeddings = matched.filter(isOk).filter(({ operation }) => operation.name === "embeddings");
const counts = matched.filter(isOk).filter(({ operation }) => operation.kind === "count_tokens");
const errors = matched.filter((item) => !isOk(item));
const requests = matched.flatMap((item) => {
  const { body } = item.recording.request;
  return isObject(body) ? [{ ...item, body }] : [];
});

describe("recorded Gemini traffic", () => {
  it("is all matched, except calls that are another API's", () => {
    const others = recordings.filter((recording) => operationOf(recording) === undefined);
    const otherApi =
      /\/(interactions|cachedContents|cachedContents\/[^/:]+|models|models\/[^/:]+:(batchGenerateContent|predictLongRunning))$/;
    expect(others.map(pathOf).filter((path) => !otherApi.test(path))).toEqual([]);
    const read = streams.length + answers.length + embeddings.length + counts.length + errors.length;
    expect(read + others.length).toBe(recordings.length);
    expect(Math.min(streams.length, answers.length, embeddings.length, counts.length, errors.length)).toBeGreaterThan(
      0,
    );
    console.log(
      `${recordings.length} exchanges: ${answers.length} answers, ${streams.length} streams, ${embeddings.length} embeddings, ` +
        `${counts.length} counts, ${errors.length} errors, ${others.length} of other APIs`,
    );
  });

  it.each(matched)("takes the model and the stream of $id from its path", ({ recording, operation }) => {
    const [, model, verb] = /\/models\/([^/:]+):(\w+)$/.exec(pathOf(recording)) ?? [];
    expect(operation.model).toBe(decodeURIComponent(model ?? ""));
    expect(operation.stream === true).toBe(verb === "streamGenerateContent");
    expect(operation.home).toBe(/\/publishers\//.test(pathOf(recording)) ? "vertex" : undefined);
    expect(operation.route).not.toContain(operation.model);
  });

  it.each(answers)(
    "keeps model, finish reasons, calls, text and the exact usage of $id",
    ({ recording, operation }) => {
      const body = bodyOf(recording) as Wire;
      const response = geminiGenerateContent.decodeResponse(body, operation);
      expectAnswer(response, [body]);
      expectUsage(response, recording);
    },
  );

  it.each(streams)(
    "recognises every chunk, and keeps what $id says and its exact usage",
    ({ recording, operation }) => {
      const { events, fold } = decodeStream([responseBytes(recording)], recording, operation);
      expect(events.filter(({ type }) => type === "unrecognized" || type === "error")).toEqual([]);
      expect(fold.ended).toBe(true);
      expect(events.filter(({ type }) => type === "choice_end")).toHaveLength(1);
      expectAnswer(fold.result(), chunksOf(recording));
      expectUsage(fold.result(), recording);
    },
  );

  it.each(streams)("folds to what the answer decodes to when it comes whole: $id", ({ recording, operation }) => {
    const { fold } = decodeStream([responseBytes(recording)], recording, operation);
    expect(fold.result()).toEqual(geminiGenerateContent.decodeResponse(assemble(chunksOf(recording)), operation));
  });

  it.each(answers)("gives the same when $id comes as a stream of one chunk", ({ recording, operation }) => {
    const body = bodyOf(recording) as Wire;
    const decoder = geminiGenerateContent.eventDecoder({ ...operation, stream: true });
    const fold = createFold({ keepContent: true });
    const data = JSON.stringify(body);
    for (const event of [...decoder.push({ data, raw: Buffer.from(data) }), ...decoder.end()]) fold.push(event);
    expect(fold.result()).toEqual(geminiGenerateContent.decodeResponse(body, operation));
  });

  it(`gives the same events however the bytes of a stream are cut (seed ${seed})`, () => {
    const random = createSeededRandom(seed);
    for (const { recording, operation } of streams) {
      const bytes = responseBytes(recording);
      const whole = JSON.stringify(decodeStream([bytes], recording, operation).events);
      for (let round = 0; round < 20; round++) {
        const offsets = Array.from({ length: 1 + (round % 8) }, () => Math.floor(random() * bytes.length));
        const { events } = decodeStream(cutAt(bytes, offsets), recording, operation);
        expect(JSON.stringify(events) === whole, `${recording.id}, seed ${seed}, cut at ${offsets.join()}`).toBe(true);
      }
    }
  });

  it("frames of a stream without alt=sse lose no byte", () => {
    const arrays = streams.filter(({ recording }) => recording.framing === "json");
    expect(arrays.length).toBeGreaterThan(0);
    for (const { recording } of arrays) {
      const bytes = responseBytes(recording);
      const decoder = createFrameDecoder("json-array");
      const frames = [...decoder.push(bytes), ...decoder.end()];
      expect(Buffer.concat(frames.map(({ raw }) => raw)).equals(bytes), recording.id).toBe(true);
      expect(frames.filter(({ commentOnly }) => commentOnly !== true)).toHaveLength(chunksOf(recording).length);
    }
  });

  it.each(requests)("loses no value of the request of $id", ({ recording, operation, body }) => {
    const request = geminiGenerateContent.decodeRequest(body, operation);
    expect(request.model).toBe(operation.model);
    expect(request.stream).toBe(operation.stream === true);
    const decoded = countLeaves(request);
    const lost = [...countLeaves(withoutImplied(body))].filter(([leaf, count]) => (decoded.get(leaf) ?? 0) < count);
    expect(lost, recording.id).toEqual([]);
    expect(request.messages).toHaveLength(
      listOf(body["contents"] ?? body["requests"] ?? body["content"] ?? body["instances"]).length,
    );
  });

  it.each(embeddings)("keeps no vector of $id, but its length", ({ recording, operation }) => {
    const body = bodyOf(recording) as Wire;
    const [first] = listOf(body["embedding"] ?? body["embeddings"]) as { values: number[] }[];
    const response = geminiGenerateContent.decodeResponse(body, operation);
    expect(response.embeddingDimensions).toBe(first?.values.length);
    expect(response.choices).toEqual([]);
    expect(JSON.stringify(response)).not.toContain(String(first?.values[0]));
    expectUsage(response, recording);
  });

  it.each(counts)("takes the count of $id for no usage", ({ recording, operation }) => {
    const body = bodyOf(recording) as Wire;
    const response = geminiGenerateContent.decodeResponse(body, operation);
    expect(response).toEqual({ choices: [], extensions: { "gemini-generate-content": body } });
  });

  it.each(errors)("decodes the error of $id with the provider's own words", ({ recording }) => {
    const text = responseBytes(recording)
      .toString()
      .replace(/^data: /, "");
    const { error } = JSON.parse(text) as { error: Wire };
    const decoded = geminiGenerateContent.decodeError(JSON.parse(text));
    expect(decoded).toMatchObject({ message: error["message"], type: error["status"] });
    const info = listOf(error["details"]).find((detail) => isObject(detail) && detail["reason"] !== undefined) as Wire;
    expect(decoded?.code).toBe(info?.["reason"]);
  });
});

function pathOf(recording: Recording): string {
  // Two gateways put a route of their own before the path.
  return new URL(recording.request.url).pathname.replace(/^\/(router\/v2\/google|google-vertex)(?=\/)/, "");
}

function operationOf(recording: Recording): Operation | undefined {
  return geminiGenerateContent.match(recording.request.method, pathOf(recording));
}

function isObject(value: unknown): value is Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function bodyOf(recording: Recording): unknown {
  return JSON.parse(responseBytes(recording).toString());
}

/** The chunks of a stream, cut without the code under test: Google ends every event with one line of data. */
function chunksOf(recording: Recording): Wire[] {
  if (recording.framing === "json") return bodyOf(recording) as Wire[];
  const lines = responseBytes(recording).toString().split(/\r?\n/);
  return lines.filter((line) => line.startsWith("data:")).map((line) => JSON.parse(line.slice(5)) as Wire);
}

function decodeStream(chunks: readonly Buffer[], recording: Recording, operation: Operation) {
  const mediaType = (recording.response.headers["content-type"] ?? "text/event-stream").split(";")[0] ?? "";
  const framing = findFraming(mediaType, geminiGenerateContent, operation);
  if (framing === undefined) throw new Error(`no framing for ${mediaType}`);
  const frameDecoder = createFrameDecoder(framing);
  const decoder = geminiGenerateContent.eventDecoder(operation);
  const frames = chunks.flatMap((chunk) => frameDecoder.push(chunk));
  frames.push(...frameDecoder.end());
  const events: StreamEvent[] = frames.flatMap((frame) => decoder.push(frame));
  events.push(...decoder.end());
  const fold = createFold({ keepContent: true });
  for (const event of events) fold.push(event);
  return { events, fold };
}

interface WirePart extends Wire {
  text?: string;
  thought?: boolean;
  functionCall?: { name?: string; args?: Wire; partialArgs?: { jsonPath: string; stringValue: string }[] };
}

function partsOf(chunks: readonly Wire[]): WirePart[] {
  return chunks.flatMap((chunk) =>
    listOf(chunk["candidates"]).flatMap((candidate) => {
      const { content } = candidate as { content?: { parts?: WirePart[] } };
      return content?.parts ?? [];
    }),
  );
}

function expectAnswer(response: InferenceResponse, chunks: readonly Wire[]): void {
  const [first] = chunks;
  const { length } = listOf(first?.["candidates"]);
  expect(response.choices.map(({ index }) => index)).toEqual(Array.from({ length }, (_, index) => index));
  expect(response.model).toBe(lastOf(chunks, "modelVersion"));
  expect(response.id).toBe(lastOf(chunks, "responseId"));
  for (const choice of response.choices) {
    const own = chunks.map((chunk) => ({ candidates: [listOf(chunk["candidates"])[choice.index]] }));
    expectChoice(choice, own);
  }
}

/** `chunks` are those of one candidate. */
function expectChoice(choice: Choice, chunks: readonly Wire[]): void {
  const candidates = chunks.flatMap((chunk) => listOf(chunk["candidates"])) as Wire[];
  const parts = partsOf(chunks);
  const calls = wireCalls(parts);
  const raw = lastOf(candidates, "finishReason");
  expect(choice.finishReason?.raw).toBe(raw === undefined ? undefined : String(raw));
  expect(choice.finishReason?.unified).toBe(unifiedOf(String(raw), calls.length > 0));
  const decoded = choice.message.parts ?? [];
  const contentOf = (type: "text" | "reasoning"): string =>
    decoded.map((part) => (part.type === type ? part.content : "")).join("");
  const texts = parts.filter(({ text }) => text !== undefined);
  expect(contentOf("text")).toBe(texts.map(({ text, thought }) => (thought === true ? "" : text)).join(""));
  expect(contentOf("reasoning")).toBe(texts.map(({ text, thought }) => (thought === true ? text : "")).join(""));
  expect(
    decoded.flatMap((part) => (part.type === "tool_call" ? [{ name: part.name, arguments: part.arguments }] : [])),
  ).toEqual(calls);
  // No part but whole ones, none twice, and every signature at one of them.
  const signatures = parts.flatMap(({ thoughtSignature }) =>
    thoughtSignature === undefined ? [] : [thoughtSignature],
  );
  const kept = decoded.flatMap((part) => {
    const signature = part.extensions?.["gemini-generate-content"]?.["thoughtSignature"];
    return signature === undefined ? [] : [signature];
  });
  expect(kept).toEqual(signatures);
}

/** Pieces of one call's arguments come one after the other (one recording), each a text at the top. */
function wireCalls(parts: readonly WirePart[]): { name: string; arguments: unknown }[] {
  const calls: { name: string; arguments: Record<string, unknown> }[] = [];
  for (const { functionCall } of parts) {
    if (functionCall?.name !== undefined) calls.push({ name: functionCall.name, arguments: { ...functionCall.args } });
    const current = calls.at(-1)?.arguments ?? {};
    for (const { jsonPath, stringValue } of functionCall?.partialArgs ?? []) {
      const key = jsonPath.slice(2);
      current[key] = String(current[key] ?? "") + stringValue;
    }
  }
  return calls;
}

function unifiedOf(raw: string, called: boolean): string | undefined {
  if (raw === "undefined") return undefined;
  if (raw === "STOP" || raw === "1") return called ? "tool_call" : "stop";
  return { MAX_TOKENS: "length", SAFETY: "content_filter", RECITATION: "content_filter" }[raw];
}

function lastOf(objects: readonly Wire[], key: string): unknown {
  return objects.map((object) => object[key]).findLast((value) => value !== undefined);
}

/** The sums of wire.md §1.13 over the recording's usage, which is merged already. */
function expectUsage(response: InferenceResponse, recording: Recording): void {
  const stated = recording.usage as Record<string, number> | undefined;
  expect(response.usage?.raw).toEqual(stated);
  if (stated === undefined) return;
  const { promptTokenCount, toolUsePromptTokenCount, candidatesTokenCount, thoughtsTokenCount } = stated;
  const sum = (...counts: (number | undefined)[]): number | undefined =>
    counts.every((count) => count === undefined) ? undefined : counts.reduce<number>((a, b) => a + (b ?? 0), 0);
  const { usage } = response;
  expect(usage?.inputTokens).toBe(sum(promptTokenCount, toolUsePromptTokenCount));
  expect(usage?.outputTokens).toBe(sum(candidatesTokenCount, thoughtsTokenCount));
  expect(usage?.reasoningTokens).toBe(thoughtsTokenCount);
  expect(usage?.cacheReadTokens).toBe(stated["cachedContentTokenCount"]);
  const total = stated["totalTokenCount"];
  if (total !== undefined) expect(total).toBe((usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0));
  expectModalities(usage, recording.usage as Wire);
}

const modalityFields = {
  input: { TEXT: "inputTextTokens", IMAGE: "inputImageTokens", AUDIO: "inputAudioTokens", VIDEO: "inputVideoTokens" },
  cache: { TEXT: "cacheReadTextTokens", IMAGE: "cacheReadImageTokens", AUDIO: "cacheReadAudioTokens" },
  output: {
    TEXT: "outputTextTokens",
    IMAGE: "outputImageTokens",
    AUDIO: "outputAudioTokens",
    VIDEO: "outputVideoTokens",
  },
} as const;

function expectModalities(usage: Usage | undefined, stated: Wire): void {
  const named: Record<string, string> = { 1: "TEXT", 2: "IMAGE", DOCUMENT: "IMAGE" };
  const sumOf = (modality: string, ...keys: string[]): number | undefined => {
    const counts = keys
      .flatMap((key) => listOf(stated[key]) as { modality: string | number; tokenCount: number }[])
      .filter((detail) => (named[detail.modality] ?? detail.modality) === modality)
      .map(({ tokenCount }) => tokenCount);
    return counts.length === 0 ? undefined : counts.reduce((a, b) => a + b, 0);
  };
  for (const [modality, field] of Object.entries(modalityFields.input)) {
    const keys = ["promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails"];
    expect(usage?.[field], field).toBe(sumOf(modality, ...keys));
  }
  for (const [modality, field] of Object.entries(modalityFields.cache)) {
    expect(usage?.[field], field).toBe(sumOf(modality, "cacheTokensDetails"));
  }
  for (const [modality, field] of Object.entries(modalityFields.output)) {
    expect(usage?.[field], field).toBe(sumOf(modality, "candidatesTokensDetails"));
  }
}

/**
 * The one answer that the chunks amount to: texts of one kind in a row joined where chunks meet, facts and counts as last stated,
 * a call's pieces as its arguments.
 */
function assemble(chunks: readonly Wire[]): Wire {
  const parts: WirePart[] = [];
  for (const chunk of chunks) {
    for (const [place, part] of partsOf([chunk]).entries()) {
      const last = parts.at(-1);
      const isText = part.text !== undefined && last?.text !== undefined && part.thought === last.thought;
      if (place === 0 && isText) parts[parts.length - 1] = { ...last, ...part, text: `${last.text}${part.text}` };
      else if (part.functionCall?.name !== undefined && "willContinue" in part.functionCall) {
        const [call] = wireCalls(partsOf(chunks));
        parts.push({ ...part, functionCall: { name: call?.name ?? "", args: call?.arguments as Wire } });
      } else if (part.functionCall === undefined || part.functionCall.name !== undefined) parts.push(part);
    }
  }
  const whole = mergeObjects(chunks);
  const candidates = chunks.flatMap((chunk) => listOf(chunk["candidates"])) as Wire[];
  const candidate = mergeObjects(candidates);
  const contents = candidates.flatMap(({ content }) => (content === undefined ? [] : [content as Wire]));
  return { ...whole, candidates: [{ ...candidate, content: { ...mergeObjects(contents), parts } }] };
}

function mergeObjects(objects: readonly Wire[]): Wire {
  const merged: Wire = {};
  for (const object of objects) {
    for (const [key, value] of Object.entries(object)) {
      const earlier = merged[key];
      merged[key] = isObject(earlier) && isObject(value) ? mergeObjects([earlier, value]) : value;
    }
  }
  return merged;
}

/** How often each string, number and true value occurs below, by value. */
function countLeaves(value: unknown, found = new Map<string, number>()): Map<string, number> {
  if (Array.isArray(value) || isObject(value)) for (const item of Object.values(value)) countLeaves(item, found);
  else if (value !== null && value !== undefined) {
    const leaf = JSON.stringify(value);
    found.set(leaf, (found.get(leaf) ?? 0) + 1);
  }
  return found;
}

/** What the canonical form says in other words: roles, `thought`, modes of tool choice, the media type of JSON. */
function withoutImplied(body: Wire): unknown {
  const implied = new Set(["role", "thought", "mode", "responseMimeType", "response_mime_type"]);
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => (implied.has(key) && !isObject(item) ? [] : [[key, strip(item)]])),
    );
  };
  return strip(body);
}

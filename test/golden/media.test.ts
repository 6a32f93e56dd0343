// Every recorded call about images, audio and moderation, held against a plain reading of its own bytes.
import { describe, expect, it } from "vitest";
import { createFold, type InferenceResponse } from "../../src/canonical/index.ts";
import { matchDialect, parseMultipart } from "../../src/dialects/index.ts";
import { loadRecordings, requestBytes, responseBytes, type Recording } from "../support/recordings.ts";
import { decodeEvents } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const recordings = loadRecordings("openai-images", "openai-audio", "openai-moderations");
const calls = recordings.flatMap((recording) => {
  const path = new URL(recording.request.url).pathname.replace(/^\/api\/v1\//, "/v1/");
  const call = matchDialect(recording.request.method, path);
  return call === undefined ? [] : [{ recording, ...call }];
});
const succeeded = calls.filter(({ recording }) => recording.response.status < 400);
const failed = calls.filter(({ recording }) => recording.response.status >= 400);

/** The request's fields as they stand in its bytes: of a form by a pattern that knows nothing of boundaries. */
function wireFields(recording: Recording): Json {
  const contentType = recording.request.headers["content-type"] ?? "";
  if (!contentType.startsWith("multipart/")) return recording.request.body as Json;
  const text = requestBytes(recording).toString("latin1");
  const plain = text.startsWith("base64:") ? Buffer.from(text.slice(7), "base64").toString("latin1") : text;
  return Object.fromEntries(
    [...plain.matchAll(/form-data; name="([^"]+)"\r\n\r\n([^\r\n]*)\r\n/g)].map(([, name, value]) => [name, value]),
  );
}

/** Some recorders wrote a form as base64 text, and some kept no form at all. */
function requestBody(recording: Recording): Json | undefined {
  const contentType = recording.request.headers["content-type"] ?? "";
  if (!contentType.startsWith("multipart/")) return recording.request.body as Json;
  const bytes = requestBytes(recording);
  if (bytes.length === 0) return undefined;
  const prefix = bytes.subarray(0, 7).toString("latin1");
  return parseMultipart(prefix === "base64:" ? Buffer.from(bytes.toString("latin1", 7), "base64") : bytes, contentType);
}

const isReadable = (recording: Recording) => recording.framing === "json" || recording.framing === "sse";

function decode({ recording, dialect, operation }: (typeof calls)[number]): InferenceResponse {
  const bytes = responseBytes(recording);
  if (recording.framing === "json") return dialect.decodeResponse(JSON.parse(bytes.toString()) as Json, operation);
  const fold = createFold({ keepContent: true });
  for (const event of decodeEvents(dialect.eventDecoder(operation), [bytes])) fold.push(event);
  expect(fold.ended).toBe(true);
  expect(fold.unrecognizedEvents).toBe(0);
  return fold.result();
}

describe("recorded calls about images, audio and moderation", () => {
  it("are all known but OpenAI's usage report", () => {
    expect(recordings.length - calls.length).toBe(1);
    const counts: Record<string, number> = {};
    for (const { dialect, operation } of calls) {
      const key = `${dialect.id} ${operation.kind}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    const count = (folder: string, operation: string) =>
      recordings.filter((item) => item.dialect === folder && item.operation === operation).length;
    expect(counts).toEqual({
      "images generation": count("openai-images", "image_generations"),
      "images edit": count("openai-images", "image_edits"),
      "images variation": count("openai-images", "image_variations"),
      "audio speech": count("openai-audio", "speech"),
      "audio transcription": count("openai-audio", "transcriptions"),
      "audio translation": count("openai-audio", "translations"),
      "moderations moderation": count("openai-moderations", "moderations") - 1,
    });
  });

  it.each(calls)("$recording.id: the request", ({ recording, dialect, operation }) => {
    const body = requestBody(recording);
    if (body === undefined) {
      expect(recording.request.bodyBase64 ?? "").toBe("");
      return;
    }
    const fields = wireFields(recording);
    const request = dialect.decodeRequest(body, operation);
    expect(request.model).toBe(fields["model"]);
    expect(request.stream).toBe(String(fields["stream"]) === "true");
    expect(request.choiceCount).toBe(fields["n"] === undefined ? undefined : Number(fields["n"]));
    if (typeof fields["prompt"] === "string") expect(JSON.stringify(request.messages)).toContain(fields["prompt"]);
    const spoken = operation.kind === "speech" ? fields["input"] : undefined;
    // All recorded texts are ASCII: their characters are their length.
    expect(request.inputCharacters).toBe(typeof spoken === "string" ? spoken.length : undefined);
    // Nothing is lost: each field's value is somewhere in the canonical form.
    const canonical = JSON.stringify(request);
    for (const [name, value] of Object.entries(fields)) {
      const text = JSON.stringify(value);
      const bare = typeof value === "string" ? text.slice(1, -1) : text;
      if (typeof value !== "object") expect(canonical, name).toContain(bare);
    }
  });

  it.each(succeeded.filter(({ recording }) => isReadable(recording)))(
    "$recording.id: model, usage and counts",
    (call) => {
      const { recording, dialect } = call;
      const text = responseBytes(recording).toString();
      const response = decode(call);
      expect(response.usage?.raw).toEqual(recording.usage);
      const wireModel = /"model":\s*"([^"]+)"/.exec(text)?.[1];
      expect(response.model).toBe(wireModel);
      const { usage } = response;
      expect(usage?.inputTokens).toBe(recording.usage?.["input_tokens"]);
      expect(usage?.outputTokens).toBe(recording.usage?.["output_tokens"]);
      const images = dialect.id === "images" ? text.match(/"(?:url|b64_json)":/g)?.length : undefined;
      expect(usage?.outputImages).toBe(images);
      expect(response.choices).toHaveLength(dialect.id === "moderations" ? 0 : (images ?? 1));
      const duration = /"duration":\s*([\d.]+)/.exec(text)?.[1];
      const seconds = recording.usage?.["seconds"] ?? (duration === undefined ? undefined : Number(duration));
      expect(usage?.inputAudioSeconds).toBe(dialect.id === "audio" ? seconds : undefined);
      const details = (recording.usage?.["input_tokens_details"] ?? recording.usage?.["input_token_details"]) as
        | Json
        | undefined;
      expect(usage?.inputAudioTokens).toBe(details?.["audio_tokens"]);
      expect(usage?.inputTextTokens).toBe(details?.["text_tokens"]);
      expect(usage?.inputImageTokens).toBe(details?.["image_tokens"]);
    },
  );

  it("reads the transcripts and keeps the pictures and verdicts", () => {
    for (const call of succeeded) {
      if (!isReadable(call.recording)) continue;
      const text = responseBytes(call.recording).toString();
      const response = decode(call);
      const parts = response.choices.flatMap(({ message }) => message.parts);
      if (call.recording.framing === "json") {
        const body = JSON.parse(text) as Json;
        if (typeof body["text"] === "string") expect(parts).toEqual([{ type: "text", content: body["text"] }]);
        if (body["results"] !== undefined)
          expect(response.extensions?.["moderations"]).toEqual({ results: body["results"] });
        for (const [index, item] of ((body["data"] ?? []) as Json[]).entries()) {
          const content = parts[index];
          expect(content).toMatchObject(
            item["url"] === undefined ? { content: item["b64_json"] } : { uri: item["url"] },
          );
        }
      } else {
        const whole = /"transcript\.text\.done","text":"([^"]*)"/.exec(text)?.[1];
        expect(whole).toBeDefined();
        expect(parts).toEqual([{ type: "text", content: whole }]);
        expect(response.extensions?.["audio"]?.["segments"]).toHaveLength(
          text.match(/transcript\.text\.segment/g)?.length ?? 0,
        );
      }
    }
  });

  it("expects no JSON where the answer is sound", () => {
    const sounds = succeeded.filter(({ recording }) => !isReadable(recording));
    expect(sounds.length).toBeGreaterThan(0);
    for (const { recording, operation } of sounds) expect(operation.anyAnswer, recording.id).toBe(true);
  });

  it("reads every error body, and sees none in a whole answer", () => {
    expect(failed.length).toBeGreaterThan(0);
    for (const { recording, dialect } of failed) {
      const body = JSON.parse(responseBytes(recording).toString()) as { error: { message: string } };
      expect(dialect.decodeError(body)?.message, recording.id).toBe(body.error.message);
    }
    for (const { recording, dialect } of succeeded) {
      if (recording.framing !== "json") continue;
      expect(dialect.decodeError(JSON.parse(responseBytes(recording).toString())), recording.id).toBeUndefined();
    }
  });
});

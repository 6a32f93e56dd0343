import { describe, expect, it } from "vitest";
import type { Operation } from "../../../../src/dialects/dialect.ts";
import { audio } from "../../../../src/dialects/audio/index.ts";
import { foldEvents, framesOf } from "../../../support/stream-decoding.ts";

function operationAt(path: string): Operation {
  const operation = audio.match("POST", path);
  if (operation === undefined) throw new Error(`no operation at ${path}`);
  return operation;
}

const speech = operationAt("/v1/audio/speech");
const transcription = operationAt("/v1/audio/transcriptions");
const translation = operationAt("/v1/audio/translations");

function decodeStream(operation: Operation, ...data: (string | Record<string, unknown>)[]) {
  const decoder = audio.eventDecoder(operation);
  return [...framesOf(...data).flatMap((frame) => decoder.push(frame)), ...decoder.end()];
}

describe("audio calls", () => {
  it.each([
    [speech, "speech", undefined],
    [transcription, "transcription", "multipart"],
    [translation, "transcription", "multipart"],
  ])("%j may be answered with anything", (operation, name, requestFormat) => {
    expect(operation).toMatchObject({ name, anyAnswer: true });
    expect(operation.requestFormat).toBe(requestFormat);
  });
});

describe("speech request", () => {
  it("counts the characters that are to be spoken, an emoji as one", () => {
    const body = { model: "tts-1", input: "né 👋", voice: "alloy", instructions: "slowly", stream_format: "sse" };
    expect(audio.decodeRequest(body, speech)).toEqual({
      model: "tts-1",
      stream: true,
      inputCharacters: 4,
      systemInstructions: [{ type: "text", content: "slowly" }],
      messages: [{ role: "user", parts: [{ type: "text", content: "né 👋" }] }],
      extensions: { audio: { voice: "alloy", stream_format: "sse" } },
    });
  });

  it("still counts them when content is withheld", () => {
    expect(audio.contentMembers.has("input")).toBe(false);
  });

  it("counts nothing where there is no text", () => {
    expect(audio.decodeRequest({ input: ["a"] }, speech)).toEqual({
      stream: false,
      messages: [],
      extensions: { audio: { input: ["a"] } },
    });
  });
});

describe("transcription request", () => {
  it("takes the file and the prompt for the message, and reads the text values of a form", () => {
    const file = { filename: "a.wav", content_type: "audio/wav", bytes: 3 };
    const form = { model: "m", file, prompt: "names: Ada", temperature: "0.5", stream: "true", language: "en" };
    expect(audio.decodeRequest(form, transcription)).toEqual({
      model: "m",
      stream: true,
      temperature: 0.5,
      messages: [
        {
          role: "user",
          parts: [
            { type: "generic", generic_type: "file", extensions: { audio: file } },
            { type: "text", content: "names: Ada" },
          ],
        },
      ],
      extensions: { audio: { language: "en" } },
    });
  });

  it.each([{ file: null }, { file: { filename: 1 } }, { file: [], prompt: 3, temperature: "hot" }])(
    "keeps what is no file: %j",
    (body) => {
      const request = audio.decodeRequest(body, transcription);
      expect(request).toEqual({ stream: false, messages: [], extensions: { audio: body } });
    },
  );
});

describe("audio response", () => {
  it.each([
    [
      "seconds",
      { usage: { type: "duration", seconds: 7 } },
      { inputAudioSeconds: 7, raw: { type: "duration", seconds: 7 } },
    ],
    [
      "seconds, which win over the length",
      { duration: 6.4, usage: { seconds: 7 } },
      { inputAudioSeconds: 7, raw: { seconds: 7 } },
    ],
    ["the length alone", { duration: 5.5 }, { inputAudioSeconds: 5.5 }],
    ["the length as text", { duration: "5.5" }, { inputAudioSeconds: 5.5 }],
    ["no length that is none", { duration: -1 }, undefined],
    ["nothing", {}, undefined],
    [
      "tokens, beside which the length counts nothing",
      {
        duration: 3,
        usage: {
          type: "tokens",
          input_tokens: 14,
          output_tokens: 5,
          input_token_details: { audio_tokens: 14, text_tokens: 0 },
        },
      },
      {
        inputTokens: 14,
        inputAudioTokens: 14,
        inputTextTokens: 0,
        outputTokens: 5,
        raw: {
          type: "tokens",
          input_tokens: 14,
          output_tokens: 5,
          input_token_details: { audio_tokens: 14, text_tokens: 0 },
        },
      },
    ],
  ])("counts %s", (_, body, usage) => {
    expect(audio.decodeResponse({ text: "a", ...body }, transcription).usage).toEqual(usage);
  });

  it("takes a transcript for the one part and keeps the rest", () => {
    const response = audio.decodeResponse({ task: "translate", text: "hello", words: [1] }, translation);
    expect(response).toEqual({
      choices: [{ index: 0, message: { role: "assistant", parts: [{ type: "text", content: "hello" }] } }],
      extensions: { audio: { task: "translate", words: [1] } },
    });
  });

  it("has a choice without parts for silence, and none where nothing is told", () => {
    expect(audio.decodeResponse({ text: "" }, transcription).choices).toEqual([
      { index: 0, message: { role: "assistant", parts: [] } },
    ]);
    expect(audio.decodeResponse({ text: 7 }, transcription)).toEqual({
      choices: [],
      extensions: { audio: { text: 7 } },
    });
  });

  it("takes Mistral's JSON for speech", () => {
    expect(audio.decodeResponse({ audio_data: "QQ==" }, speech).choices[0]?.message.parts).toEqual([
      { type: "blob", modality: "audio", content: "QQ==" },
    ]);
  });
});

describe("audio stream", () => {
  const usage = { type: "tokens", input_tokens: 4, output_tokens: 2, total_tokens: 6 };

  it("folds transcript deltas into what the same answer given whole decodes to", () => {
    const events = decodeStream(
      transcription,
      { type: "transcript.text.delta", delta: "Hel", logprobs: [{ token: "Hel" }] },
      { type: "transcript.text.delta", delta: "lo", logprobs: [{ token: "lo" }] },
      { type: "transcript.text.done", text: "Hello", logprobs: [{ token: "Hel" }, { token: "lo" }], usage },
    );
    const whole = { text: "Hello", logprobs: [{ token: "Hel" }, { token: "lo" }], usage };
    expect(foldEvents(events)).toEqual(audio.decodeResponse(whole, transcription));
    expect(events.at(-1)).toEqual({ type: "response_end" });
  });

  it("folds segments, where no delta comes, into the same as whole", () => {
    const segments = [
      { type: "transcript.text.segment", id: "s0", text: " a", speaker: "A" },
      { type: "transcript.text.segment", id: "s1", text: " b", speaker: "B" },
    ];
    const events = decodeStream(
      transcription,
      ...segments,
      { type: "transcript.text.done", text: "a b", usage },
      "[DONE]",
    );
    expect(foldEvents(events)).toEqual(audio.decodeResponse({ text: "a b", segments, usage }, transcription));
  });

  it("folds silence into the same as whole", () => {
    const events = decodeStream(transcription, { type: "transcript.text.done", text: "", usage });
    expect(foldEvents(events)).toEqual(audio.decodeResponse({ text: "", usage }, transcription));
  });

  it("folds speech into one blob with its usage", () => {
    const events = decodeStream(
      speech,
      { type: "speech.audio.delta", audio: "QUFB" },
      { type: "speech.audio.delta", audio: "QkJC" },
      { type: "speech.audio.done", usage: { input_tokens: 4, output_tokens: 2, total_tokens: 6 } },
    );
    const folded = foldEvents(events);
    expect(folded.choices[0]?.message.parts).toEqual([{ type: "blob", modality: "audio", content: "QUFBQkJC" }]);
    expect(folded.usage).toMatchObject({ inputTokens: 4, outputTokens: 2 });
  });

  it("tells errors, counts what it does not know, and says nothing after [DONE]", () => {
    expect(
      decodeStream(transcription, { error: { message: "no" } }, { type: "transcript.new" }, "{", "[DONE]", {
        type: "x",
      }),
    ).toEqual([
      { type: "error", error: { message: "no" } },
      { type: "unrecognized", name: "transcript.new" },
      { type: "unrecognized", name: "no_object" },
      { type: "response_end" },
    ]);
  });

  it("ends without an end when the last event never came", () => {
    const events = decodeStream(transcription, { type: "transcript.text.delta", delta: "Hel" });
    expect(events.some((event) => event.type === "response_end")).toBe(false);
  });

  it.each([null, [], "x", 7, {}, { type: 7 }])("throws at no delta, segment or end of %j", (value) => {
    for (const operation of [speech, transcription]) {
      for (const type of ["a.delta", "a.segment", "a.done"]) {
        const wire = { type, delta: value, audio: value, text: value, usage: value, logprobs: value, duration: value };
        expect(() => foldEvents(decodeStream(operation, wire, wire))).not.toThrow();
      }
    }
  });
});

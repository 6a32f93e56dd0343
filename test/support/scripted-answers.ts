// Plans for scripted upstreams: what the three big dialects answer, whole, streamed or as a refusal, each with the least that it needs.
import type { Plan, PlanEnd } from "./scripted-upstream.ts";

type Headers = Readonly<Record<string, string>>;

/** A JSON answer. */
export function answerJson(body: unknown, status = 200, headers: Headers = {}): Plan {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    contentLength: true,
    chunks: [JSON.stringify(body)],
  };
}

/** An event stream of these frames; `ending` is what follows the last. */
export function answerStream(frames: readonly string[], ending?: PlanEnd): Plan {
  const headers = { "content-type": "text/event-stream" };
  return ending === undefined ? { headers, chunks: frames } : { headers, chunks: frames, ending };
}

/** What each of the three answers. */
export interface AnswerForms {
  whole(text: string): Plan;
  /** The answer without content that a filter leaves. */
  filtered(): Plan;
  /** `code` and `type` are the dialect's own words. */
  refusal(status: number, word: string, headers?: Headers, message?: string): Plan;
  /** Frames before the first content, the content, and the end. */
  frames(text: string): { opening: string[]; content: string[]; closing: string[] };
  /** The frame of an error inside a stream. */
  errorFrame(word: string): string;
}

const frame = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

const chunk = (delta: unknown, finish: string | null = null): string =>
  frame({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-real",
    choices: [{ index: 0, delta, finish_reason: finish }],
  });

const completion = (content: string, finish: string): unknown => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-real",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: finish }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
});

/** OpenAI's Chat Completions, and of those who speak it. */
export const openaiForms: AnswerForms = {
  whole: (text) => answerJson(completion(text, "stop")),
  filtered: () => answerJson(completion("", "content_filter")),
  refusal: (status, word, headers, message = `openai says ${word}`) =>
    answerJson({ error: { message, type: word, code: word, param: null } }, status, headers),
  frames: (text) => ({
    opening: [chunk({ role: "assistant", content: "" })],
    content: [chunk({ content: text })],
    closing: [chunk({}, "stop"), frame("[DONE]")],
  }),
  errorFrame: (word) => frame({ error: { message: `openai says ${word}`, type: word, code: word, param: null } }),
};

const message = (content: unknown[], stop: string | null): Record<string, unknown> => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-real",
  content,
  stop_reason: stop,
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 2 },
});

const event = (type: string, more: Record<string, unknown> = {}): string => frame({ type, ...more }, type);

/** Anthropic's Messages. */
export const anthropicForms: AnswerForms = {
  whole: (text) => answerJson(message([{ type: "text", text }], "end_turn")),
  filtered: () => answerJson(message([], "refusal")),
  refusal: (status, word, headers, text = `anthropic says ${word}`) =>
    answerJson({ type: "error", error: { type: word, message: text } }, status, headers),
  frames: (text) => ({
    opening: [event("message_start", { message: message([], null) }), event("ping")],
    content: [
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    ],
    closing: [
      event("content_block_stop", { index: 0 }),
      event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } }),
      event("message_stop"),
    ],
  }),
  errorFrame: (word) => event("error", { error: { type: word, message: `anthropic says ${word}` } }),
};

const candidate = (text: string, finish?: string): Record<string, unknown> => ({
  candidates: [
    {
      index: 0,
      content: { role: "model", parts: text === "" ? [] : [{ text }] },
      ...(finish === undefined ? {} : { finishReason: finish }),
    },
  ],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 },
  modelVersion: "gemini-real",
});

/** Gemini's generateContent; an OpenAI client is served by Google in OpenAI's dialect. */
export const googleForms: AnswerForms = {
  whole: (text) => answerJson(candidate(text, "STOP")),
  filtered: () => answerJson(candidate("", "SAFETY")),
  refusal: (status, word, headers, text = `google says ${word}`) =>
    answerJson({ error: { code: status, message: text, status: word } }, status, headers),
  frames: (text) => ({ opening: [], content: [frame(candidate(text))], closing: [frame(candidate("", "STOP"))] }),
  errorFrame: (word) => frame({ error: { code: 503, message: `google says ${word}`, status: word } }),
};

/** Google's refusal with the wait in its body, e.g. `0.3s`. */
export function refuseWithRetryDelay(retryDelay: string): Plan {
  return answerJson(
    {
      error: {
        code: 429,
        message: "google says RESOURCE_EXHAUSTED",
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }],
      },
    },
    429,
  );
}

/** A whole stream. */
export function streamWhole(forms: AnswerForms, text: string): Plan {
  const { opening, content, closing } = forms.frames(text);
  return answerStream([...opening, ...content, ...closing]);
}

/** A stream whose connection ends before its first content. */
export function streamCutEarly(forms: AnswerForms): Plan {
  return answerStream(forms.frames("").opening, "destroy");
}

/** A stream whose connection ends after content. */
export function streamCutLate(forms: AnswerForms, text: string): Plan {
  const { opening, content } = forms.frames(text);
  return answerStream([...opening, ...content], "destroy");
}

/** A connection that takes the request and is reset without a byte. */
export const resetUnanswered: Plan = { kind: "raw", chunks: [], ending: "reset" };

/** A connection that takes the request and says nothing. */
export const silence: Plan = { kind: "raw", chunks: [], ending: "stall" };

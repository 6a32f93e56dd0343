// Bench: the traffic both ends agree on: request and response bytes, stream frames, and the header that asks for a pace.
// Invariant: the client knows exactly what the upstream will send, so every relayed answer can be checked.

/** Request header by which a client asks the upstream for a stream: `<content chunks>/<chunks per second>`. */
export const paceHeader = "x-bench-pace";

/** Request header that makes the upstream put the SHA-256 of the request body it received into a response header. */
export const digestHeader = "x-bench-digest";

/** Response header that answers `digestHeader`, in hex. */
export const digestAnswerHeader = "x-bench-request-sha256";

/** How a stream is paced: `chunks` content frames, `perSecond` of them a second, the first at once. */
export interface Pace {
  chunks: number;
  perSecond: number;
}

/** The pace as its header value. */
export function encodePace(pace: Pace): string {
  return `${pace.chunks}/${pace.perSecond}`;
}

/** The pace in a header value; the numbers are bounded, so that no request can make the upstream run for ever. */
export function decodePace(value: string): Pace {
  const [chunks = 1, perSecond = 1] = value.split("/").map(Number);
  return { chunks: Math.min(Math.max(1, chunks), 100_000), perSecond: Math.min(Math.max(0.1, perSecond), 1000) };
}

const model = "gpt-4o-mini-2024-07-18";

/** The body of the non-streaming answer: a usual short completion with its usage, about 600 bytes. */
export const completionBody: Buffer = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-bench0000000000000000000000",
    object: "chat.completion",
    created: 1764547200,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "A sidecar is a small process that runs beside a service and does one job for it.",
          refusal: null,
        },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: {
      prompt_tokens: 61,
      completion_tokens: 19,
      total_tokens: 80,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
    service_tier: "default",
    system_fingerprint: "fp_bench",
  }),
);

function encodeFrame(choices: unknown[], includeUsage: boolean, usage: unknown): Buffer {
  const chunk = {
    id: "chatcmpl-bench0000000000000000000000",
    object: "chat.completion.chunk",
    created: 1764547200,
    model,
    service_tier: "default",
    system_fingerprint: "fp_bench",
    choices,
    ...(includeUsage ? { usage } : {}),
  };
  return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`);
}

function encodeChoice(delta: object, finishReason: string | null): object {
  return { index: 0, delta, logprobs: null, finish_reason: finishReason };
}

/** The frames of one streamed answer, as OpenAI sends them with and without `stream_options.include_usage`. */
export interface StreamFrames {
  /** Sent with the head: the role and empty content. */
  first: Buffer;
  /** Every further content frame. */
  content: Buffer;
  /** Finish reason, usage when asked for, and `[DONE]`, in one piece. */
  last: Buffer;
}

function encodeStream(includeUsage: boolean): StreamFrames {
  const usage = { prompt_tokens: 61, completion_tokens: 140, total_tokens: 201 };
  const last = [encodeFrame([encodeChoice({}, "stop")], includeUsage, null)];
  if (includeUsage) last.push(encodeFrame([], true, usage));
  last.push(Buffer.from("data: [DONE]\n\n"));
  return {
    first: encodeFrame([encodeChoice({ role: "assistant", content: "", refusal: null }, null)], includeUsage, null),
    content: encodeFrame([encodeChoice({ content: " sidecar" }, null)], includeUsage, null),
    last: Buffer.concat(last),
  };
}

/** Stream frames for a client that asked for usage. */
export const framesWithUsage: StreamFrames = encodeStream(true);

/** Stream frames for a client that did not ask for usage. */
export const framesWithoutUsage: StreamFrames = encodeStream(false);

/** All bytes of one streamed answer's body. */
export function joinStream(frames: StreamFrames, chunks: number): Buffer {
  const content = Array.from({ length: chunks - 1 }, () => frames.content);
  return Buffer.concat([frames.first, ...content, frames.last]);
}

/** Server-sent events in one streamed answer to a client that asked for usage. */
export function countStreamEvents(chunks: number): number {
  return chunks + 3;
}

function encodeRequestBody(stream: boolean): Buffer {
  return Buffer.from(
    JSON.stringify({
      model: "gpt-4o-mini",
      messages: [
        {
          role: "system",
          content: "You answer in one sentence, in plain English, and you never guess. ".repeat(4).trim(),
        },
        { role: "user", content: "What is a sidecar process, and when would I want one beside my service?" },
      ],
      temperature: 0.2,
      max_completion_tokens: 256,
      ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    }),
  );
}

/** Body of the non-streaming request, about 500 bytes. */
export const requestBody: Buffer = encodeRequestBody(false);

/** Body of the streaming request; it asks for usage, so that a proxy has no reason to edit it. */
export const streamRequestBody: Buffer = encodeRequestBody(true);

/** A whole HTTP/1.1 request for `port` on loopback, with further headers when given. */
export function encodeRequest(port: number, body: Buffer, headers: Record<string, string> = {}): Buffer {
  const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head =
    "POST /v1/chat/completions HTTP/1.1\r\n" +
    `host: 127.0.0.1:${port}\r\n` +
    "user-agent: outrider-bench\r\naccept: application/json\r\nauthorization: Bearer test-key-bench\r\n" +
    `content-type: application/json\r\n${extra.join("")}content-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

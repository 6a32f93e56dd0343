// Recorded answers of every dialect in the words of another, and a loopback server that hands each to the client that asks for it by its
// model. In process, without Outrider's proxy: what is asked here is whether the official clients take what the encode halves write.
// Invariant: what breaks off does so as the relay does it: the dialect's error frame, then the connection.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { InferenceResponse, StreamEvent } from "../../src/canonical/index.ts";
import {
  type Dialect,
  findFraming,
  matchDialect,
  type Operation,
  translateResponse,
  translateStream,
  type TranslationFacts,
} from "../../src/dialects/index.ts";
import { SidecarError } from "../../src/errors.ts";
import { decodeBytes, factsOf, foldAll } from "./recorded-translation.ts";
import { loadRecordings, type Recording, responseBytes } from "./recordings.ts";

/** The folders whose answers a chat client can be given. */
export const answerFolders = [
  "openai-chat",
  "openai-completions",
  "mistral",
  "azure-openai",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "cohere-v2",
  "ollama",
];

const translatable = new Set(["chat", "generate_content", "text_completion"]);

/** What a provider answered, decoded. */
export type ProviderAnswer = { id: string; source: Dialect } & (
  | { kind: "body"; response: InferenceResponse }
  | { kind: "stream"; events: StreamEvent[]; response: InferenceResponse }
  | { kind: "broken"; events: StreamEvent[] }
  | { kind: "refusal"; status: number; message: string }
);

/** Recorded calls that are translated, by their paths below whatever base URL they were recorded at. */
export function findRecordedCall(recording: Recording): { dialect: Dialect; operation: Operation } | undefined {
  const segments = new URL(recording.request.url).pathname.split("/").slice(1);
  for (let from = 0; from < segments.length; from++) {
    const call = matchDialect(recording.request.method, `/${segments.slice(from).join("/")}`);
    if (call === undefined) continue;
    const { operation, dialect } = call;
    return translatable.has(operation.name ?? "") && dialect.encoder !== undefined ? call : undefined;
  }
  return undefined;
}

/** Every recorded answer; streams that the recording has the end of, and those that it has not. */
export function readProviderAnswers(): ProviderAnswer[] {
  return loadRecordings(...answerFolders).flatMap((recording) => {
    const call = findRecordedCall(recording);
    const answer = call === undefined ? undefined : readProviderAnswer(recording, call.dialect, call.operation);
    return answer === undefined ? [] : [answer];
  });
}

function readProviderAnswer(recording: Recording, source: Dialect, operation: Operation): ProviderAnswer | undefined {
  const { id, response } = recording;
  const origin = { id, source };
  const refuse = (status: number, message: string): ProviderAnswer => ({ ...origin, kind: "refusal", status, message });
  const framing =
    response.status === 200 ? findFraming(response.headers["content-type"] ?? "", source, operation) : undefined;
  if (framing !== undefined) {
    const events = decodeBytes(responseBytes(recording), source, operation, framing);
    const { answer, ended, error } = foldAll(events);
    const finished = error === undefined && ended && answer.choices.length > 0;
    return finished ? { ...origin, kind: "stream", events, response: answer } : { ...origin, kind: "broken", events };
  }
  const body = parseBody(responseBytes(recording).toString());
  const error = body === undefined ? undefined : source.decodeError(body, (name) => response.headers[name]);
  if (response.status !== 200) return refuse(response.status, error?.message ?? "");
  if (body === undefined) return undefined;
  if (error !== undefined) return refuse(502, error.message);
  const decoded = source.decodeResponse(body, operation);
  // Of another form than the call's path says (two providers' own, below paths of Cohere and Ollama): the proxy answers with an error.
  return decoded.choices.length === 0 ? undefined : { ...origin, kind: "body", response: decoded };
}

function parseBody(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The start of a stream, up to a share of its events and not to any end. */
export function breakOff(answer: ProviderAnswer & { kind: "stream" }, share: number): ProviderAnswer {
  const { id, source, events } = answer;
  const kept = events
    .slice(0, Math.ceil(events.length * share))
    .filter(({ type }) => type !== "choice_end" && type !== "response_end");
  return { id, source, kind: "broken", events: kept };
}

/** An answer in the words of a client's dialect, as it goes over the wire. */
export interface WrittenAnswer {
  status: number;
  type: string;
  pieces: (string | Buffer)[];
  streamed: boolean;
  /** The connection is broken after the last piece. */
  cut: boolean;
}

/** Writes an answer for a client; `operationKind` as the client's call has it. */
export function writeAnswer(answer: ProviderAnswer, client: Dialect, operationKind: string): WrittenAnswer {
  const facts: TranslationFacts = {
    model: "served-model",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    operationKind,
  };
  const json = (status: number, body: unknown): WrittenAnswer => {
    return { status, type: "application/json", pieces: [JSON.stringify(body)], streamed: false, cut: false };
  };
  const requestId = facts.exchangeId;
  if (answer.kind === "refusal") {
    const error = new SidecarError("upstream_rejected", answer.message, { httpStatus: answer.status });
    return json(answer.status, client.encodeError(error, requestId));
  }
  if (answer.kind === "body") {
    return json(200, translateResponse(answer.source, client, answer.response, facts).body);
  }
  const type = client.encoder?.streamType ?? "";
  const { encoder } = translateStream(answer.source, client, true, facts);
  const pieces = answer.events.flatMap((event) => encoder.push(event));
  if (answer.kind === "stream")
    return { status: 200, type, pieces: [...pieces, ...encoder.end()], streamed: true, cut: false };
  const told = answer.events.some((event) => event.type === "error");
  const error = new SidecarError("stream_truncated", "the provider's stream ended before its end");
  const end = told ? [] : [client.encodeStreamError(error, requestId)];
  return { status: 200, type, pieces: [...pieces, ...end], streamed: true, cut: !told };
}

/** Facts of the canonical answer that every client can be asked for. */
export function expectedOf(response: InferenceResponse) {
  const { text, calls, finish, input, output } = factsOf(response);
  const { cacheReadTokens = 0, cacheWriteTokens = 0 } = response.usage ?? {};
  const parts = response.choices[0]?.message.parts ?? [];
  return {
    text,
    calls: calls.map(([name, given]) => ({ name: name as string, arguments: given })),
    finish,
    /** OpenAI's dialects mark a text as a refusal; the finish reason is none. */
    isRefusal: parts.some(({ extensions = {} }) => Object.values(extensions).some(({ type }) => type === "refusal")),
    input,
    output,
    cached: cacheReadTokens + cacheWriteTokens,
  };
}

/** Serves `answers` under the models `answer-0`, `answer-1` …; wherever in the path or the body the client has the model. */
export async function serveAnswers(
  answers: readonly WrittenAnswer[],
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const number = /answer-(\d+)/.exec(`${request.url} ${body}`)?.[1];
      const answer = answers[Number(number)];
      if (answer === undefined) response.writeHead(500).end();
      else send(answer, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

function send({ status, type, pieces, cut }: WrittenAnswer, response: ServerResponse): void {
  response.writeHead(status, { "content-type": type });
  for (const piece of pieces) response.write(piece);
  if (cut) response.write("", () => response.destroy());
  else response.end();
}

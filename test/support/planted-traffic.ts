// Traffic with canaries in it: every place of a request or an answer that can hold a secret or content, through every kind of end.
// Each value is planted in one place only, so that a hit names its source.
import { type Canary, createSecrets, createSentence } from "./canaries.ts";
import type { Plan } from "./scripted-upstream.ts";

/** Printed by the tests that use it. */
export const seed = Number(process.env["OUTRIDER_SEED"] ?? 20261121);

/** What a client sends with every request, and the provider it is addressed to receives. */
export const forwarded = [
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
  "x-internal-token",
] as const;
export const queried = ["query key", "unknown query member", "bare query member"] as const;
/** Sent by the client, and no provider's business. */
export const stopped = ["proxy-authorization", "baggage", "url userinfo", "host userinfo"] as const;
/** Held by Outrider for a provider. */
const held = ["credential from env", "credential from file", "conventional variable"] as const;
/** Told by the provider. */
const echoed = ["echoed key", "set-cookie", "redirect target"] as const;
/** Of the collector. */
const exporting = ["exporter header"] as const;
export const secrets = createSecrets([...forwarded, ...queried, ...stopped, ...held, ...echoed, ...exporting], seed);
export type SecretName = keyof typeof secrets;
export const allSecrets: Canary[] = Object.values(secrets);

/** Content, by where it stands. */
export const sentences = {
  prompt: createSentence("velquorin"),
  /** OpenAI: a message of the history. */
  systemMessage: createSentence("ploverhatch"),
  /** Anthropic: apart from the history. */
  system: createSentence("brastlemook"),
  completion: createSentence("zumbarelka"),
  toolArguments: createSentence("dinkelfrosp"),
  toolDescription: createSentence("quandermoss"),
  embedded: createSentence("morvantine"),
  legacy: createSentence("trellowick"),
  // Never captured, whatever the mode: it is in what Outrider does not read, or in an error.
  file: createSentence("hobbernatch"),
  malformed: createSentence("gristlewomp"),
  providerError: createSentence("plimsovark"),
};
export const allSentences: Canary[] = Object.values(sentences);
export const everything: Canary[] = [...allSecrets, ...allSentences];

const json = { "content-type": "application/json", "set-cookie": `s=${secrets["set-cookie"].value}` };
const events = { ...json, "content-type": "text/event-stream" };
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (event: { type: string; [key: string]: unknown }): string => `event: ${event.type}\n${data(event)}`;
const toolArguments = JSON.stringify({ note: sentences.toolArguments.value });

const chatChunk = (delta: object, finish: string | null = null): string =>
  data({ id: "chatcmpl-1", model: "gpt-4o-mini", choices: [{ index: 0, delta, finish_reason: finish }] });
const toolCall = { index: 0, id: "call_1", type: "function", function: { name: "note", arguments: toolArguments } };
const completionDelta = chatChunk({ role: "assistant", content: sentences.completion.value });
const chatStream = [
  completionDelta,
  chatChunk({ tool_calls: [toolCall] }),
  chatChunk({}, "tool_calls"),
  "data: [DONE]\n\n",
];
const chatAnswer = {
  id: "chatcmpl-1",
  model: "gpt-4o-mini",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: sentences.completion.value, tool_calls: [toolCall] },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 },
};
const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-haiku-4-5" };
const messageUsage = { input_tokens: 7, output_tokens: 5 };
const toolUse = { type: "tool_use", id: "toolu_1", name: "note" };
const messageAnswer = {
  ...message,
  content: [
    { type: "text", text: sentences.completion.value },
    { ...toolUse, input: { note: sentences.toolArguments.value } },
  ],
  stop_reason: "tool_use",
  usage: messageUsage,
};
const messageEvents: { type: string; [key: string]: unknown }[] = [
  { type: "message_start", message: { ...message, content: [], usage: messageUsage } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: sentences.completion.value } },
  { type: "content_block_stop", index: 0 },
  { type: "content_block_start", index: 1, content_block: { ...toolUse, input: {} } },
  { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: toolArguments } },
  { type: "content_block_stop", index: 1 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 5 } },
  { type: "message_stop" },
];
const providerError = {
  type: "invalid_request_error",
  code: "invalid_api_key",
  message: `Incorrect API key provided: ${secrets["echoed key"].value} ${sentences.providerError.value}`,
  param: secrets["echoed key"].value,
};
const answer = (value: unknown, status = 200): Plan => ({ status, headers: json, chunks: [JSON.stringify(value)] });
const stream = (chunks: string[], ending: "end" | "reset" | "stall" = "end"): Plan => ({
  headers: events,
  chunks,
  ending,
});

const parameters = { type: "object", properties: { note: { type: "string" } } };
const chat = {
  model: "gpt-4o-mini",
  messages: [
    { role: "system", content: sentences.systemMessage.value },
    { role: "user", content: sentences.prompt.value },
  ],
  tools: [{ type: "function", function: { name: "note", description: sentences.toolDescription.value, parameters } }],
};
const messages = {
  model: "claude-haiku-4-5",
  max_tokens: 50,
  system: sentences.system.value,
  messages: [{ role: "user", content: sentences.prompt.value }],
  tools: [{ name: "note", description: sentences.toolDescription.value, input_schema: parameters }],
};

/** One request. `own`: Outrider writes the whole answer, so that nothing of it may hold a canary. */
export interface Drive {
  path: string;
  body: unknown;
  plan?: Plan;
  status: number;
  own?: true;
  headers?: Record<string, string>;
  /** The client hangs up after the first bytes. */
  abort?: true;
  /** Without any of the client's secrets. */
  bare?: true;
  /** Secrets that the provider must receive; default: all that the client forwards. */
  received?: SecretName[];
}

/** What goes to the addressed provider beside the keys, when Outrider's own key takes their place. */
const besideKeys: SecretName[] = ["cookie", "x-internal-token", "unknown query member", "bare query member"];

const [chatPath, messagesPath] = ["/v1/chat/completions", "/v1/messages"];
const own = true;
export const drives: Record<string, Drive> = {
  chat: { path: chatPath, body: chat, plan: answer(chatAnswer), status: 200 },
  "chat stream": { path: chatPath, body: { ...chat, stream: true }, plan: stream(chatStream), status: 200 },
  messages: { path: messagesPath, body: messages, plan: answer(messageAnswer), status: 200 },
  "messages stream": {
    path: messagesPath,
    body: { ...messages, stream: true },
    plan: stream(messageEvents.map(named)),
    status: 200,
  },
  embeddings: {
    path: "/v1/embeddings",
    body: { model: "text-embedding-3-small", input: sentences.embedded.value },
    plan: answer({ object: "list", model: "text-embedding-3-small", data: [], usage: { prompt_tokens: 7 } }),
    status: 200,
  },
  completions: {
    path: "/v1/completions",
    body: { model: "gpt-3.5-turbo-instruct", prompt: sentences.legacy.value },
    plan: answer({ id: "cmpl-1", choices: [{ index: 0, text: sentences.completion.value, finish_reason: "stop" }] }),
    status: 200,
  },
  file: { path: "/v1/files", body: { note: sentences.file.value }, plan: answer({ id: "file-1" }), status: 200 },
  "refused key": { path: chatPath, body: chat, plan: answer({ error: providerError }, 401), status: 401 },
  "rate limit": {
    path: messagesPath,
    body: messages,
    plan: answer({ type: "error", error: providerError }, 429),
    status: 429,
  },
  "server error": { path: chatPath, body: chat, plan: answer({ error: providerError }, 500), status: 500 },
  "error in a stream": {
    path: chatPath,
    body: { ...chat, stream: true },
    plan: stream([completionDelta, data({ error: providerError })]),
    status: 200,
  },
  "error event": {
    path: messagesPath,
    body: { ...messages, stream: true },
    plan: stream([...messageEvents.slice(0, 3).map(named), named({ type: "error", error: providerError })]),
    status: 200,
  },
  truncation: {
    path: chatPath,
    body: { ...chat, stream: true },
    plan: stream([completionDelta], "reset"),
    status: 200,
  },
  abort: {
    path: messagesPath,
    body: { ...messages, stream: true },
    plan: stream(messageEvents.slice(0, 3).map(named), "stall"),
    status: 200,
    abort: true,
  },
  html: {
    path: chatPath,
    body: chat,
    plan: { headers: { "content-type": "text/html" }, chunks: [`<p>${providerError.message}</p>`] },
    status: 502,
    own,
  },
  redirect: {
    path: chatPath,
    body: chat,
    plan: { status: 307, headers: { location: `http://127.0.0.1:9/?key=${secrets["redirect target"].value}` } },
    status: 502,
    own,
  },
  reset: { path: chatPath, body: chat, plan: { kind: "raw", ending: "reset" }, status: 502, own },
  "no HTTP": {
    path: chatPath,
    body: chat,
    plan: { kind: "raw", chunks: [providerError.message], ending: "close" },
    status: 502,
    own,
  },
  unreachable: { path: "/fireworks/v1/chat/completions", body: chat, status: 502, own },
  "held from env": {
    path: `/groq${chatPath}`,
    body: chat,
    plan: answer(chatAnswer),
    status: 200,
    received: ["credential from env", ...besideKeys],
  },
  "held from env, refused": {
    path: `/groq${chatPath}`,
    body: chat,
    plan: answer({ error: providerError }, 401),
    status: 502,
    own,
    received: ["credential from env", ...besideKeys],
  },
  "held from file": {
    path: `/mistral${chatPath}`,
    body: chat,
    plan: answer(chatAnswer),
    status: 200,
    received: ["credential from file", ...besideKeys],
  },
  "held by convention": {
    path: `/together${chatPath}`,
    body: chat,
    plan: answer(chatAnswer),
    headers: { authorization: "Bearer outrider" },
    bare: true,
    status: 200,
    received: ["conventional variable"],
  },
  // Addressed to OpenAI, served by Groq: whatever looks like a secret stays behind.
  "chosen by model": {
    path: chatPath,
    body: { ...chat, model: "groq/llama" },
    plan: answer(chatAnswer),
    status: 200,
    received: ["credential from env", "unknown query member", "bare query member"],
  },
  "malformed JSON": {
    path: chatPath,
    body: `{"model":"gpt-4o","messages":"${sentences.malformed.value}`,
    status: 400,
    own,
  },
  // V8's own message would quote what stands around the mistake.
  "unquoted text": {
    path: messagesPath,
    body: `{"note":${sentences.malformed.name}}`,
    status: 400,
    own,
  },
  "wrong type": { path: messagesPath, body: `"${sentences.malformed.value}"`, status: 400, own },
  "duplicate member": {
    path: chatPath,
    body: `{"model":"${sentences.malformed.value}","model":"b"}`,
    status: 400,
    own,
  },
  "bad UTF-8": {
    path: chatPath,
    body: Buffer.from(`{"model":"${sentences.malformed.value}\xff"}`, "latin1"),
    status: 400,
    own,
  },
  "too large": {
    path: chatPath,
    body: { note: sentences.malformed.value },
    headers: { "content-length": "100001" },
    status: 413,
    own,
  },
  "unknown path": { path: "/nothing/here", body: chat, status: 404, own },
  "bad steering": {
    path: chatPath,
    body: chat,
    headers: { "x-outrider-timeout-ms": secrets.authorization.value },
    status: 400,
    own,
  },
  "web page": { path: chatPath, body: chat, headers: { origin: "https://elsewhere.example" }, status: 403, own },
  "user name in Host": {
    path: chatPath,
    body: chat,
    headers: { host: `me:${secrets["host userinfo"].value}@127.0.0.1` },
    status: 421,
    own,
  },
  "user name in the target": {
    path: `http://me:${secrets["url userinfo"].value}@127.0.0.1${chatPath}`,
    body: chat,
    status: 421,
    own,
  },
};

export const clientHeaders: Record<string, string> = {
  authorization: `Bearer ${secrets.authorization.value}`,
  "x-api-key": secrets["x-api-key"].value,
  "api-key": secrets["api-key"].value,
  "x-goog-api-key": secrets["x-goog-api-key"].value,
  cookie: `session=${secrets.cookie.value}`,
  "x-internal-token": secrets["x-internal-token"].value,
  "proxy-authorization": `Basic ${secrets["proxy-authorization"].value}`,
  baggage: `token=${secrets.baggage.value}`,
  "anthropic-version": "2023-06-01",
  connection: "close",
};
export const query = `?key=${secrets["query key"].value}&flavour=${secrets["unknown query member"].value}&${secrets["bare query member"].value}`;

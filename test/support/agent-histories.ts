// What a provider was sent, read by its own rules into plain facts: who said what, which calls, which results. Written by hand after
// the providers' references. What a provider would refuse with a 400 is noted in `wrong`, in words.
import type { AgentProvider } from "./agent-answers.ts";

type Json = Record<string, unknown>;

/** Opaque reasoning of an assistant's turn, in order. */
export type Sealed = { text: string; signature: unknown } | { redacted: unknown };

/** A call as it stands in the history. */
export interface HeldCall {
  id: unknown;
  name: unknown;
  arguments: unknown;
  /** Gemini's. */
  signature?: unknown;
}

/** One side's turn. Results of one step are one entry, in order. */
export type Entry =
  | { role: "user"; text: string }
  | { role: "assistant"; text: string; sealed: Sealed[]; calls: HeldCall[] }
  | { role: "tool"; results: { id: unknown; name?: unknown; value: unknown }[] };

/** What a request says. */
export interface AgentHistory {
  model: string;
  streams: boolean;
  instructions: string;
  tools: Record<string, unknown>;
  entries: Entry[];
  /** What the provider would refuse. */
  wrong: string[];
}

/** Reads a request's path and body. */
export function readAgentHistory(provider: AgentProvider, path: string, body: Json): AgentHistory {
  const history: AgentHistory = { model: "", streams: false, instructions: "", tools: {}, entries: [], wrong: [] };
  readers[provider](history, path, body);
  return history;
}

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

const jsonOf = (value: unknown): Json => (isJson(value) ? value : {});

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(jsonOf) : []);

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** A text, or the texts of a list of blocks. */
const wordsOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : listOf(content)
        .map(({ text }) => textOf(text))
        .join("");

/** JSON text as what it says; other text as it is. */
function parse(text: unknown): unknown {
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Results of one step stand together. */
function addResult(entries: Entry[], result: { id: unknown; name?: unknown; value: unknown }): void {
  const last = entries.at(-1);
  if (last?.role === "tool") last.results.push(result);
  else entries.push({ role: "tool", results: [result] });
}

type Reader = (history: AgentHistory, path: string, body: Json) => void;

function expectPath({ wrong }: AgentHistory, path: string, expected: string): void {
  if (path !== expected) wrong.push(`path ${path} instead of ${expected}`);
}

/** A list of blocks each of which must be of a kind that may stand there. */
function expectKinds(
  { wrong }: AgentHistory,
  where: string,
  kinds: readonly string[],
  allowed: readonly string[],
): void {
  for (const kind of kinds) if (!allowed.includes(kind)) wrong.push(`${where} holds ${kind}`);
}

/** Chat's messages, which Cohere's are like. */
function readMessages(history: AgentHistory, messages: unknown, readSealed: (message: Json) => Sealed[]): void {
  const { entries, wrong } = history;
  for (const message of listOf(messages)) {
    const { role, content } = message;
    if (role === "system" || role === "developer") {
      if (entries.length > 0) wrong.push(`${role} amid the conversation`);
      history.instructions += wordsOf(content);
    } else if (role === "user") entries.push({ role, text: wordsOf(content) });
    else if (role === "tool") addResult(entries, { id: message["tool_call_id"], value: parse(wordsOf(content)) });
    else if (role === "assistant") {
      const calls = listOf(message["tool_calls"]).map(
        ({ id, type, function: called, extra_content: extra }): HeldCall => {
          if (type !== "function") wrong.push(`a call of type ${String(type)}`);
          const { name, arguments: given } = jsonOf(called);
          if (typeof given !== "string") wrong.push("arguments that are no text");
          const signature = jsonOf(jsonOf(extra)["google"])["thought_signature"];
          return { id, name, arguments: parse(given), ...(signature === undefined ? {} : { signature }) };
        },
      );
      entries.push({ role, text: wordsOf(content), sealed: readSealed(message), calls });
    } else wrong.push(`role ${String(role)}`);
  }
}

/** Messages' members that OpenAI documents; `parsed` is what openai-node puts beside them. */
const chatMembers = [
  "role",
  "content",
  "refusal",
  "tool_calls",
  "tool_call_id",
  "name",
  "audio",
  "annotations",
  "parsed",
];

const createChatReader =
  (base: string): Reader =>
  (history, path, body) => {
    expectPath(history, path, `${base}/chat/completions`);
    history.model = textOf(body["model"]);
    history.streams = body["stream"] === true;
    for (const tool of listOf(body["tools"])) {
      const { name, parameters } = jsonOf(tool["function"]);
      history.tools[textOf(name)] = parameters;
    }
    readMessages(history, body["messages"], () => []);
    for (const message of listOf(body["messages"])) {
      expectKinds(history, "a message", Object.keys(message), chatMembers);
    }
  };

const cohere: Reader = (history, path, body) => {
  expectPath(history, path, "/v2/chat");
  history.model = textOf(body["model"]);
  history.streams = body["stream"] === true;
  for (const tool of listOf(body["tools"])) {
    const { name, parameters } = jsonOf(tool["function"]);
    history.tools[textOf(name)] = parameters;
  }
  readMessages(history, body["messages"], () => []);
  for (const message of listOf(body["messages"])) {
    const members = ["role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations"];
    expectKinds(history, "a message", Object.keys(message), members);
    const kinds = Array.isArray(message["content"]) ? listOf(message["content"]) : [];
    const types = kinds.map(({ type }) => String(type));
    expectKinds(history, `${String(message["role"])} content`, types, ["text", "thinking"]);
  }
};

const anthropic: Reader = (history, path, body) => {
  expectPath(history, path, "/v1/messages");
  const { wrong, entries } = history;
  history.model = textOf(body["model"]);
  history.streams = body["stream"] === true;
  history.instructions = wordsOf(body["system"]);
  if (typeof body["max_tokens"] !== "number") wrong.push("max_tokens is missing");
  for (const { name, input_schema: schema } of listOf(body["tools"])) history.tools[textOf(name)] = schema;
  const thinks = jsonOf(body["thinking"])["type"] === "enabled";
  let before: unknown;
  for (const { role, content } of listOf(body["messages"])) {
    if (role === before) wrong.push(`two turns of ${String(role)}`);
    before = role;
    const blocks = typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
    const kinds = blocks.map(({ type }) => String(type));
    if (blocks.length === 0) wrong.push("a turn without content");
    if (blocks.some((block) => block["type"] === "text" && textOf(block["text"]).trim() === ""))
      wrong.push("empty text");
    if (role === "assistant") {
      expectKinds(history, "an assistant's turn", kinds, ["thinking", "redacted_thinking", "text", "tool_use"]);
      const isFirstSealed = (kinds[0] ?? "").endsWith("thinking");
      if (kinds.some((kind) => kind.endsWith("thinking")) && !isFirstSealed) wrong.push("thinking is not first");
      if (thinks && kinds.includes("tool_use") && !isFirstSealed) {
        wrong.push("expected thinking or redacted_thinking, but found another block, when thinking is enabled");
      }
      entries.push({ role, ...readAnthropicTurn(blocks, wrong) });
    } else if (kinds.includes("tool_result")) {
      expectKinds(history, "a turn of results", kinds, ["tool_result"]);
      for (const { tool_use_id: id, content: value } of blocks)
        addResult(entries, { id, value: parse(wordsOf(value)) });
    } else if (role === "user") entries.push({ role, text: wordsOf(blocks) });
    else wrong.push(`role ${String(role)}`);
  }
};

function readAnthropicTurn(blocks: readonly Json[], wrong: string[]) {
  const sealed: Sealed[] = [];
  const calls: HeldCall[] = [];
  let text = "";
  for (const block of blocks) {
    if (block["type"] === "thinking") {
      if (textOf(block["signature"]) === "") wrong.push("thinking without a signature");
      sealed.push({ text: textOf(block["thinking"]), signature: block["signature"] });
    } else if (block["type"] === "redacted_thinking") sealed.push({ redacted: block["data"] });
    else if (block["type"] === "text") text += textOf(block["text"]);
    else {
      const { id, name, input } = block;
      if (!/^[A-Za-z0-9_-]+$/.test(textOf(id))) wrong.push(`the id of a call: ${String(id)}`);
      calls.push({ id, name, arguments: input });
    }
  }
  return { text, sealed, calls };
}

const google: Reader = (history, path, body) => {
  const { wrong, entries } = history;
  // An SDK's own path is sent on as it is: @google/genai 3.1.0 writes v1.
  const [, version = "", model = "", verb = ""] = /^\/(v1|v1beta)\/models\/([^/:]+):(\w+)/.exec(path) ?? [];
  history.model = model;
  history.streams = verb === "streamGenerateContent";
  expectPath(
    history,
    path,
    `/${version}/models/${model}:${history.streams ? "streamGenerateContent?alt=sse" : "generateContent"}`,
  );
  history.instructions = wordsOf(jsonOf(body["systemInstruction"])["parts"]);
  for (const { functionDeclarations } of listOf(body["tools"])) {
    for (const declared of listOf(functionDeclarations)) {
      history.tools[textOf(declared["name"])] = declared["parametersJsonSchema"] ?? declared["parameters"];
    }
  }
  let before: unknown;
  for (const { role, parts: list } of listOf(body["contents"])) {
    if (role === before) wrong.push(`two turns of ${String(role)}`);
    before = role;
    const parts = listOf(list);
    if (parts.length === 0) wrong.push("a turn without parts");
    const answers = parts.filter((part) => part["functionResponse"] !== undefined);
    if (role === "model") {
      const spoken = parts.filter((part) => part["thought"] !== true && part["functionCall"] === undefined);
      const calls = parts.flatMap(({ functionCall, thoughtSignature: signature }): HeldCall[] => {
        if (functionCall === undefined) return [];
        const { id, name, args } = jsonOf(functionCall);
        return [{ id, name, arguments: args, ...(signature === undefined ? {} : { signature }) }];
      });
      entries.push({ role: "assistant", text: wordsOf(spoken), sealed: [], calls });
    } else if (answers.length > 0) {
      if (answers.length < parts.length) wrong.push("a turn of results holds more");
      for (const { functionResponse } of answers) {
        const { id, name, response } = jsonOf(functionResponse);
        if (!isJson(response)) wrong.push("a response that is no object");
        const { output, result } = jsonOf(response);
        addResult(entries, { id, name, value: parse(output ?? result ?? response) });
      }
    } else if (role === "user") entries.push({ role, text: wordsOf(parts) });
    else wrong.push(`role ${String(role)}`);
  }
};

const bedrock: Reader = (history, path, body) => {
  const { wrong, entries } = history;
  const [, model = "", verb = ""] = /^\/model\/([^/]+)\/([\w-]+)$/.exec(path) ?? [];
  history.model = decodeURIComponent(model);
  history.streams = verb === "converse-stream";
  expectPath(history, path, `/model/${model}/${history.streams ? "converse-stream" : "converse"}`);
  history.instructions = wordsOf(body["system"]);
  for (const { toolSpec } of listOf(jsonOf(body["toolConfig"])["tools"])) {
    const { name, inputSchema } = jsonOf(toolSpec);
    history.tools[textOf(name)] = jsonOf(inputSchema)["json"];
  }
  let before: unknown;
  for (const { role, content } of listOf(body["messages"])) {
    if (role === before) wrong.push(`two turns of ${String(role)}`);
    before = role;
    const blocks = listOf(content);
    if (blocks.length === 0) wrong.push("a turn without content");
    const kinds = blocks.flatMap((block) => Object.keys(block));
    if (role === "assistant") {
      expectKinds(history, "an assistant's turn", kinds, ["reasoningContent", "text", "toolUse"]);
      if (kinds.includes("reasoningContent") && kinds[0] !== "reasoningContent") wrong.push("reasoning is not first");
      entries.push({ role, ...readConverseTurn(blocks, wrong) });
    } else if (kinds.includes("toolResult")) {
      expectKinds(history, "a turn of results", kinds, ["toolResult"]);
      for (const { toolResult } of blocks) {
        const { toolUseId: id, content: held } = jsonOf(toolResult);
        const [first, ...others] = listOf(held);
        if (first === undefined || others.length > 0) wrong.push("a result that is not one block");
        addResult(entries, { id, value: first?.["json"] ?? parse(first?.["text"]) });
      }
    } else if (role === "user") entries.push({ role, text: wordsOf(blocks) });
    else wrong.push(`role ${String(role)}`);
  }
};

function readConverseTurn(blocks: readonly Json[], wrong: string[]) {
  const sealed: Sealed[] = [];
  const calls: HeldCall[] = [];
  let words = "";
  for (const { text, reasoningContent, toolUse } of blocks) {
    if (reasoningContent !== undefined) {
      const { reasoningText, redactedContent } = jsonOf(reasoningContent);
      if (redactedContent !== undefined) sealed.push({ redacted: redactedContent });
      else {
        const { text: thought, signature } = jsonOf(reasoningText);
        if (textOf(signature) === "") wrong.push("reasoning without a signature");
        sealed.push({ text: textOf(thought), signature });
      }
    } else if (toolUse !== undefined) {
      const { toolUseId: id, name, input } = jsonOf(toolUse);
      calls.push({ id, name, arguments: input });
    } else {
      if (textOf(text).trim() === "") wrong.push("empty text");
      words += textOf(text);
    }
  }
  return { text: words, sealed, calls };
}

const readers: Readonly<Record<AgentProvider, Reader>> = {
  openai: createChatReader("/v1"),
  anthropic,
  google,
  "google-chat": createChatReader("/v1beta/openai"),
  bedrock,
  cohere,
};

// Room cli: the demo's script: what an application would send, faults included. Bounded in number and time.
// Invariant: what goes wrong here is meant to; no failure of a call ends the demo.

import { Agent, request } from "undici";

/** One scripted call. */
interface Call {
  path: string;
  body: Record<string, unknown>;
  /** Closes the connection after this many bytes of the answer, as an impatient client does. */
  abortAfterBytes?: number;
}

const pauseMs = 300;
const callTimeoutMs = 15_000;

const weatherTool = {
  name: "get_weather",
  description: "The weather in a city",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const openaiTools = [
  {
    type: "function",
    function: { name: weatherTool.name, description: weatherTool.description, parameters: weatherTool.schema },
  },
];
const anthropicTools = [
  { name: weatherTool.name, description: weatherTool.description, input_schema: weatherTool.schema },
];
/** Long enough for a provider's prompt cache (1,024 tokens), so that the second call reads from it. */
const handbook = "Rule: be brief, name your sources, and say so when you do not know. ".repeat(90);

const chat = (model: string, text: string, more: Record<string, unknown> = {}): Call => ({
  path: "/v1/chat/completions",
  body: { model, messages: [{ role: "user", content: text }], ...more },
});
const messages = (model: string, text: string, more: Record<string, unknown> = {}): Call => ({
  path: "/v1/messages",
  body: { model, max_tokens: 300, messages: [{ role: "user", content: text }], ...more },
});
const embed = (text: string): Call => ({
  path: "/v1/embeddings",
  body: { model: "text-embedding-3-small", input: [text, `${text} again`] },
});

const script: readonly Call[] = [
  chat("gpt-4o-mini", "Name three rivers of Africa."),
  chat("gpt-4o", "Tell me a short story about a lighthouse.", { stream: true }),
  messages("claude-sonnet-4-5", "What is a sidecar?"),
  embed("observability"),
  messages("claude-haiku-4-5", "Write a haiku about latency.", { stream: true }),
  chat("gpt-4.1", "What is the weather in Nairobi?", { tools: openaiTools, tool_choice: "required" }),
  chat("gpt-4o", "First question on the handbook.", {
    messages: [
      { role: "system", content: handbook },
      { role: "user", content: "One?" },
    ],
  }),
  chat("sim-429-gpt-4o-mini", "This one hits a rate limit."),
  messages("claude-sonnet-4-5", "What is the weather in Lagos?", {
    tools: anthropicTools,
    tool_choice: { type: "any" },
    stream: true,
  }),
  {
    path: "/v1/messages/count_tokens",
    body: { model: "claude-sonnet-4-5", messages: [{ role: "user", content: "How long is this?" }] },
  },
  chat("gpt-4o", "Second question on the handbook.", {
    messages: [
      { role: "system", content: handbook },
      { role: "user", content: "Two?" },
    ],
  }),
  messages("sim-overloaded-claude-sonnet-4-5", "This provider is overloaded."),
  chat("acme-nova-1", "Nobody knows what this model costs."),
  chat("sim-truncate-gpt-4o", "This stream is cut short by the provider.", { stream: true }),
  { ...chat("gpt-4o", "The client hangs up on this one. Tell a long story.", { stream: true }), abortAfterBytes: 600 },
  chat("gpt-5-mini", "Think before you answer.", { stream: true, stream_options: { include_usage: true } }),
  chat("gpt-4o-mini", "Answer twice.", { n: 2 }),
  messages("sim-error-event-claude-haiku-4-5", "This stream fails half-way.", { stream: true }),
  embed("tracing"),
  chat("gpt-4o-mini", "Say goodbye.", { stream: true }),
];

/** Sends the script twice through the sidecar at `dataUrl`, a call every 300 ms; resolves when all have ended or `signal` aborted. */
export async function sendDemoTraffic(dataUrl: string, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ headersTimeout: callTimeoutMs, bodyTimeout: callTimeoutMs });
  const calls: Promise<void>[] = [];
  for (const call of [...script, ...script]) {
    if (signal.aborted) break;
    calls.push(sendCall(agent, dataUrl, call, signal));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await Promise.all(calls);
  await agent.close();
}

async function sendCall(
  agent: Agent,
  dataUrl: string,
  { path, body, abortAfterBytes }: Call,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await request(`${dataUrl}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        authorization: "Bearer demo",
        "user-agent": "outrider-demo",
      },
      body: JSON.stringify(body),
      dispatcher: agent,
      signal,
    });
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (abortAfterBytes !== undefined && bytes > abortAfterBytes) break;
    }
  } catch {
    // Cut streams and our own stop; the exchange's line says what happened.
  }
}

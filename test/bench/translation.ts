// Bench: what translating costs in CPU time, in this process: an event of a streamed chat, and a request of 100 KB.
// Usage: node test/bench/translation.ts [--write]. Every pair of chat dialects; passthrough (framing and decoding, which the observer does
// anyway) is measured beside it and taken off. Exit code 1 when a pair is over the bar.
import type { StreamEvent } from "../../src/canonical/index.ts";
import { type Dialect, dialects, translateRequest, translateStream } from "../../src/dialects/index.ts";
import { writeTable } from "./write-table.ts";

const [eventBarUs, requestBarMs] = [8, 2];
const facts = {
  model: "model-1",
  exchangeId: "0123456789abcdef".repeat(2),
  epochSeconds: 1_760_000_000,
  maxOutputTokens: 4096,
};
const translatable = dialects.filter(({ encoder }) => encoder !== undefined);

/** A streamed chat: 200 pieces of text, then a tool call in 20 pieces. */
const events: StreamEvent[] = [
  { type: "response_start", id: "r-1", model: "model-1" },
  { type: "choice_start", choice: 0, role: "assistant" },
  { type: "part_start", choice: 0, part: 0, value: { type: "text", content: "" } },
  ...Array.from({ length: 200 }, (): StreamEvent => ({ type: "part_delta", choice: 0, part: 0, text: " a few words" })),
  { type: "part_end", choice: 0, part: 0 },
  { type: "part_start", choice: 0, part: 1, value: { type: "tool_call", id: "call_1", name: "get_weather" } },
  ...Array.from({ length: 20 }, (_item, index): StreamEvent => ({
    type: "part_delta",
    choice: 0,
    part: 1,
    text: index === 0 ? '{"city":"' : index === 19 ? '"}' : "Paris",
  })),
  { type: "part_end", choice: 0, part: 1 },
  { type: "choice_end", choice: 0, finishReason: { unified: "tool_call" } },
  { type: "usage", usage: { inputTokens: 20, outputTokens: 400 } },
  { type: "response_end" },
];

/** A conversation of 100 KB, as a chat client writes it: 50 turns, and a tool call with its result in each tenth. */
const text = "a sentence of some length that says nothing. ".repeat(45).slice(0, 1950);
const messages = Array.from({ length: 50 }, (_item, index): Record<string, unknown>[] => {
  if (index % 10 !== 9) return [{ role: index % 2 === 0 ? "user" : "assistant", content: text }];
  const id = `call_${index}`;
  return [
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id, type: "function", function: { name: "look", arguments: '{"at":"it"}' } }],
    },
    { role: "tool", tool_call_id: id, content: text },
  ];
}).flat();
const parameters = { type: "object", properties: { at: { type: "string" } } };
const chatBody = {
  model: "model-1",
  max_completion_tokens: 100,
  messages: [{ role: "system", content: "Be brief." }, ...messages],
  tools: [{ type: "function", function: { name: "look", description: "Looks.", parameters } }],
};

/** The least of several rounds, in microseconds a call: what else runs on the machine only adds. */
function measure(rounds: number, calls: number, run: () => void): number {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    for (let call = 0; call < calls; call++) run();
    least = Math.min(least, ((performance.now() - startedMs) * 1000) / calls);
  }
  return least;
}

function encodeEvents(source: Dialect, client: Dialect): void {
  const { encoder } = translateStream(source, client, true, facts);
  for (const event of events) encoder.push(event);
  encoder.end();
}

function bodyIn(dialect: Dialect): Record<string, unknown> {
  const chat = dialects.find(({ id }) => id === "openai-chat") as Dialect;
  const operation = chat.match("POST", "/v1/chat/completions");
  if (operation === undefined) throw new Error("chat does not know its own path");
  if (dialect.id === "openai-chat") return chatBody;
  const request = chat.decodeRequest(chatBody, operation);
  return JSON.parse(JSON.stringify(translateRequest(chat, dialect, { body: chatBody, request }, facts).body)) as Record<
    string,
    unknown
  >;
}

function translateWhole(source: Dialect, target: Dialect, textOfBody: string): void {
  const path = source.encoder?.path("model-1", false).split("?", 1)[0] ?? "";
  const operation = source.match("POST", path);
  if (operation === undefined) throw new Error(`${source.id} does not know ${path}`);
  const body = JSON.parse(textOfBody) as Record<string, unknown>;
  const request = source.decodeRequest(body, operation);
  JSON.stringify(translateRequest(source, target, { body, request }, facts).body);
}

function main(): number {
  const lines = [
    "| client | provider | µs an event | ≤ 8 | ms a request of 100 KB | ≤ 2 |",
    "| --- | --- | ---: | --- | ---: | --- |",
  ];
  let missed = 0;
  for (const client of translatable) {
    const textOfBody = JSON.stringify(bodyIn(client));
    for (const provider of translatable) {
      if (client === provider) continue;
      const eventUs = measure(8, 40, () => encodeEvents(provider, client)) / events.length;
      const requestMs = measure(8, 10, () => translateWhole(client, provider, textOfBody)) / 1000;
      const isMet = [eventUs <= eventBarUs, requestMs <= requestBarMs];
      missed += isMet.filter((met) => !met).length;
      const [eventWord, requestWord] = isMet.map((met) => (met ? "met" : "**not met**"));
      lines.push(
        `| ${client.id} | ${provider.id} | ${eventUs.toFixed(2)} | ${eventWord} | ${requestMs.toFixed(2)} | ${requestWord} |`,
      );
    }
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  if (process.argv.includes("--write")) writeTable("translation", lines);
  return missed > 0 ? 1 : 0;
}

process.exit(main());

// @aws-sdk/client-bedrock-runtime, InvokeModel of a Claude, over HTTP/1.1: bodies and events are the application's to read, and it adds
// them up as Anthropic's reference of streams says (read 2026-11-21).
import {
  BedrockRuntimeClient,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { consumeAnswers, parse, prompt, url } from "./consume.mjs";

const client = new BedrockRuntimeClient({
  endpoint: url,
  region: "eu-west-1",
  credentials: { accessKeyId: "test-key-id", secretAccessKey: "test-key" },
  maxAttempts: 1,
  requestHandler: new NodeHttpHandler(),
});
const request = (modelId) => ({
  modelId,
  contentType: "application/json",
  accept: "application/json",
  body: JSON.stringify({
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 300,
    messages: [{ role: "user", content: prompt }],
  }),
});
const readJson = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

function read({ content, stop_reason: finish, usage }) {
  return {
    text: content.map(({ type, text }) => (type === "text" ? text : "")).join(""),
    calls: content.filter(({ type }) => type === "tool_use").map(({ name, input }) => ({ name, arguments: input })),
    finish,
    inputTokens: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
    outputTokens: usage.output_tokens,
  };
}

/** The message that the events amount to. */
function addUp(events) {
  const { message } = events.find(({ type }) => type === "message_start");
  for (const { type, index, content_block: block, delta, usage } of events) {
    if (type === "content_block_start") message.content[index] = { ...block, json: "" };
    if (type === "content_block_delta" && delta.type === "text_delta") message.content[index].text += delta.text;
    if (type === "content_block_delta" && delta.type === "input_json_delta")
      message.content[index].json += delta.partial_json;
    if (type === "message_delta") Object.assign(message, delta, { usage: { ...message.usage, ...usage } });
  }
  for (const block of message.content) if (block.type === "tool_use") block.input = parse(block.json);
  if (events.at(-1).type !== "message_stop") throw new Error("the stream has no end");
  return message;
}

await consumeAnswers({
  ask: async (model) => read(readJson((await client.send(new InvokeModelCommand(request(model)))).body)),
  async stream(model) {
    const { body } = await client.send(new InvokeModelWithResponseStreamCommand(request(model)));
    const chunks = await Array.fromAsync(body);
    return read(addUp(chunks.map(({ chunk }) => readJson(chunk.bytes))));
  },
});

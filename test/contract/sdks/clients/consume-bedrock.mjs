// @aws-sdk/client-bedrock-runtime, Converse, over HTTP/1.1: it leaves adding events up to the application.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { consumeAnswers, parse, prompt, url } from "./consume.mjs";

const client = new BedrockRuntimeClient({
  endpoint: url,
  region: "eu-west-1",
  credentials: { accessKeyId: "test-key-id", secretAccessKey: "test-key" },
  maxAttempts: 1,
  requestHandler: new NodeHttpHandler(),
});
const request = (modelId) => ({ modelId, messages: [{ role: "user", content: [{ text: prompt }] }] });

function read(content, { stopReason, usage }) {
  return {
    text: content.map(({ text }) => text ?? "").join(""),
    calls: content.flatMap(({ toolUse }) => (toolUse ? [{ name: toolUse.name, arguments: toolUse.input }] : [])),
    finish: stopReason,
    inputTokens: usage && usage.inputTokens + (usage.cacheReadInputTokens ?? 0) + (usage.cacheWriteInputTokens ?? 0),
    outputTokens: usage?.outputTokens,
  };
}

/** The content blocks that the events amount to, in order. */
function addUp(events) {
  const blocks = [];
  for (const { contentBlockStart: start, contentBlockDelta: part } of events) {
    if (start?.start?.toolUse)
      blocks[start.contentBlockIndex] = { toolUse: { name: start.start.toolUse.name, json: "" } };
    if (part === undefined) continue;
    const block = (blocks[part.contentBlockIndex] ??= {});
    if (part.delta.text !== undefined) block.text = (block.text ?? "") + part.delta.text;
    if (part.delta.toolUse) block.toolUse.json += part.delta.toolUse.input;
  }
  for (const { toolUse } of blocks) if (toolUse) toolUse.input = parse(toolUse.json);
  return blocks;
}

await consumeAnswers({
  async ask(model) {
    const answer = await client.send(new ConverseCommand(request(model)));
    return read(answer.output.message.content, answer);
  },
  async stream(model) {
    const { stream } = await client.send(new ConverseStreamCommand(request(model)));
    const events = await Array.fromAsync(stream);
    const { stopReason } = events.find(({ messageStop }) => messageStop).messageStop;
    return read(addUp(events), { stopReason, usage: events.find(({ metadata }) => metadata)?.metadata.usage });
  },
});

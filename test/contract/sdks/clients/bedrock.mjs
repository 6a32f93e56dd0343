// @aws-sdk/client-bedrock-runtime, Converse: HTTP/2 as it comes, HTTP/1.1 where SDK_HTTP1 is set.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { model as modelId, runScenarios, tool, toolResult } from "./scenarios.mjs";

const requestHandler = process.env.SDK_HTTP1 ? { requestHandler: new NodeHttpHandler() } : {};
const client = new BedrockRuntimeClient({ maxAttempts: 1, ...requestHandler });
const user = (...content) => ({ role: "user", content });
const textOf = ({ output }) => output.message.content.map(({ text = "" }) => text).join("");

await runScenarios({
  async ask(prompt) {
    return textOf(await client.send(new ConverseCommand({ modelId, messages: [user({ text: prompt })] })));
  },
  async *stream(prompt, abortSignal) {
    const command = new ConverseStreamCommand({ modelId, messages: [user({ text: prompt })] });
    const { stream } = await client.send(command, { abortSignal });
    for await (const event of stream) yield event.contentBlockDelta?.delta.text ?? "";
  },
  async callTool(prompt) {
    const { name, description, parameters } = tool;
    const toolConfig = { tools: [{ toolSpec: { name, description, inputSchema: { json: parameters } } }] };
    const request = { modelId, messages: [user({ text: prompt })], toolConfig };
    const { message } = (await client.send(new ConverseCommand(request))).output;
    const { toolUse } = message.content.find((block) => block.toolUse);
    const result = { toolUseId: toolUse.toolUseId, content: [{ text: toolResult }] };
    request.messages.push(message, user({ toolResult: result }));
    return { called: toolUse, text: textOf(await client.send(new ConverseCommand(request))) };
  },
});
client.destroy();

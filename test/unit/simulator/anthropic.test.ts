// The simulator's Anthropic endpoints, seen by the official client.

import Anthropic from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSimulator, type Simulator } from "../../../src/simulator/index.ts";

let simulator: Simulator;
let client: Anthropic;

beforeAll(async () => {
  simulator = await startSimulator({ seed: 1, pace: { firstByteMs: 0, chunkMs: 0 } });
  client = new Anthropic({ baseURL: simulator.url, apiKey: "test-key-anthropic", maxRetries: 0 });
});
afterAll(() => simulator.close());

const ask = (content: string): Anthropic.MessageParam[] => [{ role: "user", content }];
const weather: Anthropic.Tool = {
  name: "get_weather",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

describe("messages", () => {
  it("answers with an id, the dated model name, text and usage", async () => {
    const { data: answer, response } = await client.messages
      .create({ model: "claude-haiku-4-5", max_tokens: 500, messages: ask("Hello") })
      .withResponse();
    expect(answer.id).toMatch(/^msg_01[0-9A-Za-z]{22}$/);
    expect(answer.model).toBe("claude-haiku-4-5-20251001");
    expect(answer.stop_reason).toBe("end_turn");
    const [block] = answer.content;
    expect(block?.type === "text" && answer.usage.output_tokens === Math.ceil(block.text.length / 4)).toBe(true);
    expect(answer.usage.input_tokens).toBe(2);
    expect(response.headers.get("request-id")).toMatch(/^req_01/);
    expect(response.headers.get("anthropic-ratelimit-requests-limit")).toBe("50");
  });

  it("streams the full event sequence, a ping included, to the plain answer", async () => {
    const request = { model: "claude-haiku-4-5", max_tokens: 500, messages: ask("Hello again") };
    const plain = await client.messages.create(request);
    const stream = client.messages.stream(request);
    const streamed = await stream.finalMessage();
    expect(streamed.content).toEqual(plain.content);
    expect(streamed.usage.output_tokens).toBe(plain.usage.output_tokens);

    const response = await fetch(`${simulator.url}/v1/messages`, {
      method: "POST",
      headers: { "anthropic-version": "2023-06-01" },
      body: JSON.stringify({ ...request, stream: true }),
    });
    const names = (await response.text()).match(/(?<=^event: ).*/gm) ?? [];
    const runs = names.filter((name, at) => name !== names[at - 1]);
    expect(runs).toEqual([
      "message_start",
      "content_block_start",
      "ping",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  it("uses a tool that the message names, streamed as it is plain", async () => {
    const request = {
      model: "claude-haiku-4-5",
      max_tokens: 500,
      messages: ask("What is the weather in Oslo?"),
      tools: [weather],
    };
    const plain = await client.messages.create(request);
    expect(plain.stop_reason).toBe("tool_use");
    expect(plain.content).toMatchObject([
      { type: "tool_use", name: "get_weather", input: { city: expect.any(String) } },
    ]);
    const streamed = await client.messages.stream(request).finalMessage();
    expect(streamed.content[0]).toMatchObject({
      type: "tool_use",
      input: plain.content[0]?.type === "tool_use" ? plain.content[0].input : null,
    });
  });

  it("thinks when asked, with a signature, and shows no text when the display is omitted", async () => {
    const request = { model: "claude-opus-4-5", max_tokens: 2000, messages: ask("Think!") };
    const shown = await client.messages
      .stream({ ...request, thinking: { type: "enabled", budget_tokens: 1024 } })
      .finalMessage();
    expect(shown.content.map((block) => block.type)).toEqual(["thinking", "text"]);
    expect(shown.content[0]).toMatchObject({
      thinking: expect.stringMatching(/^Let me think/),
      signature: expect.stringMatching(/.{64}/),
    });
    const omitted = await client.messages.create({ ...request, thinking: { type: "adaptive", display: "omitted" } });
    expect(omitted.content[0]).toMatchObject({ type: "thinking", thinking: "" });
  });

  it("writes a marked prefix to the cache and reads it the next time; all tokens are counted once", async () => {
    const system: Anthropic.TextBlockParam[] = [
      { type: "text", text: "Be brief. ".repeat(800), cache_control: { type: "ephemeral" } },
    ];
    const usageOf = async (content: string): Promise<Anthropic.Usage> =>
      (await client.messages.create({ model: "claude-haiku-4-5", max_tokens: 50, system, messages: ask(content) }))
        .usage;
    const first = await usageOf("one");
    const second = await usageOf("two");
    expect(first.cache_creation_input_tokens).toBeGreaterThan(1024);
    expect(first.cache_read_input_tokens).toBe(0);
    expect(second.cache_read_input_tokens).toBe(first.cache_creation_input_tokens);
    expect(second.cache_creation_input_tokens).toBe(0);
    const counted = await client.messages.countTokens({ model: "claude-haiku-4-5", system, messages: ask("one") });
    expect(counted.input_tokens).toBe(first.input_tokens + (first.cache_creation_input_tokens ?? 0));
  });

  it("stops at max_tokens and at a stop sequence", async () => {
    const short = await client.messages.create({ model: "claude-haiku-4-5", max_tokens: 2, messages: ask("Hi") });
    expect(short.stop_reason).toBe("max_tokens");
    const stopped = await client.messages.create({
      model: "claude-haiku-4-5",
      max_tokens: 500,
      messages: ask("Hi"),
      stop_sequences: ["."],
    });
    expect([stopped.stop_reason, stopped.stop_sequence]).toEqual(["stop_sequence", "."]);
  });
});

describe("refusals", () => {
  const post = async (
    body: string,
    headers: Record<string, string> = { "anthropic-version": "2023-06-01" },
  ): Promise<unknown[]> => {
    const response = await fetch(`${simulator.url}/v1/messages`, { method: "POST", headers, body });
    return [response.status, await response.json()];
  };

  const refusal = (message: string): object => ({
    type: "error",
    error: { type: "invalid_request_error", message },
    request_id: expect.stringMatching(/^req_01/),
  });

  it("words malformed JSON, missing fields and a missing version as Anthropic does", async () => {
    expect(await post("[")).toEqual([400, refusal("The request body is not valid JSON.")]);
    expect(await post('{"model":"claude-haiku-4-5","messages":[]}')).toEqual([
      400,
      refusal("max_tokens: Field required"),
    ]);
    expect(await post("{}", {})).toEqual([400, refusal("anthropic-version: header: Field required")]);
  });

  it("lists models in Anthropic's shape for Anthropic's clients", async () => {
    const page = await client.models.list();
    expect(page.data.map((model) => model.id)).toEqual(
      expect.arrayContaining(["claude-haiku-4-5-20251001", "sim-overloaded"]),
    );
  });
});

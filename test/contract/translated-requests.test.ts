// Recorded requests of every dialect, translated, are taken by the simulated providers, which know nothing of dialects/ and refuse what
// their originals refuse. Only OpenAI's chat and Anthropic's messages are simulated.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Simulator, startSimulator } from "../../src/simulator/index.ts";
import { translateRecordedRequests } from "../support/translated-requests.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator({ pace: { firstByteMs: 0, chunkMs: 0 } });
});

afterAll(() => simulator?.close());

const targets = [
  ["openai-chat", "gpt-4o-mini", "/v1/chat/completions", { authorization: "Bearer test-key" }],
  [
    "anthropic-messages",
    "claude-sonnet-4-5",
    "/v1/messages",
    { "x-api-key": "test-key", "anthropic-version": "2023-06-01" },
  ],
] as const;

describe.each(targets)("translated requests for %s", (target, model, path, credential) => {
  it("are taken by its simulator", { timeout: 60_000 }, async () => {
    const requests = translateRecordedRequests(target, "sent");
    expect(requests.size).toBeGreaterThan(50);
    const refused: string[] = [];
    for (const [id, body] of requests) {
      const response = await fetch(`${simulator.url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...credential },
        body: JSON.stringify({ ...body, model }),
      });
      const text = await response.text();
      if (response.status !== 200) refused.push(`${id}: ${response.status} ${text.slice(0, 300)}`);
    }
    console.log(`${target}: ${requests.size} shapes of requests`);
    expect(refused).toEqual([]);
  });

  it("would not be, had they lost their messages", async () => {
    const [first] = translateRecordedRequests(target, "sent").values();
    const { messages: _, ...broken } = first ?? {};
    const response = await fetch(`${simulator.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...credential },
      body: JSON.stringify({ ...broken, model }),
    });
    await response.body?.cancel();
    expect(response.status).toBe(400);
  });
});

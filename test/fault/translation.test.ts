// Translated answers that go wrong, and what of them is kept: a stream that breaks its own protocol is never a clean end.
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeContent, type Plan } from "../support/scripted-upstream.ts";
import { startTranslatingOutrider, type TranslatingOutrider } from "../support/translating-outrider.ts";

let sidecar: TranslatingOutrider;
let upstream: TranslatingOutrider["upstream"];
let receiver: TranslatingOutrider["receiver"];
let outrider: TranslatingOutrider["outrider"];

beforeAll(async () => {
  sidecar = await startTranslatingOutrider(["openai"], { telemetry: { capture: "span" } });
  ({ upstream, receiver, outrider } = sidecar);
});

afterAll(() => sidecar?.stop());

interface Answered {
  status: number;
  text: string;
  /** The connection ended with the answer unfinished. */
  cut: boolean;
  error: string | null;
}

/** An Anthropic client asks OpenAI. */
async function ask(plan: Plan, stream: boolean): Promise<Answered> {
  upstream.setScript(plan);
  const messages = [{ role: "user", content: "hi" }];
  const response = await fetch(`${outrider.url}/v1/messages`, {
    method: "POST",
    headers: { "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "openai/gpt-test", max_tokens: 9, stream, messages }),
  });
  let [text, cut] = ["", false];
  try {
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) text += decoder.decode(piece as Uint8Array, { stream: true });
  } catch {
    cut = true;
  }
  return { status: response.status, text, cut, error: response.headers.get("x-outrider-error") };
}

const events = (...data: string[]): Plan => ({
  headers: { "content-type": "text/event-stream" },
  chunks: data.map((each) => `data: ${each}\n\n`),
});
const delta = (text: string): string =>
  JSON.stringify({
    id: "c",
    model: "gpt-test",
    choices: [{ index: 0, delta: { content: text }, finish_reason: null }],
  });

describe("a translated stream", () => {
  it("that ends in the middle ends in the client's own error, and is cut", async () => {
    const { status, text, cut } = await ask(events(delta("one "), delta("two")), true);
    expect([status, cut]).toEqual([200, true]);
    expect(text).toContain("two");
    expect(text).toMatch(/event: error\ndata: \{"type":"error",.*\n\n$/);
    expect(text).not.toContain("message_stop");
  });

  it("whose event grows past all bounds is no whole answer", async () => {
    const huge = `{"choices":[{"index":0,"delta":{"content":"${"x".repeat(40 * 1024 * 1024)}"},"finish_reason":"stop"}]}`;
    const { text, cut } = await ask(events(delta("one "), huge, "[DONE]"), true);
    expect(cut).toBe(true);
    expect(text).toContain("event: error");
    expect(text).not.toContain("message_stop");
  });

  it("of no known form is an error with a status of its own", async () => {
    const { status, text, error } = await ask(events('{"foo":1}', '{"foo":2}'), true);
    expect([status, error]).toEqual([502, "stream_truncated;source=provider"]);
    expect(JSON.parse(text)).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  it("that is an error from its first event is answered as one", async () => {
    const failure = '{"error":{"message":"Too many","type":"rate_limit_error","code":"rate_limit_exceeded"}}';
    const { status, error } = await ask(events(failure), true);
    expect([status, error]).toEqual([429, "upstream_rate_limited;source=provider"]);
  });
});

describe("a translated stream that is whole", () => {
  it("ends with its cost in a trailer for who takes trailers", async () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
    const last = { id: "c", model: "gpt-4o-mini", choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage };
    upstream.setScript(events(delta("one ").replace("gpt-test", "gpt-4o-mini"), JSON.stringify(last), "[DONE]"));
    const trailers = await new Promise<NodeJS.Dict<string>>((resolve, reject) => {
      const headers = { te: "trailers", "anthropic-version": "2023-06-01" };
      const request = httpRequest(`${outrider.url}/v1/messages`, { method: "POST", headers }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.trailers));
      });
      request.on("error", reject);
      const messages = [{ role: "user", content: "hi" }];
      request.end(JSON.stringify({ model: "openai/gpt-4o-mini", max_tokens: 9, stream: true, messages }));
    });
    // 1000 × $0.15 and 100 × $0.60 a million.
    expect(trailers["x-outrider-cost"]).toBe("0.000210000;currency=USD;status=exact");
  });
});

describe("a translated body", () => {
  const whole = JSON.stringify({
    id: "chatcmpl-1",
    model: "gpt-test",
    choices: [{ index: 0, message: { role: "assistant", content: "hello from there" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  });

  it("in a coding that nobody asked for is read all the same", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const { status, text } = await ask(
      { headers, contentLength: true, chunks: [encodeContent(Buffer.from(whole), ["gzip"])] },
      false,
    );
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ content: [{ type: "text", text: "hello from there" }] });
  });

  it("that breaks its coding is the provider's error", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const { status, error } = await ask({ headers, contentLength: true, chunks: ["no gzip at all"] }, false);
    expect([status, error]).toEqual([502, "upstream_invalid;source=provider"]);
  });

  it("is captured where content is captured, and asked for as JSON", async () => {
    receiver.bodies.length = 0;
    const { status } = await ask(
      { headers: { "content-type": "application/json" }, contentLength: true, chunks: [whole] },
      false,
    );
    expect(status).toBe(200);
    expect(upstream.requests.at(-1)?.header("content-type")).toBe("application/json");
    await expect
      .poll(() => receiver.bodies.some((body) => body.includes("hello from there")), { timeout: 5000 })
      .toBe(true);
  });
});

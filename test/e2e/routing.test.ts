// Where a request goes, whose credential goes with it, and what the answer says of it (DESIGN §2.3, §2.4), through the built bundle.
import { mkdtempSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitForExchange } from "../support/exchange-log.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type ScriptedUpstream, startScriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

let upstream: ScriptedUpstream;
let outrider: OutriderProcess;
const socketPath = join(mkdtempSync(join(tmpdir(), "outrider-socket-")), "data.sock");
const answer = JSON.stringify({
  id: "chatcmpl-1",
  model: "gpt-4o-mini-2024-07-18",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
});

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  const base = upstream.url;
  outrider = await startOutrider({
    options: {
      providers: {
        openai: { baseUrl: `${base}/v1` },
        anthropic: { baseUrl: base },
        groq: { baseUrl: `${base}/openai/v1` },
        mistral: { baseUrl: `${base}/mistral/v1` },
        perplexity: { baseUrl: `${base}/pplx` },
        local: { baseUrl: `${base}/local/v1`, preset: "vllm" },
      },
      prices: { overrides: [{ provider: "local", model: "*", inputUsdPerMillion: 0, outputUsdPerMillion: 0 }] },
    },
    environment: { GROQ_API_KEY: "test-key-groq", MISTRAL_API_KEY: "test-key-mistral" },
  });
});

beforeEach(() => {
  upstream.setScript({ headers: { "content-type": "application/json" }, contentLength: true, chunks: [answer] });
});

afterAll(async () => {
  await outrider?.stop();
  await upstream?.close();
});

interface Sent {
  response: Response;
  text: string;
  seen: UpstreamRequest;
}

async function send(path: string, model: string, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: `{ "model" : ${JSON.stringify(model)},"messages":[],"n": 1.0 }`,
  });
  return { response, text: await response.text(), seen: upstream.requests.at(-1) as UpstreamRequest };
}

describe("paths", () => {
  it.each([
    ["/v1/chat/completions", "/v1/chat/completions"],
    ["/chat/completions", "/v1/chat/completions"],
    ["/v1/chat/completions?a=b&c=%2F", "/v1/chat/completions?a=b&c=%2F"],
    ["/openai/v1/chat/completions", "/v1/chat/completions"],
    ["/openai/chat/completions", "/v1/chat/completions"],
    ["/groq/chat/completions", "/openai/v1/chat/completions"],
    ["/groq/v1/chat/completions", "/openai/v1/chat/completions"],
    ["/groq/openai/v1/chat/completions", "/openai/v1/chat/completions"],
    ["/perplexity/v1/chat/completions", "/pplx/chat/completions"],
    ["/v1/messages", "/v1/messages"],
    ["/messages", "/v1/messages"],
    ["/v1/messages?beta=true", "/v1/messages?beta=true"],
    ["/anthropic/v1/messages", "/v1/messages"],
    ["/v1/embeddings", "/v1/embeddings"],
  ])("%s reaches %s", async (path, expected) => {
    const { response, seen } = await send(path, "m");
    expect([response.status, seen.path]).toEqual([200, expected]);
  });

  it.each([
    ["GET", "/v1/models", "/v1/models", "openai"],
    ["GET", "/openai/v1/files/file-1/content", "/v1/files/file-1/content", "openai"],
    ["DELETE", "/v1/files/file-1", "/v1/files/file-1", "openai"],
    ["GET", "/v1/messages/batches", "/v1/messages/batches", "anthropic"],
    ["GET", "/groq/v1/models", "/openai/v1/models", "groq"],
    ["GET", "/v1/chat/completions/chatcmpl-1", "/v1/chat/completions/chatcmpl-1", "openai"],
  ])("%s %s is relayed untouched", async (method, path, expected, provider) => {
    const response = await fetch(outrider.url + path, { method });
    expect(await response.text()).toBe(answer);
    expect(upstream.requests.at(-1)).toMatchObject({ method, path: expected });
    const exchange = await waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "");
    expect(exchange).toMatchObject({ relayMode: "tunnel", provider, status: 200, end: "complete" });
    expect(exchange.operation).toBeUndefined();
  });

  it("streams an upload through without reading it", async () => {
    const body = Buffer.alloc(3_000_000, "x");
    const response = await fetch(`${outrider.url}/v1/files`, {
      method: "POST",
      body,
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    await response.text();
    expect(upstream.requests.at(-1)?.body.equals(body)).toBe(true);
  });

  it("tells Anthropic's models from OpenAI's by the header that Anthropic requires", async () => {
    const response = await fetch(`${outrider.url}/v1/models`, { headers: { "anthropic-version": "2023-06-01" } });
    await response.text();
    expect(response.headers.get("x-outrider-served-by")).toBe("anthropic");
  });
});

describe("provider/model on a bare path", () => {
  it("picks a provider that Outrider can pay at, and edits nothing but the model's value", async () => {
    const { response, seen } = await send("/v1/chat/completions", "groq/llama-3.3-70b-versatile", {
      authorization: "Bearer test-key-openai",
    });
    expect(seen.path).toBe("/openai/v1/chat/completions");
    expect(seen.body.toString()).toBe('{ "model" : "llama-3.3-70b-versatile","messages":[],"n": 1.0 }');
    expect(seen.header("authorization")).toBe("Bearer test-key-groq");
    expect(response.headers.get("x-outrider-served-by")).toBe("groq/llama-3.3-70b-versatile");
  });

  it("picks one that needs no credential, and the client's key stays behind", async () => {
    const { response, seen } = await send("/v1/chat/completions", "local/qwen3", {
      authorization: "Bearer test-key-openai",
    });
    expect(seen.path).toBe("/local/v1/chat/completions");
    expect(seen.header("authorization")).toBeUndefined();
    expect(response.headers.get("x-outrider-cost")).toBe("0.000000000;currency=USD;status=exact");
  });

  it("leaves a name whole when Outrider holds no key there, or the path names the provider", async () => {
    const without = await send("/v1/chat/completions", "together/meta-llama");
    expect([without.seen.path, without.seen.body.includes('"together/meta-llama"')]).toEqual([
      "/v1/chat/completions",
      true,
    ]);
    const prefixed = await send("/groq/v1/chat/completions", "mistral/gpt-oss-120b");
    expect([prefixed.seen.path, prefixed.seen.body.includes('"mistral/gpt-oss-120b"')]).toEqual([
      "/openai/v1/chat/completions",
      true,
    ]);
  });

  it("refuses a call that has no counterpart at the provider plainly", async () => {
    const { response, text } = await send("/v1/messages/count_tokens", "groq/llama-3.3-70b-versatile");
    expect([response.status, response.headers.get("x-outrider-error")]).toEqual([
      404,
      "operation_unsupported;source=client",
    ]);
    expect(text).toContain("cannot be translated");
  });

  it("refuses what another dialect could not say whole, with the places, before the provider is asked", async () => {
    const before = upstream.requests.length;
    const response = await fetch(`${outrider.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"model":"bedrock/amazon.nova-lite-v1:0","n":2,"seed":7,"messages":[{"role":"user","content":"hi"}]}',
    });
    expect([response.status, response.headers.get("x-outrider-error")]).toEqual([422, "request_lossy;source=client"]);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toContain("/n: ");
    expect(error.message).not.toContain("/seed");
    expect(upstream.requests).toHaveLength(before);
  });
});

describe("credentials", () => {
  it.each([
    [{ authorization: "Bearer test-key-own" }, "Bearer test-key-own"],
    [{ authorization: "Bearer outrider" }, "Bearer test-key-groq"],
    [{}, "Bearer test-key-groq"],
  ])("of a client go to the provider it addressed; a held one fills the gap: %o", async (headers, expected) => {
    const { seen } = await send("/groq/v1/chat/completions", "m", headers);
    expect(seen.header("authorization")).toBe(expected);
  });
});

describe("the answer's headers", () => {
  it("tell request, provider, attempts, trace and cost on a success", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const { response } = await send("/v1/chat/completions", "gpt-4o-mini", {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    });
    expect(response.headers.get("x-outrider-request-id")).toMatch(/^[0-9a-f]{32}$/);
    expect(response.headers.get("x-outrider-served-by")).toBe("openai/gpt-4o-mini");
    expect(response.headers.get("x-outrider-attempts")).toBe("1");
    // 1,000 input tokens at 0.15 and 100 output tokens at 0.60 USD a million.
    expect(response.headers.get("x-outrider-cost")).toBe("0.000210000;currency=USD;status=exact");
    expect(response.headers.get("x-outrider-error")).toBeNull();
    expect(response.headers.get("traceresponse")).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  });

  it("say that a price is unknown, never 0", async () => {
    upstream.setScript({
      headers: { "content-type": "application/json" },
      contentLength: true,
      chunks: [answer.replaceAll("gpt-4o-mini-2024-07-18", "acme-1")],
    });
    const { response } = await send("/v1/chat/completions", "acme-1");
    expect(response.headers.get("x-outrider-cost")).toBe("unknown;status=missing");
    const exchange = await waitForExchange(outrider, response.headers.get("x-outrider-request-id") ?? "");
    expect([exchange.costStatus, exchange.costNanoUsd]).toEqual(["missing", undefined]);
  });

  it("give the cost of a stream as a trailer to a client that takes trailers", async () => {
    const chunk = {
      id: "c",
      model: "gpt-4o-mini",
      choices: [{ index: 0, delta: { content: "x" }, finish_reason: "stop" }],
    };
    const usage = { ...chunk, choices: [], usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 } };
    upstream.setScript({
      headers: { "content-type": "text/event-stream" },
      chunks: [`data: ${JSON.stringify(chunk)}\n\ndata: ${JSON.stringify(usage)}\n\ndata: [DONE]\n\n`],
    });
    const trailers = await new Promise<NodeJS.Dict<string>>((resolve, reject) => {
      const request = httpRequest(
        `${outrider.url}/v1/chat/completions`,
        { method: "POST", headers: { te: "trailers" } },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.trailers));
        },
      );
      request.on("error", reject);
      request.end('{"model":"gpt-4o-mini","stream":true,"messages":[]}');
    });
    expect(trailers["x-outrider-cost"]).toBe("0.000210000;currency=USD;status=exact");
  });
});

describe("a Unix socket", () => {
  it("serves the same", async () => {
    const process = await startOutrider({
      options: { listen: [`unix:${socketPath}`], providers: { openai: { baseUrl: `${upstream.url}/v1` } } },
    });
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest({ socketPath, path: "/v1/models", headers: { host: "localhost" } }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      });
      request.on("error", reject);
      request.end();
    });
    expect(status).toBe(200);
    expect(await process.stop()).toBe(0);
  });
});

// Each fault of the simulator does on the wire what docs/simulator.md says, and the docs list every fault.

import { readFileSync } from "node:fs";
import http from "node:http";
import { calcPrice } from "@pydantic/genai-prices";
import Anthropic, { APIError } from "@anthropic-ai/sdk";
import OpenAI, { RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSimulator, type Simulator } from "../../../src/simulator/index.ts";
import { datedNames, faults, parseModelName } from "../../../src/simulator/models.ts";

let simulator: Simulator;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  simulator = await startSimulator({ seed: 1, pace: { firstByteMs: 0, chunkMs: 0, slowMs: 150, pingMs: 10 } });
  openai = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "test-key-openai", maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: simulator.url, apiKey: "test-key-anthropic", maxRetries: 0 });
});
afterAll(() => simulator.close());

type Wire = "openai" | "anthropic";

interface Seen {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
  /** How the exchange ended for the client. `silent`: the faults that say nothing are given 250 ms. */
  end: "complete" | "aborted" | "silent";
  /** The connection itself was reset (RST), not closed (FIN). */
  reset: boolean;
  firstByteMs: number;
}

/** One request on a bare socket-level client: no redirects, no retries, and the end told apart. */
function look(wire: Wire, model: string, stream: boolean): Promise<Seen> {
  const path = wire === "openai" ? "/v1/chat/completions" : "/v1/messages";
  const body = JSON.stringify({
    model,
    stream,
    max_tokens: 900,
    messages: [{ role: "user", content: "Write 80 words" }],
  });
  const patienceMs = /stall|pings/.test(model) ? 250 : 5000;
  return new Promise((resolve) => {
    const seen: Seen = { status: 0, headers: {}, body: "", end: "silent", reset: false, firstByteMs: -1 };
    const startedAt = performance.now();
    let settled = false;
    const done = (end: Seen["end"]): void => {
      clearTimeout(timer);
      if (settled) return;
      settled = true;
      resolve({ ...seen, end });
      request.destroy();
    };
    const timer = setTimeout(done, patienceMs, "silent");
    const request = http.request(
      `${simulator.url}${path}`,
      { method: "POST", agent: false, headers: { "anthropic-version": "2023-06-01" } },
      (response) => {
        seen.status = response.statusCode ?? 0;
        seen.headers = response.headers;
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          if (seen.firstByteMs < 0) seen.firstByteMs = performance.now() - startedAt;
          seen.body += text;
        });
        response.on("error", () => undefined);
        response.on("close", () => done(response.complete ? "complete" : "aborted"));
      },
    );
    request.on("socket", (socket) =>
      socket.on("error", (error: NodeJS.ErrnoException) => (seen.reset = error.code === "ECONNRESET")),
    );
    request.on("error", () => {
      if (seen.status === 0) done("aborted");
    });
    request.end(body);
  });
}

const terminator: Record<Wire, string> = { openai: "data: [DONE]\n\n", anthropic: "event: message_stop\n" };
const wires: Wire[] = ["openai", "anthropic"];

describe("faults that are plain refusals", () => {
  const table: [string, number, string, number, string][] = [
    ["sim-429", 429, "rate_limit_exceeded", 429, "rate_limit_error"],
    ["sim-quota", 429, "insufficient_quota", 402, "billing_error"],
    ["sim-auth", 401, "invalid_api_key", 401, "authentication_error"],
    ["sim-overloaded", 503, "server_error", 529, "overloaded_error"],
    ["sim-500", 500, "server_error", 500, "api_error"],
    ["sim-not-found", 404, "model_not_found", 404, "not_found_error"],
    ["sim-context-length", 400, "context_length_exceeded", 400, "invalid_request_error"],
  ];
  it.each(table)(
    "%s: OpenAI %i %s, Anthropic %i %s, streamed or not",
    async (model, openaiStatus, openaiWord, anthropicStatus, anthropicWord) => {
      for (const stream of [false, true]) {
        const fromOpenai = await look("openai", model, stream);
        expect([fromOpenai.status, fromOpenai.end]).toEqual([openaiStatus, "complete"]);
        expect(fromOpenai.body).toContain(`"${openaiWord}"`);
        const fromAnthropic = await look("anthropic", model, stream);
        expect([fromAnthropic.status, fromAnthropic.end]).toEqual([anthropicStatus, "complete"]);
        expect(JSON.parse(fromAnthropic.body)).toMatchObject({
          type: "error",
          error: { type: anthropicWord },
          request_id: fromAnthropic.headers["request-id"],
        });
      }
    },
  );

  it("are the errors that the official clients know", async () => {
    const messages = [{ role: "user" as const, content: "Hi" }];
    const failed = await openai.chat.completions
      .create({ model: "sim-429-gpt-4o-mini", messages })
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RateLimitError);
    const overloaded = await anthropic.messages
      .create({ model: "sim-overloaded", max_tokens: 10, messages })
      .catch((error: unknown) => error);
    expect(overloaded).toBeInstanceOf(APIError);
    expect(overloaded).toMatchObject({ status: 529 });
  });

  it("sim-429 says when to come back", async () => {
    const { headers } = await look("openai", "sim-429", false);
    expect([headers["retry-after"], headers["retry-after-ms"], headers["x-ratelimit-remaining-requests"]]).toEqual([
      "1",
      "1000",
      "0",
    ]);
  });

  it("-once fails the first of equal requests only, for each client apart", async () => {
    const messages = [{ role: "user" as const, content: "Once" }];
    const other = openai.withOptions({ apiKey: "test-key-other" });
    for (const client of [openai, other]) {
      await expect(client.chat.completions.create({ model: "sim-429-once-gpt-4o-mini", messages })).rejects.toThrow(
        "429",
      );
      const answer = await client.chat.completions.create({ model: "sim-429-once-gpt-4o-mini", messages });
      expect(answer.model).toBe("gpt-4o-mini-2024-07-18");
    }
    const retried = await openai
      .withOptions({ maxRetries: 1 })
      .chat.completions.create({ model: "sim-overloaded-once", messages });
    expect(retried.choices).toHaveLength(1);
  });
});

describe.each(wires)("faults of %s's body", (wire) => {
  it("sim-slow sends its first byte late", async () => {
    const seen = await look(wire, "sim-slow", true);
    expect(seen.firstByteMs).toBeGreaterThanOrEqual(140);
    expect(seen.end).toBe("complete");
  });

  it("sim-pings sends keep-alives and no content", async () => {
    const seen = await look(wire, "sim-pings", true);
    expect(seen.end).toBe("silent");
    expect(new Set(seen.body.split("\n\n").filter((event) => event !== "")).size).toBe(1);
    expect(seen.body.length).toBeGreaterThan(30);
    expect(await look(wire, "sim-pings", false)).toMatchObject({ status: 0, end: "silent" });
  });

  it.each([true, false])("sim-stall, sim-truncate and sim-reset stop within the body (stream: %s)", async (stream) => {
    const whole = await look(wire, "sim-ok", stream);
    expect(whole.end).toBe("complete");
    const stalled = await look(wire, "sim-stall", stream);
    const truncated = await look(wire, "sim-truncate", stream);
    const reset = await look(wire, "sim-reset", stream);
    expect([stalled.end, truncated.end, reset.end]).toEqual(["silent", "aborted", "aborted"]);
    for (const { status, body } of [stalled, truncated, reset]) {
      expect(status).toBe(200);
      expect(body.length / whole.body.length).toBeGreaterThan(0.3);
      expect(body.length / whole.body.length).toBeLessThan(0.7);
    }
    expect([truncated.reset, reset.reset]).toEqual([false, true]);
  });

  it("sim-no-terminator ends the HTTP message well and the answer not at all", async () => {
    const streamed = await look(wire, "sim-no-terminator", true);
    expect(streamed.end).toBe("complete");
    expect(streamed.body.endsWith("\n\n")).toBe(true);
    expect(streamed.body).not.toContain(terminator[wire]);
    const plain = await look(wire, "sim-no-terminator", false);
    expect(plain.end).toBe("complete");
    expect(() => JSON.parse(plain.body)).toThrow(SyntaxError);
  });

  it("sim-error-event breaks a stream off with the provider's own event, and is a 500 without one", async () => {
    const streamed = await look(wire, "sim-error-event", true);
    expect([streamed.status, streamed.end]).toEqual([200, "complete"]);
    const last = streamed.body.trimEnd().split("\n\n").at(-1) ?? "";
    expect(last).toContain(
      wire === "openai" ? 'data: {"error":{' : 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"',
    );
    expect((await look(wire, "sim-error-event", false)).status).toBe(500);
  });

  it("sim-html, sim-empty, sim-redirect and sim-malformed answer what they say", async () => {
    const html = await look(wire, "sim-html", true);
    expect([html.status, html.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await look(wire, "sim-empty", true)).toMatchObject({ status: 200, body: "", end: "complete" });
    expect(await look(wire, "sim-redirect", false)).toMatchObject({
      status: 307,
      headers: { location: "/redirect-followed" },
    });
    const plain = await look(wire, "sim-malformed", false);
    expect([plain.status, plain.end]).toEqual([200, "complete"]);
    expect(() => JSON.parse(plain.body)).toThrow(SyntaxError);
    const events = (await look(wire, "sim-malformed", true)).body.match(/(?<=^data: )\{.*/gm) ?? [];
    const broken = events.filter((event) => {
      try {
        JSON.parse(event);
        return false;
      } catch {
        return true;
      }
    });
    expect(broken).toHaveLength(1);
    expect(events.length).toBeGreaterThan(10);
  });

  it.each([true, false])("sim-no-usage leaves usage out (stream: %s)", async (stream) => {
    expect((await look(wire, "sim-no-usage-gpt-4o", stream)).body).not.toContain("usage");
    const asked = (await look(wire, "sim-ok", stream)).body.includes("usage");
    expect(asked).toBe(wire === "anthropic" || !stream);
  });

  it("sim-content-filter cuts the answer short and says so", async () => {
    const word = wire === "openai" ? '"finish_reason":"content_filter"' : '"stop_reason":"refusal"';
    for (const stream of [true, false]) {
      const { status, body } = await look(wire, "sim-content-filter", stream);
      expect(status).toBe(200);
      expect(body.replaceAll('": ', '":')).toContain(word);
    }
  });
});

describe("names", () => {
  it("a redirect that was followed is told", async () => {
    expect((await fetch(`${simulator.url}/redirect-followed`)).status).toBe(410);
  });

  it("reads fault, once and answering model, and knows no other sim- name", () => {
    expect(parseModelName("sim-429")).toEqual({ fault: "429", once: false, answered: "sim-429" });
    expect(parseModelName("sim-no-usage-once-gpt-5.2")).toEqual({
      fault: "no-usage",
      once: true,
      answered: "gpt-5.2-2025-12-11",
    });
    expect(parseModelName("gpt-5.2")).toEqual({ fault: "ok", once: false, answered: "gpt-5.2-2025-12-11" });
    expect(parseModelName("sim-42")).toBeUndefined();
  });

  it("every dated name has a price", () => {
    const unpriced = Object.values(datedNames).filter((name) => {
      const providerId = name.startsWith("claude") ? "anthropic" : "openai";
      const price = calcPrice({ input_tokens: 1000, output_tokens: 100 }, name, { providerId })?.total_price ?? 0;
      return price <= 0;
    });
    expect(unpriced).toEqual([]);
  });

  it("docs/simulator.md has a row for every fault, and none besides", () => {
    const text = readFileSync(new URL("../../../docs/simulator.md", import.meta.url), "utf8");
    const documented = [...text.matchAll(/^\| `sim-([a-z0-9-]+)` \|/gm)].map((match) => match[1]);
    expect(documented).toHaveLength(Object.keys(faults).length);
    expect(new Set(documented)).toEqual(new Set(Object.keys(faults)));
  });

  it("close ends connections that stall", async () => {
    const own = await startSimulator({ pace: { firstByteMs: 0, chunkMs: 0 } });
    const response = await fetch(`${own.url}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "sim-stall", stream: true, messages: [{ role: "user", content: "Hi" }] }),
    });
    await own.close();
    await expect(response.text()).rejects.toThrow("terminated");
  });
});

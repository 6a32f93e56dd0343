// Streams that break their own framing, and bodies that are bombs, through the built bundle: the client gets the provider's bytes
// untouched, memory stays bounded, and the record says what it was.
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { encodeAwsMessage } from "../../src/dialects/framing/aws-eventstream.ts";
import { readStatus } from "../support/exchange-log.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "../support/outrider-process.ts";
import { type PlanEnd, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";

let upstream: ScriptedUpstream;
let receiver: OtlpReceiver;
let outrider: OutriderProcess;

beforeAll(async () => {
  upstream = await startScriptedUpstream();
  receiver = await startOtlpReceiver();
  const ids = ["bedrock", "google", "ollama", "openai"];
  outrider = await startOutrider({
    options: { providers: Object.fromEntries(ids.map((id) => [id, { baseUrl: upstream.url }])) },
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100" },
  });
});

afterEach(async () => {
  expect(outrider.child.exitCode).toBeNull();
  await expect.poll(async () => (await readStatus(outrider)).exchanges.inFlight).toBe(0);
});

afterAll(async () => {
  await outrider?.stop();
  await receiver?.close();
  await upstream?.close();
});

const message = (type: string, payload: object): Buffer =>
  encodeAwsMessage(
    { ":message-type": "event", ":event-type": type, ":content-type": "application/json" },
    Buffer.from(JSON.stringify(payload)),
  );
const converse = [
  message("messageStart", { role: "assistant" }),
  message("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "hello" } }),
  message("contentBlockStop", { contentBlockIndex: 0 }),
  message("messageStop", { stopReason: "end_turn" }),
  message("metadata", { usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } }),
];
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};
const absurd = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);

const types = {
  aws: "application/vnd.amazon.eventstream",
  json: "application/json",
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
};
const paths = {
  bedrock: "/bedrock/model/anthropic.claude-3/converse-stream",
  google: "/google/v1beta/models/gemini-2.5-flash:streamGenerateContent",
  ollama: "/ollama/api/chat",
  responses: "/openai/v1/responses",
};
const bodies: Record<keyof typeof paths, object> = {
  bedrock: { messages: [] },
  google: { contents: [] },
  ollama: { model: "m", messages: [] },
  responses: { model: "gpt-5", input: "hi", stream: true },
};

/** Not fetch: it would decompress. */
function post(path: string, body: string): Promise<{ body: Buffer; isCut: boolean; traceresponse: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", authorization: "Bearer test-key" };
    const request = httpRequest(outrider.url + path, { method: "POST", headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      const finish = (isCut: boolean): void =>
        resolve({ body: Buffer.concat(parts), isCut, traceresponse: String(response.headers["traceresponse"]) });
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => finish(false));
      response.on("error", () => finish(true));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function ask(
  to: keyof typeof paths,
  type: string,
  chunks: Buffer[],
  { ending = "end", headers = {} }: { ending?: PlanEnd; headers?: Record<string, string> } = {},
): Promise<{ body: Buffer; isCut: boolean; spans: ReceivedSpan[] }> {
  upstream.setScript({ status: 200, headers: { "content-type": type, ...headers }, chunks, ending });
  const answer = await post(paths[to], JSON.stringify(bodies[to]));
  const traceId = answer.traceresponse.split("-")[1];
  const ofTrace = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await expect.poll(() => ofTrace().length, { timeout: 5000 }).toBe(3);
  return { body: answer.body, isCut: answer.isCut, spans: ofTrace() };
}

const call = (spans: ReceivedSpan[]): ReceivedSpan["attributes"] =>
  spans.find((span) => span.attributes["gen_ai.operation.name"] !== undefined)?.attributes ?? {};
const server = (spans: ReceivedSpan[]): ReceivedSpan["attributes"] =>
  spans.find((span) => span.attributes["http.route"] !== undefined)?.attributes ?? {};

describe("Bedrock's binary stream", () => {
  it("is told whole when it is whole", async () => {
    const { body, spans } = await ask("bedrock", types.aws, converse);
    expect(body.equals(Buffer.concat(converse))).toBe(true);
    expect(call(spans)).toMatchObject({ "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2 });
    expect(server(spans)["outrider.stream.end"]).toBe("complete");
  });

  it.each([
    ["a bit flipped in a payload", [converse[0], flipped(converse[1] as Buffer, 90), ...converse.slice(2)]],
    ["a bit flipped in a prelude", [converse[0], flipped(converse[1] as Buffer, 3), ...converse.slice(2)]],
    ["a length of 4 GiB", [converse[0], absurd, ...converse.slice(1)]],
    ["no messages at all", [Buffer.from("<html>this is no event stream</html>".repeat(10))]],
  ] as [string, Buffer[]][])("passes untouched and is told as invalid: %s", async (_name, chunks) => {
    const { body, isCut, spans } = await ask("bedrock", types.aws, chunks);
    expect([body.equals(Buffer.concat(chunks)), isCut]).toEqual([true, false]);
    expect(call(spans)["error.type"]).toBe("upstream_invalid");
    expect(server(spans)["outrider.stream.end"]).toBe("error");
  });

  it("ends with an exception message of its own when it is cut between two messages", async () => {
    const { body, isCut, spans } = await ask("bedrock", types.aws, converse.slice(0, 2), { ending: "reset" });
    const sent = Buffer.concat(converse.slice(0, 2));
    expect([body.subarray(0, sent.length).equals(sent), isCut]).toEqual([true, true]);
    expect(body.subarray(sent.length).toString("latin1")).toContain(":exception-type");
    expect(call(spans)["error.type"]).toBe("stream_truncated");
  });

  it("gets nothing more when it is cut inside a message", async () => {
    const chunks = [converse[0] as Buffer, (converse[1] as Buffer).subarray(0, 40)];
    const { body, isCut, spans } = await ask("bedrock", types.aws, chunks, { ending: "reset" });
    expect([body.equals(Buffer.concat(chunks)), isCut]).toEqual([true, true]);
    expect(server(spans)["outrider.stream.end"]).toBe("truncated");
  });
});

describe("Gemini's array", () => {
  const element = (text: string, finish?: string): object => ({
    candidates: [
      { content: { role: "model", parts: [{ text }] }, ...(finish === undefined ? {} : { finishReason: finish }) },
    ],
    usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 6 },
  });
  const whole = Buffer.from(JSON.stringify([element("a"), element("b"), element("c", "STOP")], undefined, 1));

  it.each(Array.from({ length: 12 }, (_unused, index) => index))("cut at place %i never looks whole", async (index) => {
    const cut = 1 + Math.floor(((whole.length - 2) * index) / 12);
    const chunks = [whole.subarray(0, cut)];
    const { body, isCut, spans } = await ask("google", types.json, chunks, { ending: "reset" });
    expect([body.equals(chunks[0] as Buffer), isCut]).toEqual([true, true]);
    expect(server(spans)["outrider.stream.end"]).toBe("truncated");
  });

  it("that is no array passes untouched", async () => {
    const chunks = [Buffer.from('"a string"')];
    const { body, spans } = await ask("google", types.json, chunks);
    expect(body.equals(chunks[0] as Buffer)).toBe(true);
    expect(call(spans)["error.type"]).toBe("upstream_invalid");
  });
});

describe("what is too large", () => {
  const rssMib = (): number => {
    const status = readFileSync(`/proc/${outrider.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };

  it("a line of 40 MiB passes untouched, unread", async () => {
    const line = Buffer.from(`{"model":"m","message":{"content":"${"x".repeat(40 * 1024 * 1024)}"},"done":false}\n`);
    const last = Buffer.from('{"model":"m","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1}\n');
    const before = rssMib();
    const { body, isCut } = await ask("ollama", types.ndjson, [line, last]);
    expect([body.length, isCut]).toEqual([line.length + last.length, false]);
    expect(rssMib() - before).toBeLessThan(150);
  });

  it("a stream that decompresses to 1 GiB passes untouched, unread past its cap", async () => {
    const bomb = gzipSync(Buffer.alloc(1024 * 1024 * 1024, "data: "));
    const before = rssMib();
    const { body, isCut } = await ask("responses", types.sse, [bomb], { headers: { "content-encoding": "gzip" } });
    expect([body.equals(bomb), isCut]).toEqual([true, false]);
    expect(rssMib() - before).toBeLessThan(200);
  }, 60_000);
});

describe("Responses events", () => {
  const event = (type: string, fields: object): Buffer =>
    Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  const usage = { input_tokens: 5, output_tokens: 7, total_tokens: 12 };
  const response = { id: "resp_1", model: "gpt-5", output: [], usage: null };
  const part = { type: "output_text", text: "", annotations: [] };
  const events = [
    event("response.created", { response: { ...response, status: "in_progress" } }),
    event("response.output_text.delta", { output_index: 1, content_index: 0, item_id: "b", delta: "second" }),
    event("response.output_item.added", { output_index: 0, item: { type: "message", id: "a", content: [] } }),
    event("response.content_part.added", { output_index: 0, content_index: 0, item_id: "a", part }),
    event("response.output_text.delta", { output_index: 0, content_index: 0, item_id: "a", delta: "first" }),
    event("response.from_the_future", { output_index: 9 }),
    event("response.output_text.delta", { output_index: 1, content_index: 0, item_id: "b", delta: " half" }),
    event("response.completed", { response: { ...response, status: "completed", usage } }),
  ];

  it("out of order and unknown pass untouched, are counted, and the usage is the last word's", async () => {
    const { body, spans } = await ask("responses", types.sse, events);
    expect(body.equals(Buffer.concat(events))).toBe(true);
    expect(call(spans)).toMatchObject({
      "gen_ai.usage.input_tokens": 5,
      "gen_ai.usage.output_tokens": 7,
      "gen_ai.response.finish_reasons": ["stop"],
      "outrider.stream.unrecognized_events": 1,
    });
    expect(server(spans)["outrider.stream.end"]).toBe("complete");
  });
});

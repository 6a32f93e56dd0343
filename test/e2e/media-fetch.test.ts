// An image that stands in a call by its address, for a provider that takes only bytes, through the built bundle: fetched where the
// options list its host, refused by name where it cannot be, and given up when the client leaves.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitForExchangeWhere } from "../support/exchange-log.ts";
import { googleForms } from "../support/scripted-answers.ts";
import { type Plan, type ScriptedUpstream, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTranslatingOutrider, type TranslatingOutrider } from "../support/translating-outrider.ts";

const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("not really")]);
const maxBytes = 4096;

let stage: TranslatingOutrider;
let mediaHost: ScriptedUpstream;

const sendPng: Plan = { headers: { "content-type": "image/png" }, contentLength: true, chunks: [png] };

beforeAll(async () => {
  mediaHost = await startScriptedUpstream();
  stage = await startTranslatingOutrider(["anthropic", "google"], {
    media: { fetch: { privateHosts: [mediaHost.url], maxBytes } },
  });
  stage.upstream.setScript(googleForms.whole("a square"));
});

beforeEach(() => {
  mediaHost.setScript(sendPng);
  for (const { requests } of [mediaHost, stage.upstream]) requests.length = 0;
});

afterAll(async () => {
  await stage?.stop();
  await mediaHost?.close();
});

/** An Anthropic client asks Google's model what is on an image. */
function ask(url: string, signal?: AbortSignal): Promise<Response> {
  const image = { type: "image", source: { type: "url", url } };
  return fetch(`${stage.outrider.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body: JSON.stringify({
      model: "google/gemini-2.5-flash",
      max_tokens: 100,
      messages: [{ role: "user", content: [{ type: "text", text: "What is this?" }, image] }],
    }),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function readRefusal(response: Response): Promise<unknown> {
  const { error } = (await response.json()) as { error: { message: string } };
  return [response.status, response.headers.get("x-outrider-error"), error.message];
}

/** The refusal of the image, for this reason, with its place in the client's own words. */
const refusedFor = (reason: string): unknown => [
  422,
  "request_lossy;source=client",
  expect.stringMatching(new RegExp(`/messages/0/content/1[^;]*: [^;]*\\(not fetched: ${reason}`)),
];

describe("an image at an address, for a provider that takes only bytes", () => {
  it("is fetched from a listed host and sent inline, which the answer tells", async () => {
    const response = await ask(`${mediaHost.url}/square.png`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      type: "message",
      role: "assistant",
      content: [{ type: "text", text: "a square" }],
      stop_reason: "end_turn",
    });
    expect(response.headers.get("x-outrider-loss")).toMatch(/\/messages\/0\/content\/1[^,]*;moved/);
    const [sent] = stage.upstream.requests;
    const { contents } = JSON.parse(String(sent?.body)) as { contents: { parts: unknown[] }[] };
    expect(contents[0]?.parts).toEqual([
      { text: "What is this?" },
      { inlineData: { mimeType: "image/png", data: png.toString("base64") } },
    ]);
    const shown = mediaHost.requests.map(({ method, path, header }) => [method, path, header("anthropic-version")]);
    expect(shown).toEqual([["GET", "/square.png", undefined]]);
  });

  it("is not asked for at a host that is not listed", async () => {
    const other = await startScriptedUpstream(sendPng);
    try {
      expect(await readRefusal(await ask(`${other.url}/square.png`))).toEqual(
        refusedFor("media.fetch.hosts does not list its host"),
      );
      expect([other.sockets.opened, stage.upstream.requests.length]).toEqual([0, 0]);
    } finally {
      await other.close();
    }
  });

  it.each<[string, Plan, string]>([
    [
      "its host redirects",
      { status: 302, headers: { location: "/other.png" }, contentLength: 0 },
      "its host redirects",
    ],
    [
      "it is too large",
      { ...sendPng, chunks: [png, Buffer.alloc(maxBytes)] },
      "it is larger than media.fetch.maxBytes",
    ],
    [
      "it is of another type",
      { headers: { "content-type": "text/html" }, contentLength: true, chunks: ["<html></html>"] },
      "what its host sent is no image",
    ],
  ])("is refused by name where %s", async (_why, plan, reason) => {
    mediaHost.setScript(plan);
    expect(await readRefusal(await ask(`${mediaHost.url}/square.png`))).toEqual(refusedFor(reason));
    expect([mediaHost.requests.length, stage.upstream.requests.length]).toEqual([1, 0]);
  });

  it("is given up when the client leaves, and no provider is asked", async () => {
    mediaHost.setScript({ kind: "raw", chunks: ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx"], ending: "stall" });
    const leaving = new AbortController();
    const asking = ask(`${mediaHost.url}/square.png`, leaving.signal).catch((error: Error) => error.name);
    await mediaHost.waitFor(() => mediaHost.requests.length === 1);
    leaving.abort();
    expect(await asking).toBe("AbortError");
    await mediaHost.waitFor(() => mediaHost.requests[0]?.abortedAt !== undefined);
    await waitForExchangeWhere(stage.outrider, ({ end }) => end === "client_aborted");
    expect(stage.upstream.requests).toEqual([]);
  });
});

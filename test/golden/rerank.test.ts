// Every recorded rerank call through its decoders: llama.cpp, Voyage, and Cohere's two versions.
import { describe, expect, it } from "vitest";
import { matchDialect } from "../../src/dialects/index.ts";
import { rerank } from "../../src/dialects/rerank/index.ts";
import { loadRecordings, responseBytes, type Recording } from "../support/recordings.ts";

type Wire = Record<string, unknown>;

const recordings = loadRecordings("rerank", "cohere-v1", "cohere-v2").filter(({ operation }) => operation === "rerank");

describe("recorded rerank traffic", () => {
  it("is all there and all matched", () => {
    const providers = recordings.map(({ provider }) => provider);
    expect(new Set(providers)).toEqual(new Set(["cohere", "llamacpp", "voyage"]));
    for (const recording of recordings) expect(callOf(recording).dialect).toBe(rerank);
  });

  it.each(recordings)("keeps model, ranking and exact usage of $id", (recording) => {
    const body = JSON.parse(responseBytes(recording).toString()) as Wire;
    const response = rerank.decodeResponse(body, callOf(recording).operation);
    expect(response.model).toBe(body["model"]);
    expect(response.id).toBe(body["id"]);
    expect(response.choices).toEqual([]);
    const kept = response.extensions?.["rerank"] ?? {};
    expect(kept["results"] ?? kept["data"]).toEqual(body["results"] ?? body["data"]);
    // wire.md §1.10 and §1.13: Cohere bills searches, llama.cpp counts the prompt, Voyage says the total alone.
    const stated = recording.usage as { prompt_tokens?: number; total_tokens?: number; billed_units?: Wire };
    expect(response.usage).toEqual(
      stated.billed_units === undefined
        ? { inputTokens: stated.prompt_tokens ?? stated.total_tokens, raw: stated }
        : { searchUnits: stated.billed_units["search_units"], raw: stated },
    );
  });

  it.each(recordings)("reads query and documents of the request of $id", (recording) => {
    const { model, query, documents, ...rest } = recording.request.body as Wire;
    const request = rerank.decodeRequest(recording.request.body as Wire, callOf(recording).operation);
    expect(request).toMatchObject({ model, stream: false });
    const texts = request.messages.map(({ parts }) => parts.map((part) => part.type === "text" && part.content));
    expect(texts).toEqual([query, ...(documents as string[])].map((text) => [text]));
    expect(request.extensions?.["rerank"] ?? {}).toEqual(rest);
  });
});

function callOf(recording: Recording) {
  const call = matchDialect(recording.request.method, new URL(recording.request.url).pathname);
  if (call === undefined) throw new Error(`${recording.id} is not matched`);
  return call;
}

// Rerank calls between shapes. Answers are read by hand; that nothing disappears is looked for in the JSON, not asked of the code.
import { describe, expect, it } from "vitest";
import { findDialect, matchDialect } from "../../../src/dialects/index.ts";
import { type RerankShapeId, rerankShapeIds, rerankShapes } from "../../../src/dialects/rerank-shapes.ts";
import {
  readRerankCall,
  type RerankCall,
  shapeDialect,
  translateRerankRequest,
  translateRerankResponse,
} from "../../../src/dialects/rerank-translation.ts";
import { SidecarError } from "../../../src/errors.ts";

type Json = Record<string, unknown>;

const facts = { model: "rerank-x", exchangeId: "0123456789abcdef0123456789abcdef", epochSeconds: 1_700_000_000 };

function open(path: string, body: Json, to: RerankShapeId): RerankCall {
  const call = matchDialect("POST", path);
  if (call === undefined) throw new Error(`no call at ${path}`);
  const target = to === "bedrock" ? findDialect("bedrock-invoke") : shapeDialect(findDialect("rerank"), to);
  return readRerankCall(call.dialect, target, call.operation, body);
}

function ask(
  path: string,
  body: Json,
  to: RerankShapeId,
  model = facts.model,
): ReturnType<typeof translateRerankRequest> {
  return translateRerankRequest(open(path, body, to), { ...facts, model });
}

function answer(path: string, body: Json, from: RerankShapeId, said: Json): ReturnType<typeof translateRerankResponse> {
  const dialect = findDialect(from === "bedrock" ? "bedrock-invoke" : "rerank");
  const operation = matchDialect("POST", rerankShapes[from].path(facts.model))?.operation;
  if (operation === undefined) throw new Error(`no call of ${from}`);
  const { usage } = dialect.decodeResponse(said, operation);
  return translateRerankResponse(said, usage, open(path, body, from), facts);
}

const told = (losses: readonly { pointer: string; reason: string; severity: string }[]): string[] =>
  losses.map(({ pointer, reason, severity }) => `${pointer} ${reason} ${severity}`).sort();

const query = "which of them";
const documents = ["one", "two", "three"];

/** The same call in the words of each client, and the answer that it must read: the second document, then the first. */
const clients: Record<string, { path: string; body: Json; answer: Json }> = {
  cohere: {
    path: "/v2/rerank",
    body: { model: "p/rerank-x", query, documents, top_n: 2 },
    answer: {
      results: [
        { index: 1, relevance_score: 0.75 },
        { index: 0, relevance_score: 0.5 },
      ],
      meta: { tokens: { input_tokens: 9, output_tokens: 0 } },
    },
  },
  plain: {
    path: "/v1/rerank",
    body: { model: "p/rerank-x", query, documents, top_n: 2 },
    answer: {
      model: "rerank-x",
      results: [
        { index: 1, relevance_score: 0.75, document: { text: "two" } },
        { index: 0, relevance_score: 0.5, document: { text: "one" } },
      ],
      usage: { prompt_tokens: 9, total_tokens: 9 },
    },
  },
  voyage: {
    path: "/v1/rerank",
    body: { model: "p/rerank-x", query, documents, top_k: 2, return_documents: true },
    answer: {
      object: "list",
      model: "rerank-x",
      data: [
        { index: 1, relevance_score: 0.75, document: "two" },
        { index: 0, relevance_score: 0.5, document: "one" },
      ],
      usage: { total_tokens: 9 },
    },
  },
  mixedbread: {
    path: "/v1/reranking",
    body: { model: "p/rerank-x", query, input: documents, top_k: 2 },
    answer: {
      object: "list",
      model: "rerank-x",
      data: [
        { index: 1, score: 0.75 },
        { index: 0, score: 0.5 },
      ],
      usage: { prompt_tokens: 9, total_tokens: 9 },
    },
  },
  bedrock: {
    path: "/model/p%2Frerank-x/invoke",
    body: { query, documents, top_n: 2, api_version: 2 },
    answer: {
      results: [
        { index: 1, relevance_score: 0.75 },
        { index: 0, relevance_score: 0.5 },
      ],
    },
  },
};

/** What each provider must be asked. */
const providers: Record<RerankShapeId, { path: string; body: Json }> = {
  cohere: { path: "/v2/rerank", body: { model: "rerank-x", query, documents, top_n: 2 } },
  plain: { path: "/v1/rerank", body: { model: "rerank-x", query, documents, top_n: 2 } },
  jina: { path: "/v1/rerank", body: { model: "rerank-x", query, documents, top_n: 2, return_documents: false } },
  together: { path: "/v1/rerank", body: { model: "rerank-x", query, documents, top_n: 2 } },
  voyage: { path: "/v1/rerank", body: { model: "rerank-x", query, documents, top_k: 2 } },
  mixedbread: { path: "/v1/reranking", body: { model: "rerank-x", query, input: documents, top_k: 2 } },
  bedrock: { path: "/model/rerank-x/invoke", body: { query, documents, top_n: 2 } },
};

const pairs = Object.keys(clients).flatMap((from) =>
  rerankShapeIds.filter((to) => to !== from).map((to) => [from, to] as const),
);

const usageOf = (id: RerankShapeId): Json => {
  if (id === "bedrock") return {};
  return id === "cohere" ? { meta: { tokens: { input_tokens: 9, output_tokens: 0 } } } : { usage: { total_tokens: 9 } };
};

describe("a plain call", () => {
  it.each(pairs)("%s asks %s without loss", (from, to) => {
    const { path = "", body = {} } = clients[from] ?? {};
    const { path: asked, body: sent, losses } = ask(path, body, to);
    expect(asked).toBe(providers[to].path);
    expect(sent).toEqual(providers[to].body);
    expect(losses).toEqual([]);
  });

  it.each(pairs.filter(([, to]) => to !== "bedrock"))("%s reads the answer of %s", (from, to) => {
    const { path = "", body = {}, answer: expected = {} } = clients[from] ?? {};
    const { list, score } = rerankShapes[to].answer;
    // Not in the order of their worth.
    const said = {
      [list]: [
        { index: 0, [score]: 0.5 },
        { index: 1, [score]: 0.75 },
      ],
      ...usageOf(to),
    };
    const read = answer(path, body, to, said);
    // Cohere's meta is read by clients of plain calls too, and stays beside the counts.
    const isKept = from === "plain" && to === "cohere";
    expect(read?.body).toEqual(isKept ? { ...expected, meta: said["meta"] } : expected);
    const isUncounted = from === "bedrock";
    expect(told(read?.losses ?? [])).toEqual(
      isUncounted ? [`response:${to === "cohere" ? "/meta/tokens" : "/usage"} unsupported tuning`] : [],
    );
  });
});

describe("a call in the provider's own shape", () => {
  const ranked = (index: number, score: number): Json => ({ index, relevance_score: score });
  const meta = (version: string): Json => ({ api_version: { version }, billed_units: { search_units: 1 } });

  // The members of recorded calls, and one that nobody knows.
  it.each([
    {
      id: "voyage",
      path: "/v1/rerank",
      more: { top_k: 3, truncation: true },
      said: { object: "list", data: [ranked(1, 0.742)], model: "m", usage: { total_tokens: 57 } },
    },
    {
      id: "cohere",
      path: "/v2/rerank",
      more: { top_n: 3 },
      said: { id: "26c7", results: [ranked(1, 0.99)], meta: meta("2") },
    },
    {
      id: "plain",
      path: "/v1/rerank",
      more: { top_n: 3 },
      said: { id: "c995", results: [ranked(2, 1)], meta: meta("1") },
    },
    {
      id: "plain",
      path: "/v1/rerank",
      more: {},
      said: { model: "m", object: "list", results: [ranked(2, -8.4)], usage: { prompt_tokens: 55, total_tokens: 55 } },
    },
  ] as const)("stays as it was: $id $more", ({ id, path, more, said }) => {
    const body = {
      query,
      documents: ["one", "two", { text: "three", id: 3 }],
      model: "p/m",
      ...more,
      unknown: { deep: [1] },
    };
    const { path: asked, body: sent, losses } = ask(path, body, id, "m");
    expect([asked, sent, losses]).toEqual([path, { ...body, model: "m" }, []]);
    const answered = { ...said, unknown: 1 };
    expect(answer(path, body, id, answered)).toEqual({ body: answered, losses: [] });
  });
});

describe("a client's shape", () => {
  const call = { model: "p/m", query, documents };

  it.each([
    { path: "/v2/rerank", more: {}, id: "cohere" },
    { path: "/v2/rerank", more: { top_k: 1 }, id: "cohere" },
    { path: "/v1/rerank", more: {}, id: "plain" },
    { path: "/reranking", more: { top_n: 1 }, id: "plain" },
    { path: "/v1/rerank", more: { top_k: 1 }, id: "voyage" },
    // Voyage's SDK sends its absent count as null.
    { path: "/v1/rerank", more: { top_k: null, truncation: true }, id: "voyage" },
    { path: "/rerank", more: { truncation: true }, id: "voyage" },
    { path: "/v1/reranking", more: { input: documents }, id: "mixedbread" },
    { path: "/model/cohere.rerank-v3-5%3A0/invoke", more: {}, id: "bedrock" },
  ])("at $path with $more is $id", ({ path, more, id }) => {
    expect(open(path, { ...call, ...more }, "cohere").client.id).toBe(id);
  });
});

describe("what is lost", () => {
  const rich: { path: string; body: Json }[] = [
    {
      path: "/v2/rerank",
      body: {
        model: "p/m",
        query,
        documents,
        top_n: 1,
        max_tokens_per_doc: 77,
        priority: 3,
        invented: { deep: ["x"] },
      },
    },
    {
      path: "/v1/rerank",
      body: {
        model: "p/m",
        query,
        documents: [{ text: "alpha", title: "beta", id: "gamma" }, "delta", { title: "epsilon" }],
        rank_fields: ["title", "text"],
        top_n: 2,
        max_chunks_per_doc: 5,
        user: "someone",
      },
    },
    {
      path: "/v1/rerank",
      body: { model: "p/m", query, documents: [{ text: "alpha", id: "gamma" }], return_documents: "yes" },
    },
    { path: "/v1/rerank", body: { model: "p/m", query: { text: "q", lang: "en" }, documents, top_n: 2 } },
    { path: "/v1/rerank", body: { model: "p/m", query, documents, top_k: 2, truncation: false, top_n: 7 } },
    { path: "/v1/rerank", body: { model: "p/m", query, documents, top_k: 2, truncation: true, other: 0 } },
    {
      path: "/v1/reranking",
      body: { model: "p/m", query, input: [{ text: "alpha", id: "z" }], top_k: 2, rank_fields: ["text"] },
    },
    { path: "/model/p%2Frerank-m/invoke", body: { query, documents, top_n: 1, api_version: 2, max_tokens_per_doc: 9 } },
  ];

  it.each(rich.flatMap(({ path, body }, index) => rerankShapeIds.map((to) => [index, to, path, body] as const)))(
    "of call %i toward %s is told, member by member",
    (_, to, path, body) => {
      const { body: sent, losses } = ask(path, body, to);
      const values = leaves(sent).map(({ value }) => value);
      const texts = values.filter((value) => typeof value === "string");
      for (const { pointer, value } of leaves(body)) {
        // The model is another's name; Bedrock's version of its API is its own.
        if (pointer === "/model" || pointer === "/api_version") continue;
        // What these do anyway.
        if (pointer === "/truncation" && value === true && ["cohere", "voyage", "bedrock"].includes(to)) continue;
        const isSent =
          values.includes(value) || (typeof value === "string" && texts.some((text) => text.includes(value)));
        const isTold = losses.some(({ pointer: at }) => pointer === at || pointer.startsWith(`${at}/`));
        expect(isSent || isTold, `${pointer} toward ${to}`).toBe(true);
      }
    },
  );

  it("is semantic where it says what is ranked, and tuning where it says how", () => {
    const { body = {}, path = "" } = rich[0] ?? {};
    expect(told(ask(path, body, "voyage").losses)).toEqual([
      "/invented unsupported semantic",
      "/max_tokens_per_doc unsupported tuning",
      "/priority unsupported tuning",
    ]);
    expect(told(ask(path, body, "cohere").losses)).toEqual([]);
  });

  it("of objects are the fields that are not ranked: those that are go as one text", () => {
    const { body = {}, path = "" } = rich[1] ?? {};
    const { body: sent, losses } = ask(path, body, "cohere");
    expect(sent["documents"]).toEqual(["title: beta\ntext: alpha", "delta", "title: epsilon"]);
    expect(told(losses)).toEqual([
      "/documents approximated tuning",
      "/max_chunks_per_doc unsupported tuning",
      "/rank_fields approximated tuning",
      "/user unsupported tuning",
    ]);
    const { body: whole } = ask(path, body, "together");
    expect([whole["documents"], whole["rank_fields"]]).toEqual([body["documents"], body["rank_fields"]]);
  });

  it.each([
    { more: { documents: ["one", { image: "https://example.com/a.png" }] }, pointer: "/documents/1" },
    { more: { documents: [{ title: "no text" }] }, pointer: "/documents/0" },
    { more: { documents: ["one", { text: "two", image: "https://example.com/a.png" }] }, pointer: "/documents/1" },
    { more: { documents: [7] }, pointer: "/documents/0" },
    { more: { query: null }, pointer: "/query" },
    { more: { documents: "one" }, pointer: "(body)" },
  ])("ends the translation where there is no text to rank: $pointer", ({ more, pointer }) => {
    const call = (): unknown => ask("/v1/rerank", { model: "p/m", query, documents, ...more }, "cohere");
    expect(call).toThrow(SidecarError);
    expect(call).toThrow(`${pointer}: `);
  });

  it("is no picture toward Jina, which ranks them", () => {
    const pictures = [{ image: "https://example.com/a.png" }, { text: "two" }];
    const { body: sent, losses } = ask("/v1/rerank", { model: "p/m", query, documents: pictures }, "jina");
    expect([sent["documents"], losses]).toEqual([pictures, []]);
  });
});

it("Bedrock's models of Cohere get the version that they need, and those that do not rerank are not asked", () => {
  const body = { model: "p/m", query, documents };
  const { path, body: sent } = ask("/v2/rerank", body, "bedrock", "cohere.rerank-v3-5:0");
  expect([path, sent]).toEqual(["/model/cohere.rerank-v3-5%3A0/invoke", { api_version: 2, query, documents }]);
  expect(() => ask("/v2/rerank", body, "bedrock", "anthropic.claude-x")).toThrow("does not rerank");
});

describe("an answer", () => {
  const places = [{ index: 1, relevance_score: 0.75 }];
  const voyage = { model: "p/m", query, documents, top_k: 1 };

  it("of Cohere for a client of Voyage has counts of 0, and what was billed is told", () => {
    const meta = { api_version: { version: "2" }, billed_units: { search_units: 1 }, warnings: ["old"] };
    const read = answer("/v1/rerank", voyage, "cohere", { id: "x", results: places, meta });
    expect(read?.body).toEqual({ object: "list", model: "rerank-x", data: places, usage: { total_tokens: 0 } });
    expect(told(read?.losses ?? [])).toEqual([
      "response:/meta/billed_units unsupported tuning",
      "response:/meta/warnings unsupported tuning",
      "response:/usage injected tuning",
    ]);
  });

  it("keeps what Cohere billed for a client that reads it, and the object that the client sent", () => {
    const body = { model: "p/m", query, documents: ["one", { text: "two", id: "b" }] };
    const meta = { billed_units: { search_units: 1 } };
    const read = answer("/v1/rerank", body, "cohere", { id: "x", results: places, meta });
    const results = [{ index: 1, relevance_score: 0.75, document: { text: "two", id: "b" } }];
    expect(read).toEqual({ body: { id: "x", model: "rerank-x", results, meta }, losses: [] });
  });

  it("gives no documents to who wants none", () => {
    const read = answer("/v1/rerank", { model: "p/m", query, documents, return_documents: false }, "voyage", {
      data: places,
    });
    expect(read?.body["results"]).toEqual(places);
  });

  it("is told of where the provider says more than the client's shape", () => {
    const results = [{ ...places[0], explanation: "e" }];
    const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, image_tokens: 3 };
    const read = answer("/v1/rerank", voyage, "jina", { model: "j", results, usage, extra: 1 });
    expect(read?.body["usage"]).toEqual({ total_tokens: 7 });
    expect(told(read?.losses ?? [])).toEqual([
      "response:/extra unsupported tuning",
      "response:/results/0/explanation unsupported tuning",
      "response:/usage/image_tokens unsupported tuning",
    ]);
  });

  it.each([
    { why: "no list", said: { object: "list" } },
    { why: "a place beyond the documents", said: { results: [{ index: 3, relevance_score: 1 }] } },
    { why: "a place before them", said: { results: [{ index: -1, relevance_score: 1 }] } },
    { why: "one document twice", said: { results: [...places, ...places] } },
    { why: "no score", said: { results: [{ index: 0 }] } },
    { why: "no objects", said: { results: [1] } },
  ])("with $why is none", ({ said }) => {
    expect(answer("/v1/rerank", voyage, "cohere", said)).toBeUndefined();
  });
});

function leaves(value: unknown, pointer = ""): { pointer: string; value: unknown }[] {
  if (typeof value !== "object" || value === null) return [{ pointer, value }];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, `${pointer}/${key}`));
}

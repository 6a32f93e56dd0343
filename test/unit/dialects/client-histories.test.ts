// What official SDKs put into a request beside what their user wrote, and what their clients hand back of an answer, at other providers.
import { describe, expect, it } from "vitest";
import { type Dialect, findDialect, translateRequest, translateResponse } from "../../../src/dialects/index.ts";

type Wire = Record<string, unknown>;

const facts = { model: "m", exchangeId: "0123456789abcdef0123456789abcdef", epochSeconds: 1, maxOutputTokens: 100 };

const paths: Partial<Record<Dialect["id"], string>> = {
  "openai-responses": "/v1/responses",
  "gemini-generate-content": "/v1beta/models/m:generateContent",
};

function translate(from: Dialect["id"], to: Dialect["id"], body: Wire) {
  const source = findDialect(from);
  const operation = source.match("POST", paths[from] ?? "");
  if (operation === undefined) throw new Error(`no call of ${from}`);
  return translateRequest(source, findDialect(to), { body, request: source.decodeRequest(body, operation) }, facts);
}

const semantic = (losses: { pointer: string; severity: string }[]) =>
  losses.filter(({ severity }) => severity === "semantic").map(({ pointer }) => pointer);

const targets = [
  "openai-chat",
  "anthropic-messages",
  "gemini-generate-content",
  "bedrock-converse",
  "cohere-chat",
  "ollama-chat",
] as const;

describe.each(targets)("a Responses request for %s", (target) => {
  it("is not refused for encrypted reasoning that it asks for, nor for what openai-node parsed", () => {
    const call = {
      type: "function_call",
      id: "fc_1",
      call_id: "call_1",
      name: "f",
      arguments: '{"a":1}',
      status: "completed",
      parsed_arguments: { a: 1 },
    };
    const { losses } = translate("openai-responses", target, {
      model: "m",
      max_output_tokens: 100,
      include: ["reasoning.encrypted_content"],
      tools: [{ type: "function", name: "f", parameters: { type: "object", properties: {} }, strict: false }],
      input: [{ role: "user", content: "Hi" }, call, { type: "function_call_output", call_id: "call_1", output: "b" }],
    });
    expect(semantic(losses)).toEqual([]);
  });

  it("is refused for anything else that is to be included", () => {
    const body = { model: "m", max_output_tokens: 100, include: ["file_search_call.results"], input: "Hi" };
    expect(semantic(translate("openai-responses", target, body).losses)).toEqual(["/include"]);
  });
});

describe.each(["anthropic-messages", "bedrock-converse", "cohere-chat", "ollama-chat"] as const)(
  "a Gemini request for %s",
  (target) => {
    const contents = [{ role: "user", parts: [{ text: "Hi" }] }];

    it("is not refused for the role of its instructions and the wish to see thoughts", () => {
      const { losses } = translate("gemini-generate-content", target, {
        systemInstruction: { role: "user", parts: [{ text: "Be brief." }] },
        generationConfig: { maxOutputTokens: 100, thinkingConfig: { includeThoughts: true } },
        contents,
      });
      expect(semantic(losses)).toEqual([]);
    });

    it("is refused for settings that have no place", () => {
      const generationConfig = { maxOutputTokens: 100, speechConfig: { languageCode: "en" } };
      const { losses } = translate("gemini-generate-content", target, { generationConfig, contents });
      expect(semantic(losses)).toHaveLength(1);
    });
  },
);

describe("redacted reasoning", () => {
  const kinds = [
    ["anthropic-messages", { type: "redacted_thinking", data: "ZGF0YQ==" }],
    ["bedrock-converse", { redactedContent: "ZGF0YQ==" }],
  ] as const;
  const blocks: Record<(typeof kinds)[number][0], Wire> = {
    "anthropic-messages": { type: "redacted_thinking", data: "ZGF0YQ==" },
    "bedrock-converse": { reasoningContent: { redactedContent: "ZGF0YQ==" } },
  };

  /** What the provider is sent of its own answer by a client that keeps it as it came. */
  function sendBack(provider: Dialect["id"], bag: Wire, client: Dialect["id"], keep: (answer: Wire) => Wire): unknown {
    const message = {
      role: "assistant",
      parts: [{ type: "reasoning" as const, content: "", extensions: { [provider]: bag } }],
    };
    const answer = { choices: [{ index: 0, message }] };
    const { body } = translateResponse(findDialect(provider), findDialect(client), answer, facts);
    return translate(client, provider, keep(body)).body["messages"];
  }

  it.each(kinds)("of %s is still redacted when a Gemini client hands it back", (provider, bag) => {
    const messages = sendBack(provider, bag, "gemini-generate-content", ({ candidates }) => {
      const [{ content }] = candidates as [{ content: Wire }];
      const contents = [{ role: "user", parts: [{ text: "Hi" }] }, content];
      return { generationConfig: { maxOutputTokens: 100 }, contents };
    });
    expect(messages).toMatchObject([{ role: "user" }, { role: "assistant", content: [blocks[provider]] }]);
  });

  it.each(kinds)("of %s is still redacted when a Responses client hands it back", (provider, bag) => {
    const messages = sendBack(provider, bag, "openai-responses", ({ output }) => ({
      model: "m",
      max_output_tokens: 100,
      input: [{ role: "user", content: "Hi" }, ...(output as Wire[])],
    }));
    expect(messages).toMatchObject([{ role: "user" }, { role: "assistant", content: [blocks[provider]] }]);
  });
});

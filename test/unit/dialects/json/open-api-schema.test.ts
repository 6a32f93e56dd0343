// Google's schemas as JSON Schema, alone and in what each provider is sent.
import { describe, expect, it } from "vitest";
import type { DialectId } from "../../../../src/dialects/dialect.ts";
import { toJsonSchema } from "../../../../src/dialects/json/open-api-schema.ts";
import { findDialect, translateRequest } from "../../../../src/dialects/index.ts";

describe("a schema of Google's", () => {
  it("has types by word or by number, and may be null (recorded of langchaingo and google-cloud-aiplatform)", () => {
    const properties = {
      a: { type: "INTEGER", nullable: true },
      type: { type: 1 },
      list: { type: 5, items: { type: 2 } },
    };
    expect(toJsonSchema({ type: 6, properties })).toEqual({
      type: "object",
      properties: {
        a: { type: ["integer", "null"] },
        type: { type: "string" },
        list: { type: "array", items: { type: "number" } },
      },
    });
  });

  it("keeps a type that is none of Google's", () => {
    expect(toJsonSchema({ type: 99 })).toEqual({ type: 99 });
    expect(toJsonSchema({ type: 0 })).toEqual({ type: 0 });
  });

  const targets: DialectId[] = [
    "openai-chat",
    "openai-responses",
    "anthropic-messages",
    "bedrock-converse",
    "cohere-chat",
    "ollama-chat",
  ];
  it.each(targets)("is JSON Schema for %s, as a tool's and as the answer's, and no loss", (target) => {
    const source = findDialect("gemini-generate-content");
    const schema = { type: "OBJECT", properties: { q: { type: "STRING" } } };
    const body = {
      contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      tools: [{ functionDeclarations: [{ name: "f", description: "d", parameters: schema }] }],
      generationConfig: { responseMimeType: "application/json", responseSchema: schema },
    };
    const operation = source.match("POST", "/v1beta/models/m:generateContent");
    if (operation === undefined) throw new Error("no call of Google's");
    const request = source.decodeRequest(body, operation);
    const facts = { model: "m", maxOutputTokens: 9, exchangeId: "0123456789abcdef0123456789abcdef", epochSeconds: 1 };
    const translated = translateRequest(source, findDialect(target), { body, request }, facts);
    const text = JSON.stringify(translated.body);
    expect(text).toContain('"q":{"type":"string"}');
    expect(text).not.toMatch(/OBJECT|STRING/);
    expect(translated.losses.filter(({ pointer }) => pointer.includes("functionDeclarations"))).toEqual([]);
  });
});

// Encodes a request for Converse, whatever its source, and lists what is told of it.
import type { InferenceRequest, Message, Part } from "../../src/canonical/index.ts";
import { encoder } from "../../src/dialects/bedrock-converse/encoder.ts";
import type { DialectId } from "../../src/dialects/dialect.ts";
import { Encoding } from "../../src/dialects/encoding.ts";
import type { JsonObject } from "../../src/dialects/json/fields.ts";

/** A model of Claude's, which Converse hands most to. */
export const claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/** The body, and each loss as `path reason severity`. */
export function encodeForConverse(
  request: Partial<InferenceRequest>,
  options: { source?: DialectId; model?: string } = {},
): { body: JsonObject; losses: string[] } {
  const { source = "openai-chat", model = claude } = options;
  const encoding = new Encoding({
    source,
    target: "bedrock-converse",
    model,
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 0,
    toolResultParts: (response) =>
      Array.isArray(response) ? (response as Part[]) : response === "" ? [] : [text(String(response))],
  });
  const whole: InferenceRequest = { stream: false, messages: [said("user", "hi")], ...request };
  const body = encoder.encodeRequest(whole, encoding);
  encoding.loseLeftovers(whole);
  return {
    body,
    losses: encoding.losses.map(({ path, reason, severity }) => `${path.join("/")} ${reason} ${severity}`),
  };
}

/** A text part. */
export const text = (content: string): Part => ({ type: "text", content });
/** A message of one text. */
export const said = (role: string, content: string): Message => ({ role, parts: [text(content)] });
/** A call with the arguments `{a: 1}`. */
export const call = (id: string, name = "f"): Part => ({ type: "tool_call", id, name, arguments: { a: 1 } });
/** A tool's message. */
export const result = (id: string, response: unknown = "ok"): Message => ({
  role: "tool",
  parts: [{ type: "tool_call_response", id, response }],
});
/** A tool. */
export const f = { type: "function", name: "f", parameters: { type: "object", additionalProperties: false } };
/** The block of `call`. */
export const toolUse = (id: string, name = "f") => ({ toolUse: { toolUseId: id, name, input: { a: 1 } } });
/** The block of `result`. */
export const toolResult = (id: string, said = "ok") => ({ toolResult: { toolUseId: id, content: [{ text: said }] } });

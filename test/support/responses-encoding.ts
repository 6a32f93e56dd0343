// Encodes a request for the Responses API, whatever its source, and lists what is told of it.
import type { InferenceRequest, Message, Part } from "../../src/canonical/index.ts";
import type { DialectId } from "../../src/dialects/dialect.ts";
import { Encoding } from "../../src/dialects/encoding.ts";
import type { JsonObject } from "../../src/dialects/json/fields.ts";
import { encoder } from "../../src/dialects/openai-responses/encoder.ts";

/** The body, and each loss as its path and its reason. */
export function encodeForResponses(
  request: Partial<InferenceRequest>,
  source: DialectId = "openai-chat",
): { body: JsonObject; losses: string[][] } {
  const encoding = new Encoding({
    source,
    target: "openai-responses",
    model: "gpt-5",
    exchangeId: "0123456789abcdef0123456789abcdef",
    epochSeconds: 1_700_000_000,
    toolResultParts: (response) =>
      Array.isArray(response)
        ? (response as Part[])
        : response === null
          ? []
          : [{ type: "text", content: String(response) }],
  });
  const whole: InferenceRequest = { stream: false, messages: [], ...request };
  const body = encoder.encodeRequest(whole, encoding);
  encoding.loseLeftovers(whole);
  return { body, losses: encoding.losses.map(({ path, reason }) => [path.join("/"), reason]) };
}

/** A text part. */
export const text = (content: string): Part => ({ type: "text", content });
/** A message of the user's. */
export const user = (...parts: Part[]): Message => ({ role: "user", parts });
/** A message of the model's. */
export const assistant = (...parts: Part[]): Message => ({ role: "assistant", parts });
/** A tool call. */
export const call = (id: string | undefined, name: string, args: unknown, extensions?: JsonObject): Part =>
  ({
    type: "tool_call",
    ...(id === undefined ? {} : { id }),
    name,
    arguments: args,
    ...(extensions === undefined ? {} : { extensions }),
  }) as Part;

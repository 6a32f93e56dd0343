// A ConverseStream answer written by hand, whole or cut short.
import { encodeAwsMessage } from "../../src/dialects/framing/aws-eventstream.ts";

type Json = Record<string, unknown>;

/** One event's frame. */
export function converseEvent(name: string, body: Json): Buffer {
  const headers = { ":event-type": name, ":content-type": "application/json", ":message-type": "event" };
  return encodeAwsMessage(headers, JSON.stringify(body));
}

/** An exception's frame. */
export function converseException(name: string, message: string): Buffer {
  const headers = { ":exception-type": name, ":content-type": "application/json", ":message-type": "exception" };
  return encodeAwsMessage(headers, JSON.stringify({ message }));
}

/** What a short answer begins with: "Hi", and its block's end. */
export const converseBeginning: readonly Buffer[] = [
  converseEvent("messageStart", { role: "assistant" }),
  converseEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Hi" } }),
  converseEvent("contentBlockStop", { contentBlockIndex: 0 }),
];

/** "Hi", 20 tokens in and 9 out. */
export function converseStream(): Buffer {
  return Buffer.concat([
    ...converseBeginning,
    converseEvent("messageStop", { stopReason: "end_turn" }),
    converseEvent("metadata", {
      usage: { inputTokens: 20, outputTokens: 9, totalTokens: 29 },
      metrics: { latencyMs: 100 },
    }),
  ]);
}

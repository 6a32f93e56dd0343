// Room dialects, bedrock-converse: the canonical answer as Converse's.
// Invariant: calls that a provider ran itself never become calls that the client must run; opaque values go to the client whole.

import type { Choice, InferenceResponse, Message, Part, ToolCallPart } from "../../canonical/index.ts";
import type { CanonicalPath, Encoding } from "../encoding.ts";
import type { JsonObject } from "../json/fields.ts";
import { mergeOwn } from "../json/merge.ts";
import { takeCallSignature } from "../sealed.ts";
import { takeStructure } from "../structure.ts";
import { encodeInput, losePart } from "./block-encode.ts";
import { encodeFinishReason } from "./finish-encode.ts";
import { encodeOwnBlock } from "./own-block.ts";
import { encodeReasoningAnswer, sealedBlock } from "./reasoning-encode.ts";
import { formatOf } from "./schema.ts";
import { encodeUsage, unmeasured } from "./usage-encode.ts";

/** The first choice; Converse has no others. */
export function encodeResponse(response: InferenceResponse, encoding: Encoding): JsonObject {
  const [choice, ...others] = response.choices;
  for (const index of others.keys()) {
    encoding.lose(["choices", index + 1], "unsupported", "Converse answers with one choice");
  }
  if (response.systemFingerprint !== undefined) {
    encoding.lose(["systemFingerprint"], "unsupported", "Converse has no place for it", "tuning");
  }
  const tier = response.serviceTier;
  const body: JsonObject = {
    ...(choice === undefined ? {} : encodeChoice(choice, encoding)),
    ...(response.usage === undefined && encoding.source === encoding.target
      ? {}
      : { usage: encodeUsage(response.usage) }),
    metrics: unmeasured,
    ...(tier === undefined ? {} : { serviceTier: { type: tier === "standard" ? "default" : tier } }),
  };
  return mergeOwn(body, encoding.own(response));
}

function encodeChoice({ message, finishReason }: Choice, encoding: Encoding): JsonObject {
  const content = encodeContent(message, encoding);
  const hasCalls = message.parts.some(({ type }) => type === "tool_call");
  if (finishReason === undefined) {
    encoding.lose(
      ["choices", 0, "finishReason"],
      "injected",
      "the provider did not say why the answer ended",
      "tuning",
    );
  }
  const reason = encodeFinishReason(finishReason ?? { unified: "stop" }, hasCalls);
  return { output: { message: { role: "assistant", content, ...encoding.own(message) } }, stopReason: reason };
}

function encodeContent(message: Message, encoding: Encoding): unknown[] {
  if (encoding.source === encoding.target) return message.parts.map(encodeOwnBlock);
  const path = ["choices", 0, "message"];
  takeStructure(encoding, message, path);
  const calls = message.parts.filter(({ type }) => type === "tool_call");
  return message.parts.flatMap((part, index) =>
    encodePart(part, [...path, "parts", index], calls.indexOf(part), encoding),
  );
}

/** `callNumber` counts the calls of the answer from 0. */
function encodePart(part: Part, path: CanonicalPath, callNumber: number, encoding: Encoding): JsonObject[] {
  takeStructure(encoding, part, path);
  switch (part.type) {
    case "text":
      // A refusal is what was said.
      encoding.take(part, "openai-chat", "type");
      encoding.take(part, "openai-responses", "type");
      return part.content === "" ? [] : [{ text: part.content }];
    case "reasoning":
      return encodeReasoningAnswer(part, encoding);
    case "tool_call":
      return [...takeCallSignature(part, encoding).map(sealedBlock), encodeCall(part, path, callNumber, encoding)];
    case "blob": {
      const format = part.modality === "image" ? formatOf("image", part.mime_type ?? "image/png") : undefined;
      if (format === undefined) return losePart(part, path, encoding, "Converse answers with no such media");
      return [{ image: { format, source: { bytes: part.content } } }];
    }
    case "server_tool_call":
    case "server_tool_call_response":
      return losePart(part, path, encoding, "a Converse client would take it for a call of its own");
    case "tool_call_response":
    case "uri":
    case "file":
    case "compaction":
    case "generic":
      return losePart(part, path, encoding, "Converse answers with no such part");
  }
}

function encodeCall(part: ToolCallPart, path: CanonicalPath, callNumber: number, encoding: Encoding): JsonObject {
  encoding.take(part, "openai-chat", "type");
  const input = encodeInput(part.arguments);
  if (part.arguments !== undefined && part.arguments !== null && input !== part.arguments) {
    encoding.lose([...path, "arguments"], "approximated", "arguments that are no object stand in one as input");
  }
  const toolUseId = part.id ?? encoding.makeId("tooluse_", callNumber);
  return { toolUse: { toolUseId, name: part.name, input } };
}

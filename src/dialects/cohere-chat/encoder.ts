// Room dialects, cohere-chat: its encode half, of v2 chat.
// Invariant: v1's chat and generate are not translated: their answers have other shapes.

import type { Part } from "../../canonical/index.ts";
import { SidecarError } from "../../errors.ts";
import type { DialectEncoder, Encoding } from "../encoding.ts";
import { FieldReader } from "../json/fields.ts";
import { locate } from "./locate.ts";
import { decodeContent } from "./message.ts";
import { encodeRequest, fates } from "./request-encode.ts";
import { encodeResponse } from "./response-encode.ts";
import { createChatEncoder } from "./stream-encode.ts";

/** Writes Cohere's chat v2. Its answers are refused (`operation_unsupported`) to clients of the older calls. */
export const encoder: DialectEncoder = {
  fates,
  path: () => "/v2/chat",
  headers: [],
  encodeRequest,
  encodeResponse(response, encoding) {
    refuseOlder(encoding);
    return encodeResponse(response, encoding);
  },
  eventEncoder(encoding) {
    refuseOlder(encoding);
    return createChatEncoder(encoding);
  },
  streamType: "text/event-stream",
  toolResultParts,
  locate,
};

function refuseOlder({ operationKind }: Encoding): void {
  if (operationKind === undefined || operationKind === "chat") return;
  throw new SidecarError(
    "operation_unsupported",
    "of Cohere's calls only chat v2 can go to another provider's dialect",
  );
}

/** A tool message's content: a text, or a list of texts and documents. */
function toolResultParts(response: unknown): Part[] {
  if (response === null || response === undefined) return [];
  if (typeof response !== "string" && !Array.isArray(response)) {
    return [{ type: "text", content: JSON.stringify(response) }];
  }
  return decodeContent(new FieldReader({ content: response }), "content");
}

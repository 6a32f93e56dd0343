// Room dialects, gemini-generate-content: a streamed answer that the client hands back piece by piece, as other dialects are to read it.
// `@google/genai` 3.1.0 puts no stream together: the history holds each piece as a part, or in a turn of its own, and a signature in a
// part without text behind them. Invariant: no text changes its kind, its order or its signature; no part changes its place.

import type { InferenceRequest, Message, Part } from "../../canonical/index.ts";
import { dialectId } from "./schema.ts";

type Piece = Extract<Part, { type: "text" | "reasoning" }>;

/** Gathers each run of pieces in its last one, or in the one that is signed; those before stay as parts without text. */
export function joinPieces(request: InferenceRequest): InferenceRequest {
  const messages = request.messages.map((message): Message => ({ ...message, parts: [...message.parts] }));
  let held: { piece: Piece; clear: () => void } | undefined;
  for (const message of messages) {
    if (message.role !== "assistant") held = undefined;
    else {
      for (const [index, part] of message.parts.entries()) {
        if (!isPiece(part)) {
          held = undefined;
          continue;
        }
        let piece = part;
        if (held?.piece.type === part.type) {
          piece = { ...part, content: held.piece.content + part.content };
          held.clear();
          message.parts[index] = piece;
        }
        const clear = (): void => void (message.parts[index] = { ...part, content: "" });
        held = saysMore(part) ? undefined : { piece, clear };
      }
    }
  }
  return { ...request, messages };
}

function isPiece(part: Part): part is Piece {
  return part.type === "text" || part.type === "reasoning";
}

/** It is signed, or has anything else beside its text: what follows is no more of it. */
function saysMore({ extensions }: Piece): boolean {
  return Object.keys(extensions?.[dialectId] ?? {}).length > 0;
}

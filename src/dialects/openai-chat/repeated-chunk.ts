// Room dialects, openai-chat: which chunks of a stream may be told from their bytes when they come again, and what is open in them.
// Invariant: such a chunk, sent once more with other values in its slots, says the text of its speaker and changes nothing but `created`.

import type { StreamEvent } from "../../canonical/index.ts";
import type { AnswerDetail } from "../dialect.ts";
import type { Slot } from "../framing/repetition.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";

/** Members that hide the length of what they stand beside. */
const paddingNames = ["obfuscation", "p"];

/**
 * The slots of a chunk to learn, the one that says its text first; undefined for any that is not to be learned. `events`: what the chunk
 * was told as. Only of one choice and one text: all else may be said twice without being told twice.
 */
export function readOpenChunk(
  chunk: JsonObject,
  events: readonly StreamEvent[],
  detail: AnswerDetail,
): Slot[] | undefined {
  const { choices, created } = chunk;
  if (!Array.isArray(choices) || choices.length !== 1) return undefined;
  const choice: unknown = choices[0];
  if (!isJsonObject(choice)) return undefined;
  const last = events.length - 1;
  for (let index = 0; index < last; index++) if (!isOpening(events[index])) return undefined;
  const told = events[last];
  if (told !== undefined && told.type !== "part_delta") return undefined;
  const slots: Slot[] = [];
  const { delta, text } = choice;
  if (isJsonObject(delta)) {
    const isOpen = openDelta(delta, told?.text, detail, slots);
    if (!isOpen) return undefined;
    // Together repeats the delta as `text`, which is not read then.
    if (typeof text === "string") slots.push({ name: "text", value: text });
  } else {
    if (typeof text !== "string" || text !== (told?.text ?? "") || isJsonObject(choice["message"])) return undefined;
    if (told !== undefined) slots.push({ name: "text", value: text });
  }
  for (const name of paddingNames) if (typeof chunk[name] === "string") slots.push({ name, value: chunk[name] });
  if (Number.isSafeInteger(created) && (created as number) >= 0) {
    slots.push({ name: "created", value: created, isSteady: true });
  }
  return slots;
}

/** What is said the first time alone. */
function isOpening(event: StreamEvent | undefined): boolean {
  return event?.type === "part_start" || event?.type === "choice_start" || event?.type === "response_start";
}

/** Whether the delta says `said` and nothing else; its slots are added then, the one that says it first. */
function openDelta(delta: JsonObject, said: string | undefined, detail: AnswerDetail, slots: Slot[]): boolean {
  let details: Slot | undefined;
  for (const key in delta) {
    const value = delta[key];
    let slot: Slot | undefined;
    if (typeof value === "object" && value !== null) {
      if (key === "reasoning_details" && detail === "facts") {
        details = findDetailText(value);
        if (details === undefined) return false;
        continue;
      }
      if (key === "tool_calls") slot = findArguments(value);
      else if (key === "content") slot = findListedText(value);
    } else {
      // Of any other member the last value counts, which is the same each time.
      if (!textNames.has(key) || typeof value !== "string" || value === "") continue;
      slot = { name: key, value };
    }
    // Two that say the same: which of them speaks is the decoder's to know.
    if (slot === undefined || slots.length > 0 || slot.value !== said) return false;
    slots.push(slot);
  }
  if (details !== undefined) {
    const speaker = slots[0]?.name;
    // Beside a text of its own name the details are silent for the whole stream; alone they speak.
    const isSilent = speaker === "reasoning" || speaker === "reasoning_content";
    if (!isSilent && (speaker !== undefined || details.value !== said)) return false;
    slots.push(details);
  }
  if (slots.length > 0 !== (said !== undefined)) return false;
  const { token_id: tokenId } = delta;
  // Together (recorded).
  if (detail === "facts" && typeof tokenId === "number") slots.push({ name: "token_id", value: tokenId });
  return true;
}

const textNames: ReadonlySet<string> = new Set(["content", "reasoning_content", "reasoning", "refusal"]);

/** Of one call that goes on, without a name or an id. */
function findArguments(calls: unknown): Slot | undefined {
  const piece = soleObject(calls);
  if (typeof piece?.["index"] !== "number") return undefined;
  for (const key in piece) if (key !== "index" && key !== "type" && key !== "function") return undefined;
  const { function: call } = piece;
  if (!isJsonObject(call) || typeof call["arguments"] !== "string" || Object.keys(call).length > 1) return undefined;
  return { name: "arguments", value: call["arguments"] };
}

/** Mistral's list form (recorded). */
function findListedText(content: unknown): Slot | undefined {
  const part = soleObject(content);
  if (part?.["type"] === "text") return { name: "text", value: part["text"] };
  if (part?.["type"] !== "thinking") return undefined;
  const { thinking } = part;
  if (typeof thinking === "string") return { name: "thinking", value: thinking };
  return { name: "text", value: soleObject(thinking)?.["text"] };
}

/** The member that speaks where nothing but the detail does. */
function findDetailText(details: unknown): Slot | undefined {
  const one = soleObject(details);
  for (const name of ["text", "summary"]) if (typeof one?.[name] === "string") return { name, value: one[name] };
  return undefined;
}

function soleObject(list: unknown): JsonObject | undefined {
  const sole: unknown = Array.isArray(list) && list.length === 1 ? list[0] : undefined;
  return isJsonObject(sole) ? sole : undefined;
}

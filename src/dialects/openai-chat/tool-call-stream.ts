// Room dialects, openai-chat: the tool calls of one streamed choice, whose pieces providers mark in different ways.
// Invariant: each call becomes one part; argument text is never given before the part's start, and never lost.

import type { StreamEvent } from "../../canonical/index.ts";
import { isJsonObject, type JsonObject } from "../json/fields.ts";
import { toolCallKind } from "./message.ts";
import { dialectId, ownExtensions } from "./schema.ts";

/** The tool calls of one choice; events are appended to the list given. */
export interface ToolCallDecoder {
  push(calls: readonly unknown[], events: StreamEvent[]): void;
  /** Legacy `function_call` delta. */
  pushFunctionCall(call: JsonObject, events: StreamEvent[]): void;
  /** Starts calls that still wait for a name. */
  flush(events: StreamEvent[]): void;
  /** The stream is over. */
  close(events: StreamEvent[]): void;
}

interface CallState {
  part: number | undefined;
  kind: "function" | "custom" | "function_call";
  id: string | undefined;
  name: string;
  /** Text that came before the name (arguments before name: seen in the wild, wire order is not promised). */
  heldText: string;
  rest: JsonObject;
}

/** Starts without calls. `takePart` gives the number of the next part of the choice. */
export function createToolCallDecoder(choice: number, takePart: () => number): ToolCallDecoder {
  const calls: CallState[] = [];
  const byIndex = new Map<number, CallState>();

  function openCall(kind: CallState["kind"]): CallState {
    const call: CallState = { part: undefined, kind, id: undefined, name: "", heldText: "", rest: {} };
    calls.push(call);
    return call;
  }

  /**
   * Which call a piece belongs to: by its index; but a new id with a name under a known index is a new call (servers that
   * number all of them 0: BerriAI/litellm#5231), and without an index it is the id, or a new name, or the last call.
   */
  function findCall(wire: JsonObject, id: string | undefined, hasName: boolean): CallState {
    const { index } = wire;
    const kind = toolCallKind(wire);
    if (typeof index === "number") {
      const known = byIndex.get(index);
      const isNew = known === undefined || (id !== undefined && known.id !== undefined && id !== known.id && hasName);
      if (!isNew) return known;
      const call = openCall(kind);
      byIndex.set(index, call);
      return call;
    }
    if (id !== undefined) return calls.findLast((call) => call.id === id) ?? openCall(kind);
    const last = calls.at(-1);
    return last === undefined || hasName ? openCall(kind) : last;
  }

  function start(call: CallState, events: StreamEvent[]): number {
    if (call.part !== undefined) return call.part;
    const part = takePart();
    call.part = part;
    const mark = call.kind === "function" ? undefined : { type: call.kind };
    events.push({
      type: "part_start",
      choice,
      part,
      value: {
        type: "tool_call",
        name: call.name,
        ...(call.id === undefined ? {} : { id: call.id }),
        // A string makes the fold keep the text as it is: a custom tool's input is no JSON.
        ...(call.kind === "custom" ? { arguments: "" } : {}),
        ...ownExtensions(mark, Object.keys(call.rest).length === 0 ? undefined : call.rest),
      },
    });
    if (call.heldText !== "") events.push({ type: "part_delta", choice, part, text: call.heldText });
    call.heldText = "";
    return part;
  }

  function append(call: CallState, text: string, events: StreamEvent[]): void {
    if (call.part === undefined) call.heldText += text;
    else if (text !== "") events.push({ type: "part_delta", choice, part: call.part, text });
  }

  function extend(call: CallState, rest: JsonObject, events: StreamEvent[]): void {
    if (Object.keys(rest).length === 0) return;
    if (call.part === undefined) Object.assign(call.rest, rest);
    else events.push({ type: "part_extend", choice, part: call.part, extensions: { [dialectId]: rest } });
  }

  function pushCall(wire: JsonObject, events: StreamEvent[]): void {
    const id = filled(wire["id"]);
    const inner = wire[toolCallKind(wire)];
    const name = isJsonObject(inner) ? filled(inner["name"]) : undefined;
    const call = findCall(wire, id, name !== undefined);
    const { id: _id, index: _index, type: _type, function: _function, custom, ...rest } = wire;
    if (call.kind === "function" && custom !== undefined) rest["custom"] = custom;
    if (id !== undefined && call.id === undefined) {
      call.id = id;
      // The start is out already: the id can only follow it.
      if (call.part !== undefined) rest["id"] = id;
    }
    if (call.name === "" && name !== undefined) call.name = name;
    extend(call, rest, events);
    if (call.name !== "") start(call, events);
    if (isJsonObject(inner)) append(call, argumentText(inner), events);
  }

  function flush(events: StreamEvent[]): void {
    for (const call of calls) start(call, events);
  }

  return {
    push(wireCalls, events) {
      for (const wire of wireCalls) {
        if (isJsonObject(wire)) pushCall(wire, events);
        else events.push({ type: "unrecognized", name: "tool_call" });
      }
    },
    pushFunctionCall(wire, events) {
      const name = filled(wire["name"]);
      const text = argumentText(wire);
      const known = calls.findLast((call) => call.kind === "function_call");
      // Snowflake sends an all-empty one (recorded).
      if (known === undefined && name === undefined && text === "") return;
      const call = known ?? openCall("function_call");
      if (call.name === "" && name !== undefined) call.name = name;
      if (call.name !== "") start(call, events);
      append(call, text, events);
    },
    flush,
    close(events) {
      flush(events);
      for (const call of calls) if (call.part !== undefined) events.push({ type: "part_end", choice, part: call.part });
    },
  };
}

/** Arguments are text; some servers send the object itself, whole. */
function argumentText(inner: JsonObject): string {
  const value = inner["arguments"] ?? inner["input"];
  if (typeof value === "string") return value;
  return isJsonObject(value) ? JSON.stringify(value) : "";
}

function filled(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

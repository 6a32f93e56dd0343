// Arbitrary answers as canonical event streams: kinds of parts interleave, pieces of one text come in order, ends may be missing or
// come twice. What they amount to is left to the fold.
import * as fc from "fast-check";
import type { StreamEvent, UnifiedFinishReason, Usage } from "../../src/canonical/index.ts";

interface Piece {
  text: string;
  /** Which of the series goes on next, and whether a keepalive comes before. */
  turn: number;
}

interface PartPlan {
  kind: "text" | "reasoning" | "call";
  pieces: Piece[];
  name: string;
  hasEnd: boolean;
  isExtended: boolean;
}

export interface AnswerPlan {
  parts: PartPlan[];
  finish: UnifiedFinishReason;
  usage: Usage | undefined;
  isUsageEarly: boolean;
  hasHead: boolean;
  hasKeepalives: boolean;
  hasDoubledEnds: boolean;
}

const piece = fc.record({
  text: fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
    fc.constantFrom(" ", "\n\n", "data: ", '"', "\u2028"),
  ),
  turn: fc.nat({ max: 100 }),
});

/** Cuts the JSON of some arguments into pieces. */
const argumentPieces = fc
  .tuple(
    fc.dictionary(
      fc.constantFrom("city", "b", "ключ"),
      fc.oneof(fc.integer(), fc.string({ unit: "grapheme" }), fc.constant(null)),
      { maxKeys: 3 },
    ),
    fc.integer({ min: 1, max: 9 }),
    fc.nat({ max: 100 }),
    fc.boolean(),
  )
  .map(([args, length, turn, isSilent]): Piece[] => {
    const text = JSON.stringify(args);
    if (text === "{}" && isSilent) return [];
    const characters = Array.from(text);
    const count = Math.ceil(characters.length / length);
    return Array.from({ length: count }, (_, index) => ({
      text: characters.slice(index * length, (index + 1) * length).join(""),
      turn: (turn * (index + 3)) % 101,
    }));
  });

const part: fc.Arbitrary<PartPlan> = fc
  .record({
    kind: fc.constantFrom("text" as const, "reasoning" as const, "call" as const),
    pieces: fc.array(piece, { minLength: 1, maxLength: 4 }),
    argumentPieces,
    name: fc.constantFrom("get_weather", "f-1", "g"),
    hasEnd: fc.boolean(),
    isExtended: fc.boolean(),
  })
  .map(({ argumentPieces: args, ...rest }) => ({ ...rest, pieces: rest.kind === "call" ? args : rest.pieces }));

const usage: fc.Arbitrary<Usage> = fc
  .record({ fresh: fc.nat(9999), read: fc.nat(99), written: fc.nat(99), visible: fc.nat(9999), thought: fc.nat(99) })
  .map(({ fresh, read, written, visible, thought }) => ({
    inputTokens: fresh + read + written,
    cacheReadTokens: read,
    cacheWriteTokens: written,
    outputTokens: visible + thought,
    reasoningTokens: thought,
  }));

/** Answers that end; a call of a tool is why one ends, unless it was cut. */
export const answerPlan: fc.Arbitrary<AnswerPlan> = fc
  .record({
    parts: fc.array(part, { maxLength: 5 }),
    finish: fc.constantFrom("stop" as const, "stop" as const, "length" as const, "content_filter" as const),
    usage: fc.option(usage, { nil: undefined, freq: 4 }),
    isUsageEarly: fc.boolean(),
    hasHead: fc.boolean(),
    hasKeepalives: fc.boolean(),
    hasDoubledEnds: fc.boolean(),
  })
  .map((plan) => {
    const hasCalls = plan.parts.some(({ kind }) => kind === "call");
    return hasCalls && plan.finish === "stop" ? { ...plan, finish: "tool_call" as const } : plan;
  });

/** The parts' events: texts after texts and thoughts after thoughts, calls all at once, and each of the three beside the others. */
function partEvents(plans: readonly PartPlan[], choice: number, source: string): (StreamEvent & { turn: number })[] {
  const series = [
    ...(["text", "reasoning"] as const).map((kind) => plans.filter((plan) => plan.kind === kind)),
    ...plans.filter(({ kind }) => kind === "call").map((plan) => [plan]),
  ].map((list) => list.flatMap((plan) => [undefined, ...plan.pieces, null].map((step) => ({ plan, step }))));
  const numbers = new Map<PartPlan, number>();
  const events: (StreamEvent & { turn: number })[] = [];
  let turn = plans.length;
  for (;;) {
    const open = series.filter((list) => list.length > 0);
    const next = open[turn % open.length]?.shift();
    if (next === undefined) return events;
    const { plan, step } = next;
    const part = numbers.get(plan) ?? numbers.size;
    numbers.set(plan, part);
    const at = { choice, part, turn };
    if (step === undefined) events.push({ type: "part_start", ...at, value: startOf(plan, choice, part) });
    else if (step !== null) {
      events.push({ type: "part_delta", ...at, text: step.text });
      turn = step.turn;
    } else {
      if (plan.isExtended)
        events.push({ type: "part_extend", ...at, extensions: { [source]: { x_part: { note: part } } } });
      if (plan.hasEnd) events.push({ type: "part_end", ...at });
      turn++;
    }
  }
}

function startOf({ kind, name }: PartPlan, choice: number, part: number) {
  if (kind === "call") return { type: "tool_call" as const, id: `call_${choice}_${part}`, name };
  return { type: kind, content: "" };
}

/** One answer's events up to what ends them. `source`: whose extensions they have. */
export function bodyEvents(plan: AnswerPlan, source: string, choice = 0): StreamEvent[] {
  const beats = (turn: number): StreamEvent[] => (plan.hasKeepalives && turn % 5 === 0 ? [{ type: "keepalive" }] : []);
  return [
    { type: "choice_start", choice, role: "assistant" },
    ...partEvents(plan.parts, choice, source).flatMap(({ turn, ...event }) => [...beats(turn), event as StreamEvent]),
  ];
}

/** What comes before an answer. */
export function headEvents({ hasHead, usage: used, isUsageEarly }: AnswerPlan): StreamEvent[] {
  return [
    ...(hasHead ? [{ type: "response_start", id: "made-up id", model: "served-model" } as const] : []),
    ...(used !== undefined && isUsageEarly
      ? [{ type: "usage", usage: { inputTokens: used.inputTokens ?? 0 } } as const]
      : []),
  ];
}

/** What ends an answer well. */
export function endEvents({ finish, usage: used, hasDoubledEnds }: AnswerPlan, choice = 0): StreamEvent[] {
  const end = { type: "choice_end", choice, finishReason: { unified: finish, raw: "a word of the source's" } } as const;
  const told = used === undefined ? [] : [{ type: "usage", usage: used } as const];
  const over = { type: "response_end" } as const;
  return hasDoubledEnds ? [end, ...told, end, ...told, over, over] : [end, ...told, over];
}

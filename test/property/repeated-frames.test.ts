// Mutated streams, read with the shortcut for frames that repeat the one before and without: the same events, and as many characters
// where they are only counted. Frames come twice, out of order, with bytes changed and with a word of one in another. Rerun with OUTRIDER_SEED.
import { expect, it } from "vitest";
import { createFold } from "../../src/canonical/index.ts";
import {
  createFrameDecoder,
  type Dialect,
  findDialect,
  type Framing,
  type Operation,
} from "../../src/dialects/index.ts";
import { notRepeated } from "../../src/dialects/framing/repetition.ts";
import { encodeAwsMessage } from "../../src/dialects/framing/aws-eventstream.ts";
import { loadRecordings, responseBytes } from "../support/recordings.ts";
import { readRepeated } from "../support/repeated-frame.ts";
import { createSeededRandom } from "../support/random.ts";

const seed = Number(process.env["OUTRIDER_SEED"] ?? Date.now() % 2 ** 31);
console.log(`OUTRIDER_SEED=${seed}`);
const cases = 4000;
const maxFrames = 60;

interface Subject {
  id: string;
  dialect: Dialect;
  operation: Operation;
  framing: Framing;
  frames: Buffer[];
}

const folders = {
  "openai-chat": ["openai-chat", "/v1/chat/completions", "sse"],
  "openai-completions": ["openai-chat", "/v1/completions", "sse"],
  mistral: ["openai-chat", "/v1/chat/completions", "sse"],
  "openai-responses": ["openai-responses", "/v1/responses", "sse"],
  "anthropic-messages": ["anthropic-messages", "/v1/messages", "sse"],
  "cohere-v2": ["cohere-chat", "/v2/chat", "sse"],
  ollama: ["ollama-chat", "/api/chat", "ndjson"],
  gemini: ["gemini-generate-content", "/v1beta/models/m:streamGenerateContent", "sse"],
  "bedrock-converse": ["bedrock-converse", "/model/m/converse-stream", "aws-eventstream"],
  "bedrock-invoke": ["bedrock-invoke", "/model/m/invoke-with-response-stream", "aws-eventstream"],
} as const;

/** As the recordings call them. */
const wireFramings = { sse: "sse", ndjson: "ndjson", "aws-eventstream": "eventstream" } as const;

const subjects: Subject[] = Object.entries(folders).flatMap(([folder, [id, path, framing]]) => {
  const dialect = findDialect(id);
  const operation = dialect.match("POST", path);
  if (operation === undefined) throw new Error(`no call at ${path}`);
  return loadRecordings(folder)
    .filter((recording) => recording.framing === wireFramings[framing] && recording.response.status === 200)
    .map((recording) => {
      const decoder = createFrameDecoder(framing);
      const frames = [...decoder.push(responseBytes(recording)), ...decoder.end()].map(({ raw }) => raw);
      return { id: recording.id, dialect, operation, framing, frames: frames.slice(0, maxFrames) };
    });
});

/** Speech, whose base64 is no text. */
const spoken: Subject = {
  ...(subjects.find(({ dialect }) => dialect.id === "openai-chat") as Subject),
  id: "spoken",
  frames: [{ id: "a" }, {}, {}, {}, { transcript: "a" }].map((more) => {
    const delta = { content: "a", audio: { data: "AAAA", ...more } };
    const choice = { index: 0, delta: "transcript" in more ? { content: "a" } : delta };
    return Buffer.from(`data: ${JSON.stringify({ id: "c", choices: [choice] })}\n\n`);
  }),
};
subjects.push(spoken);

/** What may stand where a text, a number or a member stands. */
const words: (string | Buffer)[] = [
  '"',
  "\\",
  "\\n",
  '\\"',
  "0",
  "07",
  "1e3",
  "-",
  "}",
  "]",
  " ",
  "\n",
  "é",
  "\u0001",
  '","delta":"',
  '","content":"',
  '","thinking":"',
  '","text":"',
  '"created":2,',
  '"reasoning_details":[{"text":"a"}],',
  '","arguments":"',
  '","partial_json":"',
  '\\","text":"',
  '""',
  '"":1,',
  "\u{1f600}",
  "\\ud83d\\ude00",
  "\\ud83d",
  "\\u00e9",
  "\\u00",
  "\ufeff",
  // No UTF-8: a lone byte, and a sequence without its end.
  Buffer.from([0xff]),
  Buffer.from([0xf0, 0x9f, 0x98]),
];

/** The bytes where an event is written, edited; the checksums of a message are right again. */
function editText(frame: Buffer, framing: Framing, edit: (text: Buffer) => Buffer): Buffer {
  if (framing !== "aws-eventstream") return edit(frame);
  const headersEnd = 12 + frame.readUInt32BE(4);
  return encodeAwsMessage(frame.subarray(12, headersEnd), edit(frame.subarray(headersEnd, -4)));
}

/** Where the first string begins that is a member's value, from somewhere on; 0 where none does. */
function findValue(text: Buffer, from: number): number {
  const colon = text.indexOf('":"', from);
  return colon === -1 ? 0 : colon + 3;
}

function mutate(frames: readonly Buffer[], framing: Framing, random: () => number): Buffer[] {
  const pick = (count: number): number => Math.floor(random() * count);
  const mutated = [...frames];
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(mutated.length);
    const frame = mutated[at] ?? Buffer.alloc(0);
    const kind = pick(5);
    if (kind === 0) mutated.splice(at, 0, frame);
    else if (kind === 1) mutated.splice(pick(mutated.length), 0, frame);
    else {
      const word = Buffer.from(words[pick(words.length)] as string);
      const cut = kind === 2 ? 1 : 0;
      mutated[at] = editText(frame, framing, (text) => {
        const place = kind === 4 ? findValue(text, pick(text.length)) : pick(text.length);
        return Buffer.concat([text.subarray(0, place), word, text.subarray(place + cut)]);
      });
    }
  }
  return mutated;
}

it("are told as without the shortcut", () => {
  const random = createSeededRandom(seed);
  let repeated = 0;
  for (let index = 0; index < cases; index++) {
    const { id, dialect, operation, framing, frames } = subjects[Math.floor(random() * subjects.length)] as Subject;
    const decoder = createFrameDecoder(framing);
    const cut = mutate(frames, framing, random).flatMap((chunk) => decoder.push(chunk));
    const detail = random() < 0.5 ? "whole" : "facts";
    const [short, long] = [dialect.eventDecoder(operation, detail), dialect.eventDecoder(operation, detail)];
    for (const frame of [...cut, ...decoder.end()]) {
      // Frames that come several at once do not take the shortcut.
      const told = random() < 0.1 ? undefined : readRepeated(short, frame.raw);
      if (told !== undefined) repeated += 1;
      expect(told ?? short.push(frame), `${id}, case ${index}`).toEqual(long.push(frame));
    }
    expect(short.end(), `${id}, case ${index}`).toEqual(long.end());
  }
  expect(repeated).toBeGreaterThan(cases);
});

it("are counted as they are read whole", () => {
  const random = createSeededRandom(seed + 1);
  let counted = 0;
  for (let index = 0; index < cases; index++) {
    const { id, dialect, operation, framing, frames } = subjects[Math.floor(random() * subjects.length)] as Subject;
    const decoder = createFrameDecoder(framing);
    const cut = mutate(frames, framing, random).flatMap((chunk) => decoder.push(chunk));
    const [short, long] = [dialect.eventDecoder(operation, "facts"), dialect.eventDecoder(operation, "facts")];
    const [counting, reading] = [createFold({ keepContent: false }), createFold({ keepContent: false })];
    for (const frame of [...cut, ...decoder.end()]) {
      const units = short.pushRepeated?.(frame.raw) ?? notRepeated;
      if (units > 0) {
        counted += 1;
        counting.count(units);
      }
      if (units === notRepeated) for (const event of short.push(frame)) counting.push(event);
      for (const event of long.push(frame)) reading.push(event);
      expect(counting.outputCharacters, `${id}, case ${index}`).toBe(reading.outputCharacters);
    }
    for (const event of short.end()) counting.push(event);
    for (const event of long.end()) reading.push(event);
    const told = { ...counting, response: counting.result() };
    expect(told, `${id}, case ${index}`).toEqual({ ...reading, response: reading.result() });
  }
  expect(counted).toBeGreaterThan(cases);
});

// Mutated streams, read with the shortcut for frames that repeat the one before and without: the same events. Frames come twice, out of
// order, with bytes changed and with a word of one in another. Rerun with OUTRIDER_SEED.
import { expect, it } from "vitest";
import {
  createFrameDecoder,
  type Dialect,
  findDialect,
  type Framing,
  type Operation,
} from "../../src/dialects/index.ts";
import { encodeAwsMessage } from "../../src/dialects/framing/aws-eventstream.ts";
import { loadRecordings, responseBytes } from "../support/recordings.ts";
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

/** What may stand where a text, a number or a member stands. */
const words = [
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
];

/** The bytes where an event is written, edited; the checksums of a message are right again. */
function editText(frame: Buffer, framing: Framing, edit: (text: Buffer) => Buffer): Buffer {
  if (framing !== "aws-eventstream") return edit(frame);
  const headersEnd = 12 + frame.readUInt32BE(4);
  return encodeAwsMessage(frame.subarray(12, headersEnd), edit(frame.subarray(headersEnd, -4)));
}

function mutate(frames: readonly Buffer[], framing: Framing, random: () => number): Buffer[] {
  const pick = (count: number): number => Math.floor(random() * count);
  const mutated = [...frames];
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(mutated.length);
    const frame = mutated[at] ?? Buffer.alloc(0);
    const kind = pick(4);
    if (kind === 0) mutated.splice(at, 0, frame);
    else if (kind === 1) mutated.splice(pick(mutated.length), 0, frame);
    else {
      const word = Buffer.from(words[pick(words.length)] ?? "");
      const cut = kind === 2 ? 1 : 0;
      mutated[at] = editText(frame, framing, (text) => {
        const place = pick(text.length);
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
      const told = random() < 0.1 ? undefined : short.pushRepeated?.(frame.raw);
      if (told !== undefined) repeated += 1;
      expect(told ?? short.push(frame), `${id}, case ${index}`).toEqual(long.push(frame));
    }
    expect(short.end(), `${id}, case ${index}`).toEqual(long.end());
  }
  expect(repeated).toBeGreaterThan(cases);
});

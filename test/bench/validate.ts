// Bench: proves that a subject relays correctly before anything is measured: bytes both ways equal those of a direct call.
// Invariant: a subject that fails here is not measured.
import { createHash } from "node:crypto";
import { type Answer, fetchAnswer } from "./client.ts";
import {
  completionBody,
  digestAnswerHeader,
  digestHeader,
  encodePace,
  encodeRequest,
  framesWithUsage,
  joinStream,
  paceHeader,
  requestBody,
  streamRequestBody,
} from "./traffic.ts";

const largeRequestBody = Buffer.from(
  JSON.stringify({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "A long prompt, with é and 𝄞. ".repeat(20_000) }],
  }),
);

function compareBody(what: string, answer: Answer, expected: Buffer): string[] {
  if (answer.status !== 200) return [`${what}: status ${answer.status}`];
  if (answer.body.equals(expected)) return [];
  return [`${what}: ${answer.body.length} body bytes differ from the upstream's ${expected.length}`];
}

async function checkRequest(what: string, port: number, body: Buffer): Promise<string[]> {
  const answer = await fetchAnswer(port, encodeRequest(port, body, { [digestHeader]: "1" }));
  const problems = compareBody(what, answer, completionBody);
  const digest = createHash("sha256").update(body).digest("hex");
  if (!answer.head.includes(`${digestAnswerHeader}: ${digest}\r\n`)) problems.push(`${what}: request bytes changed`);
  return problems;
}

async function checkStream(port: number): Promise<string[]> {
  const pace = { chunks: 20, perSecond: 100 };
  const answer = await fetchAnswer(port, encodeRequest(port, streamRequestBody, { [paceHeader]: encodePace(pace) }));
  return compareBody("stream", answer, joinStream(framesWithUsage, pace.chunks));
}

/** What is wrong with the relay on `port`, one line each; empty when it is right. */
export async function findRelayProblems(port: number): Promise<string[]> {
  const checks = [
    checkRequest("completion", port, requestBody),
    checkRequest("large request", port, largeRequestBody),
    checkStream(port),
  ];
  const outcomes = await Promise.allSettled(checks);
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : [String(outcome.reason)]));
}

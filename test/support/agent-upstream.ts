// One scripted upstream that plays the same agent at five providers, each in its own words (agent-answers.ts). It takes nothing on
// trust: every request must hold the whole conversation so far as that provider wants it, ids and signatures as it gave them.
import { type AgentProvider, writeAgentAnswer } from "./agent-answers.ts";
import { type AgentHistory, type Entry, readAgentHistory, type Sealed } from "./agent-histories.ts";
import {
  agentInstructions,
  agentQuestion,
  agentRedacted,
  agentSignatures,
  agentTools,
  agentTurns,
} from "./agent-script.ts";
import { type ScriptedUpstream, splitBytes, startScriptedUpstream, type UpstreamRequest } from "./scripted-upstream.ts";

/** How the next conversation is to be played. */
export interface AgentPlay {
  provider: AgentProvider;
  model: string;
  streams: boolean;
  /** Whether the client hands back what a provider sealed. */
  keepsSealed: boolean;
}

/** A running agent. */
export interface AgentUpstream {
  url: string;
  /** Starts anew: `wrong` and `count` are of this conversation. */
  play(next: AgentPlay): void;
  /** What was wrong with the requests, in words. */
  wrong(): readonly string[];
  /** Requests so far. */
  count(): number;
  close(): Promise<void>;
}

/** Starts the agent on a free loopback port. */
export async function startAgentUpstream(): Promise<AgentUpstream> {
  const upstream: ScriptedUpstream = await startScriptedUpstream();
  let wrong: string[] = [];
  let count = 0;
  return {
    url: upstream.url,
    play(next) {
      wrong = [];
      count = 0;
      upstream.setScript((request) => {
        const place = count++;
        wrong.push(...checkRequest(request, place, next).map((what) => `turn ${place + 1}: ${what}`));
        const { contentType, body } = writeAgentAnswer(next.provider, Math.min(place, 2), next.streams);
        const headers = { "content-type": contentType };
        if (!next.streams) return { headers, contentLength: true, chunks: [body] };
        return { headers, chunks: splitBytes(Buffer.from(body), 5 + place, 200) };
      });
    },
    wrong: () => wrong,
    count: () => count,
    close: () => upstream.close(),
  };
}

function checkRequest(request: UpstreamRequest, place: number, play: AgentPlay): string[] {
  const body = JSON.parse(request.body.toString()) as Record<string, unknown>;
  const history = readAgentHistory(play.provider, request.path, body);
  const { wrong } = history;
  const expectSame = (what: string, got: unknown, expected: unknown): void => {
    if (!isSame(got, expected)) wrong.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`);
  };
  expectSame("model", history.model, play.model);
  expectSame("stream", history.streams, play.streams);
  expectSame("instructions", history.instructions, agentInstructions);
  expectSame("tools", requiredOf(history), agentTools);
  const entries = expectedEntries(place, play);
  if (play.provider === "google") checkGoogleIds(history.entries, wrong);
  expectSame("entries", history.entries.length, entries.length);
  for (const [index, entry] of entries.entries()) {
    const got = history.entries[index];
    expectSame(`entry ${index}`, play.provider === "google" ? withoutIds(got) : got, entry);
  }
  return wrong;
}

/** Deep equality by JSON, whatever the order of members. */
function isSame(got: unknown, expected: unknown): boolean {
  return JSON.stringify(sortMembers(got)) === JSON.stringify(sortMembers(expected));
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sortMembers(member)]));
}

function requiredOf({ tools }: AgentHistory): Record<string, unknown> {
  const required = (schema: unknown): unknown =>
    typeof schema === "object" && schema !== null && "required" in schema ? schema.required : undefined;
  return Object.fromEntries(Object.entries(tools).map(([name, schema]) => [name, required(schema)]));
}

/** The conversation before turn `place`, from the script alone. */
function expectedEntries(place: number, play: AgentPlay): Entry[] {
  const isGoogle = play.provider === "google";
  const signsCalls = isGoogle || play.provider === "google-chat";
  const entries: Entry[] = [{ role: "user", text: agentQuestion }];
  for (const [index, { thinking, text = "", calls }] of agentTurns.slice(0, place).entries()) {
    entries.push({
      role: "assistant",
      text,
      sealed: thinking === undefined ? [] : expectedSealed(thinking, index, play),
      calls: calls.map(({ id, name, arguments: given }, order) => ({
        id: isGoogle ? undefined : id,
        name,
        arguments: given,
        ...(signsCalls && order === 0
          ? { signature: play.keepsSealed ? agentSignatures[index] : "skip_thought_signature_validator" }
          : {}),
      })),
    });
    const results = calls.map(({ id, name, result: value }) =>
      isGoogle ? { id: undefined, name, value } : { id, value },
    );
    entries.push({ role: "tool", results });
  }
  return entries;
}

function expectedSealed(text: string, index: number, { provider, keepsSealed }: AgentPlay): Sealed[] {
  const seals = provider === "anthropic" || provider === "bedrock";
  if (!seals || !keepsSealed) return [];
  return [{ text, signature: agentSignatures[index] }, ...(index === 0 ? [{ redacted: agentRedacted }] : [])];
}

/** Gemini matches calls and results by id where they have one, else by name and order: neither may be mixed. */
function checkGoogleIds(entries: readonly Entry[], wrong: string[]): void {
  let called: unknown[] = [];
  for (const entry of entries) {
    if (entry.role === "assistant") called = entry.calls.map(({ id }) => id);
    if (entry.role !== "tool") continue;
    const answered = entry.results.map(({ id }) => id);
    if (!isSame(answered, called)) wrong.push(`ids ${JSON.stringify(answered)} answer ${JSON.stringify(called)}`);
  }
}

function withoutIds(entry: Entry | undefined): Entry | undefined {
  if (entry?.role === "assistant") return { ...entry, calls: entry.calls.map((call) => ({ ...call, id: undefined })) };
  if (entry?.role === "tool") return { ...entry, results: entry.results.map((each) => ({ ...each, id: undefined })) };
  return entry;
}

// The agent that every provider of test/support/agent-upstream.ts plays: what it is asked, what it answers turn by turn, what its
// tools give. Plain facts in no provider's words; the official clients' scripts hold the question and the tools a second time.

/** One tool call of a turn. `id` is the provider's own; Gemini gives none. */
export interface AgentCall {
  id: string;
  name: string;
  arguments: Record<string, unknown>;
  /** What the client's tool gives for it. */
  result: Record<string, unknown>;
}

/** One answer of the agent. */
export interface AgentTurn {
  thinking?: string;
  text?: string;
  calls: readonly AgentCall[];
  inputTokens: number;
  outputTokens: number;
}

export const agentQuestion = "How warm are Paris and Oslo, and together?";

export const agentInstructions = "Use the tools.";

/** Names of the tools with their required arguments. */
export const agentTools: Readonly<Record<string, readonly string[]>> = { get_weather: ["city"], add: ["a", "b"] };

/** The three answers. The thinking is long enough to be streamed in pieces. */
export const agentTurns: readonly [AgentTurn, AgentTurn, AgentTurn] = [
  {
    thinking: "Two cities are asked for: I look both up – at once.",
    text: "Let me look.",
    calls: [
      { id: "call_Paris-1", name: "get_weather", arguments: { city: "Paris" }, result: { celsius: 7 } },
      { id: "call_Oslo-2", name: "get_weather", arguments: { city: "Oslo" }, result: { celsius: 12 } },
    ],
    inputTokens: 100,
    outputTokens: 20,
  },
  {
    thinking: "7 and 12 are to be added.",
    calls: [{ id: "call_add-3", name: "add", arguments: { a: 7, b: 12 }, result: { sum: 19 } }],
    inputTokens: 150,
    outputTokens: 10,
  },
  { text: "Paris 7, Oslo 12, together 19.", calls: [], inputTokens: 200, outputTokens: 15 },
];

/** What a provider seals of its turns, by turn: thinking of Anthropic's models, calls of Gemini's. Base64, as theirs are. */
export const agentSignatures: readonly string[] = [
  "EqQBCkYIBxgCKkA+first/turn+sealed//8=",
  "EqQBCkYIBxgCKkB/second+turn/sealed++4=",
];

/** Data of a redacted block that stands after the thinking of the first turn, where a dialect has such blocks. */
export const agentRedacted = "RW1wd29yZCtyZWRhY3RlZC8vPQ==";

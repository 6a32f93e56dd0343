// What every agent-*.mjs shares: the question, the tools, and the one JSON line with the final state.
// A client asks, runs the tools it is called for, hands the results back, until there is nothing more to run.

/** Where Outrider is; the clients add their own paths. */
export const url = process.env.AGENT_URL;
export const model = process.env.AGENT_MODEL;
export const streams = process.env.AGENT_STREAM === "1";

export const instructions = "Use the tools.";
export const question = "How warm are Paris and Oslo, and together?";

const celsius = { Paris: 7, Oslo: 12 };

/** The tools: what the model is told of them, and what they do. */
export const tools = [
  {
    name: "get_weather",
    description: "The temperature in a city, in degrees Celsius",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    run: ({ city }) => ({ celsius: celsius[city] }),
  },
  {
    name: "add",
    description: "Adds two numbers",
    parameters: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
    },
    run: ({ a, b }) => ({ sum: a + b }),
  },
];

const state = { text: "", calls: [], turns: 0, inputTokens: 0, outputTokens: 0 };

/** Runs a tool; its result is an object. */
export function runTool(name, given) {
  state.calls.push([name, given]);
  return tools.find((tool) => tool.name === name).run(given);
}

/** Counts a turn with its tokens. */
export function countTurn(inputTokens, outputTokens) {
  state.turns += 1;
  state.inputTokens += inputTokens;
  state.outputTokens += outputTokens;
  if (state.turns > 5) throw new Error("the agent does not come to an end");
}

/** Prints the final state. */
export function finish(text) {
  console.log(JSON.stringify({ ...state, text }));
}

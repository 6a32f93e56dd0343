// The five calls that every client makes, in this order; one JSON line each with what the application saw.
// The upstream knows them by the word in brackets. The model and the tool's name are the recordings', from the environment.

/** The model to ask for. */
export const model = process.env.SDK_MODEL;

/** The tool on offer: name, description and the JSON schema of its arguments. */
export const tool = {
  name: process.env.SDK_TOOL,
  description: "Looks something up",
  parameters: { type: "object", properties: { query: { type: "string" } } },
};

/** What the tool says when it was called. */
export const toolResult = "It is sunny.";

/**
 * `ask(prompt)` gives the answer's text, `stream(prompt, signal)` yields its pieces, `callTool(prompt)` lets the model call the tool,
 * answers it and gives `{ called, text }`.
 */
export async function runScenarios({ ask, stream, callTool }) {
  print("plain", { text: await ask("[plain] Say something.") });
  let text = "";
  for await (const piece of stream("[stream] Say something.", new AbortController().signal)) text += piece;
  print("stream", { text });
  print("tools", await callTool("[tools] Look something up."));
  print("error", await ask("[error] Fail.").then(() => ({}), describeError));
  print("abort", { abortedAtMs: await abort(stream) });
}

/** Leaves a stream at its first piece; gives the time. */
async function abort(stream) {
  const controller = new AbortController();
  let atMs;
  try {
    for await (const piece of stream("[abort] Say something long.", controller.signal)) {
      if (!piece) continue;
      atMs = performance.timeOrigin + performance.now();
      controller.abort();
      break;
    }
  } catch {
    // Some clients throw when their signal fires, some end the stream.
  }
  return atMs;
}

function describeError(error) {
  const status = error.status ?? error.statusCode ?? error.status_code ?? error.$metadata?.httpStatusCode;
  return { error: error.constructor.name, status };
}

function print(call, seen) {
  console.log(JSON.stringify({ call, ...seen }));
}

// Reads translated answers through an official client: what every consume-*.mjs does with the list that it is told.
// OUTRIDER_URL is where the answers are, standard input the list: `[{ "model", "stream" }]`. An answer is asked for by its model.
// One JSON line for each: `{ model, text, calls, finish, inputTokens, outputTokens }` as the client ended up with it, or `{ model, error }`.

/** Where the answers are. */
export const url = process.env.OUTRIDER_URL;

/** Settings of every client: what they ask for does not matter, the answer is made already. */
export const prompt = "Go on.";

/** `ask(model)` and `stream(model)` give the client's final message; a client that throws is told of, and the next answer asked for. */
export async function consumeAnswers({ ask, stream }) {
  let list = "";
  for await (const chunk of process.stdin) list += chunk;
  for (const { model, stream: streamed } of JSON.parse(list)) {
    const read = streamed ? stream : ask;
    const seen = await read(model).catch((error) => ({ error: `${error.constructor.name}: ${error.message}` }));
    console.log(JSON.stringify({ model, ...seen }));
  }
}

/** Adds up a list of streamed pieces that each may have a text. */
export const join = (texts) => texts.map((text) => text ?? "").join("");

/** A call's arguments, where the client leaves parsing them to the application; what is no JSON, as an application has to take it. */
export function parse(text) {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return text;
  }
}

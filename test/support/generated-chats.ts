// Writes one generated conversation as OpenAI's, Cohere's and Ollama's clients do: messages with calls as members of their own.
// Knows nothing of Outrider's encoders. What a dialect cannot say is left out, not bent.
import { type Call, extend, type Item, type Json, type Talk } from "./generated-talk.ts";
import { answerSchema, dataUrl, filled, parse, plainCalls, schemaOf } from "./generated-words.ts";

const functionTool = (talk: Talk) =>
  talk.tools.map(({ name, description, city }) =>
    extend(talk, "tool", {
      type: "function",
      function: filled({ name, description, parameters: schemaOf(city) }),
    }),
  );

function chatContent(talk: Talk, items: Item[]): unknown {
  const [first] = items;
  if (talk.isShort && items.length === 1 && first?.type === "text") return first.text;
  return items.map((item) =>
    extend(
      talk,
      "part",
      item.type === "text"
        ? { type: "text", text: item.text }
        : { type: "image_url", image_url: { url: item.type === "url" ? item.url : dataUrl(item), detail: "auto" } },
    ),
  );
}

const chatCalls = (talk: Talk, calls: Call[]) =>
  calls.map(({ id, name, text }) =>
    extend(talk, "call", { id, type: "function", function: { name, arguments: text } }),
  );

const chatResults = (talk: Talk, calls: Call[]) =>
  calls.map(({ id, result }) => extend(talk, "result", { role: "tool", tool_call_id: id, content: result }));

/** A chat completion. */
export function writeChat(talk: Talk): Json {
  const { temperature, topP, seed, frequencyPenalty, presencePenalty, maxTokens, stop } = talk.settings;
  const messages = talk.turns.flatMap((turn) => {
    if (turn.role === "user")
      return [extend(talk, "message", { role: "user", content: chatContent(talk, turn.items) })];
    const message = { role: "assistant", content: turn.text ?? null, reasoning_content: turn.reasoning };
    const calls = turn.calls.length === 0 ? {} : { tool_calls: chatCalls(talk, turn.calls) };
    return [extend(talk, "message", filled({ ...message, ...calls })), ...chatResults(talk, turn.calls)];
  });
  const [first] = talk.tools;
  const choice = talk.toolChoice === "tool" ? { type: "function", function: { name: first?.name } } : talk.toolChoice;
  const jsonSchema = { name: "verdict", strict: true, schema: answerSchema };
  const formats = {
    text: { type: "text" },
    json: { type: "json_object" },
    schema: { type: "json_schema", json_schema: jsonSchema },
  };
  return extend(
    talk,
    "body",
    filled({
      model: "m",
      stream: talk.stream,
      messages: [
        ...talk.system.map((text, index) => ({ role: index === 0 ? "system" : "developer", content: text })),
        ...messages,
      ],
      tools: talk.tools.length === 0 ? undefined : functionTool(talk),
      tool_choice: choice,
      temperature,
      top_p: topP,
      seed,
      frequency_penalty: frequencyPenalty,
      presence_penalty: presencePenalty,
      max_completion_tokens: maxTokens,
      stop,
      response_format: talk.format === undefined ? undefined : formats[talk.format],
      reasoning_effort: talk.reasoning === "off" ? "none" : talk.reasoning === "budget" ? "medium" : talk.reasoning,
    }),
  );
}

/** A response of the Responses API. */
export function writeResponses(talk: Talk): Json {
  const { temperature, topP, maxTokens } = talk.settings;
  const input = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user") {
      const content = turn.items.map((item) =>
        extend(
          talk,
          "part",
          item.type === "text"
            ? { type: "input_text", text: item.text }
            : { type: "input_image", image_url: item.type === "url" ? item.url : dataUrl(item), detail: "auto" },
        ),
      );
      return [extend(talk, "message", { type: "message", role: "user", content })];
    }
    const { reasoning, text, calls } = turn;
    const thought = { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: reasoning }] };
    const content = [{ type: "output_text", text, annotations: [] }];
    return [
      ...(reasoning === undefined ? [] : [thought]),
      ...(text === undefined ? [] : [extend(talk, "message", { type: "message", role: "assistant", content })]),
      ...calls.map(({ id, name, text: args }) =>
        extend(talk, "call", { type: "function_call", call_id: id, name, arguments: args }),
      ),
      ...calls.map(({ id, result }) =>
        extend(talk, "result", { type: "function_call_output", call_id: id, output: result }),
      ),
    ];
  });
  const formats = {
    text: { type: "text" },
    json: { type: "json_object" },
    schema: { type: "json_schema", name: "verdict", strict: true, schema: answerSchema },
  };
  const { reasoning } = talk;
  const effort = reasoning === "off" ? "none" : reasoning === "budget" ? "medium" : reasoning;
  const [instructions, ...developer] = talk.system;
  const [first] = talk.tools;
  return extend(
    talk,
    "body",
    filled({
      model: "m",
      stream: talk.stream,
      instructions,
      input: [...developer.map((content) => ({ role: "developer", content })), ...input],
      tools:
        talk.tools.length === 0
          ? undefined
          : talk.tools.map(({ name, description, city }) =>
              extend(
                talk,
                "tool",
                filled({ type: "function", name, description, parameters: schemaOf(city), strict: false }),
              ),
            ),
      tool_choice: talk.toolChoice === "tool" ? { type: "function", name: first?.name } : talk.toolChoice,
      temperature,
      top_p: topP,
      max_output_tokens: maxTokens,
      text: talk.format === undefined ? undefined : extend(talk, "settings", { format: formats[talk.format] }),
      reasoning: effort === undefined ? undefined : { effort },
    }),
  );
}

/** Cohere's chat v2. */
export function writeCohere(talk: Talk): Json {
  const { temperature, topP, topK, seed, frequencyPenalty, presencePenalty, maxTokens, stop } = talk.settings;
  const messages = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user")
      return [extend(talk, "message", { role: "user", content: chatContent(talk, turn.items) })];
    const content = [
      ...(turn.reasoning === undefined ? [] : [{ type: "thinking", thinking: turn.reasoning }]),
      ...(turn.text === undefined ? [] : [{ type: "text", text: turn.text }]),
    ];
    const calls = turn.calls.length === 0 ? undefined : chatCalls(talk, turn.calls);
    const message = filled({
      role: "assistant",
      content: content.length === 0 ? undefined : content,
      tool_calls: calls,
    });
    return [extend(talk, "message", message), ...chatResults(talk, turn.calls)];
  });
  const formats = {
    text: { type: "text" },
    json: { type: "json_object" },
    schema: { type: "json_object", json_schema: answerSchema },
  };
  const thinking = {
    low: undefined,
    high: { type: "enabled" },
    budget: { type: "enabled", token_budget: 2345 },
    off: { type: "disabled" },
  };
  const choices = { auto: undefined, none: "NONE", required: "REQUIRED", tool: "REQUIRED" };
  return extend(
    talk,
    "body",
    filled({
      model: "m",
      stream: talk.stream,
      messages: [...talk.system.map((content) => ({ role: "system", content })), ...messages],
      tools: talk.tools.length === 0 ? undefined : functionTool(talk),
      tool_choice: talk.toolChoice === undefined ? undefined : choices[talk.toolChoice],
      temperature,
      p: topP,
      k: topK,
      seed,
      frequency_penalty: frequencyPenalty === undefined ? undefined : frequencyPenalty / 2,
      presence_penalty: presencePenalty === undefined ? undefined : presencePenalty / 2,
      max_tokens: maxTokens,
      stop_sequences: stop,
      response_format: talk.format === undefined ? undefined : formats[talk.format],
      thinking: talk.reasoning === undefined ? undefined : thinking[talk.reasoning],
    }),
  );
}

/** Ollama's chat. */
export function writeOllama(talk: Talk): Json {
  const { temperature, topP, topK, seed, frequencyPenalty, presencePenalty, maxTokens, stop } = talk.settings;
  const messages = talk.turns.flatMap((turn): Json[] => {
    if (turn.role === "user") {
      const content = turn.items.flatMap((item) => (item.type === "text" ? [item.text] : [])).join("\n");
      const images = turn.items.flatMap((item) => (item.type === "data" ? [item.base64] : []));
      return [
        extend(talk, "message", filled({ role: "user", content, images: images.length === 0 ? undefined : images })),
      ];
    }
    const calls = plainCalls(turn);
    const wireCalls = calls.map(({ name, text }) =>
      extend(talk, "call", { function: { name, arguments: parse(text) } }),
    );
    const message = { role: "assistant", content: turn.text ?? "", thinking: turn.reasoning };
    return [
      extend(talk, "message", filled({ ...message, tool_calls: wireCalls.length === 0 ? undefined : wireCalls })),
      ...calls.map(({ name, result }) => extend(talk, "result", { role: "tool", tool_name: name, content: result })),
    ];
  });
  const options = filled({
    temperature,
    top_p: topP,
    top_k: topK,
    seed,
    frequency_penalty: frequencyPenalty,
    presence_penalty: presencePenalty,
    num_predict: maxTokens,
    stop,
  });
  const thinks = { low: "low", high: "high", budget: true, off: false };
  return extend(
    talk,
    "body",
    filled({
      model: "m",
      stream: talk.stream,
      messages: [...talk.system.map((content) => ({ role: "system", content })), ...messages],
      tools: talk.tools.length === 0 ? undefined : functionTool(talk),
      options: extend(talk, "settings", options),
      format: talk.format === "schema" ? answerSchema : talk.format === "json" ? "json" : undefined,
      think: talk.reasoning === undefined ? undefined : thinks[talk.reasoning],
    }),
  );
}

// Reads Bedrock's answers and streams by hand, independently of the code under test.
type Json = Record<string, unknown>;

const metricsKey = "amazon-bedrock-invocationMetrics";

/** The payloads in order, by event name; InvokeModel's are unwrapped. */
export function readEvents(bytes: Buffer): { name: string; body: Json }[] {
  const events: { name: string; body: Json }[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const headersEnd = at + 12 + bytes.readUInt32BE(at + 4);
    const head = bytes.toString("latin1", at + 12, headersEnd);
    const name = /:event-type...([A-Za-z]+)/s.exec(head)?.[1] ?? "";
    const body = JSON.parse(bytes.toString("utf8", headersEnd, at + bytes.readUInt32BE(at) - 4)) as Json;
    const inner = body["bytes"];
    if (typeof inner !== "string") events.push({ name, body });
    else events.push({ name, body: JSON.parse(Buffer.from(inner, "base64").toString()) as Json });
  }
  return events;
}

/** The whole answer that a Converse or Nova stream tells; undefined for any other stream. */
export function accumulate(events: { name: string; body: Json }[]): Json | undefined {
  const flat = events.flatMap(({ name, body }) =>
    name === "chunk"
      ? Object.entries(body).map(([key, value]) => ({ name: key, body: value as Json }))
      : [{ name, body }],
  );
  if (!flat.some(({ name }) => name === "messageStart")) return undefined;
  const answer: Json = {};
  const blocks = new Map<number, { kind: string; start: Json; text: string; citations: unknown[]; facts: Json }>();
  let role: unknown;
  for (const { name, body } of flat) {
    if (name === metricsKey) continue;
    const { p: _padding, contentBlockIndex, start, delta, ...facts } = body;
    if (name === "messageStart") role = facts["role"];
    if (name === "messageStop" || name === "metadata") Object.assign(answer, facts);
    if (start === undefined && delta === undefined) continue;
    const index = contentBlockIndex as number;
    const block = blocks.get(index) ?? { kind: "", start: {}, text: "", citations: [], facts: {} };
    blocks.set(index, block);
    const [[key, value] = ["", undefined]] = Object.entries((start ?? delta) as Json);
    if (key !== "citation" || block.kind === "") block.kind = key === "citation" ? "text" : key;
    if (key === "citation") block.citations.push(value);
    else if (start !== undefined) block.start = value as Json;
    else if (key === "text") block.text += value as string;
    else if (key === "toolUse") block.text += (value as { input: string }).input;
    else if (key === "toolResult")
      block.facts["content"] = [...((block.facts["content"] as []) ?? []), ...(value as [])];
    else {
      const { text, ...opaque } = value as { text?: string };
      block.text += text ?? "";
      Object.assign(block.facts, opaque);
    }
  }
  const content = [...blocks.entries()]
    .toSorted(([a], [b]) => a - b)
    .map(([, block]) => {
      const { kind, start, text, citations, facts } = block;
      if (kind === "toolUse") return { toolUse: { ...start, input: text === "" ? {} : (JSON.parse(text) as unknown) } };
      if (kind === "toolResult") return { toolResult: { ...start, ...facts } };
      if (kind === "reasoningContent") {
        const isRedacted = "redactedContent" in facts;
        return { reasoningContent: isRedacted ? facts : { reasoningText: { text, ...facts } } };
      }
      return citations.length > 0 ? { citationsContent: { citations, content: [{ text }] } } : { text };
    });
  return { ...answer, output: { message: { role, content } } };
}

/** One body with the text and the last reason of a prompt family's chunks, or of Claude's and the chat wire's. */
export function joinChunks(events: { body: Json }[]): Json {
  const outputs = new Map<number, { text: string; reason: string | undefined }>();
  for (const { body } of events) {
    const chunk = (body["outputs"] ?? body["generations"] ?? body["choices"] ?? [body]) as Json[];
    for (const item of chunk) {
      const delta = (item["delta"] ?? {}) as Json;
      const text = ["outputText", "generation", "completion", "text"]
        .map((key) => item[key])
        .find((value) => value !== undefined);
      const reason = [item["completionReason"], item["stop_reason"], item["finish_reason"], delta["stop_reason"]].find(
        (value) => typeof value === "string",
      );
      const isIntervened = item["amazon-bedrock-guardrailAction"] === "INTERVENED";
      const isForAll = item["is_finished"] === true && item["index"] === undefined;
      // Claude's blocks have indexes of their own; its message is one.
      const isBlock = typeof body["type"] === "string";
      const targets = isForAll ? [...outputs.keys()] : [isBlock ? 0 : ((item["index"] ?? 0) as number)];
      for (const index of targets) {
        const output = outputs.get(index) ?? { text: "", reason: undefined };
        output.text += (text ?? delta["text"] ?? delta["content"] ?? "") as string;
        output.reason ??= (reason as string | undefined) ?? (isIntervened ? "INTERVENED" : undefined);
        outputs.set(index, output);
      }
    }
  }
  return { outputs: [...outputs.values()].map(({ text, reason }) => ({ text, stop_reason: reason })) };
}

/** Text, reasons and tool calls of a whole answer, read by hand. */
export function readAnswer(body: Json): { text: string; reasons: unknown[]; tools: unknown[] } {
  const blocks = (body["content"] ??
    (body["output"] as { message?: { content: Json[] } } | undefined)?.message?.content ??
    []) as Json[];
  const items = (body["results"] ?? body["outputs"] ?? body["generations"] ?? body["completions"] ?? [body]) as Json[];
  const itemText = (item: Json): unknown =>
    item["outputText"] ??
    item["generation"] ??
    item["completion"] ??
    (item["data"] as Json | undefined)?.["text"] ??
    item["text"];
  const blockText = (block: Json): string => {
    const cited = block["citationsContent"] as { content: { text: string }[] } | undefined;
    return (block["text"] ?? cited?.content[0]?.text ?? "") as string;
  };
  const calls = blocks.flatMap((block) => {
    const call = (block["toolUse"] ?? (block["type"] === "tool_use" ? block : undefined)) as Json | undefined;
    return call === undefined || call["type"] === "server_tool_use"
      ? []
      : [{ name: call["name"], arguments: call["input"] }];
  });
  const reasons = items.map(
    (item) =>
      item["completionReason"] ??
      item["stop_reason"] ??
      item["finish_reason"] ??
      item["stopReason"] ??
      (item["finishReason"] as Json | undefined)?.["reason"],
  );
  const text = blocks.length > 0 ? blocks.map(blockText).join("") : items.map(itemText).join("");
  return { text, reasons, tools: calls };
}

/** How often each text and number occurs; a schema in a text counts as the values in it, and formats are MIME types. */
export function countLeaves(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  for (const leaf of leavesOf(value)) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  return counts;
}

function leavesOf(value: unknown, key = ""): string[] {
  if (value === null || value === undefined || typeof value === "boolean") return [];
  if (key === "type" || key === "format" || key === "role") return [];
  if (key === "schema" && typeof value === "string") return leavesOf(JSON.parse(value));
  if (typeof value !== "object") return [`${typeof value} ${String(value)}`];
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => leavesOf(item, name));
}

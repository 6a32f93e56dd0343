// A client of the OpenAI or the Anthropic dialect that tells in one line what it got: text, error, how a stream ended.

/** Whose SDK the client could be. */
export type ClientDialect = "openai" | "anthropic";

/** What the client has in the end. `status` undefined: it went away, or was cut, before a head. */
export interface ClientAnswer {
  status: number | undefined;
  text: string;
  header(name: string): string | null;
}

interface Question {
  model: string;
  traceparent: string;
  client?: ClientDialect;
  stream?: boolean;
  path?: string;
  headers?: Record<string, string>;
  more?: Record<string, unknown>;
  leaveAfterMs?: number;
}

const paths: Record<ClientDialect, string> = { openai: "/v1/chat/completions", anthropic: "/v1/messages" };

/** Sends one question and reads the answer to its end, however it ends. */
export async function sendChat(
  url: string,
  {
    model,
    traceparent,
    client = "openai",
    stream = false,
    path = paths[client],
    headers,
    more,
    leaveAfterMs,
  }: Question,
): Promise<ClientAnswer> {
  const leave = new AbortController();
  const timer = leaveAfterMs === undefined ? undefined : setTimeout(() => leave.abort(), leaveAfterMs);
  const needed = client === "anthropic" ? { max_tokens: 16 } : {};
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", traceparent, ...headers },
      body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "hi" }], ...needed, ...more }),
      signal: leave.signal,
    });
    const { body, isCut } = await readBody(response);
    const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
    const text = isStream ? readStream(client, body) : readWhole(client, body);
    return {
      status: response.status,
      text: isCut ? `${text}, cut` : text,
      header: (name) => response.headers.get(name),
    };
  } catch (error) {
    return { status: undefined, text: leave.signal.aborted ? "nothing, it left" : String(error), header: () => null };
  } finally {
    clearTimeout(timer);
  }
}

async function readBody(response: Response): Promise<{ body: string; isCut: boolean }> {
  const decoder = new TextDecoder();
  let body = "";
  try {
    for await (const bytes of response.body ?? []) body += decoder.decode(bytes, { stream: true });
    return { body, isCut: false };
  } catch {
    return { body, isCut: true };
  }
}

interface AnyEvent {
  type?: string;
  error?: { message?: string; type?: string; code?: string };
  choices?: { delta?: { content?: string }; message?: { content?: string }; finish_reason?: string | null }[];
  content?: { text?: string }[];
  stop_reason?: string;
  delta?: { text?: string; stop_reason?: string };
}

function readWhole(client: ClientDialect, body: string): string {
  let answer: AnyEvent;
  try {
    answer = JSON.parse(body) as AnyEvent;
  } catch {
    return `no JSON: ${body}`;
  }
  if (answer.error !== undefined) return tellError(client, answer);
  if (client === "anthropic") return `"${answer.content?.map(({ text }) => text).join("")}" ${answer.stop_reason}`;
  const [choice] = answer.choices ?? [];
  return `"${choice?.message?.content}" ${choice?.finish_reason}`;
}

function readStream(client: ClientDialect, body: string): string {
  let text = "";
  let end = "no end";
  for (const [, data = ""] of body.matchAll(/^data: (.*)$/gm)) {
    if (data === "[DONE]") {
      end += " [DONE]";
      continue;
    }
    const event = JSON.parse(data) as AnyEvent;
    if (event.error !== undefined) return `stream "${text}" then ${tellError(client, event)}`;
    const [choice] = event.choices ?? [];
    text += (client === "openai" ? choice?.delta?.content : event.delta?.text) ?? "";
    end = (client === "openai" ? choice?.finish_reason : event.delta?.stop_reason) ?? end;
    if (event.type === "message_stop") end += " message_stop";
  }
  return `stream "${text}" ${end}`;
}

/** The words of each dialect's own error; anything else is shown as it is. */
function tellError(client: ClientDialect, event: AnyEvent): string {
  const { message, type, code } = event.error ?? {};
  if (client === "anthropic") return event.type === "error" ? `error ${type} "${message}"` : JSON.stringify(event);
  return `error ${type}/${code} "${message}"`;
}

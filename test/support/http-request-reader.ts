// Reads HTTP/1.1 requests from a socket's bytes, for fakes that must see exactly what was sent.
// Knows Content-Length and chunked bodies and nothing else; anything it cannot read is an error, never a guess.

/** The head of a request as it came: names in their own case, values untouched, in order. */
export interface RequestHead {
  method: string;
  /** The request target, query string included. */
  path: string;
  /** Name, value, name, value … */
  rawHeaders: string[];
}

/** What the reader tells, in this order for each request. */
export interface RequestReaderEvents {
  head: (head: RequestHead) => void;
  body: (bytes: Buffer) => void;
  /** The request is complete; nothing more is read until `resume()`. */
  end: () => void;
}

/** Reads one connection; owns no socket. */
export interface RequestReader {
  push: (bytes: Buffer) => void;
  /** Reads the next request of the connection, should its bytes be there already. */
  resume: () => void;
}

type State =
  | { at: "head" }
  | { at: "length"; left: number }
  | { at: "chunk-size" }
  | { at: "chunk"; left: number }
  | { at: "trailers" }
  | { at: "paused" };

/** The first value of a header in a raw list, by case-insensitive name. */
export function headerValue(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) return rawHeaders[i + 1];
  return undefined;
}

function parseHead(text: string): RequestHead {
  const [requestLine = "", ...lines] = text.split("\r\n");
  const [method = "", path = "", version] = requestLine.split(" ");
  if (version === undefined || !version.startsWith("HTTP/1."))
    throw new Error(`not an HTTP/1 request line: ${requestLine}`);
  const rawHeaders: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`not a header line: ${line}`);
    rawHeaders.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { method, path, rawHeaders };
}

/** A reader for one connection. Throws from `push` on bytes that are no HTTP/1.1 request. */
export function createRequestReader(events: RequestReaderEvents): RequestReader {
  let buffer: Buffer = Buffer.alloc(0);
  let state: State = { at: "head" };

  const line = (): string | undefined => {
    const at = buffer.indexOf("\r\n");
    if (at < 0) return undefined;
    const text = buffer.toString("latin1", 0, at);
    buffer = buffer.subarray(at + 2);
    return text;
  };
  const take = (left: number): number => {
    const bytes = buffer.subarray(0, left);
    buffer = buffer.subarray(bytes.length);
    if (bytes.length > 0) events.body(bytes);
    return left - bytes.length;
  };
  const finish = (): void => {
    state = { at: "paused" };
    events.end();
  };

  /** One step of progress, or false when more bytes are needed. */
  const step = (): boolean => {
    switch (state.at) {
      case "paused":
        return false;
      case "head": {
        const end = buffer.indexOf("\r\n\r\n");
        if (end < 0) return false;
        const head = parseHead(buffer.toString("latin1", 0, end));
        buffer = buffer.subarray(end + 4);
        const chunked = headerValue(head.rawHeaders, "transfer-encoding")?.toLowerCase().includes("chunked") === true;
        state = chunked
          ? { at: "chunk-size" }
          : { at: "length", left: Number(headerValue(head.rawHeaders, "content-length") ?? 0) };
        events.head(head);
        return true;
      }
      case "length": {
        const left = take(state.left);
        if (left > 0) {
          state = { at: "length", left };
          return false;
        }
        finish();
        return true;
      }
      case "chunk-size": {
        const text = line();
        if (text === undefined) return false;
        const size = Number.parseInt(text, 16);
        if (Number.isNaN(size)) throw new Error(`not a chunk size: ${text}`);
        state = size === 0 ? { at: "trailers" } : { at: "chunk", left: size };
        return true;
      }
      case "chunk": {
        const left = take(state.left);
        if (left > 0 || buffer.length < 2) {
          state = { at: "chunk", left };
          return false;
        }
        buffer = buffer.subarray(2);
        state = { at: "chunk-size" };
        return true;
      }
      case "trailers":
        break;
    }
    const text = line();
    if (text === "") finish();
    return text !== undefined;
  };
  const run = (): void => {
    while (step());
  };

  return {
    push(bytes) {
      buffer = buffer.length === 0 ? bytes : Buffer.concat([buffer, bytes]);
      run();
    },
    resume() {
      if (state.at === "paused") state = { at: "head" };
      run();
    },
  };
}

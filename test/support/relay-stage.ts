// A real relay with a real observer and the real filter for the usage frame between a provider and a client that only collect, in memory.
// The answer is an event stream of an openai-chat call from which Outrider's own usage frame is to be taken.
import { createUsageFrameFilter, type Frame, findDialect, type UsageFrameFilter } from "../../src/dialects/index.ts";
import { SidecarError } from "../../src/errors.ts";
import type { Observer } from "../../src/proxy/observer.ts";
import { OwnTime } from "../../src/proxy/own-time.ts";
import { Relay, type RelayEnd, type RelaySettings } from "../../src/proxy/relay.ts";
import type { UpstreamControl } from "../../src/proxy/upstream.ts";
import type { Responder } from "../../src/proxy/wire.ts";
import type { WireAttempt } from "../../src/record/index.ts";
import { observeAnswer, type Reading } from "./answer-observer.ts";

const dialect = findDialect("openai-chat");
const operation = dialect.match("POST", "/v1/chat/completions");
if (operation === undefined) throw new Error("no operation");
const call = { dialect, operation };
const requestId = "request";

/** The frame that tells the client of an error after the answer began. */
export function formatStreamError(error: SidecarError): Buffer {
  const frame = dialect.encodeStreamError(error, requestId);
  return typeof frame === "string" ? Buffer.from(frame) : frame;
}

/** Collects what reaches the client; what is written after the end counts as late. */
class Client implements Responder {
  headSent = false;
  state: "open" | "ended" | "cut" | "gone" = "open";
  late = 0;
  readonly written: Buffer[] = [];
  leave: () => void = () => undefined;

  head(): void {
    this.headSent = true;
  }

  write(chunk: Buffer | string): boolean {
    if (this.state === "open") this.written.push(Buffer.from(chunk));
    else this.late += 1;
    return true;
  }

  end(): void {
    if (this.state === "open") this.state = "ended";
  }

  destroy(): void {
    if (this.state === "open") this.state = "cut";
  }

  reset(): void {
    this.destroy();
  }

  onDrain(): void {
    // It is never slow.
  }

  onClientGone(listener: () => void): void {
    this.leave = () => {
      this.state = "gone";
      listener();
    };
  }
}

/** The observer as the relay has it. */
export function openObserver(reading: Reading): Observer {
  return observeAnswer({ ...call, framing: "sse" }, reading);
}

class Settings implements RelaySettings {
  readonly respond = new Client();
  readonly attempt: WireAttempt = {
    reason: "first",
    resendCount: 0,
    method: "POST",
    url: "http://127.0.0.1/v1/chat/completions",
    serverAddress: "127.0.0.1",
    serverPort: 80,
    startedAtMs: 0,
    requestBytes: 0,
    responseBytes: 0,
  };
  readonly own = new OwnTime({ nowMs: () => 0, epochMs: () => 0 });
  readonly call = call;
  readonly streamRequested = true;
  readonly isFiltered = true;
  readonly heldCredential = false;
  readonly requestId = requestId;
  readonly trailersWanted = false;
  readonly slowClientTimeoutMs = 60_000;
  readonly clientDialect = call.dialect;
  /** Chunks that the filter let pass as they are. */
  uncut = 0;
  readonly filter: UsageFrameFilter = createUsageFrameFilter();
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  sinceStartMs(): number {
    return 0;
  }

  createObserver(): Observer {
    return openObserver(this.#reading);
  }

  isForeignFrame(frame: Frame): boolean {
    return this.filter.shouldDrop(frame);
  }

  mayHoldForeignFrame(bytes: Buffer): boolean {
    const mayHold = this.filter.mayHold(bytes);
    if (!mayHold) this.uncut += 1;
    return mayHold;
  }

  answerHeaders(): string[] {
    return [];
  }

  costTrailer(): string | undefined {
    return undefined;
  }

  onWhole(): void {
    // Nothing is held back here.
  }

  onFirstChunk(): void {
    // Nobody asks when.
  }

  noteHead(): void {
    // Nobody reads it.
  }

  noteLosses(): void {
    // There are none.
  }
}

/** A provider that keeps its word: one end, told once, and nothing after it. */
class Provider implements UpstreamControl {
  readonly #relay: Relay;
  #ended = false;

  constructor(relay: Relay) {
    this.#relay = relay;
    relay.attach(this);
    relay.onHead(200, ["content-type", "text/event-stream"]);
  }

  send(chunk: Buffer): void {
    if (!this.#ended) this.#relay.onChunk(chunk);
  }

  end(): void {
    if (!this.#ended) this.#relay.onEnd();
    this.#ended = true;
  }

  abort(error: SidecarError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#relay.onError({ error, staleConnection: false });
  }

  pause(): void {
    // The client is never slow.
  }

  resume(): void {
    // The client is never slow.
  }
}

/** The answer ends, fails, or its connection is closed, or the client goes away. */
export type Ending = "end" | "error" | "cut" | "gone";
const failures: Record<Exclude<Ending, "end" | "gone">, SidecarError> = {
  error: new SidecarError("stream_idle", "the provider said nothing for too long"),
  cut: new SidecarError("stream_truncated", "the provider closed its connection"),
};

/** What came of it. */
export interface Outcome {
  end: RelayEnd;
  client: Client;
  settings: Settings;
}

/** Relays the chunks, brings the ending, and sends the rest that comes too late. */
export async function relayStream(
  reading: Reading,
  chunks: readonly Buffer[],
  ending: Ending,
  rest: readonly Buffer[],
): Promise<Outcome> {
  const settings = new Settings(reading);
  const client = settings.respond;
  const moved = new Relay(settings);
  const provider = new Provider(moved);
  for (const chunk of chunks) provider.send(chunk);
  if (ending === "end") provider.end();
  else if (ending === "gone") client.leave();
  else provider.abort(failures[ending]);
  for (const chunk of rest) provider.send(chunk);
  const end = await moved.ended;
  provider.end();
  return { end, client, settings };
}

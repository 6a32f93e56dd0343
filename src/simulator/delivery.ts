// Simulator: puts an answer on the wire at the ordered pace, with the ordered fault.
// Ends in bounded time or with the connection; a client that leaves ends it at once.

import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./call.ts";
import type { Fault } from "./models.ts";

/** Times in milliseconds. */
export interface Pace {
  /** Before the first byte. */
  firstByteMs: number;
  /** Between two events of a stream. */
  chunkMs: number;
  /** Before the first byte with `sim-slow`. */
  slowMs: number;
  /** Between two keep-alives with `sim-pings`. */
  pingMs: number;
}

const page =
  "<!doctype html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to the network</h1></body></html>\n";

/** The answer as the fault bends it before a byte is sent. */
function bendAnswer(answer: Answer, fault: Fault): Answer {
  const { body } = answer;
  switch (fault) {
    case "html":
      return {
        status: 200,
        headers: { "content-type": "text/html; charset=utf-8" },
        body: { kind: "whole", text: page },
      };
    case "redirect":
      return { status: 307, headers: { location: "/redirect-followed" }, body: { kind: "whole", text: "" } };
    case "empty":
      return { ...answer, body: { kind: "whole", text: "" } };
    case "malformed": {
      if (body.kind === "whole") return { ...answer, body: { kind: "whole", text: body.text.trimEnd().slice(0, -1) } };
      const middle = Math.floor(body.frames.length / 2);
      const frames = body.frames.map((frame, at) => (at === middle ? frame.replace(/\}\n\n$/, "\n\n") : frame));
      return { ...answer, body: { ...body, frames } };
    }
    case "no-terminator":
      if (body.kind === "whole")
        return { ...answer, body: { kind: "whole", text: body.text.slice(0, body.text.length / 2) } };
      return { ...answer, body: { ...body, frames: body.frames.slice(0, Math.ceil(body.frames.length / 2)) } };
    case "error-event":
      if (body.kind === "whole") return answer;
      return {
        ...answer,
        body: { ...body, frames: [...body.frames.slice(0, Math.ceil(body.frames.length / 2)), body.errorFrame] },
      };
    default:
      return answer;
  }
}

const isCut = (fault: Fault): fault is "stall" | "truncate" | "reset" =>
  fault === "stall" || fault === "truncate" || fault === "reset";

/** How long a half-sent body rests before RST: what was sent shall have arrived. */
const beforeResetMs = 50;

/** Sends the answer. Resolves when it is done or the client has gone; never rejects for a client that left. */
export async function deliverAnswer(response: ServerResponse, sent: Answer, fault: Fault, pace: Pace): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const rest = async (ms: number): Promise<void> => {
    if (ms > 0) await sleep(ms, undefined, { signal: gone.signal });
    gone.signal.throwIfAborted();
  };
  const write = async (bytes: string | Buffer): Promise<void> => {
    gone.signal.throwIfAborted();
    if (response.write(bytes)) return;
    await new Promise<void>((resolve) => {
      response.once("drain", resolve);
      response.once("close", resolve);
    });
  };
  const silence = (): Promise<void> =>
    new Promise((resolve) =>
      gone.signal.aborted ? resolve() : gone.signal.addEventListener("abort", () => resolve()),
    );

  try {
    const answer = bendAnswer(sent, fault);
    const { body } = answer;
    if (fault === "pings" && body.kind === "whole") return await silence();
    await rest(fault === "slow" ? pace.slowMs : pace.firstByteMs);
    const bytes = body.kind === "whole" ? Buffer.from(body.text) : undefined;
    response.writeHead(answer.status, {
      ...answer.headers,
      ...(bytes === undefined ? {} : { "content-length": bytes.length }),
    });

    if (body.kind === "stream" && fault === "pings") {
      for (;;) {
        await write(body.keepAlive);
        await rest(pace.pingMs);
      }
    }
    if (bytes !== undefined && !isCut(fault)) {
      response.end(bytes);
      return;
    }
    const pieces = body.kind === "stream" ? body.frames : [bytes ?? ""];
    const half = Math.ceil(pieces.length / 2);
    for (const [at, piece] of pieces.entries()) {
      if (isCut(fault) && at >= half - 1) {
        const last = Buffer.from(piece);
        await write(last.subarray(0, Math.max(1, last.length / 2)));
        if (fault === "stall") return await silence();
        await rest(beforeResetMs);
        if (fault === "reset") response.socket?.resetAndDestroy();
        else response.socket?.destroySoon();
        return;
      }
      if (at > 0) await rest(pace.chunkMs);
      await write(piece);
    }
    response.end();
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

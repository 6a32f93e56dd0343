// An answer on a plain HTTP/1.1 socket: what is written, and what becomes of a connection whose client takes its answer late, or never.
// The socket is a pipe in memory that takes bytes when the test says so.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Http1Responder } from "../../../src/proxy/server-http1-responder.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

function openAnswer() {
  let written = "";
  const pending: (() => void)[] = [];
  let isTaking = true;
  const pipe = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString("latin1");
      if (isTaking) done();
      else pending.push(done);
    },
  });
  const resetAndDestroy = vi.fn<() => void>(() => void pipe.destroy());
  const socket = Object.assign(pipe, { resetAndDestroy, destroySoon: () => void pipe.end(() => pipe.destroy()) });
  const answered = vi.fn<(reusable: boolean) => void>();
  const respond = new Http1Responder({ socket: socket as unknown as Socket, mayKeepAlive: () => true, answered });
  return {
    respond,
    resetAndDestroy,
    answered,
    written: () => written,
    /** The client takes nothing more, for now. */
    hold: () => void (isTaking = false),
    /** It takes all, and what comes after. */
    release: async () => {
      isTaking = true;
      while (pending.length > 0) {
        pending.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

it("leaves a connection alone whose client took the answer late, but took it", async () => {
  const answer = openAnswer();
  answer.respond.head(200, ["content-length", "5"], false);
  answer.hold();
  answer.respond.end("hello");
  expect(answer.answered).toHaveBeenCalledWith(true);
  await answer.release();
  vi.advanceTimersByTime(120_000);
  expect(answer.resetAndDestroy).not.toHaveBeenCalled();
});

it("resets a connection whose client takes the rest of an answer no more", () => {
  const answer = openAnswer();
  answer.respond.head(200, ["content-length", "5"], false);
  answer.hold();
  answer.respond.end("hello");
  vi.advanceTimersByTime(59_000);
  expect(answer.resetAndDestroy).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  expect(answer.resetAndDestroy).toHaveBeenCalledOnce();
});

it("can still answer with an error when a head could not be written", () => {
  const { respond, written } = openAnswer();
  expect(() => respond.head(200, ["x-a", "b\r\nc: d"], true)).toThrow(TypeError);
  expect([respond.headSent, written()]).toEqual([false, ""]);
  respond.head(500, ["content-length", "2"], false);
  respond.end("no");
  expect(written()).toMatch(/^HTTP\/1\.1 500 Internal Server Error\r\ncontent-length: 2\r\n[^]*\r\n\r\nno$/);
});

it.each<[string, string[], string, string]>([
  ["shorter than announced", ["content-length", "5"], "hell", "\r\n\r\nhell"],
  ["without its last chunk", [], "hell", "\r\n\r\n4\r\nhell\r\n"],
])("cuts an answer %s", (_name, headers, body, end) => {
  const { respond, written, answered } = openAnswer();
  respond.head(200, headers, false);
  respond.write(body);
  if (headers.length > 0) respond.end();
  else respond.destroy();
  expect(written().endsWith(end)).toBe(true);
  expect(answered).not.toHaveBeenCalled();
});

// The scripted upstream plays what its script says and its ledger tells the truth: other tests stand on it.

import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, brotliDecompressSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { loadRecordings, responseBytes } from "../../support/recordings.ts";
import {
  encodeContent,
  planRecording,
  splitBytes,
  startScriptedUpstream,
  type Script,
  type ScriptedUpstream,
} from "../../support/scripted-upstream.ts";

let upstream: ScriptedUpstream | undefined;
afterEach(() => upstream?.close());

const start = async (script: Script): Promise<ScriptedUpstream> => (upstream = await startScriptedUpstream(script));

/** All bytes of a bare connection until it ends, and whether by RST. */
function rawExchange(
  port: number,
  sent: string,
  patienceMs = 5000,
): Promise<{ text: string; end: "fin" | "rst" | "open" }> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(sent));
    const done = (end: "fin" | "rst" | "open"): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, end });
    };
    const timer = setTimeout(done, patienceMs, "open");
    socket.setEncoding("latin1");
    socket.on("data", (bytes: string) => (text += bytes));
    socket.on("error", () => done("rst"));
    socket.on("end", () => done("fin"));
  });
}

const get = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

describe("ledger", () => {
  it("has what the client sent to the byte: method, target, header case and order, chunked and plain bodies", async () => {
    const { port, requests } = await start({ chunks: ["ok"], contentLength: true });
    await rawExchange(
      port,
      "POST /v1/a?b=c HTTP/1.1\r\nHost: x\r\nX-ODD:  v \r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n",
      200,
    );
    await rawExchange(port, "POST /b HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello", 200);
    expect(requests[0]).toMatchObject({
      method: "POST",
      path: "/v1/a?b=c",
      rawHeaders: ["Host", "x", "X-ODD", "v", "transfer-encoding", "chunked"],
    });
    expect(requests.map((request) => request.body.toString())).toEqual(["abcde", "hello"]);
    expect(requests.map((request) => request.socketId)).toEqual([0, 1]);
  });

  it("counts sockets and bytes, serves keep-alive and pipelined requests in order", async () => {
    const { port, requests, sockets, waitFor } = await start((request) => ({
      chunks: [`answer ${request.index}`],
      contentLength: true,
    }));
    const { text } = await rawExchange(port, get + get + get, 200);
    expect(text.match(/answer \d/g)).toEqual(["answer 0", "answer 1", "answer 2"]);
    expect(requests.reduce((sum, request) => sum + request.bytesSent, 0)).toBe(text.length);
    await waitFor(() => sockets.closed === 1);
    expect(sockets.opened).toBe(1);
    expect(requests.every((request) => request.endedAt !== undefined && request.abortedAt === undefined)).toBe(true);
  });

  it("notes the abort of a client that leaves mid-stream, and sends no more", async () => {
    const { port, requests, waitFor } = await start({
      chunks: Array.from({ length: 100 }, () => ({ bytes: "data: x\n\n", afterMs: 10 })),
    });
    await rawExchange(port, get, 50);
    await waitFor(() => requests[0]?.abortedAt !== undefined, 300);
    const sent = requests[0]?.bytesSent;
    await sleep(40);
    expect(requests[0]?.bytesSent).toBe(sent);
    expect(requests[0]?.endedAt).toBeUndefined();
    await expect(waitFor(() => false, 20)).rejects.toThrow("not within 20 ms");
  });
});

describe("faults", () => {
  it("ends as told: end, close, destroy, reset, stall", async () => {
    const seen: string[] = [];
    for (const ending of ["end", "close", "destroy", "reset", "stall"] as const) {
      const { port, close } = await startScriptedUpstream({ chunks: ["abc", { bytes: "", afterMs: 20 }], ending });
      const { text, end } = await rawExchange(port, get, ending === "end" || ending === "stall" ? 200 : 5000);
      seen.push(`${ending}: ${text.endsWith("0\r\n\r\n") ? "whole" : "cut"} ${end}`);
      await close();
    }
    expect(seen).toEqual([
      "end: whole open",
      "close: whole fin",
      "destroy: cut fin",
      "reset: cut rst",
      "stall: cut open",
    ]);
  });

  it("lies about lengths, sends garbage, hints and EOF-framed bodies when the script says so", async () => {
    const { port, setScript } = await start({ chunks: ["12345"], contentLength: 99, ending: "destroy" });
    expect((await rawExchange(port, get)).text).toMatch(/content-length: 99\r\n\r\n12345$/);
    setScript({ kind: "raw", chunks: ["HTP/1.1 garbage\r\n\r\n"], ending: "destroy" });
    expect((await rawExchange(port, get)).text).toBe("HTP/1.1 garbage\r\n\r\n");
    setScript({ earlyHints: 100, chunks: ["x"], untilClose: true });
    const { text, end } = await rawExchange(port, get);
    expect(text.match(/HTTP\/1.1 103/g)).toHaveLength(100);
    expect([text.includes("transfer-encoding"), text.endsWith("\r\n\r\nx"), end]).toEqual([false, true, "fin"]);
  });

  it("closes exactly when a kept connection is reused", async () => {
    const { port, sockets, requests } = await start({ chunks: ["ok"], contentLength: true, onReuse: "reset" });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        const request = http.get({ port, host: "127.0.0.1", agent }, (response) =>
          response.resume().on("end", () => resolve("answered")),
        );
        request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      });
    expect([await ask(), await ask(), await ask()]).toEqual(["answered", "ECONNRESET", "answered"]);
    expect([sockets.reused, requests.length]).toEqual([1, 2]);
    agent.destroy();
  });

  it("stacks content codings in the order of the header", () => {
    const encoded = encodeContent(Buffer.from("hello"), ["br", "gzip"]);
    expect(brotliDecompressSync(gunzipSync(encoded)).toString()).toBe("hello");
  });
});

describe("replay", () => {
  it("plays every recorded stream byte-exact, whatever the split", async () => {
    const recordings = loadRecordings("openai-chat", "anthropic-messages")
      .filter((recording) => recording.streaming)
      .slice(0, 40);
    const { url, setScript } = await start({});
    for (const [seed, recording] of recordings.entries()) {
      setScript(planRecording(recording, { split: { seed, maxBytes: 97 } }));
      const response = await fetch(url);
      expect(
        Buffer.from(await response.arrayBuffer()).equals(responseBytes(recording)) ? recording.id : "differs",
      ).toBe(recording.id);
      expect(response.status).toBe(recording.response.status);
    }
  });

  it("splits by seed: the same twice, another with another seed, and nothing lost", () => {
    const bytes = Buffer.from("abcdefghijklmnopqrstuvwxyz".repeat(20));
    const sizes = (seed: number): number[] => splitBytes(bytes, seed, 16).map((piece) => piece.length);
    expect(sizes(1)).toEqual(sizes(1));
    expect(sizes(1)).not.toEqual(sizes(2));
    expect(Buffer.concat(splitBytes(bytes, 3, 16)).equals(bytes)).toBe(true);
  });

  it("serves 1,000 streams at once", async () => {
    const chunks = Array.from({ length: 10 }, (_, at) => ({ bytes: `data: ${at}\n\n`, afterMs: 20 }));
    const { port, requests, sockets } = await start({ chunks, ending: "close" });
    const ends = await Promise.all(Array.from({ length: 1000 }, () => rawExchange(port, get, 8000)));
    expect(ends.every(({ text, end }) => end === "fin" && text.endsWith("data: 9\n\n\r\n0\r\n\r\n"))).toBe(true);
    expect(requests.filter((request) => request.endedAt !== undefined)).toHaveLength(1000);
    expect(sockets.opened).toBe(1000);
  });
});

// Simulator: the HTTP server. Finds the endpoint, reads the request, orders the fault, hands over to delivery.
// Loopback only, plain node:http, no state beyond the prompt cache and the list of faults already played once.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { answerCountTokens, answerMessages, anthropicHeaders, listAnthropicModels } from "./anthropic.ts";
import { isObject, textOf, type Answer, type Call } from "./call.ts";
import { deliverAnswer, type Pace } from "./delivery.ts";
import { parseModelName, type Fault, type ModelName } from "./models.ts";
import { answerChat, answerCompletion, answerEmbeddings, listOpenaiModels, openaiHeaders } from "./openai.ts";
import { createPromptCache } from "./prompt.ts";
import { isRefusal, refuse, type RefusalKind, type WireName } from "./refusals.ts";
import { createRandom, hashText } from "./text.ts";

/** How the simulator is started. */
export interface SimulatorOptions {
  /** A loopback address; default 127.0.0.1. Any other is refused: the simulator has no authentication. */
  host?: string;
  /** 0 (the default) takes a free port. */
  port?: number;
  /** Makes ids repeat from run to run; answers repeat without it. Default: by chance. */
  seed?: number;
  /** Defaults: first byte 80 ms, 15 ms an event, `sim-slow` 8,000 ms, `sim-pings` 1,000 ms. Zeros answer at once. */
  pace?: Partial<Pace>;
}

/** Running simulated providers; whoever started them closes them. */
export interface Simulator {
  /** `http://host:port`: Anthropic's base URL; OpenAI's is this with `/v1`. */
  url: string;
  port: number;
  /** Ends all connections, those that stall included. */
  close: () => Promise<void>;
}

const defaultPace: Pace = { firstByteMs: 80, chunkMs: 15, slowMs: 8000, pingMs: 1000 };
const maxBodyBytes = 32 * 1024 * 1024;
const maxPlayedOnce = 10_000;

const endpoints: Readonly<Record<string, { wire: WireName; answer: (call: Call) => Answer }>> = {
  "/chat/completions": { wire: "openai", answer: answerChat },
  "/completions": { wire: "openai", answer: answerCompletion },
  "/embeddings": { wire: "openai", answer: answerEmbeddings },
  "/messages": { wire: "anthropic", answer: answerMessages },
  "/messages/count_tokens": { wire: "anthropic", answer: answerCountTokens },
};

/** The body, or undefined when it is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size <= maxBodyBytes) pieces.push(piece);
  }
  return size > maxBodyBytes ? undefined : Buffer.concat(pieces);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

const credentialOf = (request: IncomingMessage): string =>
  request.headers.authorization ?? textOf(request.headers["x-api-key"]);

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

/** Starts the simulated providers. The caller closes them. Throws for an address that is not loopback, or one in use. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const host = options.host ?? "127.0.0.1";
  if (!isLoopback(host)) throw new Error(`the simulator listens on loopback only, not on ${host}`);
  const pace = { ...defaultPace, ...options.pace };
  const ids = createRandom(options.seed ?? Math.floor(Math.random() * 2 ** 32));
  const cache = createPromptCache();
  const playedOnce = new Set<number>();

  /** The fault to play now: one that is ordered once is gone for the second equal request. */
  const orderFault = (model: ModelName, key: string): Fault => {
    if (!model.once) return model.fault;
    const hash = hashText(key);
    if (playedOnce.has(hash)) return "ok";
    if (playedOnce.size >= maxPlayedOnce) playedOnce.clear();
    playedOnce.add(hash);
    return model.fault;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?")[0]?.replace(/^\/v1(?=\/)/, "") ?? "/";
    const endpoint = request.method === "POST" ? endpoints[path] : undefined;
    const wire = endpoint?.wire ?? (request.headers["anthropic-version"] === undefined ? "openai" : "anthropic");
    const requestId = wire === "openai" ? `req_${ids.letters(32).toLowerCase()}` : `req_01${ids.letters(22)}`;
    const send = (answer: Answer, fault: Fault): Promise<void> => {
      const limits = (wire === "openai" ? openaiHeaders : anthropicHeaders)(requestId, fault === "429");
      return deliverAnswer(response, { ...answer, headers: { ...answer.headers, ...limits } }, fault, pace);
    };
    const reject = (kind: RefusalKind, facts: { model?: string; field?: string } = {}): Promise<void> =>
      send(refuse(wire, kind, { ...facts, requestId }), "ok");

    const bytes = await readBody(request);
    if (bytes === undefined) return reject("tooLarge");
    if (path === "/redirect-followed") return reject("followed");
    if (request.method === "GET" && path === "/models")
      return send(wire === "openai" ? listOpenaiModels() : listAnthropicModels(), "ok");
    if (endpoint === undefined) return reject("unknownPath", { field: `${request.method} ${request.url}` });
    if (wire === "anthropic" && request.headers["anthropic-version"] === undefined)
      return reject("badField", { field: "anthropic-version: header" });
    const body = parseJson(bytes);
    if (!isObject(body)) return reject("badJson");
    const asked = textOf(body["model"]);
    if (asked === "") return reject("badField", { field: "model" });
    const model = parseModelName(asked);
    if (model === undefined) return reject("not-found", { model: asked });

    const fault = orderFault(model, `${path}\n${credentialOf(request)}\n${bytes.toString("latin1")}`);
    const call: Call = {
      body,
      credential: credentialOf(request),
      asked,
      model: { ...model, fault },
      requestId,
      ids,
      cache,
    };
    if (isRefusal(fault)) return send(refuse(wire, fault, { model: model.answered, requestId }), fault);
    const answer = endpoint.answer(call);
    const failsWhole = fault === "error-event" && answer.body.kind === "whole";
    return send(failsWhole ? refuse(wire, "500", { requestId }) : answer, answer.status === 200 ? fault : "ok");
  };

  const server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port ?? 0, host, backlog: 1024 }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the simulator has no port");

  return {
    port: address.port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

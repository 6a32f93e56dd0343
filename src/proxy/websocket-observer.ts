// Room proxy: reads a copy of a WebSocket session and reports each model call in it: OpenAI Realtime and Responses over WebSocket.
// Invariant: it throws nothing into the tunnel and keeps nothing of a call that was reported: an hour's session holds its open calls and its sums.

import type { InferenceRequest, Usage, UsageCount } from "../canonical/index.ts";
import { isOutputType, peekEvent, type ProviderSaid, readClientEvent, readProviderEvent } from "../dialects/index.ts";
import type { SidecarError } from "../errors.ts";
import type { AttemptGroup, CostStatus, ExchangeRecord, WebSocketFacts } from "../record/index.ts";
import { classifyAnswer } from "./classification.ts";
import type { Exchange } from "./exchange.ts";
import { ReadingBudget } from "./reading-budget.ts";
import { priceUsage } from "./recording.ts";
import { Inflation, readDeflateTerms } from "./websocket-deflate.ts";
import { FrameReader, type WebSocketMessage } from "./websocket-frames.ts";

/** Largest message that is read. */
const maxMessageBytes = 16 * 1024 * 1024;
/** Responses under way at once, and requests for one that the provider has not taken up. More are not followed. */
const maxOpenCalls = 64;

/** What is known of a session before its bytes. */
export interface SessionSettings {
  /** The wire format as telemetry names it; undefined: frames are followed, messages are not read. */
  dialect: string | undefined;
  /** The model that the address names. */
  model: string | undefined;
  /** The session in the record; its sums are kept there. */
  group: AttemptGroup;
  facts: WebSocketFacts;
  /** `Sec-WebSocket-Extensions` of the answer. */
  extensions: string | undefined;
}

interface RequestedCall {
  atMs: number;
  request: InferenceRequest;
}

interface OpenCall {
  id: string | undefined;
  startedAtMs: number;
  request: InferenceRequest | undefined;
  model: string | undefined;
  timeToFirstChunkMs: number | undefined;
  lastChunkAtMs: number;
  chunkGapsMs: number[];
}

/** A call's gaps beyond this many are not kept. */
const maxChunkGaps = 4096;

/** One per session, from its 101 on. */
export class SessionObserver {
  /** Follow the frames, so that a frame of Outrider's own can be put between two. */
  readonly clientFrames: FrameReader;
  readonly providerFrames: FrameReader;
  readonly #exchange: Exchange;
  readonly #settings: SessionSettings;
  readonly #clientBudget: ReadingBudget;
  readonly #providerBudget: ReadingBudget;
  readonly #requested: RequestedCall[] = [];
  readonly #open: OpenCall[] = [];
  #sessionModel: string | undefined;
  #failed = false;

  constructor(exchange: Exchange, settings: SessionSettings) {
    const { clock } = exchange.rooms;
    this.#exchange = exchange;
    this.#settings = settings;
    this.#sessionModel = settings.model;
    this.#clientBudget = new ReadingBudget(clock);
    this.#providerBudget = new ReadingBudget(clock);
    const readsText = settings.dialect !== undefined;
    const terms = readDeflateTerms(settings.extensions);
    const reader = (keepsContext: boolean | undefined, budget: ReadingBudget): FrameReader =>
      new FrameReader({
        maxMessageBytes,
        readsText,
        inflation: keepsContext === undefined ? undefined : new Inflation(keepsContext, maxMessageBytes, budget),
      });
    this.clientFrames = reader(terms?.clientKeepsContext, this.#clientBudget);
    this.providerFrames = reader(terms?.providerKeepsContext, this.#providerBudget);
  }

  fromClient(chunk: Buffer): void {
    this.#read(this.clientFrames, chunk, "client");
  }

  fromProvider(chunk: Buffer): void {
    this.#read(this.providerFrames, chunk, "provider");
  }

  /** One side said that it closes. */
  get closeSeen(): boolean {
    return this.#settings.facts.closeCode !== undefined;
  }

  /** Outrider ends the session itself. */
  noteOwnClose(code: number): void {
    this.#settings.facts.closedBy ??= "outrider";
    this.#settings.facts.closeCode ??= code;
  }

  /** The session is over; what is still open ended with it. */
  finish(error: SidecarError | undefined): void {
    for (const call of this.#open.splice(0)) {
      const group = this.#buildGroup(call);
      if (error !== undefined) group.failure = { code: error.code, source: error.source, message: error.message };
      this.#report(call, group);
    }
    if (this.#failed) this.#settings.group.observerFailed = true;
  }

  #read(frames: FrameReader, chunk: Buffer, side: "client" | "provider"): void {
    if (this.#failed || frames.corrupt) return;
    const { facts } = this.#settings;
    try {
      for (const message of frames.push(chunk)) this.#take(message, side);
      if (frames.corrupt) facts.unreadMessages += 1;
    } catch {
      this.#failed = true;
    }
  }

  #take(message: WebSocketMessage, side: "client" | "provider"): void {
    const { facts } = this.#settings;
    if (message.kind === "close") {
      facts.closedBy ??= side;
      facts.closeCode ??= message.code;
    } else if (message.kind === "unread") {
      facts.unreadMessages += 1;
    } else if (message.kind === "text") {
      this.#takeText(message.data, side);
    }
  }

  #takeText(text: Buffer, side: "client" | "provider"): void {
    const { type, isTelling, responseId } = peekEvent(text);
    if (!isTelling) {
      if (side === "provider" && isOutputType(type)) this.#noteOutput(responseId);
      return;
    }
    const budget = side === "client" ? this.#clientBudget : this.#providerBudget;
    if (!budget.allows()) {
      this.#settings.facts.unreadMessages += 1;
      return;
    }
    budget.charge(text.length);
    let event: unknown;
    try {
      event = JSON.parse(text.toString("utf8"));
    } catch {
      this.#settings.facts.unreadMessages += 1;
      return;
    }
    if (side === "client") {
      const requested = readClientEvent(event);
      if (requested === undefined || this.#requested.length >= maxOpenCalls) return;
      this.#requested.push({ atMs: this.#exchange.rooms.clock.epochMs(), request: requested.request });
    } else {
      const said = readProviderEvent(event);
      if (said !== undefined) this.#heed(said);
    }
  }

  #heed(said: ProviderSaid): void {
    switch (said.type) {
      case "session":
        this.#sessionModel = said.model;
        return;
      case "started":
        this.#openCall(said.id, said.model);
        return;
      case "output":
        this.#noteOutput(said.id);
        return;
      case "refused":
        this.#refuse(said);
        return;
      case "ended":
        this.#endCall(said);
    }
  }

  #openCall(id: string | undefined, model: string | undefined): OpenCall {
    const requested = this.#requested.shift();
    const call: OpenCall = {
      id,
      startedAtMs: requested?.atMs ?? this.#exchange.rooms.clock.epochMs(),
      request: requested?.request,
      model: model ?? this.#sessionModel,
      timeToFirstChunkMs: undefined,
      lastChunkAtMs: 0,
      chunkGapsMs: [],
    };
    if (this.#open.length >= maxOpenCalls) {
      this.#open.shift();
      this.#settings.facts.unreadMessages += 1;
    }
    this.#open.push(call);
    return call;
  }

  /** Without an id: the one that began last. */
  #findCall(id: string | undefined): OpenCall | undefined {
    return id === undefined ? this.#open.at(-1) : this.#open.find((call) => call.id === id);
  }

  #noteOutput(id: string | undefined): void {
    const call = this.#findCall(id);
    if (call === undefined) return;
    const nowMs = this.#exchange.rooms.clock.epochMs();
    if (call.timeToFirstChunkMs === undefined) call.timeToFirstChunkMs = nowMs - call.startedAtMs;
    else if (call.chunkGapsMs.length < maxChunkGaps) call.chunkGapsMs.push(nowMs - call.lastChunkAtMs);
    call.lastChunkAtMs = nowMs;
  }

  /** Responses over WebSocket refuses a request with an `error` alone. On Realtime an error may be about anything, and ends no response. */
  #refuse({ error }: Extract<ProviderSaid, { type: "refused" }>): void {
    if (this.#settings.dialect !== "openai-responses" || this.#requested.length === 0) return;
    const call = this.#openCall(undefined, undefined);
    this.#open.splice(this.#open.indexOf(call), 1);
    const group = this.#buildGroup(call);
    group.providerError = error;
    const code = classifyAnswer(400, error);
    group.failure = { code, source: "provider", message: "the provider refused a response" };
    this.#report(call, group);
  }

  #endCall(said: Extract<ProviderSaid, { type: "ended" }>): void {
    const call = this.#findCall(said.id) ?? this.#openCall(said.id, said.model);
    this.#open.splice(this.#open.indexOf(call), 1);
    const group = this.#buildGroup(call);
    const model = said.model ?? call.model;
    group.response = {
      ...(said.id === undefined ? {} : { id: said.id }),
      ...(model === undefined ? {} : { model }),
      ...(said.serviceTier === undefined ? {} : { serviceTier: said.serviceTier }),
      choices: [{ index: 0, message: { role: "assistant", parts: [] }, finishReason: said.finishReason }],
    };
    if (said.error !== undefined) {
      group.providerError = said.error;
      const code = classifyAnswer(200, said.error);
      group.failure = { code, source: "provider", message: "the provider's response failed" };
    }
    if (said.usage !== undefined) {
      group.usage = said.usage;
      group.usageSource = "provider";
      priceUsage(this.#exchange, group, said.usage, model);
    }
    this.#report(call, group);
  }

  #buildGroup(call: OpenCall): AttemptGroup {
    const { provider, providerName, serverAddress, serverPort } = this.#settings.group;
    const requestModel = call.request?.model ?? this.#sessionModel ?? call.model;
    return {
      reason: "first",
      provider,
      providerName,
      ...(requestModel === undefined ? {} : { requestModel }),
      serverAddress,
      serverPort,
      startedAtMs: call.startedAtMs,
      durationMs: this.#exchange.rooms.clock.epochMs() - call.startedAtMs,
      attempts: [],
      usageSource: "missing",
      ...(call.timeToFirstChunkMs === undefined ? {} : { timeToFirstChunkMs: call.timeToFirstChunkMs }),
      ...(call.chunkGapsMs.length === 0 ? {} : { chunkGapsMs: call.chunkGapsMs }),
      unrecognizedEvents: 0,
      observerFailed: false,
    };
  }

  #report(call: OpenCall, group: AttemptGroup): void {
    const { record, rooms, trace } = this.#exchange;
    const { facts, dialect } = this.#settings;
    facts.responses += 1;
    addTo(this.#settings.group, group);
    const view: ExchangeRecord = {
      ...record,
      ...(dialect === undefined ? {} : { dialect }),
      ...(call.request === undefined ? {} : { request: call.request }),
      operation: { kind: "response", name: "chat", route: record.http.route ?? record.http.path },
      stream: true,
      groups: [group],
      losses: [],
    };
    rooms.telemetry.reportCall(view, group, trace);
  }
}

const costOrder: readonly CostStatus[] = ["exact", "alias", "assumed", "missing"];

/** Adds a call's usage and cost to its session's, for the SERVER span and the inspector. An unknown part leaves the status `missing`. */
function addTo(session: AttemptGroup, { usage, usageSource, cost, response, requestModel }: AttemptGroup): void {
  if (requestModel !== undefined) session.requestModel = requestModel;
  if (response?.model !== undefined) session.response = { model: response.model, choices: [] };
  if (usage !== undefined) {
    session.usage = addUsage(session.usage, usage);
    session.usageSource = usageSource;
  }
  if (cost === undefined) return;
  const before = session.cost;
  const nanoUsd = (before?.nanoUsd ?? 0) + (cost.nanoUsd ?? 0);
  const isWeaker = before !== undefined && costOrder.indexOf(before.status) > costOrder.indexOf(cost.status);
  const isKnown = before?.nanoUsd !== undefined || cost.nanoUsd !== undefined;
  session.cost = { status: isWeaker ? before.status : cost.status, ...(isKnown ? { nanoUsd } : {}) };
}

function addUsage(sum: Usage | undefined, usage: Usage): Usage {
  const added: Usage = { ...sum };
  for (const [name, count] of Object.entries(usage) as [UsageCount, unknown][]) {
    if (typeof count === "number") added[name] = (added[name] ?? 0) + count;
  }
  return added;
}

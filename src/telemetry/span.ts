// Room telemetry: the span tree of one exchange. SERVER; under it one CLIENT span per attempt group (when the operation is a model
// call), one CLIENT span per wire attempt. Invariant: spans start live and end once, from the closed record; nothing else writes to them.

import { SpanKind, type Attributes, type SpanContext } from "@opentelemetry/api";
import { RandomIdGenerator } from "@opentelemetry/sdk-trace";

import type { AttemptGroup, ExchangeRecord, WireAttempt } from "../record/index.ts";
import {
  attemptErrorType,
  boundMethod,
  fallbackAttributes,
  lossAttributes,
  serverErrorType,
  serverFailed,
  serverSpanName,
  writeAttemptEnd,
  writeAttemptStart,
  writeGroupEnd,
  writeGroupStart,
  writeServerEnd,
  writeServerStart,
  type AttributeMap,
  type AttributeOptions,
} from "./attributes.ts";
import { captureContent, toSpanAttributes, type CapturedContent } from "./content.ts";
import type { DirectSpan, DirectTracer } from "./direct-span.ts";
import { events, own } from "./semconv.ts";
import type { ExchangeTrace, InboundContext } from "./telemetry.ts";
import { formatTraceparent, parseContext } from "./trace-context.ts";

/** What the spans of one telemetry instance share. */
export interface SpanSettings extends AttributeOptions {
  captureOnSpans: boolean;
  captureOnEvents: boolean;
  captureMaxCharacters: number;
}

/** What a closed group leaves for its log events, so that nothing is worked out twice. */
export interface ClosedGroup {
  group: AttemptGroup;
  spanContext: SpanContext;
  /** The group's attributes without content; shared with its span when no content was captured on the span. */
  values: AttributeMap;
  content?: CapturedContent;
}

interface LiveGroup {
  group: AttemptGroup;
  span: DirectSpan;
}

interface LiveAttempt {
  attempt: WireAttempt;
  span: DirectSpan;
}

/** The live spans of one exchange; `end` closes them all and works once. */
export class LiveExchange implements ExchangeTrace {
  readonly traceId: string;
  readonly traceresponse: string;
  readonly #tracer: DirectTracer;
  readonly #settings: SpanSettings;
  readonly #record: ExchangeRecord;
  readonly #server: DirectSpan;
  readonly #randomFlag: number;
  readonly #groups: LiveGroup[] = [];
  readonly #attempts: LiveAttempt[] = [];

  constructor(tracer: DirectTracer, record: ExchangeRecord, inbound: InboundContext, settings: SpanSettings) {
    const caller = parseContext(inbound);
    const values: AttributeMap = new Map();
    writeServerStart(values, record);
    this.#tracer = tracer;
    this.#settings = settings;
    this.#record = record;
    this.#server = tracer.startRoot(
      { name: serverSpanName(record), kind: SpanKind.SERVER, startMs: record.startedAtMs, values },
      caller?.spanContext,
    );
    // What the client writes may be long: these are bounded by the header limits only.
    const { path, query, userAgent } = record.http;
    this.#server.bytes += path.length + (query?.length ?? 0) + (userAgent?.length ?? 0);
    this.#randomFlag = caller?.randomFlag ?? 0;
    this.traceId = this.#server.context.traceId;
    this.traceresponse = formatTraceparent(this.#server.context, this.#randomFlag);
  }

  /** For log events of the exchange as a whole. */
  get spanContext(): SpanContext {
    return this.#server.context;
  }

  openGroup(group: AttemptGroup): void {
    this.#liveGroup(group);
  }

  openAttempt(group: AttemptGroup, attempt: WireAttempt): { traceparent: string; tracestate?: string } {
    const parent = this.#liveGroup(group)?.span ?? this.#server;
    const values: AttributeMap = new Map();
    writeAttemptStart(values, attempt);
    const method = boundMethod(attempt.method);
    const name = method === "_OTHER" ? "HTTP" : method;
    const start = { name, kind: SpanKind.CLIENT, startMs: attempt.startedAtMs, values };
    const span = this.#tracer.startChild(start, parent.context);
    this.#attempts.push({ attempt, span });
    const traceparent = formatTraceparent(span.context, this.#randomFlag);
    const tracestate = span.context.traceState?.serialize();
    return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
  }

  /** A model call that is over, as a child of SERVER. Undefined when the operation is no model call or the exchange has ended. */
  reportCall(call: ExchangeRecord, group: AttemptGroup): ClosedGroup | undefined {
    const operation = call.operation?.name;
    if (operation === undefined || this.#server.ended) return undefined;
    const live = { group, span: this.#startGroup(operation, group) };
    return this.#endGroup(call, live, group.startedAtMs + (group.durationMs ?? 0));
  }

  /** Ends every span; gives what the log events of the groups need. Undefined when it was called before. */
  end(record: ExchangeRecord): ClosedGroup[] | undefined {
    if (this.#server.ended) return undefined;
    const endMs = record.startedAtMs + (record.durationMs ?? 0);
    // Groups last: their attributes are still at hand when their events are written. And whatever their facts do, the exchange has ended.
    this.#endServer(record, endMs);
    for (const { attempt, span } of this.#attempts) endAttempt(span, attempt, endMs);
    return this.#groups.map((live) => this.#endGroup(record, live, endMs));
  }

  /** The group's span; undefined when the operation is no model call and its attempts hang under SERVER. */
  #liveGroup(group: AttemptGroup): LiveGroup | undefined {
    const operation = this.#record.operation?.name;
    if (operation === undefined) return undefined;
    for (const known of this.#groups) if (known.group === group) return known;
    const replaced = this.#groups.findLast(({ group: earlier }) => isReplaced(earlier, group));
    const live = { group, span: this.#startGroup(operation, group, replaced) };
    this.#groups.push(live);
    return live;
  }

  #startGroup(operation: string, group: AttemptGroup, replaced?: LiveGroup): DirectSpan {
    const values: AttributeMap = new Map();
    writeGroupStart(values, operation, group, this.#settings);
    return this.#tracer.startChild(
      {
        name: group.requestModel === undefined ? operation : `${operation} ${group.requestModel}`,
        kind: SpanKind.CLIENT,
        startMs: group.startedAtMs,
        values,
        ...(replaced === undefined ? {} : { links: [{ context: replaced.span.context }] }),
      },
      this.#server.context,
    );
  }

  #endGroup(record: ExchangeRecord, live: LiveGroup, endMs: number): ClosedGroup {
    const { group, span } = live;
    writeGroupEnd(span.values, record, group);
    if (group.replaces !== undefined) addAll(span.values, fallbackAttributes(group.replaces, group));
    const closed: ClosedGroup = { group, spanContext: span.context, values: span.values };
    const { captureOnSpans, captureOnEvents, captureMaxCharacters } = this.#settings;
    if (captureOnSpans || captureOnEvents) {
      const content = captureContent(record.request, group.response, captureMaxCharacters);
      if (content.truncated) span.values.set(own.captureTruncated, true);
      closed.values = new Map(span.values);
      if (captureOnEvents) closed.content = content;
      if (captureOnSpans) {
        addAll(span.values, toSpanAttributes(content));
        span.bytes += content.characters;
      }
    }
    if (group.failure !== undefined) span.fail(group.failure.message);
    span.end(group.durationMs === undefined ? endMs : group.startedAtMs + group.durationMs);
    return closed;
  }

  #endServer(record: ExchangeRecord, endMs: number): void {
    const span = this.#server;
    span.name = serverSpanName(record);
    writeServerEnd(span.values, record);
    for (const loss of record.losses) span.addEvent(events.loss, lossAttributes(loss), endMs);
    if (serverFailed(record)) span.fail(record.failure?.message ?? serverErrorType(record));
    span.end(endMs);
  }
}

/** Not always the last: one that was asked beside it may be. */
function isReplaced({ provider, requestModel }: AttemptGroup, { replaces }: AttemptGroup): boolean {
  return replaces !== undefined && provider === replaces.provider && requestModel === replaces.model;
}

function addAll(to: AttributeMap, more: Attributes): void {
  for (const [name, value] of Object.entries(more)) to.set(name, value);
}

function endAttempt(span: DirectSpan, attempt: WireAttempt, endMs: number): void {
  writeAttemptEnd(span.values, attempt);
  if (attemptErrorType(attempt) !== undefined) span.fail(attempt.failure?.message);
  span.end(attempt.durationMs === undefined ? endMs : attempt.startedAtMs + attempt.durationMs);
}

const ids = new RandomIdGenerator();

/**
 * An exchange whose spans go nowhere: the caller's context goes on as it came, and without one the ids are made up and not sampled.
 * Its log events are the same.
 */
export class UntracedExchange implements ExchangeTrace {
  readonly traceId: string;
  readonly traceresponse: string;
  readonly spanContext: SpanContext;
  readonly #headers: { traceparent: string; tracestate?: string };
  readonly #settings: SpanSettings | undefined;
  #ended = false;

  /** `settings` is left out when there are no log events either. */
  constructor(inbound: InboundContext, settings?: SpanSettings) {
    const caller = parseContext(inbound);
    this.spanContext = caller?.spanContext ?? {
      traceId: ids.generateTraceId(),
      spanId: ids.generateSpanId(),
      traceFlags: 0,
    };
    this.traceId = this.spanContext.traceId;
    this.traceresponse = formatTraceparent(this.spanContext, caller?.randomFlag ?? 0);
    const tracestate = this.spanContext.traceState?.serialize();
    const traceparent = this.traceresponse;
    this.#headers = tracestate === undefined ? { traceparent } : { traceparent, tracestate };
    this.#settings = settings;
  }

  openGroup(): void {}

  openAttempt(): { traceparent: string; tracestate?: string } {
    return this.#headers;
  }

  /** What the log events of the groups need; undefined when it was called before. */
  end(record: ExchangeRecord): ClosedGroup[] | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    const operation = record.operation?.name;
    const settings = this.#settings;
    if (operation === undefined || settings === undefined) return [];
    return record.groups.map((group) => this.#closeGroup(record, operation, group, settings));
  }

  reportCall(call: ExchangeRecord, group: AttemptGroup): ClosedGroup | undefined {
    const operation = call.operation?.name;
    if (this.#ended || operation === undefined || this.#settings === undefined) return undefined;
    return this.#closeGroup(call, operation, group, this.#settings);
  }

  #closeGroup(record: ExchangeRecord, operation: string, group: AttemptGroup, settings: SpanSettings): ClosedGroup {
    const values: AttributeMap = new Map();
    writeGroupStart(values, operation, group, settings);
    writeGroupEnd(values, record, group);
    if (group.replaces !== undefined) addAll(values, fallbackAttributes(group.replaces, group));
    const closed: ClosedGroup = { group, spanContext: this.spanContext, values };
    if (!settings.captureOnEvents) return closed;
    const content = captureContent(record.request, group.response, settings.captureMaxCharacters);
    if (content.truncated) values.set(own.captureTruncated, true);
    return { ...closed, content };
  }
}

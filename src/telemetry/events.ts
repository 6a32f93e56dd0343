// Room telemetry: log events of a closed exchange.
// Invariant: they do not depend on sampling; content only when capture is `event` or `both`.

import { SeverityNumber, type Attributes, type SpanContext } from "@opentelemetry/api";

import type { ExchangeRecord } from "../record/index.ts";
import { fallbackAttributes, inferenceOperations, lossAttributes } from "./attributes.ts";
import { emitLog, type LogOrigin } from "./direct-log.ts";
import { attr, events, own } from "./semconv.ts";
import type { ClosedGroup } from "./span.ts";

/** Emits every log event of one exchange. */
export function emitEvents(
  origin: LogOrigin,
  record: ExchangeRecord,
  exchangeContext: SpanContext | undefined,
  groups: ClosedGroup[],
): void {
  const endMs = record.startedAtMs + (record.durationMs ?? 0);
  const operation = record.operation?.name;
  for (const { group, spanContext, values, content } of groups) {
    const epochMs = group.durationMs === undefined ? endMs : group.startedAtMs + group.durationMs;
    // The conventions' details event is for inference alone.
    if (operation !== undefined && inferenceOperations.has(operation)) {
      emitLog(origin, {
        eventName: events.inferenceDetails,
        severityNumber: SeverityNumber.DEBUG,
        severityText: "DEBUG",
        epochMs,
        spanContext,
        ...(content === undefined
          ? { values }
          : {
              values: new Map([...values, ...Object.entries(content.attributes)]),
              contentCharacters: content.characters,
            }),
      });
    }
    if (group.cost?.status === "missing")
      warn(origin, events.priceUnknown, spanContext, epochMs, priceAttributes(group));
    if (group.replaces !== undefined) {
      warn(origin, events.fallback, spanContext, group.startedAtMs, fallbackAttributes(group.replaces, group));
    }
  }
  for (const loss of record.losses) warn(origin, events.loss, exchangeContext, endMs, lossAttributes(loss));
}

function warn(
  origin: LogOrigin,
  eventName: string,
  spanContext: SpanContext | undefined,
  epochMs: number,
  attributes: Attributes,
): void {
  const severity = { severityNumber: SeverityNumber.WARN, severityText: "WARN" };
  emitLog(origin, { eventName, ...severity, epochMs, spanContext, values: new Map(Object.entries(attributes)) });
}

function priceAttributes(group: ClosedGroup["group"]): Attributes {
  return {
    [attr.providerName]: group.providerName,
    [own.provider]: group.provider,
    ...(group.requestModel === undefined ? {} : { [attr.requestModel]: group.requestModel }),
    ...(group.response?.model === undefined ? {} : { [attr.responseModel]: group.response.model }),
  };
}

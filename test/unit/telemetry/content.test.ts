import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";

import { captureModes, type CaptureMode } from "../../../src/options.ts";
import { captureContent, toSpanAttributes } from "../../../src/telemetry/content.ts";
import { buildRichExchange, plantedSentence } from "../../support/rich-exchange.ts";
import { startOtlpReceiver } from "../../support/otlp-receiver.ts";
import { reportExchange, startTelemetry, telemetryOptions } from "../../support/telemetry-run.ts";
import { createTelemetry } from "../../../src/telemetry/index.ts";
import { systemClock } from "../../../src/clock.ts";

const names = [
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.system_instructions",
  "gen_ai.tool.definitions",
];

function schemaOf(name: string): (value: unknown) => boolean {
  const file = `gen-ai-${name.replace("gen_ai.", "").replaceAll(/[._]/g, "-")}.json`;
  const text = readFileSync(new URL(`../../fixtures/semconv/${file}`, import.meta.url), "utf8");
  // The tool schema refers to the draft-07 meta-schema by URL; offline any object will do.
  const schema: unknown = JSON.parse(
    text.replaceAll('"$ref": "http://json-schema.org/draft-07/schema#"', '"type": "object"'),
  );
  return new Ajv2020({ strict: false, validateFormats: false }).compile(schema as object);
}

describe("capture", () => {
  test.each<[CaptureMode, boolean, boolean]>([
    ["none", false, false],
    ["span", true, false],
    ["event", false, true],
    ["both", true, true],
  ])("%s puts content on spans: %s, on events: %s", async (capture, onSpans, onEvents) => {
    const { telemetry, finish } = startTelemetry({ capture });
    reportExchange(telemetry, buildRichExchange());
    const { spans, logs } = await finish();
    const span = spans.find(({ name }) => name === "chat claude-sonnet-4-5");
    const event = logs.findLast(({ eventName }) => eventName === "gen_ai.client.inference.operation.details");
    for (const name of names) {
      expect(name in (span?.attributes ?? {}), `${name} on the span`).toBe(onSpans);
      expect(name in (event?.attributes ?? {}), `${name} on the event`).toBe(onEvents);
      if (onSpans) expect(typeof span?.attributes[name]).toBe("string");
      if (onEvents) expect(Array.isArray(event?.attributes[name])).toBe(true);
    }
    const others = [
      ...spans.filter((one) => one !== span && !one.name.startsWith("chat ")),
      ...logs.filter(({ eventName }) => !eventName?.startsWith("gen_ai")),
    ];
    expect(JSON.stringify(others.map(({ attributes }) => attributes))).not.toContain(plantedSentence);
  });

  test.each(["http/json", "http/protobuf"])(
    "off: a planted sentence is in no byte that leaves (%s)",
    async (protocol) => {
      const receiver = await startOtlpReceiver();
      const telemetry = createTelemetry({
        options: telemetryOptions(),
        environment: {
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "SPAN_AND_EVENT",
        },
        clock: systemClock,
        isKnownModel: () => true,
        version: "0",
      });
      reportExchange(telemetry, buildRichExchange());
      const exposition = await telemetry.exposition();
      await telemetry.shutdown(2000);
      await receiver.close();
      expect(receiver.bodies).toHaveLength(3);
      const everything = `${Buffer.concat(receiver.bodies).toString("latin1")}${exposition}`;
      expect(everything).toContain("claude-sonnet-4-5");
      for (const word of ["giraffe", "flowerpot"]) expect(everything).not.toContain(word);
    },
  );

  test("reaches the receiver structured on events by protobuf", async () => {
    const receiver = await startOtlpReceiver();
    const telemetry = createTelemetry({
      options: telemetryOptions({ capture: "event" }),
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
      clock: systemClock,
      isKnownModel: () => true,
      version: "0",
    });
    reportExchange(telemetry, buildRichExchange());
    await telemetry.shutdown(2000);
    await receiver.close();
    const event = receiver.logs.findLast(({ eventName }) => eventName === "gen_ai.client.inference.operation.details");
    expect(event?.attributes["gen_ai.system_instructions"]).toEqual([{ type: "text", content: plantedSentence }]);
  });

  test("is off unless the option says otherwise", () => {
    expect(telemetryOptions().capture).toBe("none");
    expect(captureModes).toEqual(["none", "span", "event", "both"]);
  });
});

describe("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", () => {
  test("cuts values on spans and nested ones on events, and leaves the record alone", async () => {
    const record = buildRichExchange();
    const { telemetry, finish } = startTelemetry({ capture: "event" }, { OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "6" });
    reportExchange(telemetry, record);
    const { spans, logs } = await finish();
    expect(spans.find(({ name }) => name === "POST /v1/chat/completions")?.attributes["url.path"]).toBe("/v1/ch");
    const event = logs.findLast(({ eventName }) => eventName === "gen_ai.client.inference.operation.details");
    expect(event?.attributes["gen_ai.system_instructions"]).toEqual([
      { type: "text", content: plantedSentence.slice(0, 6) },
    ]);
    expect(record.request?.systemInstructions).toEqual([{ type: "text", content: plantedSentence }]);
  });
});

describe("captured content", () => {
  const { request, groups } = buildRichExchange();
  const response = groups[1]?.response;

  test.each([8192, 40, 5, 1, 0])("satisfies the conventions' schemas when cut to %i characters", (maxCharacters) => {
    const { attributes } = captureContent(request, response, maxCharacters);
    expect(Object.keys(attributes).sort()).toEqual([...names].sort());
    for (const name of names) expect(schemaOf(name)(attributes[name]), name).toBe(true);
  });

  test("has no extensions", () => {
    expect(JSON.stringify(captureContent(request, response, 8192).attributes)).not.toContain("extensions");
  });

  test("is cut content by content, and says so", () => {
    const captured = captureContent(request, response, 10);
    expect(captured.truncated).toBe(true);
    expect(captured.attributes["gen_ai.system_instructions"]).toEqual([
      { type: "text", content: plantedSentence.slice(0, 10) },
    ]);
    expect(JSON.stringify(captured.attributes)).not.toContain(plantedSentence.slice(0, 11));
    expect(captureContent(request, response, 8192).truncated).toBe(false);
  });

  test("is never cut through a surrogate pair", () => {
    const messages = [{ role: "user", parts: [{ type: "text" as const, content: "ab\u{1F600}cd" }] }];
    const cut = captureContent({ stream: false, messages }, undefined, 3).attributes["gen_ai.input.messages"];
    expect(cut).toEqual([{ role: "user", parts: [{ type: "text", content: "ab" }] }]);
  });

  test("is JSON text on spans", () => {
    const captured = captureContent(request, response, 8192);
    for (const [name, text] of Object.entries(toSpanAttributes(captured)))
      expect(JSON.parse(text)).toEqual(captured.attributes[name]);
  });
});

// Scan and splice over every recorded request of the OpenAI shape, and the usage frame filter over every recorded stream.
import { describe, expect, it } from "vitest";
import { scanBody } from "../../src/dialects/json/scan.ts";
import { applyEdits, createUsageFrameFilter, editUsageRequest, spliceMember } from "../../src/dialects/json/splice.ts";
import { loadRecordings, responseBytes } from "../support/recordings.ts";
import { decodeFrames } from "../support/stream-decoding.ts";

type Json = Record<string, unknown>;

const recordings = loadRecordings("openai-chat", "openai-completions", "openai-embeddings", "mistral", "azure-openai");
const requests = recordings.flatMap(({ id, request: { body } }) =>
  typeof body === "object" && body !== null ? [{ id, body: body as Json }] : [],
);

describe("recorded requests", () => {
  it.each([0, 2])("are scanned and spliced member by member, written with indent %i", (indent) => {
    for (const { id, body } of requests) {
      const bytes = Buffer.from(JSON.stringify(body, null, indent));
      const scan = scanBody(bytes);
      for (const [key, range] of scan.members) {
        expect(JSON.parse(bytes.toString("utf8", range.valueStart, range.valueEnd)), `${id} /${key}`).toEqual(
          body[key],
        );
      }
      expect(scan.members.has("model"), id).toBe("model" in body);
      const spliced = spliceMember(bytes, scan, "model", '"other/model"');
      expect(JSON.parse(spliced.toString()), id).toEqual({ ...body, model: "other/model" });
    }
  });

  it("ask for usage exactly when they stream and do not speak on it", () => {
    let asked = 0;
    for (const { id, body } of requests) {
      const bytes = Buffer.from(JSON.stringify(body));
      const edit = editUsageRequest(bytes, scanBody(bytes));
      const options = body["stream_options"];
      const isUnset =
        options === undefined || (typeof options === "object" && options !== null && !("include_usage" in options));
      expect(edit !== undefined, id).toBe(body["stream"] === true && isUnset);
      if (edit === undefined) continue;
      asked++;
      expect(JSON.parse(applyEdits(bytes, [edit]).toString()), id).toEqual({
        ...body,
        stream_options: { ...(options as Json | undefined), include_usage: true },
      });
    }
    expect(asked).toBeGreaterThan(0);
  });
});

describe("recorded streams", () => {
  it("lose at most the one usage frame to the filter, and never Azure's first chunk", () => {
    let dropped = 0;
    let azurePreludes = 0;
    let ruledOut = 0;
    for (const recording of recordings) {
      if (recording.framing !== "sse") continue;
      const filter = createUsageFrameFilter();
      for (const frame of decodeFrames([responseBytes(recording)])) {
        const isPrelude = frame.data.includes('"choices":[]') && frame.data.includes("prompt_filter_results");
        const isDropped = filter.shouldDrop(frame);
        if (isDropped) expect(filter.mayHold(frame.raw), recording.id).toBe(true);
        else if (!isPrelude) ruledOut += filter.mayHold(frame.raw) ? 0 : 1;
        if (isPrelude && !frame.data.includes('"usage":{')) {
          azurePreludes++;
          expect(isDropped, recording.id).toBe(false);
        }
      }
      expect(filter.droppedFrames, recording.id).toBeLessThanOrEqual(1);
      dropped += filter.droppedFrames;
    }
    expect(dropped).toBeGreaterThan(0);
    // Otherwise the look at the bytes spares nothing.
    expect(ruledOut).toBeGreaterThan(dropped * 10);
    expect(azurePreludes).toBeGreaterThan(0);
  });
});

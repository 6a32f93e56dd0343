import { describe, expect, it } from "vitest";
import { readChunk, readChunkMessage } from "../../../../src/dialects/bedrock-invoke/chunk.ts";
import { encodeAwsMessage } from "../../../../src/dialects/framing/aws-eventstream.ts";

const headers = { ":event-type": "chunk", ":content-type": "application/json", ":message-type": "event" };
const readBack = (payload: string): string | undefined =>
  readChunkMessage(encodeAwsMessage(headers, payload))?.toString("latin1");

describe("a chunk of a message", () => {
  it("comes out whatever its length and its bytes", () => {
    for (let length = 0; length < 300; length++) {
      const bytes = Buffer.from(Array.from({ length }, (_none, index) => (index * 89 + length) & 0xff));
      const payload = `{"bytes":"${bytes.toString("base64")}","p":"abc"}`;
      expect(readBack(payload), payload).toBe(bytes.toString("latin1"));
      expect(readChunk(payload).toString("latin1"), payload).toBe(bytes.toString("latin1"));
    }
  });

  it("comes out where it is larger than what is decoded at once", () => {
    const text = "żó😀".repeat(20_000);
    const payload = `{"bytes":"${Buffer.from(text).toString("base64")}"}`;
    expect(readChunkMessage(encodeAwsMessage(headers, payload))?.toString("utf8")).toBe(text);
  });

  it.each([
    '{"bytes":"QUJD',
    '{"bytes":"QUI',
    '{"bytes":"QUI="',
    '{"bytes":"QUI',
    '{"bytes":"QUI"}',
    '{"bytes":"QQ"}',
    '{"bytes":"Q"}',
    '{"bytes":"QQ=="}',
    '{"bytes":"Q==="}',
    '{"bytes":"QUJD="}',
    '{"bytes":"QUJDQQ==QUJD"}',
    '{"bytes":"QU JD"}',
    '{"bytes":"QU\\nJD"}',
    '{"bytes":"\\u0051UJD"}',
    '{"bytes":"-_-_"}',
    '{"bytes":"é😀"}',
    '{ "bytes" : "QUJD" }',
    '{"p":"a","bytes":"QUJD"}',
    '{"bytes":1}',
    "",
  ])("is read from the message as from its payload: %s", (payload) => {
    expect(readBack(payload)).toBe(readChunk(payload).toString("latin1"));
  });

  it("is not closed by a checksum that looks like a quote", () => {
    let found = 0;
    for (let index = 0; index < 3000; index++) {
      const payload = `{"bytes":"${index.toString().padStart(4, "0")}`;
      const message = encodeAwsMessage(headers, payload);
      if (message[message.length - 4] !== 0x22) continue;
      found += 1;
      expect(readChunkMessage(message)?.toString("utf8")).toBe(payload);
    }
    expect(found).toBeGreaterThan(0);
  });

  it("is none of another event, and none of a message that is broken", () => {
    const payload = '{"bytes":"QUJD"}';
    expect(readChunkMessage(encodeAwsMessage({ ...headers, ":event-type": "other" }, payload))).toBeUndefined();
    const broken = encodeAwsMessage(headers, payload);
    broken.writeUInt8(0, broken.length - 8);
    expect(readChunkMessage(broken)).toBeUndefined();
  });
});

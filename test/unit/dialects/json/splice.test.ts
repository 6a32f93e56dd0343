import { describe, expect, it } from "vitest";
import { scanBody } from "../../../../src/dialects/json/scan.ts";
import {
  applyEdits,
  createUsageFrameFilter,
  editMember,
  editUsageRequest,
  spliceMember,
} from "../../../../src/dialects/json/splice.ts";
import { framesOf } from "../../../support/stream-decoding.ts";

const withUsage = (text: string) => {
  const bytes = Buffer.from(text);
  const edit = editUsageRequest(bytes, scanBody(bytes));
  return edit === undefined ? undefined : applyEdits(bytes, [edit]).toString();
};

describe("spliceMember", () => {
  it.each([
    { text: '{ "a" : 1,\n "model" :  "old\\u00e9" , "é":2 }', out: '{ "a" : 1,\n "model" :  "new" , "é":2 }' },
    { text: '{"a":1}', out: '{"model":"new","a":1}' },
    { text: "{ }", out: '{"model":"new" }' },
    { text: ' \n{"messages":[]}\n', out: ' \n{"model":"new","messages":[]}\n' },
  ])("turns $text into $out", ({ text, out }) => {
    const bytes = Buffer.from(text);
    expect(spliceMember(bytes, scanBody(bytes), "model", '"new"').toString()).toBe(out);
    expect(bytes.toString()).toBe(text);
  });

  it("applies several edits of one scan together", () => {
    const bytes = Buffer.from('{"stream":true,"model":"a"}');
    const scan = scanBody(bytes);
    const edits = [editMember(scan, "model", '"b"'), editMember(scan, "max_tokens", "5")];
    expect(applyEdits(bytes, edits).toString()).toBe('{"max_tokens":5,"stream":true,"model":"b"}');
  });
});

describe("editUsageRequest", () => {
  it.each([
    { text: '{"stream":true}', out: '{"stream_options":{"include_usage":true},"stream":true}' },
    {
      text: '{"stream": true,"stream_options": { } }',
      out: '{"stream": true,"stream_options": {"include_usage":true } }',
    },
    {
      text: '{"stream_options":{"include_obfuscation":false},"stream":true}',
      out: '{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}',
    },
  ])("asks for usage in $text", ({ text, out }) => {
    expect(withUsage(text)).toBe(out);
    expect(() => JSON.parse(out)).not.toThrow();
  });

  it.each([
    '{"stream":false}',
    "{}",
    '{"stream":"true"}',
    '{"stream":true,"stream_options":null}',
    '{"stream":true,"stream_options":{"include_usage":false}}',
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":true,"stream_options":{"include_usage":null}}',
    '{"stream":true,"stream_options":[]}',
  ])("leaves %s as the client wrote it", (text) => {
    expect(withUsage(text)).toBeUndefined();
  });
});

describe("usage frame filter", () => {
  const drops = (chunk: string | Record<string, unknown>) => {
    const [frame] = framesOf(chunk);
    if (frame === undefined) throw new Error("no frame");
    return createUsageFrameFilter().shouldDrop(frame);
  };

  it.each([{ choices: [], usage: { total_tokens: 1 } }, '{"id":"x", "choices" : [ ] , "usage":{"total_tokens":1}}'])(
    "drops the extra frame %j",
    (chunk) => {
      expect(drops(chunk)).toBe(true);
    },
  );

  it.each([
    'data: {"choices":[],"usage":{"total_tokens":1}}\n\n',
    'data: {"choices" :\t[ ] ,"usage":{"total_tokens":1}}\n\n',
    'data: {"choices":\ndata: [],"usage":{"total_tokens":1}}\n\n',
    'data: {"choices":[\ndata: ],"usage":{"total_tokens":1}}\n\n',
    'data: {"choices"\r\ndata::[],"usage":{"total_tokens":1}}\r\n\r\n',
    'data: {"choices":[{"index":0}]}\n\ndata: {"usage":{"total_tokens":1},"choices":[]}\n\n',
    'data: {"choices":[',
    'data: {"choices":',
    'data: {"choices"',
  ])("does not rule the frame out in %j", (bytes) => {
    expect(createUsageFrameFilter().mayHold(Buffer.from(bytes))).toBe(true);
  });

  it.each([
    'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}\n\n',
    'data: {"choices" : [ {"index":0,"delta":{"content":"\\"choices\\":[]"}}]}\n\n',
    "data: [DONE]\n\n",
    ": ping\n\n",
  ])("rules it out in %j", (bytes) => {
    expect(createUsageFrameFilter().mayHold(Buffer.from(bytes))).toBe(false);
  });

  it.each([
    { choices: [], id: "", model: "", prompt_filter_results: [] },
    { choices: [], usage: null },
    { choices: [{ index: 0, delta: { content: "x" } }], usage: { total_tokens: 1 } },
    { choices: [{ index: 0, delta: { content: '"choices":[] "usage":{}' } }], usage: null },
    { choices: [{ index: 0, delta: {} }], nested: { choices: [], usage: {} }, usage: { total_tokens: 1 } },
    { usage: { total_tokens: 1 } },
    '{"choices":[],"usage":{"tot',
    "[DONE]",
  ])("keeps %j", (chunk) => {
    expect(drops(chunk)).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { maxDepth, scanBody, type GuardedKey } from "../../../../src/dialects/json/scan.ts";
import { SidecarError } from "../../../../src/errors.ts";

function refusal(bytes: Buffer): SidecarError {
  try {
    scanBody(bytes);
  } catch (error) {
    if (error instanceof SidecarError) return error;
    throw error;
  }
  throw new Error("not refused");
}

const member = (text: string, key: GuardedKey) => {
  const bytes = Buffer.from(text);
  const found = scanBody(bytes).members.get(key);
  return found === undefined
    ? undefined
    : [
        bytes.toString("utf8", found.keyStart, found.valueStart),
        bytes.toString("utf8", found.valueStart, found.valueEnd),
      ];
};

describe("scanBody", () => {
  it.each([
    { text: '{"model":"a"}', key: "model", found: ['"model":', '"a"'] },
    {
      text: ' {\n "x" : [1,{"model":"no"}] , "model"\t:\r\n "a\\"b" \n}\n',
      key: "model",
      found: ['"model"\t:\r\n ', '"a\\"b"'],
    },
    { text: '{"stream":true}', key: "stream", found: ['"stream":', "true"] },
    {
      text: '{"stream_options":{"a":[{"b":"}"}]},"y":1}',
      key: "stream_options",
      found: ['"stream_options":', '{"a":[{"b":"}"}]}'],
    },
    { text: '{"max_tokens":-1.5e3 ,"z":null}', key: "max_tokens", found: ['"max_tokens":', "-1.5e3"] },
    { text: '{"mod\\u0065l":"a"}', key: "model", found: ['"mod\\u0065l":', '"a"'] },
    {
      text: '{"é":"model","max_completion_tokens":3}',
      key: "max_completion_tokens",
      found: ['"max_completion_tokens":', "3"],
    },
    { text: '{"messages":[{"model":"inner"}]}', key: "model", found: undefined },
    { text: "{}", key: "model", found: undefined },
  ] as const)("finds $key in $text", ({ text, key, found }) => {
    expect(member(text, key)).toEqual(found);
  });

  it.each([
    { name: "a byte order mark", text: "\uFEFF{}", offset: 0 },
    { name: "an array", text: " []", offset: 1 },
    { name: "nothing", text: "", offset: 0 },
    { name: "a bare string", text: '"x"', offset: 0 },
    { name: "bytes after the object", text: '{"a":1} x', offset: 8 },
    { name: "two objects", text: "{}{}", offset: 2 },
    { name: "a duplicate key", text: '{"model":"a","model":"b"}', offset: 13 },
    { name: "a key in another case", text: '{"model":"a","Model":"b"}', offset: 13 },
    { name: "a key that only an escape hides", text: '{"model":"a","\\u006dodel":"b"}', offset: 13 },
    { name: "a key that Go's case folding finds", text: '{"stream":true,"\u017Ftream":false}', offset: 15 },
    { name: "a string that does not end", text: '{"model":"a', offset: 9 },
    { name: "a string that ends in an escape", text: '{"model":"a\\"', offset: 9 },
    { name: "a container that does not end", text: '{"a":[1,2', offset: 5 },
    { name: "a missing value", text: '{"a":}', offset: 5 },
    { name: "a missing colon", text: '{"a" 1}', offset: 5 },
    { name: "a trailing comma", text: '{"a":1,}', offset: 7 },
    { name: "a missing comma", text: '{"a":1 "b":2}', offset: 7 },
    { name: "an object that does not end", text: '{"a":1', offset: 6 },
    { name: "a bare key", text: "{a:1}", offset: 1 },
  ])("refuses $name at byte $offset", ({ text, offset }) => {
    const error = refusal(Buffer.from(text));
    expect(error.code).toBe("request_malformed");
    expect(error.message).toContain(`(byte ${offset})`);
  });

  it("names the place of invalid UTF-8, never the content", () => {
    const bytes = Buffer.concat([Buffer.from('{"model":"sécrèt '), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    const error = refusal(bytes);
    expect(error.message).toContain(`not valid UTF-8 (byte ${bytes.indexOf(0x28) - 1})`);
    expect(error.message).not.toContain("crèt");
  });

  it("names a duplicate by its JSON pointer", () => {
    expect(refusal(Buffer.from('{"max_tokens":1,"MAX_TOKENS":2}')).message).toContain("/max_tokens ");
  });

  it("allows duplicates of keys that nobody acts on", () => {
    expect(() => scanBody(Buffer.from('{"a":1,"a":2}'))).not.toThrow();
  });

  it(`takes ${maxDepth} levels and refuses one more, and brackets in strings are no levels`, () => {
    const nested = (levels: number) => Buffer.from(`{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`);
    expect(() => scanBody(nested(maxDepth))).not.toThrow();
    expect(refusal(nested(maxDepth + 1)).message).toContain("deeper than");
    expect(() => scanBody(Buffer.from(`{"a":["${"[{".repeat(500)}"]}`))).not.toThrow();
  });

  it.each([1, 31, 32, 33, 64, 1000])(
    "finds the end of strings of %i characters, whatever escapes they hold",
    (length) => {
      for (const filler of ["a", '\\"', "\\\\", "\\n", "é", '\\\\\\"']) {
        const value = `"${filler.repeat(length)}"`;
        expect(member(`{"x":${value},"model":${value},"y":1}`, "model")?.[1]).toBe(value);
      }
    },
  );
});

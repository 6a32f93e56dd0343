import { describe, expect, it } from "vitest";
import { FieldReader } from "../../../src/dialects/json/fields.ts";
import { isFileField, parseMultipart, readFormBoolean, readFormNumber } from "../../../src/dialects/multipart.ts";

const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
const file = (disposition: string, content: string, type = "audio/wav") =>
  `Content-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n${content}`;
const body = (boundary: string, ...parts: string[]) =>
  Buffer.from(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--\r\n`);
const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`;

describe("a multipart form", () => {
  it("gives fields as text and files as their description", () => {
    const form = body("b", field("model", "whisper-1"), file('name="file"; filename="a.wav"', "RIFF\r\n\0"));
    const parsed = parseMultipart(form, type("b"));
    expect(parsed).toEqual({ model: "whisper-1", file: { filename: "a.wav", content_type: "audio/wav", bytes: 7 } });
    expect(isFileField(parsed?.["file"])).toBe(true);
    expect(isFileField(parsed?.["model"])).toBe(false);
  });

  it("gives an empty field, an empty file and a field with line breaks as they are", () => {
    const form = body("b", field("prompt", ""), file('name="file"; filename=""', ""), field("text", "a\r\n\r\nb\r\n"));
    expect(parseMultipart(form, type("b"))).toEqual({
      prompt: "",
      file: { filename: "", content_type: "audio/wav", bytes: 0 },
      text: "a\r\n\r\nb\r\n",
    });
  });

  it("gives repeated names as a list, in order", () => {
    const form = body("b", field("g[]", "word"), field("g[]", "segment"), field("g[]", "x"));
    expect(parseMultipart(form, type("b"))).toEqual({ "g[]": ["word", "segment", "x"] });
  });

  it.each([
    ["quoted", 'multipart/form-data; boundary="a b=?:"', "a b=?:"],
    ["quoted with an escape", String.raw`multipart/form-data; boundary="a\"b"`, 'a"b'],
    ["after another parameter", "multipart/form-data; charset=utf-8; boundary=xyz", "xyz"],
    ["before another parameter", "multipart/form-data; boundary=xyz; charset=utf-8", "xyz"],
    ["in capitals", "Multipart/Form-Data; BOUNDARY=xyz", "xyz"],
    ["with the characters of a pattern", "multipart/form-data; boundary=(a.*+", "(a.*+"],
  ])("takes a boundary %s", (_, contentType, boundary) => {
    expect(parseMultipart(body(boundary, field("model", "m")), contentType)).toEqual({ model: "m" });
  });

  it.each([
    ["no boundary", "multipart/form-data"],
    ["an empty boundary", 'multipart/form-data; boundary=""'],
    ["another parameter's tail", "multipart/form-data; xboundary=b"],
    ["a boundary that the body has not", "multipart/form-data; boundary=other"],
    ["a boundary inside another parameter's quotes", 'multipart/form-data; note="; boundary=b"'],
  ])("is none with %s", (_, contentType) => {
    expect(parseMultipart(body("b", field("model", "m")), contentType)).toBeUndefined();
  });

  it.each([
    ["in the middle of a line", 'x--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil'],
    ["at a line's start with more behind it", '\r\n--bc\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil'],
    ["after a bare line feed", '\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil'],
  ])("takes the delimiter for content %s", (_, content) => {
    const form = body("b", file('name="file"; filename="a"', content), field("model", "m"));
    expect(parseMultipart(form, type("b"))).toEqual({
      model: "m",
      file: { filename: "a", content_type: "audio/wav", bytes: content.length },
    });
  });

  it("takes blanks behind a delimiter, a preamble before the first and nothing after the last", () => {
    const form = Buffer.from(
      `preamble --b\r\n--b \t\r\n${field("model", "m")}\r\n--b--\r\n--b\r\n${field("model", "late")}\r\n--b--`,
    );
    expect(parseMultipart(form, type("b"))).toEqual({ model: "m" });
  });

  it("keeps what came whole when the end is missing", () => {
    const form = Buffer.from(`--b\r\n${field("model", "m")}\r\n--b\r\n${field("prompt", "half a pro")}`);
    expect(parseMultipart(form, type("b"))).toEqual({ model: "m" });
  });

  it("reads no headers from a part that begins with a blank line", () => {
    const form = body("b", `\r\n${field("model", "evil")}`, field("user", "u"));
    expect(parseMultipart(form, type("b"))).toEqual({ user: "u" });
  });

  it.each([
    [
      "RFC 5987 over plain",
      `name="file"; filename="x.wav"; filename*=UTF-8''na%C3%AFve%20%22a%22.wav`,
      'naïve "a".wav',
    ],
    ["RFC 5987 before plain", `name="file"; filename*=utf-8'en'%E2%82%AC.wav; filename="x.wav"`, "€.wav"],
    ["a broken RFC 5987 name", `name="file"; filename*=UTF-8''%E2%28.wav; filename="x.wav"`, "x.wav"],
    ["another charset than UTF-8", `name="file"; filename*=ISO-8859-1''a.wav; filename="x.wav"`, "x.wav"],
    ["raw UTF-8", 'name="file"; filename="näme.wav"', "näme.wav"],
    ["escaped quotes", String.raw`name="file"; filename="a\"; name=\"model\".wav"`, 'a"; name="model".wav'],
    ["a Windows path", String.raw`name="file"; filename="C:\dir\a.wav"`, String.raw`C:\dir\a.wav`],
    ["a token", "name=file; filename=a.wav", "a.wav"],
    ["an empty parameter between", 'name="file";; x; filename="a.wav"', "a.wav"],
  ])("reads a file's name: %s", (_, disposition, filename) => {
    const parsed = parseMultipart(body("b", file(disposition, "RIFF")), type("b"));
    expect(parsed).toEqual({ file: { filename, content_type: "audio/wav", bytes: 4 } });
  });

  it("takes the name from Content-Disposition alone, in any case of letters", () => {
    const part = 'X-Note: a; name="evil"\r\nCONTENT-DISPOSITION: form-data; NAME="model"\r\n\r\nm';
    expect(parseMultipart(body("b", part), type("b"))).toEqual({ model: "m" });
  });

  it.each(["constructor", "toString", "hasOwnProperty"])("takes a field called %s for a field", (name) => {
    const parsed = parseMultipart(body("b", field(name, "x")), type("b"));
    expect(Object.entries(parsed ?? {})).toEqual([[name, "x"]]);
  });

  it("leaves __proto__ out", () => {
    const parsed = parseMultipart(body("b", field("__proto__", "x"), field("model", "m")), type("b"));
    expect(Object.keys(parsed ?? {})).toEqual(["model"]);
  });

  it("leaves a field of more than 64 KiB out, and counts a file of any size", () => {
    const long = "x".repeat(65_537);
    const form = body(
      "b",
      field("prompt", long),
      field("text", long.slice(1)),
      file('name="file"; filename="f"', long),
    );
    const parsed = parseMultipart(form, type("b"));
    expect(parsed).not.toHaveProperty("prompt");
    expect(parsed?.["text"]).toHaveLength(65_536);
    expect(parsed?.["file"]).toMatchObject({ bytes: 65_537 });
  });

  it("stops after 200 parts", () => {
    const parts = Array.from({ length: 5000 }, (_, index) => field("n", String(index)));
    expect(parseMultipart(body("b", ...parts), type("b"))?.["n"]).toHaveLength(200);
  });

  it("reads a megabyte of near-delimiters in linear time", () => {
    const near = "\r\n--b  x".repeat(150_000);
    const started = performance.now();
    const parsed = parseMultipart(body("b", file('name="file"; filename="f"', near), field("model", "m")), type("b"));
    parseMultipart(Buffer.from(`--b\r\n${"a;".repeat(500_000)}`), type("b"));
    parseMultipart(Buffer.from("--b\r\n"), `multipart/form-data; ${'a="'.repeat(100_000)}; boundary=b`);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(parsed).toMatchObject({ model: "m", file: { bytes: near.length } });
  });

  it("never throws on any cut of a form", () => {
    const form = body("b", field("model", "m"), file('name="file"; filename="a.wav"', "RIFF"));
    for (let end = 0; end <= form.length; end++) {
      const parsed = parseMultipart(form.subarray(0, end), type("b"));
      if (parsed !== undefined) expect([undefined, "m"]).toContain(parsed["model"]);
    }
  });
});

describe("a form's values", () => {
  it.each([
    ["2", 2],
    ["0.5", 0.5],
    ["-1", -1],
    [3, 3],
    ["", undefined],
    ["1e9", undefined],
    ["two", undefined],
    [null, undefined],
  ])("reads %j as the number %s, and keeps what is none", (value, number) => {
    const fields = new FieldReader({ n: value });
    expect(readFormNumber(fields, "n")).toBe(number);
    expect(fields.rest()).toEqual(number === undefined ? { n: value } : undefined);
  });

  it.each([
    ["true", true],
    ["false", false],
    [true, true],
    ["True", undefined],
    [1, undefined],
  ])("reads %j as the boolean %s, and keeps what is none", (value, boolean) => {
    const fields = new FieldReader({ stream: value });
    expect(readFormBoolean(fields, "stream")).toBe(boolean);
    expect(fields.rest()).toEqual(boolean === undefined ? { stream: value } : undefined);
  });
});

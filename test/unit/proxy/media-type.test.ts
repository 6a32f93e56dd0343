// What fetched bytes are: by how they begin, and only then by what the answer says.
import { describe, expect, it } from "vitest";
import { readMediaType } from "../../../src/proxy/media-type.ts";

const png = Buffer.from("89504e470d0a1a0a0000", "hex");
const jpeg = Buffer.from("ffd8ffe000104a464946", "hex");
const webp = Buffer.from("RIFF\u0001\u0002\u0003\u0004WEBPVP8 ", "latin1");
const pdf = Buffer.from("%PDF-1.7\n");
const text = Buffer.from("password=1");

describe("the media type of fetched bytes", () => {
  it.each([
    ["image", "image/png", png, "image/png"],
    ["image", "image/png; charset=binary", jpeg, "image/jpeg"],
    ["image", "application/octet-stream", webp, "image/webp"],
    ["image", undefined, Buffer.from("GIF89a..."), "image/gif"],
    ["image", "image/avif", Buffer.from("....ftypavif"), "image/avif"],
    ["document", "text/plain", pdf, "application/pdf"],
    ["document", "Text/CSV; charset=utf-8", text, "text/csv"],
    ["audio", "audio/mpeg", Buffer.from("ID3"), "audio/mpeg"],
  ] as const)("of an %s sent as %j is read", (modality, stated, bytes, type) => {
    expect(readMediaType(modality, stated, bytes)).toBe(type);
  });

  it.each([
    ["image", "text/html", Buffer.from("<html>")],
    ["image", "image/png", text],
    ["image", "image/jpg", text],
    ["image", "image/webp", Buffer.from("RIFF\u0001\u0002\u0003\u0004WAVEfmt ", "latin1")],
    ["image", "image/png", pdf],
    ["image", undefined, text],
    ["image", "image/png\r\nx", Buffer.from("GIF8")],
    ["document", "application/pdf", text],
    ["document", "text/html", Buffer.from("<html>")],
    ["document", "application/json", Buffer.from("{}")],
    ["document", "image/png", png],
    ["audio", "image/png", png],
    ["image", "image/png", Buffer.alloc(0)],
  ] as const)("of what is no %s though sent as %j is refused", (modality, stated, bytes) => {
    expect(readMediaType(modality, stated, bytes)).toBeUndefined();
  });
});

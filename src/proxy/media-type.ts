// Room proxy: the media type of fetched bytes.
// Invariant: a type with well-known first bytes is never believed without them, and no part gets media of another kind than its own.

import type { Modality } from "../canonical/index.ts";

/** What bytes of a type begin with, as latin1; `*` is any byte. */
const beginnings: readonly { type: string; begins: string }[] = [
  { type: "image/png", begins: "\x89PNG\r\n\x1a\n" },
  { type: "image/jpeg", begins: "\xff\xd8\xff" },
  { type: "image/gif", begins: "GIF8*a" },
  { type: "image/webp", begins: "RIFF****WEBP" },
  { type: "application/pdf", begins: "%PDF-" },
];

const otherNames: ReadonlyMap<string, string> = new Map([
  ["image/jpg", "image/jpeg"],
  ["application/x-pdf", "application/pdf"],
]);

const typesOf: Readonly<Record<Modality, RegExp>> = {
  image: /^image\/[\w.+-]+$/,
  audio: /^audio\/[\w.+-]+$/,
  video: /^video\/[\w.+-]+$/,
  // No HTML: a page in a document's place is a login or an error.
  document:
    /^(?:text\/(?!html$)[\w.+-]+|application\/(?:pdf|msword|vnd\.ms-excel|vnd\.openxmlformats-officedocument\.[\w.-]+))$/,
};

/** The type of `bytes`, by their beginning, else as `contentType` (of the answer) says; undefined where it is not of this kind. */
export function readMediaType(modality: Modality, contentType: string | undefined, bytes: Buffer): string | undefined {
  const start = bytes.toString("latin1", 0, 16);
  const seen = beginnings.find(({ begins }) =>
    Array.from(begins).every((mark, at) => mark === "*" || mark === start[at]),
  )?.type;
  const bare = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const stated = otherNames.get(bare) ?? bare;
  if (seen === undefined && beginnings.some(({ type }) => type === stated)) return undefined;
  const type = seen ?? stated;
  return typesOf[modality].test(type) ? type : undefined;
}

// Room dialects: vectors as they stand on wires: lists of numbers, or base64 of little-endian float32 (OpenAI, Cohere).
// Invariant: pure; what is no vector is undefined, never a wrong number.

import type { Vectors } from "./embedding-codec.ts";
import { isNumber } from "./json/fields.ts";

const bytesPerFloat = 4;
const sampleFloats = 16;

/** Every item as a vector; undefined when one of them is none. */
export function readVectors(list: unknown): Vectors | undefined {
  if (!Array.isArray(list)) return undefined;
  const vectors = (list as unknown[]).map(readVector).filter((vector) => vector !== undefined);
  return vectors.length === list.length ? vectors : undefined;
}

/** One vector in either form. */
export function readVector(value: unknown): readonly number[] | undefined {
  if (typeof value === "string") return readFloats(value);
  return Array.isArray(value) && value.length > 0 && value.every(isNumber) ? value : undefined;
}

/** Base64 of little-endian float32. */
export function writeFloats(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * bytesPerFloat);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * bytesPerFloat);
  return bytes.toString("base64");
}

/** Undefined when the first numbers make no sense as float32: Perplexity sends int8 in base64 (recorded), and nothing says so. */
function readFloats(text: string): readonly number[] | undefined {
  const bytes = Buffer.from(text, "base64");
  const count = bytes.length / bytesPerFloat;
  if (count === 0 || !Number.isInteger(count)) return undefined;
  const floats = Array.from({ length: count }, (_, index) => bytes.readFloatLE(index * bytesPerFloat));
  return floats.slice(0, sampleFloats).every(isPlausible) ? floats : undefined;
}

function isPlausible(value: number): boolean {
  const size = Math.abs(value);
  return size === 0 || (size > 1e-9 && size < 1000);
}

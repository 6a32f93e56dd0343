// Room cli: a mapping of the configuration that knows which of its keys were read. Invariant: a key that nobody read is told.

import { isMapping } from "../option-file.ts";
import type { Notes, Place } from "./notes.ts";

const referencePrefix = "os.environ/";

/** A text, or the name of the variable that holds it. */
export type Reference = { type: "literal"; text: string } | { type: "variable"; name: string };

/** One mapping. */
export class Section {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #list: Place["list"];
  readonly #path: string;
  readonly #notes: Notes;
  readonly #read = new Set<string>();

  constructor(fields: unknown, { list, key }: Place, notes: Notes) {
    this.#list = list;
    this.#path = key;
    this.#notes = notes;
    this.#fields = isMapping(fields) ? fields : {};
    if (!isMapping(fields) && fields !== undefined && fields !== null)
      this.#tell(key, "not understood: expected a mapping");
  }

  /** Notes about a key of it. */
  note(key: string, reason: string): void {
    this.#tell(this.#path === "" ? key : `${this.#path}.${key}`, reason);
  }

  /** Undefined where there is none, or it is null. */
  take(key: string): unknown {
    this.#read.add(key);
    const value = Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined;
    return value === null ? undefined : value;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key) && this.#fields[key] !== null;
  }

  text(key: string): string | undefined {
    const value = this.take(key);
    if (value === undefined || typeof value === "string") return value === "" ? undefined : value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    this.note(key, "not understood: expected a text");
    return undefined;
  }

  /** Not negative. */
  number(key: string): number | undefined {
    const value = this.take(key);
    if (value === undefined) return undefined;
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number) && number >= 0) return number;
    this.note(key, "not understood: expected a number");
    return undefined;
  }

  reference(key: string): Reference | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    if (!text.startsWith(referencePrefix)) return { type: "literal", text };
    return { type: "variable", name: text.slice(referencePrefix.length) };
  }

  section(key: string): Section {
    const path = this.#path === "" ? key : `${this.#path}.${key}`;
    return new Section(
      this.take(key),
      { ...(this.#list === undefined ? {} : { list: this.#list }), key: path },
      this.#notes,
    );
  }

  /** Says of each key that nobody read why it was not carried over. */
  close(reasonOf: (key: string, value: unknown) => string | undefined): void {
    for (const [key, value] of Object.entries(this.#fields)) {
      if (this.#read.has(key) || value === null) continue;
      const reason = reasonOf(key, value);
      if (reason !== undefined) this.note(key, reason);
    }
  }

  #tell(key: string, reason: string): void {
    this.#notes.add(this.#list === undefined ? { key } : { list: this.#list, key }, reason);
  }
}

// Room dialects, json: reads one wire object field by field and keeps count of what was read.
// Invariant: a field is either taken with the type asked for, or it is in `rest()`; a wrongly typed one is never lost.

export type JsonObject = Record<string, unknown>;

/** Whether a JSON value is an object (no array, no null). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field for spreading into a node; nothing when the value is undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

/** The same node without the members that are undefined: many of them at once, where spreading each would cost more than reading it. */
export function compact<Node extends object>(members: { [K in keyof Node]: Node[K] | undefined }): Node {
  const node = {} as Node;
  for (const key in members) {
    const value = members[key];
    if (value !== undefined) node[key] = value;
  }
  return node;
}

/** A count: a whole number ≥ 0; undefined for anything else, null included. */
export function readCount(object: unknown, key: string): number | undefined {
  const value = isJsonObject(object) ? object[key] : undefined;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A reader over one object; taking a field marks it as read. */
export class FieldReader {
  readonly #source: JsonObject;
  // A list, as wire objects have few fields: a Set costs more to build than all its look-ups save.
  readonly #taken: string[] = [];
  #nested: Map<string, FieldReader> | undefined;

  constructor(source: JsonObject) {
    this.#source = source;
  }

  string(key: string): string | undefined {
    const value = this.#source[key];
    return typeof value === "string" ? this.#take(key, value) : undefined;
  }

  /** A string that is not empty; an empty one counts as read, for wires that say "" for "nothing". */
  filledString(key: string): string | undefined {
    const value = this.string(key);
    return value === "" ? undefined : value;
  }

  number(key: string): number | undefined {
    const value = this.#source[key];
    return typeof value === "number" ? this.#take(key, value) : undefined;
  }

  boolean(key: string): boolean | undefined {
    const value = this.#source[key];
    return typeof value === "boolean" ? this.#take(key, value) : undefined;
  }

  object(key: string): JsonObject | undefined {
    const value = this.#source[key];
    return isJsonObject(value) ? this.#take(key, value) : undefined;
  }

  /** A reader over a nested object; what it leaves stays in this one's `rest()` under the same key. */
  nested(key: string): FieldReader | undefined {
    const value = this.#source[key];
    if (!isJsonObject(value)) return undefined;
    const reader = new FieldReader(value);
    (this.#nested ??= new Map()).set(key, reader);
    return reader;
  }

  /** An array in which every item passes the check. */
  arrayOf<Item>(key: string, accepts: (item: unknown) => item is Item): Item[] | undefined {
    const value = this.#source[key];
    return Array.isArray(value) && value.every(accepts) ? this.#take<Item[]>(key, value) : undefined;
  }

  array(key: string): unknown[] | undefined {
    const value = this.#source[key];
    return Array.isArray(value) ? this.#take<unknown[]>(key, value) : undefined;
  }

  /** Whether the object has the field at all, read or not. */
  has(key: string): boolean {
    return this.#source[key] !== undefined;
  }

  /** Marks fields as read when they say nothing: null. */
  skipNull(...keys: string[]): void {
    for (const key of keys) if (this.#source[key] === null) this.#taken.push(key);
  }

  /** Marks fields as read whatever they hold: constants and what was read by other means. */
  skip(...keys: string[]): void {
    this.#taken.push(...keys);
  }

  /** Gives a field back: it was read, but could not be understood. */
  putBack(key: string): void {
    for (let at = this.#taken.indexOf(key); at !== -1; at = this.#taken.indexOf(key)) this.#taken.splice(at, 1);
  }

  /** All fields not read; undefined when there are none. */
  rest(): JsonObject | undefined {
    let rest: JsonObject | undefined;
    for (const key of Object.keys(this.#source)) {
      if (this.#taken.includes(key)) continue;
      const nested = this.#nested?.get(key);
      const kept = nested === undefined ? this.#source[key] : nested.#restOrEmpty();
      if (kept !== undefined) (rest ??= {})[key] = kept;
    }
    return rest;
  }

  /** An object that is empty on the wire is a fact too. */
  #restOrEmpty(): JsonObject | undefined {
    return this.rest() ?? (Object.keys(this.#source).length === 0 ? {} : undefined);
  }

  #take<Value>(key: string, value: Value): Value {
    this.#taken.push(key);
    return value;
  }
}

export const isString = (item: unknown): item is string => typeof item === "string";
export const isNumber = (item: unknown): item is number => typeof item === "number";

/** Whether a JSON value is an object of numbers alone. */
export const isNumberRecord = (value: unknown): value is Record<string, number> =>
  isJsonObject(value) && Object.values(value).every(isNumber);

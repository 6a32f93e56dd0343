// A secret that cannot be printed by accident.
import { inspect } from "node:util";

/** Holds a credential; every way of printing it gives `[redacted]`. Only `reveal()` gives the value, and only the last step before the wire calls it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

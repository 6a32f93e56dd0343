// Room routing: what was worked out for names of models, which clients choose.
// Invariant: bounded; what was forgotten is worked out anew.

/** Names that are remembered, and the longest of them. */
const maxRemembered = 1024;
const longestRemembered = 256;

/** By name of a model. */
export class ModelMemory<Value> {
  readonly #values = new Map<string, Value>();

  get(model: string): Value | undefined {
    return this.#values.get(model);
  }

  set(model: string, value: Value): void {
    if (model.length > longestRemembered) return;
    if (this.#values.size >= maxRemembered) this.#values.clear();
    this.#values.set(model, value);
  }
}

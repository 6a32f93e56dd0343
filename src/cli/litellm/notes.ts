// Room cli: what an import could not carry over, one line for each key and reason, with every place it stands at.
// Invariant: no note holds a value of the configuration beyond names of models and providers: any other may be a secret.

/** A key of the configuration: `model_list[3].litellm_params.rpm` is list `model_list`, entry 3, key `litellm_params.rpm`. */
export interface Place {
  /** Undefined: the key is not inside a list's entry. */
  list?: { name: string; index: number };
  key: string;
}

interface Note {
  list: string | undefined;
  key: string;
  reason: string;
  entries: Set<number>;
}

/** Collects and prints. */
export class Notes {
  readonly #notes = new Map<string, Note>();

  add({ list, key }: Place, reason: string): void {
    const id = JSON.stringify([list?.name, key, reason]);
    const note = this.#notes.get(id) ?? { list: list?.name, key, reason, entries: new Set() };
    if (list !== undefined) note.entries.add(list.index);
    this.#notes.set(id, note);
  }

  /** In the order in which they were first told. */
  lines(): string[] {
    return [...this.#notes.values()].map(({ list, key, reason, entries }) => {
      const place = list === undefined ? "" : `${list}[${formatRanges([...entries])}]`;
      return `${[place, key].filter((part) => part !== "").join(".")}: ${reason}`;
    });
  }
}

/** `[0, 1, 2, 5]` → `0-2, 5` */
function formatRanges(numbers: number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}

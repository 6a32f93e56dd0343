// Room dialects: how a dialect keeps what the canonical form has no place for.

import type { Extensions } from "../canonical/index.ts";
import type { JsonObject } from "./json/fields.ts";

/** Puts bags of leftovers under the dialect's id, later ones over earlier ones; nothing where there is nothing to keep. */
export type OwnExtensions = (...bags: (JsonObject | undefined)[]) => { extensions?: Extensions };

/** The dialect's own bag; `dialectId` is its key in `extensions`. */
export function keepUnder(dialectId: string): OwnExtensions {
  return (...bags) => {
    let own: JsonObject | undefined;
    for (const bag of bags) if (bag !== undefined) own = own === undefined ? bag : { ...own, ...bag };
    return own === undefined ? {} : { extensions: { [dialectId]: own } };
  };
}

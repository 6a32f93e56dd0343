// Room routing: patterns whose only sign is `*`. Invariant: a match looks at each character of the text a bounded number of times;
// nothing backtracks, so no text of a client's makes a pattern of an operator's slow.

/** Longest pattern. */
export const maxGlobLength = 256;

/** Most `*` in one pattern. */
export const maxGlobStars = 16;

/** What is wrong with a pattern; undefined: nothing. */
export function checkGlob(pattern: string): string | undefined {
  if (pattern.length > maxGlobLength)
    return `a pattern has at most ${maxGlobLength} characters, this one ${pattern.length}`;
  const stars = pattern.split("*").length - 1;
  return stars > maxGlobStars ? `a pattern has at most ${maxGlobStars} *, this one ${stars}` : undefined;
}

/** Compiles a pattern that `checkGlob` found nothing wrong with. `*` matches any characters, `/` and none included; case counts. */
export function compileGlob(pattern: string): (text: string) => boolean {
  const pieces = pattern.split("*");
  const head = pieces[0] ?? "";
  const tail = pieces.at(-1) ?? "";
  if (pieces.length === 1) return (text) => text === pattern;
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  const leastLength = head.length + tail.length;
  return (text) => {
    if (text.length < leastLength || !text.startsWith(head) || !text.endsWith(tail)) return false;
    let position = head.length;
    // The first place where a piece fits leaves the most room for the rest: none needs to be tried again.
    for (const piece of middle) {
      const found = text.indexOf(piece, position);
      if (found < 0) return false;
      position = found + piece.length;
    }
    return position <= text.length - tail.length;
  };
}

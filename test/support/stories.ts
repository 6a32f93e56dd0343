// Expected stories of exchanges, kept as text beside the tests that play them: `## name`, then the story line by line.
import { readFileSync } from "node:fs";

export interface Stories {
  /** The story of that name. @throws Error where there is none */
  of(name: string): string[];
  /** Names that nobody asked for. */
  unread(): string[];
}

/** Reads a file of stories; its path is relative to the repository. */
export function readStories(file: string): Stories {
  const stories = new Map<string, string[]>();
  for (const section of readFileSync(file, "utf8").split(/^## /m).slice(1)) {
    const [name = "", ...lines] = section.trimEnd().split("\n");
    if (stories.has(name)) throw new Error(`two stories named ${name}`);
    stories.set(name, lines);
  }
  const unread = new Set(stories.keys());
  return {
    of(name) {
      const story = stories.get(name);
      if (story === undefined) throw new Error(`no story named ${name}`);
      unread.delete(name);
      return story;
    },
    unread: () => [...unread],
  };
}

// Room dialects: reads the paths of Google's two APIs, `/v1beta/models/{model}:verb` and Vertex's `/v1/projects/…/models/{model}:verb`.
// Invariant: pure, never throws; what is not exactly such a path is undefined.

/** One call of Google's, as its path says it. */
export interface GooglePath {
  /** The path with braces for what varies, and the verb. */
  route: string;
  /** The path without version and leading slash. */
  path: string;
  /** `google`, `anthropic` …; absent where the path names none. */
  publisher?: string;
  collection: "models" | "tunedModels" | "endpoints";
  /** Of the model or endpoint; percent-decoded. */
  name: string;
  verb: string;
  /** The path is one that only Vertex AI serves. */
  isVertex: boolean;
}

const version = /^v1(?:(?:alpha|beta)1?)?$/;
const publishers = new Set(["google", "anthropic"]);

/**
 * Reads a path: an optional version, at Vertex the project with its location, the publisher or both, and the resource with its verb.
 * A publisher's models may also be named alone, for a base URL that ends in it. Undefined for any other path.
 */
export function parseGooglePath(path: string): GooglePath | undefined {
  const colon = path.lastIndexOf(":");
  if (colon === -1) return undefined;
  const verb = path.slice(colon + 1);
  const segments = path.slice(1, colon).split("/");
  const route: string[] = [];
  let at = 0;
  const takeWhen = (isWanted: boolean, ...shown: string[]): boolean => {
    if (isWanted) {
      at += shown.length;
      route.push(...shown);
    }
    return isWanted;
  };
  takeWhen(version.test(segments[0] ?? ""), segments[0] ?? "");
  const unversioned = at;
  const inProject = takeWhen(
    segments[at] === "projects" && segments[at + 2] === "locations" && isFilled(segments, at + 1, at + 3),
    "projects",
    "{project}",
    "locations",
    "{location}",
  );
  const publisher = segments[at + 1] ?? "";
  const isPublished = takeWhen(segments[at] === "publishers" && publishers.has(publisher), "publishers", publisher);
  const collection = segments[at];
  const shape =
    collection === "models" ||
    (collection === "tunedModels" && !inProject && !isPublished) ||
    (collection === "endpoints" && inProject && !isPublished);
  if (!shape || (collection === "models" && inProject && !isPublished)) return undefined;
  // `@google/genai` 3.1.0 writes a model's slashes as they are: `models/openai/gpt-4.1:generateContent`.
  const maxNames = collection === "models" && !isPublished ? Infinity : 1;
  const name = decodeName(segments.slice(at + 1), maxNames);
  if (name === undefined) return undefined;
  takeWhen(true, collection, collection === "endpoints" ? "{endpoint}" : "{model}");
  return {
    route: `/${route.join("/")}:${verb}`,
    path: `${segments.slice(unversioned).join("/")}:${verb}`,
    ...(isPublished ? { publisher } : {}),
    collection,
    name,
    verb,
    isVertex: inProject || isPublished,
  };
}

function isFilled(segments: readonly string[], ...places: number[]): boolean {
  return places.every((place) => (segments[place] ?? "") !== "");
}

function decodeName(segments: readonly string[], maxNames: number): string | undefined {
  if (segments.length === 0 || segments.length > maxNames || segments.includes("")) return undefined;
  try {
    return segments.map(decodeURIComponent).join("/");
  } catch {
    return undefined;
  }
}

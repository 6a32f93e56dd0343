// Room providers: the base that a request is joined to, with the gaps of its address filled (DESIGN §2.3).
// Invariant: scheme and domain are the preset's or the operator's. Of what a client writes only a location of a known shape
// gets into the host, in a gap that the preset has for it; so the number of hosts is bounded too.

import type { DialectId } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { AddressTemplate, Provider, SettingName } from "./provider.ts";

/** A base URL in pieces. */
export interface Base {
  origin: string;
  /** As in the URL, without brackets. */
  hostname: string;
  port: number;
  /** Of the path. */
  segments: readonly string[];
  /** `segments` without a version at the end. */
  unversioned: readonly string[];
}

/** What a request names itself, for gaps that no setting fills. */
export type NamedSettings = Readonly<Partial<Record<SettingName, string>>>;

/** A path segment that is an API's version: `v1`, `v1beta`, `v1beta1`. */
export const version = /^v\d+(?:(?:alpha|beta)\d*)?$/;

/** Vertex AI's locations that are no region have hosts of their own (Google Gen AI SDK 2.25 and Anthropic's Vertex SDK 1.1.3). */
const vertexHosts: Readonly<Record<string, string>> = {
  "https://global-aiplatform.googleapis.com": "https://aiplatform.googleapis.com",
  "https://us-aiplatform.googleapis.com": "https://aiplatform.us.rep.googleapis.com",
  "https://eu-aiplatform.googleapis.com": "https://aiplatform.eu.rep.googleapis.com",
};

/** Google Cloud's locations: `us-central1`, `europe-west12`, `global`. */
const googleLocation =
  /^(?:global|us|eu|(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-(?:central|(?:north|south)(?:east|west)?|east|west)1?\d)$/;

const fixedBases = new WeakMap<URL, Base>();
const filledBases = new WeakMap<AddressTemplate, Map<string, Base>>();

/**
 * The base for a dialect at a provider; `clientPath` is asked for the location where it names one (`/v1/projects/p/locations/l/…`).
 * @throws SidecarError operation_unsupported when a gap is left, naming the option; request_malformed for a location that is none
 */
export function findBase(
  provider: Provider,
  dialect: DialectId | undefined,
  clientPath: string,
  named: NamedSettings = {},
): Base {
  const { template } = provider;
  if (template === undefined) {
    return fixedBase((dialect === undefined ? undefined : provider.dialectBaseUrls[dialect]) ?? provider.baseUrl);
  }
  const values = { ...named, ...provider.settings, ...readLocation(provider, clientPath) };
  const relative = dialect === undefined ? undefined : template.dialectBase[dialect];
  const text = fillGaps(
    provider,
    relative === undefined ? template.baseUrl : `${template.baseUrl}/${relative}`,
    values,
  );
  let filled = filledBases.get(template);
  if (filled === undefined) filledBases.set(template, (filled = new Map()));
  let base = filled.get(text);
  if (base === undefined) filled.set(text, (base = toBase(new URL(text))));
  return base;
}

/** The segments of a provider's base paths, its own and its dialects', gaps left as they are. */
export function listBasePaths(provider: Provider): readonly Pick<Base, "segments" | "unversioned">[] {
  const urls = [provider.baseUrl, ...Object.values(provider.dialectBaseUrls)];
  return urls.map(fixedBase);
}

function readLocation({ wholePaths }: Provider, clientPath: string): { region?: string } {
  if (!wholePaths.includes("projects")) return {};
  const location = /^(?:\/v[^/]*)?\/projects\/[^/]+\/locations\/([^/]+)\//.exec(clientPath)?.[1];
  if (location === undefined) return {};
  if (!googleLocation.test(location)) {
    throw new SidecarError("request_malformed", "the location in the path is none of Google Cloud's");
  }
  return { region: location };
}

function fillGaps(provider: Provider, text: string, values: NamedSettings): string {
  return text.replace(/\{(\w+)\}/g, (_, name: SettingName) => {
    const value = values[name];
    if (value !== undefined) return value;
    const variables = provider.settingEnv[name] ?? [];
    const option = `providers.${provider.id}`;
    const hint = [`${option}.${name}`, `${option}.baseUrl`, ...variables].join(" or ");
    throw new SidecarError("operation_unsupported", `the address of ${provider.id} needs a ${name}: set ${hint}`);
  });
}

function fixedBase(url: URL): Base {
  let base = fixedBases.get(url);
  if (base === undefined) fixedBases.set(url, (base = toBase(url)));
  return base;
}

function toBase(url: URL): Base {
  const origin = vertexHosts[url.origin] ?? url.origin;
  const { protocol, hostname, port } = new URL(origin);
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  return {
    origin,
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    segments,
    unversioned: version.test(segments.at(-1) ?? "") ? segments.slice(0, -1) : [],
  };
}

// Room cli: the providers that an imported configuration needs: one for each address and key that LiteLLM tells apart.
// Invariant: two keys never share an id, a key's text is nowhere in what comes out, and an address that is not known cannot be reached.

import { createHash } from "node:crypto";
import { createProviders, type Provider, type Providers } from "../../providers/index.ts";
import type { Environment } from "../option-environment.ts";
import type { Reference } from "./section.ts";

/** What a policy says of a provider. */
export interface ProviderEntry {
  preset?: string;
  baseUrl?: string;
  region?: string;
  resource?: string;
  project?: string;
}

/** Where a deployment is, and what pays for it. */
export interface Account {
  preset: string;
  /** LiteLLM's word for it. */
  prefix: string;
  baseUrl: Reference | undefined;
  region: string | undefined;
  project: string | undefined;
  apiKey: Reference | undefined;
}

/** What became of an account. `problems` by key of the configuration. */
export interface Booked {
  id: string;
  problems: { key: "api_base" | "api_key"; reason: string }[];
}

const azureHost = /^([a-z0-9-]+)\.openai\.azure\.com$/i;
/** RFC 2606 §2: a name that never resolves, so that no key can leave for a wrong place. */
const unknownHost = "invalid";

/** Collects providers while deployments are read. */
export class ProviderBook {
  readonly #presets: Providers = createProviders({ options: { providers: {}, credentials: {} } });
  readonly #environment: Environment;
  readonly #idByAccount = new Map<string, string>();
  readonly #entries = new Map<string, ProviderEntry | undefined>();
  readonly #credentials = new Map<string, string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  preset(id: string): Provider | undefined {
    return this.#presets.get(id);
  }

  /** For the policy; presets that are used as they are need no entry. */
  entries(): Record<string, ProviderEntry> {
    return Object.fromEntries([...this.#entries].flatMap(([id, entry]) => (entry === undefined ? [] : [[id, entry]])));
  }

  /** For the options: the variable that holds each provider's key. */
  credentials(): Record<string, { env: string }> {
    return Object.fromEntries([...this.#credentials].map(([id, env]) => [id, { env }]));
  }

  /** Gives the id for an account, the same for the same account. `problem`: its address cannot be used. */
  book(account: Account): Booked | { problem: string } {
    const base = this.#readBase(account);
    if ("problem" in base) return base;
    const { preset, note } = base;
    const { region, project } = account;
    const settings = { ...(region === undefined ? {} : { region }), ...(project === undefined ? {} : { project }) };
    const entry: ProviderEntry = { ...base.entry, ...settings };
    const apiKey = account.apiKey ?? this.#conventionalKey(preset, account.prefix, entry);
    const name = JSON.stringify([preset, entry, apiKey?.type === "literal" ? digest(apiKey.text) : apiKey?.name]);
    const id = this.#idByAccount.get(name) ?? this.#allocate(preset, base.name ?? region, entry);
    this.#idByAccount.set(name, id);
    const problems: Booked["problems"] = note === undefined ? [] : [{ key: "api_base", reason: note }];
    if (apiKey?.type === "variable") {
      if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(apiKey.name)) this.#credentials.set(id, apiKey.name);
      else problems.push({ key: "api_key", reason: "not the name of a variable" });
    } else if (apiKey?.type === "literal") {
      const reason = `a key in plain text, left out; hold it for ${id}: put it in a variable, and name that in the options under credentials.${id}.env`;
      problems.push({ key: "api_key", reason });
    }
    return { id, problems };
  }

  /** The variable that LiteLLM reads where an entry names no key; a server of somebody's own is not sent it. */
  #conventionalKey(preset: string, prefix: string, entry: ProviderEntry): Reference | undefined {
    const { auth, keyEnv = [] } = this.#presets.get(preset) ?? {};
    if (entry.baseUrl !== undefined || (auth?.scheme !== "bearer" && auth?.scheme !== "header")) return undefined;
    const name = keyEnv.find((each) => each === `${prefix.toUpperCase()}_API_KEY`) ?? keyEnv[0];
    return name === undefined ? undefined : { type: "variable", name };
  }

  /** What the address says; `name` is for an id of its own. */
  #readBase({
    preset,
    baseUrl,
  }: Account): { preset: string; entry: ProviderEntry; name: string | undefined; note?: string } | { problem: string } {
    if (baseUrl === undefined) return { preset, entry: {}, name: undefined };
    let text = baseUrl.type === "literal" ? baseUrl.text : (this.#environment[baseUrl.name] ?? "");
    let note: string | undefined;
    if (baseUrl.type === "variable") {
      if (preset === "azure" && /^AZURE_(?:OPENAI_ENDPOINT|API_BASE)$/.test(baseUrl.name)) {
        return {
          preset,
          entry: {},
          name: undefined,
          note: `the sidecar reads ${baseUrl.name} itself: set it in its environment`,
        };
      }
      if (text === "") {
        const word = baseUrl.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
        text = `https://${word}.${unknownHost}`;
        note = `${baseUrl.name} is not set here, so the policy has ${text} in its place: write the address there`;
      } else note = `the policy has the value that ${baseUrl.name} has here`;
    }
    if (!URL.canParse(text)) return { problem: "no URL" };
    const url = new URL(text);
    if (
      (url.protocol !== "http:" && url.protocol !== "https:") ||
      url.username !== "" ||
      url.password !== "" ||
      url.search !== "" ||
      url.hash !== ""
    ) {
      return { problem: "no http or https URL without user name, query and fragment" };
    }
    const clean = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    const resource = preset === "azure" ? azureHost.exec(url.hostname)?.[1] : undefined;
    const noted = note === undefined ? {} : { note };
    if (resource !== undefined) return { preset, entry: { resource }, name: resource, ...noted };
    const home = this.#presets.ids().find((id) => this.#isAt(id, clean, preset));
    if (home !== undefined) return { preset: home, entry: {}, name: undefined, ...noted };
    const gemini =
      preset === "google" ? { note: "LiteLLM adds /models/… to it, Outrider /v1beta/models/…: see that it fits" } : {};
    return { preset, entry: { baseUrl: clean }, name: nameOf(url), ...gemini, ...noted };
  }

  /** Whether this address is a preset's own: an OpenAI-shaped client pointed at OpenRouter means OpenRouter. */
  #isAt(id: string, base: string, preset: string): boolean {
    const provider = this.#presets.get(id);
    if (provider === undefined || provider.template !== undefined) return false;
    const isSame = provider.baseUrl.href.replace(/\/$/, "") === base;
    return isSame && (id === preset || (preset === "openai" && provider.dialects.includes("openai-chat")));
  }

  #allocate(preset: string, wish: string | undefined, entry: ProviderEntry): string {
    const isPlain = Object.keys(entry).length === 0;
    const isOwn = preset !== "openai" || isPlain || entry.baseUrl === undefined;
    const stem = wish === undefined ? preset : entry.baseUrl === undefined ? `${preset}-${wish}` : wish;
    // A server of somebody's own must not be taken for a preset of the same name.
    const isTaken = (id: string): boolean =>
      this.#entries.has(id) || (id !== preset && this.#presets.get(id) !== undefined);
    const base = toProviderId(stem);
    let id = base;
    for (let count = 2; isTaken(id); count++) id = `${base}-${count}`;
    if (id === preset) this.#entries.set(id, isPlain ? undefined : entry);
    else this.#entries.set(id, isOwn ? { preset, ...entry } : entry);
    return id;
  }
}

/** Lower-case letters, digits and `-`, no path of Outrider's own. */
function toProviderId(text: string): string {
  const id = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 48);
  return id === "" || /^(?:v1|v1beta|v1alpha|v2|api|models?|projects)$/.test(id) ? `${id || "provider"}-server` : id;
}

/** `http://vllm-a:8000/v1` → `vllm-a`; an address of numbers keeps its port. */
function nameOf({ hostname, port }: URL): string {
  if (/^[\d.]+$|^\[|^localhost$/.test(hostname)) return `local-${port || "80"}`;
  if (hostname.endsWith(`.${unknownHost}`)) return hostname.slice(0, -unknownHost.length - 1);
  const labels = hostname.split(".").filter((label) => !/^(?:api|www)$/.test(label));
  return labels[0] ?? hostname;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

// Room proxy: a call for a provider that does not speak the client's dialect: the request in the provider's words.
// Invariant: what is lost on the way is told before anything is sent; where options say so, it is refused.

import type { InferenceRequest, Loss } from "../canonical/index.ts";
import {
  type AskedEmbeddings,
  type RerankCall,
  canTranslateEmbeddings,
  type Dialect,
  findDialect,
  type HeaderLookup,
  matchDialect,
  type Operation,
  readRerankCall,
  shapeDialect,
  translateEmbeddingRequest,
  translateRequest,
  translateRerankRequest,
  type TranslationFacts,
} from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import type { Provider } from "../providers/index.ts";
import { explainLosses, type FetchedMedia } from "./media-fetch.ts";

/** One request in another dialect, and what its answer's translation needs. */
export interface TranslatedCall {
  client: Dialect;
  target: Dialect;
  /** The call in the target's words. */
  operation: Operation;
  /** Path and query for the provider. */
  path: string;
  query: string;
  /** Beside content-type, flat. */
  headers: readonly string[];
  body: Buffer;
  losses: Loss[];
  facts: TranslationFacts;
  /** The client asked for usage in the stream, or its dialect always has it. */
  streamUsage: boolean;
  /** Tool names that the target would not take as they are: the client's own, by the one that was made. */
  clientNames: ReadonlyMap<string, string>;
  /** The client asked for embeddings: how. */
  embeddings?: AskedEmbeddings;
  /** The client asked for a ranking: how. */
  rerank?: RerankCall;
}

/** Whether to go on when something is lost. */
export type LossRules = Record<Loss["severity"], "reject" | "report">;

const translatable = new Set(["chat", "generate_content", "text_completion"]);

/** The dialect in which such a call can be put to the provider; undefined where there is none. */
export function findTarget(provider: Provider, client: Dialect, operation: Operation): Dialect | undefined {
  if (operation.name === "embeddings") {
    return provider.dialects.map(findDialect).find((target) => canTranslateEmbeddings(client, operation, target));
  }
  if (operation.name === "rerank") {
    const target = provider.dialects.map(findDialect).find(({ rerankShape }) => rerankShape !== undefined);
    return target?.id === "rerank" ? shapeDialect(target, provider.rerankShape) : target;
  }
  // Cohere's older calls have another form of answer.
  if (client.id === "cohere-chat" && operation.kind !== "chat") return undefined;
  if (client.encoder === undefined || !translatable.has(operation.name ?? "")) return undefined;
  return provider.dialects.map(findDialect).find(({ encoder }) => encoder !== undefined);
}

/** A client's call as it is to be translated. */
export interface UntranslatedCall {
  /** The client's, parsed. */
  body: Record<string, unknown>;
  /** The same, with its content. */
  request: InferenceRequest;
  clientOperation: Operation;
  asksForUsage: boolean;
  /** The client's headers. */
  header: HeaderLookup;
  /** What became of media at addresses, where any was to be fetched; `request` is then with it. */
  media?: Pick<FetchedMedia, "losses" | "refusals">;
}

/** @throws SidecarError request_lossy, with the pointers of what would be lost */
export function translateCall(
  client: Dialect,
  target: Dialect,
  { body, request, clientOperation, asksForUsage, header, media = nothingFetched }: UntranslatedCall,
  facts: TranslationFacts,
  rules: LossRules,
): TranslatedCall {
  // Only some wires leave it to the client whether a stream states its usage.
  const asked = asksForUsage && request.stream ? { ...request, streamUsage: true } : request;
  const embeddings = clientOperation.name === "embeddings" ? { operation: clientOperation, request } : undefined;
  const rerank = clientOperation.name === "rerank" ? readRerankCall(client, target, clientOperation, body) : undefined;
  const translated =
    rerank !== undefined
      ? translateRerankRequest(rerank, facts)
      : embeddings !== undefined
        ? translateEmbeddingRequest(client, target, body, embeddings, facts)
        : translateRequest(client, target, { body, request: asked }, facts);
  const losses = [...media.losses, ...explainLosses(translated.losses, media), ...findLostHeaders(header, target)];
  const refused = losses.filter(({ severity }) => rules[severity] === "reject");
  if (refused.length > 0) throw lossy(refused, target);
  const cut = translated.path.indexOf("?");
  const path = cut === -1 ? translated.path : translated.path.slice(0, cut);
  const operation = matchDialect("POST", path)?.operation;
  if (operation === undefined) throw new Error(`the path that ${target.id} makes is not its own`);
  return {
    client,
    target,
    operation: { ...operation, ...(request.stream ? { stream: true } : {}) },
    path,
    query: cut === -1 ? "" : translated.path.slice(cut),
    headers: translated.headers,
    body: Buffer.from(JSON.stringify(translated.body)),
    losses,
    facts,
    streamUsage: request.streamUsage === true || client.id !== "openai-chat",
    clientNames: readNames(request, target, operation, translated.body),
    ...(embeddings === undefined ? {} : { embeddings }),
    ...(rerank === undefined ? {} : { rerank }),
  };
}

const nothingFetched: Pick<FetchedMedia, "losses" | "refusals"> = { losses: [], refusals: new Map() };

/** Every wire takes names like these. */
const plainName = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;
const noNames: ReadonlyMap<string, string> = new Map();

/** Which tools were renamed, read from the translation itself: its tools are in the order of the client's. */
function readNames(
  { tools = [] }: InferenceRequest,
  target: Dialect,
  operation: Operation,
  body: Record<string, unknown>,
): ReadonlyMap<string, string> {
  if (tools.every(({ name }) => plainName.test(name))) return noNames;
  const made = target.decodeRequest(body, operation).tools ?? [];
  if (made.length !== tools.length) return noNames;
  return new Map(made.map(({ name }, index) => [name, tools[index]?.name ?? name]));
}

/** Headers that turn on features of one vendor alone (anthropics/claude-code#82549). Clients send some with every call. */
const featureHeaders = ["anthropic-beta", "openai-beta"];

/** What InvokeModel is asked in headers (@aws-sdk/client-bedrock-runtime 3.1162.0); a guardrail decides what may be answered. */
const invokeHeaders: readonly [name: string, severity: Loss["severity"]][] = [
  ["x-amzn-bedrock-guardrailidentifier", "semantic"],
  ["x-amzn-bedrock-trace", "tuning"],
  ["x-amzn-bedrock-performanceconfig-latency", "tuning"],
  ["x-amzn-bedrock-request-metadata", "tuning"],
  ["x-amzn-bedrock-service-tier", "tuning"],
];
const lostHeaders = [...featureHeaders.map((name) => [name, "tuning"] as const), ...invokeHeaders];

function findLostHeaders(header: HeaderLookup, target: Dialect): Loss[] {
  return lostHeaders
    .filter(([name]) => (header(name) ?? "") !== "")
    .map(([name, severity]) => ({
      pointer: `header:${name}`,
      reason: "unsupported",
      severity,
      detail: `${target.id} has no such features`,
    }));
}

const maxShown = 20;

function lossy(losses: readonly Loss[], target: Dialect): SidecarError {
  const shown = losses
    .slice(0, maxShown)
    .map(({ pointer, detail }) => `${pointer === "" ? "(body)" : pointer}: ${detail}`);
  if (losses.length > maxShown) shown.push(`and ${losses.length - maxShown} more`);
  return new SidecarError(
    "request_lossy",
    `this request cannot be put in the words of ${target.id} without loss: ${shown.join("; ")}`,
  );
}

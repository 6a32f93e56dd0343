// Room proxy: media at addresses, fetched and put into a request for a target that takes only bytes, where the options allow it.
// Invariant: whatever cannot be fetched stays as it was, so that the target's encoder tells its loss; without allowed hosts nothing is done.

import type { BlobPart, InferenceRequest, Loss, Part, UriPart } from "../canonical/index.ts";
import type { Clock } from "../clock.ts";
import type { Dialect } from "../dialects/index.ts";
import { SidecarError } from "../errors.ts";
import { type ByteAllowance, downloadMedia } from "./media-download.ts";
import {
  approveAddress,
  type MediaFetchSettings,
  type MediaRefusal,
  refuseMedia,
  resolveHost,
  type ResolveHost,
} from "./media-host.ts";
import { readMediaType } from "./media-type.ts";

/** What the fetches of one exchange need of the rest of the house. */
export interface MediaFetchRooms {
  settings: MediaFetchSettings;
  /** For all that one exchange fetches. */
  maxTotalBytes: number;
  clock: Clock;
  /** Of the exchange, on `clock`. */
  deadlineMs: number;
  /** Aborts when the client is gone. */
  signal?: AbortSignal;
  resolve?: ResolveHost;
}

/** A request as it is to be translated, and what became of its addresses. */
export interface FetchedMedia {
  request: InferenceRequest;
  /** One for each part that was put in. */
  losses: Loss[];
  /** Why not, by the pointer of each part that was not. */
  refusals: ReadonlyMap<string, string>;
}

type Outcome = { type: "fetched"; mimeType: string; content: string } | MediaRefusal;
type Path = readonly (string | number)[];

const concurrency = 4;

/** The fetches of one exchange: what was fetched for one provider is not fetched again for the next, and the caps are on both. */
export class MediaFetch {
  readonly #rooms: MediaFetchRooms;
  readonly #allowance: ByteAllowance;
  readonly #outcomes = new Map<string, Outcome>();

  constructor(rooms: MediaFetchRooms) {
    this.#rooms = rooms;
    this.#allowance = { left: rooms.maxTotalBytes };
  }

  /**
   * Fetches what the target can have only as bytes; undefined where there is nothing of it, or nothing is allowed. `body` is the
   * client's, parsed; `request` the same with its content. Rejects with SidecarError client_disconnected alone.
   */
  forTarget(
    client: Dialect,
    target: Dialect,
    { body, request }: { body: Record<string, unknown>; request: InferenceRequest },
  ): Promise<FetchedMedia> | undefined {
    const { hosts, privateHosts } = this.#rooms.settings;
    const [from, needsBytes] = [client.encoder, target.encoder?.needsBytes];
    if (from === undefined || needsBytes === undefined || hosts.length + privateHosts.length === 0) return undefined;
    const wanted = new Map<string, UriPart>();
    mapUris(request, from.toolResultParts, (part) => {
      if (needsBytes(part)) wanted.set(keyOf(part), part);
      return part;
    });
    if (wanted.size === 0) return undefined;
    return this.#fetchAll(wanted).then(() => {
      const losses: Loss[] = [];
      const refusals = new Map<string, string>();
      const filled = mapUris(request, from.toolResultParts, (part, path) => {
        const outcome = needsBytes(part) ? this.#outcomes.get(keyOf(part)) : undefined;
        if (outcome === undefined) return part;
        const pointer = from.locate(path, body);
        if (outcome.type === "refused") {
          refusals.set(pointer, outcome.reason);
          return part;
        }
        losses.push({ pointer, reason: "moved", severity: "tuning", detail: "fetched from its address, to go inline" });
        return fill(part, outcome);
      });
      return { request: filled, losses, refusals };
    });
  }

  async #fetchAll(wanted: ReadonlyMap<string, UriPart>): Promise<void> {
    const { settings, signal } = this.#rooms;
    const queue = [...wanted].filter(([key]) => !this.#outcomes.has(key));
    const allowed = Math.max(0, settings.maxItems - this.#outcomes.size);
    for (const [key] of queue.splice(allowed)) {
      this.#outcomes.set(key, refuseMedia("there are more addresses than media.fetch.maxItems"));
    }
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        this.#outcomes.set(next[0], await this.#fetchInTime(next[1]));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
    if (signal?.aborted === true)
      throw new SidecarError("client_disconnected", "the client left before its media was fetched");
  }

  /** Resolving, connecting and reading, together within the time of one fetch and of the exchange. */
  async #fetchInTime(part: UriPart): Promise<Outcome> {
    const { settings, clock, deadlineMs, signal } = this.#rooms;
    if (signal?.aborted === true) return refuseMedia("the client left");
    const stopping = new AbortController();
    const stopped = Promise.withResolvers<Outcome>();
    const stop = (reason: string) => (): void => stopped.resolve(refuseMedia(reason));
    const limitMs = Math.max(0, Math.min(settings.timeoutMs, deadlineMs - clock.nowMs()));
    const timer = setTimeout(stop("it took longer than media.fetch.timeoutMs, or than the call may"), limitMs);
    const leave = stop("the client left");
    signal?.addEventListener("abort", leave);
    try {
      return await Promise.race([stopped.promise, this.#fetchOne(part, stopping.signal)]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
      stopping.abort();
    }
  }

  async #fetchOne({ uri, modality }: UriPart, signal: AbortSignal): Promise<Outcome> {
    const { settings, resolve = resolveHost } = this.#rooms;
    const approved = await approveAddress(uri, settings, resolve);
    if (approved.type === "refused") return approved;
    if (signal.aborted) return refuseMedia("it took too long");
    const answer = await downloadMedia(approved, settings.maxBytes, this.#allowance, signal);
    if (answer.type === "refused") return answer;
    const mimeType = readMediaType(modality, answer.contentType, answer.bytes);
    if (mimeType === undefined) return refuseMedia(`what its host sent is no ${modality}`);
    return { type: "fetched", mimeType, content: answer.bytes.toString("base64") };
  }
}

/** The losses of the translation, with the reason where an address might have been fetched. */
export function explainLosses(losses: readonly Loss[], { refusals }: Pick<FetchedMedia, "refusals">): Loss[] {
  return losses.map((loss) => {
    const reason = loss.reason === "unsupported" ? refusals.get(loss.pointer) : undefined;
    return reason === undefined ? loss : { ...loss, detail: `${loss.detail} (not fetched: ${reason})` };
  });
}

/** What an address is to be decides what its bytes may be. */
function keyOf({ modality, uri }: UriPart): string {
  return `${modality} ${uri}`;
}

function fill({ uri: _uri, ...part }: UriPart, { mimeType, content }: Extract<Outcome, { type: "fetched" }>): BlobPart {
  return { ...part, type: "blob", mime_type: mimeType, content };
}

/** The request with each address in its messages, and in tool results, as `visit` gives it back. */
function mapUris(
  request: InferenceRequest,
  toolResultParts: (response: unknown) => Part[],
  visit: (part: UriPart, path: Path) => Part,
): InferenceRequest {
  const mapPart = (part: Part, path: Path): Part => {
    if (part.type === "uri") return visit(part, path);
    if (part.type !== "tool_call_response" || !Array.isArray(part.response)) return part;
    const parts = toolResultParts(part.response);
    // Results that stand there in their wire's own words are left to the encoder.
    if (parts !== part.response) return part;
    return { ...part, response: parts.map((inner, index) => mapPart(inner, [...path, "response", index])) };
  };
  const messages = request.messages.map((message, index) => ({
    ...message,
    parts: message.parts.map((part, place) => mapPart(part, ["messages", index, "parts", place])),
  }));
  return { ...request, messages };
}

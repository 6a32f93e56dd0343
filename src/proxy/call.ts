// Room proxy: reads a request that a dialect understands, once, whoever is to answer it.
// Invariant: nothing is decided here and no byte changes.

import type { InferenceRequest } from "../canonical/index.ts";
import { type BodyScan, parseMultipart, parseObject, scanBody } from "../dialects/index.ts";
import type { Destination } from "./ingress.ts";
import type { Inbound } from "./wire.ts";

/** A destination whose path is an operation of a dialect. */
export type CallDestination = Destination & { call: NonNullable<Destination["call"]> };

type Fields = Record<string, unknown>;

/** A call as its client put it. */
export interface Call {
  destination: CallDestination;
  /** Bytes as received. */
  body: Buffer;
  /** Absent when the body's coding kept it from being read, or it is no JSON: it passes whole, or not at all. */
  json?: ReadJson;
  /** Absent when the body's coding kept it from being read. Without its content unless that is captured. */
  request: InferenceRequest | undefined;
  /** The same with its content; for an estimate where the provider states no usage, and for translation. */
  readWhole: () => InferenceRequest | undefined;
}

/** A JSON body. */
export interface ReadJson {
  /** Bytes without their content coding; the very `body` where it has none. */
  content: Buffer;
  scan: BodyScan;
  /** Parsed, until the call was placed once: nothing parsed is to live as long as the exchange. */
  fields: Fields | undefined;
}

/**
 * `content`: the body without its content coding, the very `body` where it has none; undefined: not to be read.
 * @throws SidecarError request_malformed
 */
export function readCall(
  inbound: Pick<Inbound, "header">,
  destination: CallDestination,
  body: Buffer,
  content: Buffer | undefined,
  keepContent: boolean,
): Call {
  const { dialect, operation } = destination.call;
  const contentType = inbound.header("content-type") ?? "";
  if (operation.requestFormat === "none") return passWhole(destination, body, keepContent, () => ({}));
  if (content === undefined) return passWhole(destination, body, keepContent, () => undefined);
  // A form that cannot be read is the provider's to judge: nothing here depends on it.
  const readForm = (): Fields | undefined => parseMultipart(content, contentType);
  const isForm = operation.requestFormat === "multipart" && !isJson(contentType);
  if (isForm) return passWhole(destination, body, keepContent, readForm);

  const scan = scanBody(content);
  const fields = parseObject(content);
  const facts = keepContent ? fields : withoutMembers(fields, dialect.contentMembers);
  return {
    destination,
    body,
    json: { content, scan, fields },
    request: dialect.decodeRequest(facts, operation),
    readWhole: () => dialect.decodeRequest(parseObject(content), operation),
  };
}

/** A call whose body is never edited: it holds no JSON, or cannot be read (`readFields` gives nothing then). */
function passWhole(
  destination: CallDestination,
  body: Buffer,
  keepContent: boolean,
  readFields: () => Fields | undefined,
): Call {
  const { dialect, operation } = destination.call;
  const decode = (withContent: boolean): InferenceRequest | undefined => {
    const fields = readFields();
    if (fields === undefined) return undefined;
    return dialect.decodeRequest(withContent ? fields : withoutMembers(fields, dialect.contentMembers), operation);
  };
  return { destination, body, request: decode(keepContent), readWhole: () => decode(true) };
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType);
}

/** Decoding content is most of the work of a long conversation. */
function withoutMembers(parsed: Fields, names: ReadonlySet<string>): Fields {
  const facts: Fields = {};
  for (const key in parsed) if (!names.has(key)) facts[key] = parsed[key];
  return facts;
}

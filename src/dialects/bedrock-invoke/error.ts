// Room dialects, bedrock-invoke: errors are those of Bedrock's runtime, as in Converse.
export { decodeError, encodeError, encodeStreamError } from "../bedrock-converse/error.ts";

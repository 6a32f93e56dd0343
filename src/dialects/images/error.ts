// Room dialects, images: errors are those of the OpenAI wire.
export { decodeError, encodeError, encodeStreamError } from "../openai-chat/error.ts";

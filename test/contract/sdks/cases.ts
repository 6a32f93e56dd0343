// Which clients there are, which dialect each speaks, and the recorded answers of each dialect, as the upstream replays them.
// Usage is read from a recording's own `usage` by the provider's rules: the sums of canonical usage, written here a second time.

import type { UpstreamRequest } from "../../support/scripted-upstream.ts";

/** Token counts as a provider names them. */
export type Counts = Record<string, number | undefined> & { tokens?: Record<string, number> };

/** A dialect as its provider speaks it. */
export interface DialectCase {
  /** The variable that says where the provider is, and the path of its base URL. */
  upstream: { option: string; base: string };
  providerName: string;
  model: string;
  /** The name of the tool that `recordings.tool` calls. */
  tool: string;
  recordings: { plain: string; stream: string; tool: string; error: string };
  /** Where it is not `chat`. */
  operationName?: string;
  /** Why the recorded stream ended, where it was not `stop`. */
  streamFinish?: string;
  /** `error.type` of the recorded error. */
  error: string;
  /** All input and all output tokens. */
  readUsage(usage: Counts): [number, number];
}

/** A client as an application uses it. */
export interface ClientCase {
  sdk: string;
  /** In `clients/`. */
  script: string;
  dialect: DialectCase;
  environment?: Record<string, string>;
  /** Added where it runs without Outrider. */
  direct?: Record<string, string>;
  /** What it puts before the path to reach Outrider's provider. */
  prefix: string;
  /** Name of the class that it throws for `recordings.error`. */
  errorClass: string;
  /** It signs each request. */
  signs?: boolean;
  /** What else must hold of each request that the upstream got through Outrider. */
  checkSent?(request: UpstreamRequest): void;
  /** The version of HTTP that it speaks to Outrider, where it is not 1.1. */
  http?: string;
}

/** The model that an answer names first; undefined where it names none. */
export function readModel(body: string): string | undefined {
  return /"model(?:Version)?":\s*"([^"]+)"/.exec(body)?.[1];
}

const sum = (...counts: (number | undefined)[]): number => counts.reduce<number>((all, count) => all + (count ?? 0), 0);

const openaiChat: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_OPENAI_BASE_URL", base: "/v1" },
  providerName: "openai",
  model: "gpt-4.1-nano",
  tool: "add",
  recordings: {
    plain: "openai-chat/openai/crewai-test-gpt-4-1-gpt-4-1-nano-2025-04-14-0-532d9b18",
    stream: "openai-chat/openai/opentelemetry-python-c-test-async-chat-completion-streaming-0-14e80d05",
    tool: "openai-chat/openai/dd-trace-py-openai-chat-completions-post-6c0d752b-0-6ce8ba40",
    error: "openai-chat/openai/braintrust-sdk-python-test-openai-client-async-error-0-f0fdc545",
  },
  error: "upstream_rejected",
  readUsage: (usage) => [sum(usage["prompt_tokens"]), sum(usage["completion_tokens"])],
};

const azure: DialectCase = {
  ...openaiChat,
  upstream: { option: "AZURE_OPENAI_ENDPOINT", base: "" }, // what its users set
  providerName: "azure.ai.openai",
  model: "gpt-4o-mini",
  tool: "get_weather",
  recordings: {
    plain: "azure-openai/azure/crewai-test-azure-async-conversation-0-8fad5b25",
    stream: "azure-openai/azure/crewai-test-azure-streaming-completion-0-8cf1cba8",
    tool: "azure-openai/azure/activeagent-tool-choice-auto-0-36ae718f",
    error: "azure-openai/azure/openllmetry-test-chat-reasoning-1-65602d28",
  },
};

const openaiResponses: DialectCase = {
  ...openaiChat,
  tool: "get_current_time",
  recordings: {
    plain: "openai-responses/openai/openllmetry-test-responses-with-input-history-3-990c43d4",
    stream: "openai-responses/openai/activeagent-basic-streaming-0-ea1c54e5",
    tool: "openai-responses/openai/ellmer-tool-calling-with-tool-0-3802a432",
    error: "openai-responses/openai/dd-trace-py-response-create-error-0-061755d2",
  },
  readUsage: (usage) => [sum(usage["input_tokens"]), sum(usage["output_tokens"])],
};

const anthropic: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_ANTHROPIC_BASE_URL", base: "" },
  providerName: "anthropic",
  model: "claude-haiku-4-5",
  tool: "get_weather",
  recordings: {
    plain: "anthropic-messages/anthropic/activeagent-test-agent-common-format-tool-choice-auto-0-683e9eb4",
    stream: "anthropic-messages/anthropic/anthropic-claude-3-haiku-20240307-streaming-how-high-is-the-sky-0-a452272a",
    tool: "anthropic-messages/anthropic/openllmetry-test-tool-calls-anthropic-text-block-0-65e8bba0",
    error:
      "anthropic-messages/anthropic/ruby-llm-chat-error-handling-with-anthropic-claude-haiku-4-5-raises-appro-0-764463a2",
  },
  streamFinish: "length",
  error: "upstream_rejected",
  readUsage: (usage) => [
    sum(usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]),
    sum(usage["output_tokens"]),
  ],
};

const google: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_GOOGLE_BASE_URL", base: "" },
  providerName: "gcp.gemini",
  operationName: "generate_content",
  model: "gemini-2.5-flash",
  tool: "__mirascope_formatted_output_tool__",
  recordings: {
    plain: "gemini/google/crewai-test-gemini-models-gemini-gemini-2-0-flash-lite-001-0-818f580d",
    stream: "gemini/google/vertexai-sdk-test-data-streaming-success-empty-parts-0-2466cc47",
    tool: "gemini/google/mirascope-anthropic-claude-sonnet-4-0-0-7dc35eb9",
    error: "gemini/google/ruby-llm-chat-error-handling-with-gemini-gemini-2-5-flash-raises-appropri-0-c365f901",
  },
  error: "upstream_rejected",
  readUsage: (usage) => [
    sum(usage["promptTokenCount"]),
    sum(usage["candidatesTokenCount"], usage["thoughtsTokenCount"]),
  ],
};

const cohere: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_COHERE_BASE_URL", base: "" },
  providerName: "cohere",
  model: "command-a-03-2025",
  tool: "weather",
  recordings: {
    plain: "cohere-v2/cohere/openllmetry-test-cohere-v2-chat-legacy-0-c4f51680",
    stream: "cohere-v2/cohere/ruby-llm-chat-streaming-responses-cohere-command-a-03-2025-supports-strea-0-228ae883",
    tool: "cohere-v2/cohere/ruby-llm-chat-tool-choice-and-calls-control-cohere-command-a-03-2025-resp-0-fd72244d",
    error: "cohere-v2/cohere/ruby-llm-chat-error-handling-with-cohere-command-a-03-2025-raises-appropr-0-9a1dba55",
  },
  error: "upstream_rejected",
  readUsage: ({ tokens }) => [sum(tokens?.["input_tokens"]), sum(tokens?.["output_tokens"])],
};

const mistralFolder = "mistral/mistral/ruby-llm-chat";
const mistral: DialectCase = {
  ...openaiChat,
  upstream: { option: "OUTRIDER_PROVIDER_MISTRAL_BASE_URL", base: "/v1" },
  providerName: "mistral_ai",
  model: "mistral-small-latest",
  tool: "weather",
  recordings: {
    plain: `${mistralFolder}-basic-chat-functionality-mistral-mistral-small-latest-can-h-1-78492e2b`,
    stream: `${mistralFolder}-function-calling-mistral-mistral-small-latest-can-use-tools-1-9fc6ae39`,
    tool: `${mistralFolder}-tool-choice-and-calls-control-mistral-mistral-small-latest--0-2ee14bc7`,
    error: `${mistralFolder}-error-handling-with-mistral-mistral-small-latest-raises-app-0-e5212d89`,
  },
};

const ollama: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_OLLAMA_BASE_URL", base: "" },
  providerName: "ollama",
  model: "qwen3.6",
  tool: "get_current_weather",
  recordings: {
    plain: "ollama/ollama/openinference-test-async-chat-0-f9348037",
    stream: "ollama/ollama/openllmetry-test-ollama-streaming-chat-legacy-0-cb973714",
    tool: "ollama/ollama/openinference-test-chat-with-tool-call-0-c01a8161",
    error: "ollama/ollama/openinference-test-chat-error-records-model-name-0-d9d83233",
  },
  error: "upstream_rejected",
  readUsage: (usage) => [sum(usage["prompt_eval_count"]), sum(usage["eval_count"])],
};

const bedrock: DialectCase = {
  upstream: { option: "OUTRIDER_PROVIDER_BEDROCK_BASE_URL", base: "" },
  providerName: "aws.bedrock",
  model: "us.anthropic.claude-sonnet-4-6",
  tool: "calculator",
  recordings: {
    plain: "bedrock-converse/bedrock/opentelemetry-python-c-test-converse-no-content-different-events-0-c4a58ba9",
    stream:
      "bedrock-converse/bedrock/opentelemetry-python-c-test-converse-stream-no-content-different-events-0-c1d1b836",
    tool: "bedrock-converse/bedrock/crewai-testbedrocknativetoolcalling-test-bedrock-agent-kickoff-with-too-0-9afab43b",
    error:
      "bedrock-converse/bedrock/ruby-llm-chat-real-error-scenarios-bedrock-amazon-nova-2-lite-v1-0-handle-0-d552dce6",
  },
  error: "context_length",
  readUsage: (usage) => [
    sum(usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]),
    sum(usage["outputTokens"]),
  ],
};

/** Every dialect, for clients in other languages. */
export const dialects = { openaiChat, openaiResponses, azure, anthropic, google, cohere, mistral, ollama, bedrock };

const aws = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: "test-key" };

/** Every client. */
export const clientCases: readonly ClientCase[] = [
  {
    sdk: "openai, Chat Completions",
    script: "openai-chat.mjs",
    dialect: openaiChat,
    prefix: "",
    errorClass: "NotFoundError",
  },
  {
    sdk: "openai, AzureOpenAI",
    script: "openai-chat.mjs",
    dialect: azure,
    environment: { SDK_PROVIDER: "azure", OPENAI_API_VERSION: "2024-12-01-preview" },
    prefix: "/azure",
    errorClass: "NotFoundError",
  },
  {
    sdk: "openai, Responses",
    script: "openai-responses.mjs",
    dialect: openaiResponses,
    prefix: "",
    errorClass: "BadRequestError",
  },
  {
    sdk: "@anthropic-ai/sdk",
    script: "anthropic.mjs",
    dialect: anthropic,
    prefix: "",
    errorClass: "AuthenticationError",
  },
  { sdk: "@google/genai", script: "google.mjs", dialect: google, prefix: "/google", errorClass: "ApiError" },
  { sdk: "cohere-ai", script: "cohere.mjs", dialect: cohere, prefix: "/cohere", errorClass: "UnauthorizedError" },
  { sdk: "@mistralai/mistralai", script: "mistral.mjs", dialect: mistral, prefix: "/mistral", errorClass: "SDKError" },
  { sdk: "ollama", script: "ollama.mjs", dialect: ollama, prefix: "/ollama", errorClass: "ResponseError" },
  ...(
    [
      ["openai", openaiResponses, ""],
      ["anthropic", anthropic, ""],
      ["google", google, "/google"],
    ] as const
  ).map(([provider, dialect, prefix]) => ({
    sdk: `ai with @ai-sdk/${provider}`,
    script: "vercel-ai.mjs",
    dialect,
    environment: { SDK_PROVIDER: provider },
    prefix,
    errorClass: "APICallError",
  })),
  ...(
    [
      ["openai", openaiChat, "NotFoundError"],
      ["anthropic", anthropic, "AuthenticationError"],
    ] as const
  ).map(([provider, dialect, errorClass]) => ({
    sdk: `@langchain/${provider}`,
    script: "langchain.mjs",
    dialect,
    environment: { SDK_PROVIDER: provider },
    prefix: "",
    errorClass,
  })),
  ...([{ SDK_HTTP1: "1" }, {}] as const).map((handler) => ({
    sdk: `@aws-sdk/client-bedrock-runtime, HTTP/${"SDK_HTTP1" in handler ? "1.1" : "2"}`,
    script: "bedrock.mjs",
    dialect: bedrock,
    environment: { ...aws, ...handler },
    direct: { SDK_HTTP1: "1" },
    prefix: "/bedrock",
    errorClass: "ValidationException",
    signs: true,
    ...("SDK_HTTP1" in handler ? {} : { http: "2" }),
  })),
];

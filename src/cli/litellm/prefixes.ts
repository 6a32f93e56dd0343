// Room cli: LiteLLM's words for providers in ours. From docs.litellm.ai/docs/providers and litellm/types/utils.py, read 2026-11.
// Invariant: a name is taken for a provider only where LiteLLM does so itself.

/** LiteLLM's `custom_llm_provider` where it is not our id with `_` for `-`. */
const presetByPrefix: Readonly<Record<string, string>> = {
  azure_ai: "azure-ai-inference",
  azure_text: "azure",
  cloudflare: "cloudflare-workers-ai",
  cohere_chat: "cohere",
  custom_openai: "openai",
  dashscope: "alibaba-dashscope",
  featherless_ai: "featherless",
  fireworks_ai: "fireworks",
  friendliai: "friendli",
  gemini: "google",
  github: "github-models",
  gradient_ai: "digitalocean-gradient",
  hosted_vllm: "vllm",
  huggingface: "huggingface-router",
  jina_ai: "jina",
  lambda_ai: "lambda",
  ollama_chat: "ollama",
  openai_like: "openai",
  sagemaker_chat: "sagemaker",
  snowflake: "snowflake-cortex",
  "text-completion-codestral": "codestral",
  "text-completion-openai": "openai",
  together_ai: "together",
  vercel_ai_gateway: "vercel-ai-gateway",
  vertex_ai: "vertex",
  vertex_ai_beta: "vertex",
  volcengine: "volcengine-ark",
};

/** Names without a prefix that LiteLLM's model map gives a provider. */
const bareNames: readonly [RegExp, string][] = [
  [
    /^(?:gpt-|chatgpt-|codex-|o[134](?:-|$)|text-embedding-|text-moderation|omni-moderation|dall-e-|whisper-|tts-|gpt_|davinci|babbage|ft:gpt)/,
    "openai",
  ],
  [/^claude-/, "anthropic"],
  [/^gemini-/, "vertex_ai"],
  [/^command-/, "cohere_chat"],
];

/** Words that may stand between a provider and its model, and say which of its interfaces is meant. */
const interfaces: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  bedrock: { converse: "bedrock-converse", converse_like: "bedrock-converse", invoke: "bedrock-invoke" },
  openai: { responses: "openai-responses", chat: undefined },
  azure: { responses: "openai-responses", gpt5_series: undefined, o_series: undefined, chat: undefined },
  xai: { responses: "openai-responses" },
  vertex: { gemini: undefined, openai: "openai-chat", global: undefined },
};

/** A model as LiteLLM writes it, taken apart. `prefix` is LiteLLM's word. */
export interface ModelName {
  prefix: string;
  preset: string;
  model: string;
  dialect: string | undefined;
  region: string | undefined;
}

const awsRegion = /^(?:af|ap|ca|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-[a-z]+-\d$/;

/** Undefined: LiteLLM itself would have to be asked which provider it is. */
export function readModelName(
  text: string,
  provider: string | undefined,
  isPreset: (id: string) => boolean,
): ModelName | undefined {
  const slash = text.indexOf("/");
  const first = slash < 1 ? undefined : text.slice(0, slash);
  const named = provider ?? (first !== undefined && findPreset(first, isPreset) !== undefined ? first : undefined);
  const prefix = named ?? bareNames.find(([pattern]) => slash < 0 && pattern.test(text))?.[1];
  const preset = prefix === undefined ? undefined : findPreset(prefix, isPreset);
  if (prefix === undefined || preset === undefined) return undefined;
  let model = first === prefix ? text.slice(slash + 1) : text;
  let dialect: string | undefined;
  let region: string | undefined;
  const words = interfaces[preset] ?? {};
  for (let cut = model.indexOf("/"); cut > 0; cut = model.indexOf("/")) {
    const word = model.slice(0, cut);
    if (Object.hasOwn(words, word)) dialect = words[word] ?? dialect;
    else if (preset === "bedrock" && awsRegion.test(word)) region = word;
    else break;
    model = model.slice(cut + 1);
  }
  return { prefix, preset, model, dialect, region };
}

function findPreset(prefix: string, isPreset: (id: string) => boolean): string | undefined {
  const id = Object.hasOwn(presetByPrefix, prefix) ? presetByPrefix[prefix] : prefix.replaceAll("_", "-");
  return id !== undefined && isPreset(id) ? id : undefined;
}

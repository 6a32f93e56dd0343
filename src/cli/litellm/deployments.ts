// Room cli: LiteLLM's `model_list`: each entry as one deployment of a model, with the provider that it is at.
// Invariant: an entry becomes a deployment or a note, and so does each of its keys.

import type { Environment } from "../option-environment.ts";
import { isMapping } from "../option-file.ts";
import type { Notes, Place } from "./notes.ts";
import { readModelName } from "./prefixes.ts";
import type { ProviderBook } from "./provider-book.ts";
import { Section } from "./section.ts";

/** One entry of `model_list`. */
export interface Deployment {
  /** What clients ask for; may hold `*`. */
  alias: string;
  provider: string;
  /** At the provider; may hold `*`. */
  model: string;
  dialect: string | undefined;
  /** LiteLLM's `order`: lower ones first. */
  order: number | undefined;
  weights: { weight: number | undefined; rpm: number | undefined; tpm: number | undefined };
  price: Price | undefined;
  place: Required<Place>["list"];
}

/** USD per million tokens. */
export interface Price {
  inputUsdPerMillion: number;
  outputUsdPerMillion: number;
  cacheReadUsdPerMillion?: number;
  cacheWriteUsdPerMillion?: number;
}

/** Characters that names may have in a policy. */
const nameForm = /^[!-+\--:<-~]{1,256}$/;

const noSuchSetting = "Outrider has no such setting for a deployment, and adds no parameters to calls";

const reasonByParameter: Readonly<Record<string, string>> = {
  api_version: "not needed: Outrider speaks Azure's v1 API",
  timeout: "timeouts are for the whole policy, not for a deployment",
  stream_timeout: "timeouts are for the whole policy, not for a deployment",
  max_retries: "retries are for the whole policy, not for a deployment",
  num_retries: "retries are for the whole policy, not for a deployment",
  cooldown_time: "the breaker is set for the whole policy, not for a deployment",
  tags: "deployments are not chosen by tags; routes are: write one with match.tags",
  region_name: "deployments are not chosen by region",
  max_budget: "budgets are not in this version",
  budget_duration: "budgets are not in this version",
  aws_access_key_id:
    "Outrider takes AWS credentials from the machine's standard chain (AWS_ACCESS_KEY_ID, profile, role)",
  aws_secret_access_key:
    "Outrider takes AWS credentials from the machine's standard chain (AWS_SECRET_ACCESS_KEY, profile, role)",
  aws_session_token:
    "Outrider takes AWS credentials from the machine's standard chain (AWS_SESSION_TOKEN, profile, role)",
  aws_profile_name: "Outrider takes AWS credentials from the machine's standard chain: set AWS_PROFILE",
  aws_role_name: "Outrider takes AWS credentials from the machine's standard chain: set the role there",
  vertex_credentials: "Outrider takes Google's application default credentials: set GOOGLE_APPLICATION_CREDENTIALS",
  organization: "clients send their own OpenAI-Organization header",
};

/** Variables that the machine's own credential chains read: a reference to one of them is carried over as it is. */
const chainVariables: Readonly<Record<string, string>> = {
  aws_access_key_id: "AWS_ACCESS_KEY_ID",
  aws_secret_access_key: "AWS_SECRET_ACCESS_KEY",
  aws_session_token: "AWS_SESSION_TOKEN",
  aws_profile_name: "AWS_PROFILE",
  vertex_credentials: "GOOGLE_APPLICATION_CREDENTIALS",
};

/** All entries that can be carried over. */
export function readDeployments(
  list: unknown,
  book: ProviderBook,
  environment: Environment,
  notes: Notes,
): Deployment[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) {
    notes.add({ key: "model_list" }, "not understood: expected a list");
    return [];
  }
  return list.flatMap((entry: unknown, index) => {
    const place = { name: "model_list", index };
    if (!isMapping(entry)) {
      notes.add({ list: place, key: "" }, "not understood: expected a mapping");
      return [];
    }
    return readDeployment(entry, place, book, environment, notes) ?? [];
  });
}

function readDeployment(
  entry: Record<string, unknown>,
  place: Deployment["place"],
  book: ProviderBook,
  environment: Environment,
  notes: Notes,
): Deployment | undefined {
  const refuse = (key: string, reason: string): undefined => {
    notes.add({ list: place, key }, `not carried over: ${reason}`);
  };
  const whole = new Section(entry, { list: place, key: "" }, notes);
  const alias = whole.text("model_name");
  const parameters = whole.section("litellm_params");
  const info = whole.section("model_info");
  if (alias === undefined) return refuse("model_name", "it has none");
  if (!nameForm.test(alias)) return refuse("model_name", "a name may have visible ASCII characters but , and ;");

  const named = parameters.reference("model");
  const written = named?.type === "variable" ? environment[named.name] : named?.text;
  if (named?.type === "variable" && written === undefined) {
    return refuse("litellm_params.model", `${named.name} is not set here`);
  }
  if (written === undefined) return refuse("litellm_params.model", "there is none");
  const prefix = parameters.text("custom_llm_provider");
  if (written === "*") {
    return refuse(
      "litellm_params.model",
      "LiteLLM finds the provider by each model's name; Outrider asks clients to write provider/model",
    );
  }
  const found = readModelName(written, prefix, (id) => book.preset(id) !== undefined);
  if (found === undefined)
    return refuse("litellm_params.model", "its provider is not known: only LiteLLM's own tables say it");
  const preset = book.preset(found.preset);
  if (preset === undefined || preset.dialects.length === 0) {
    return refuse("litellm_params.model", `Outrider passes ${found.preset} on untouched, and cannot route to it`);
  }
  if (!nameForm.test(found.model)) return refuse("litellm_params.model", "no model that a policy can name");

  const variable = (key: string, conventional: readonly string[]): string | undefined => {
    const value = parameters.reference(key);
    if (value?.type === "literal")
      return /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value.text) ? value.text : undefined;
    if (value === undefined || conventional.includes(value.name)) return undefined;
    const set = environment[value.name];
    const reason = `${value.name} is not set here: write its value under the provider's settings in the policy`;
    parameters.note(key, set === undefined ? reason : `the policy has the value that ${value.name} has here`);
    return set;
  };
  const { region: regionVariables = [], project: projectVariables = [] } = preset.settingEnv;
  const booked = book.book({
    preset: found.preset,
    prefix: found.prefix,
    baseUrl: parameters.reference("api_base") ?? parameters.reference("base_url"),
    region:
      found.region ??
      (found.preset === "bedrock"
        ? variable("aws_region_name", regionVariables)
        : found.preset === "vertex"
          ? variable("vertex_location", regionVariables)
          : undefined),
    project: found.preset === "vertex" ? variable("vertex_project", projectVariables) : undefined,
    apiKey: parameters.reference("api_key"),
  });
  if ("problem" in booked) return refuse("litellm_params.api_base", booked.problem);
  for (const { key, reason } of booked.problems) parameters.note(key, reason);

  const weights = {
    weight: parameters.number("weight"),
    rpm: parameters.number("rpm") ?? whole.number("rpm"),
    tpm: parameters.number("tpm") ?? whole.number("tpm"),
  };
  const order = parameters.number("order");
  const price = readPrice(parameters, info);
  parameters.close(explainParameter);
  info.close((key) => (informative.has(key) ? undefined : "facts of a model are the catalogue's, not the policy's"));
  whole.close(() => "no such key in Outrider");
  return {
    alias,
    provider: booked.id,
    model: found.model,
    dialect: found.dialect,
    order,
    weights,
    price,
    place,
  };
}

/** Texts for people and ids of LiteLLM's database: nothing acts on them. */
const informative: ReadonlySet<string> = new Set(["id", "description", "db_model", "mode"]);

function explainParameter(key: string, value: unknown): string | undefined {
  const chained = chainVariables[key];
  if (chained !== undefined && value === `os.environ/${chained}`) return undefined;
  return (Object.hasOwn(reasonByParameter, key) ? reasonByParameter[key] : undefined) ?? noSuchSetting;
}

const millionTokens = 1_000_000;

function readPrice(parameters: Section, info: Section): Price | undefined {
  const perMillion = (key: string): number | undefined => {
    const perToken = parameters.number(key) ?? info.number(key);
    // Decimal fractions of a dollar a token, times a million: digits beyond the ninth are noise of the product.
    return perToken === undefined ? undefined : Number((perToken * millionTokens).toFixed(9));
  };
  const input = perMillion("input_cost_per_token");
  const output = perMillion("output_cost_per_token");
  const cacheRead = perMillion("cache_read_input_token_cost");
  const cacheWrite = perMillion("cache_creation_input_token_cost");
  if (input === undefined && output === undefined) return undefined;
  return {
    inputUsdPerMillion: input ?? 0,
    outputUsdPerMillion: output ?? 0,
    ...(cacheRead === undefined ? {} : { cacheReadUsdPerMillion: cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWriteUsdPerMillion: cacheWrite }),
  };
}

// The official Python clients, unmodified, on recorded answers: what test/support/sdk-replay.ts asks of every client, and of boto3 that
// its own signer makes the signature that the upstream gets.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { ensureComponents } from "../../scripts/components.mjs";
import { type ClientCase, type DialectCase, dialects } from "../contract/sdks/cases.ts";
import { createTempDir } from "../support/components/child.ts";
import type { UpstreamRequest } from "../support/scripted-upstream.ts";
import { describeClients } from "../support/sdk-replay.ts";

const home = createTempDir("sdks-python");
afterAll(() => rmSync(home, { recursive: true, force: true }));

const find = (path: string): string => fileURLToPath(new URL(`python/${path}`, import.meta.url));
let python: string;

const region = "eu-west-1";
// boto3 lists its features in the user agent in the order of a set.
const aws = { AWS_DEFAULT_REGION: region, PYTHONHASHSEED: "0" };
const keys = { ...aws, AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: "test-key" };
const signed = { environment: keys, signs: true, checkSent: checkSignature };
// boto3 sends a bearer token of its own to https only, so Outrider holds it and boto3 signs.
const borne = {
  environment: { ...keys, OUTRIDER_CREDENTIAL_BEDROCK_ENV: "HELD_TOKEN", HELD_TOKEN: "test-token" },
  signs: true,
  checkSent: checkBearer,
};
const at = (provider: string, environment = {}) => ({ environment: { ...environment, SDK_PROVIDER: provider } });
const atAzure = at("azure", { OPENAI_API_VERSION: "2024-12-01-preview" });
const atBedrock = { ...signed, ...at("bedrock", keys) };

/** boto3 signed for Outrider's address; the upstream must get the signature that botocore makes for the upstream's. */
function checkSignature({ method, path, rawHeaders, body, header }: UpstreamRequest): void {
  const date = header("x-amz-date") ?? "";
  const authorization = header("authorization") ?? "";
  expect(authorization).toContain(`Credential=test-key/${date.slice(0, 8)}/${region}/bedrock/aws4_request`);
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(";") ?? [];
  expect(names).toEqual(expect.arrayContaining(["host", "x-amz-date"]));
  const headers = Object.fromEntries(names.map((name) => [name, header(name)]));
  const request = { method, path, headers, date, body: body.toString("base64"), region };
  const signature = execFileSync(python, [find("sign_request.py")], {
    input: JSON.stringify(request),
    encoding: "utf8",
  });
  expect(rawHeaders.filter((name) => name.toLowerCase() === "authorization")).toHaveLength(1);
  expect(authorization).toMatch(new RegExp(`Signature=${signature.trim()}$`));
}

function checkBearer({ rawHeaders, header }: UpstreamRequest): void {
  expect(header("authorization")).toBe("Bearer test-token");
  expect(rawHeaders.filter((name) => /^(?:authorization|x-amz-date)$/i.test(name))).toHaveLength(1);
}

const bedrockInvoke: DialectCase = {
  ...dialects.anthropic,
  upstream: dialects.bedrock.upstream,
  providerName: dialects.bedrock.providerName,
  model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
  tool: "_structured_tool_call",
  recordings: {
    plain:
      "bedrock-invoke/bedrock/opentelemetry-python-c-test-invoke-model-with-content-assistant-content-as-string-0-f70ec9d7",
    stream: "bedrock-invoke/bedrock/chatlas-test-anthropic-tool-variations-4-ccef16b1",
    tool: "bedrock-invoke/bedrock/chatlas-test-data-extraction-0-cef1ee30",
    error:
      "bedrock-invoke/bedrock/opentelemetry-java-ins-io-opentelemetry-instrumentation-awssdk-v2-2-abstractaws2bedrock-1-e2e1fd4c",
  },
  streamFinish: "stop",
};

const vertex: DialectCase = {
  ...dialects.google,
  upstream: { option: "OUTRIDER_PROVIDER_VERTEX_BASE_URL", base: "" },
  providerName: "gcp.vertex_ai",
};

const { openaiChat, openaiResponses, azure, anthropic, google, cohere, mistral, ollama, bedrock } = dialects;

type Row = [
  sdk: string,
  script: string,
  dialect: DialectCase,
  prefix: string,
  errorClass: string,
  more?: Partial<ClientCase>,
];
const rows: readonly Row[] = [
  ["openai, Chat Completions", "openai_chat", openaiChat, "", "NotFoundError"],
  ["openai, Responses", "openai_responses", openaiResponses, "", "BadRequestError"],
  ["openai, AzureOpenAI", "openai_chat", azure, "/azure", "NotFoundError", atAzure],
  ["anthropic", "anthropic_messages", anthropic, "", "AuthenticationError"],
  ["anthropic, AnthropicBedrock", "anthropic_messages", bedrockInvoke, "/bedrock", "BadRequestError", atBedrock],
  ["google-genai", "google_gemini", google, "/google", "ClientError"],
  ["google-genai, Vertex AI", "google_gemini", vertex, "/vertex", "ClientError", at("vertex")],
  ["cohere", "cohere_chat", cohere, "/cohere", "UnauthorizedError"],
  ["mistralai", "mistral_chat", mistral, "/mistral", "SDKError"],
  ["ollama", "ollama_chat", ollama, "/ollama", "ResponseError"],
  ["langchain-openai", "langchain_chat", openaiChat, "", "OpenAIModelNotFoundError", at("openai")],
  ["langchain-anthropic", "langchain_chat", anthropic, "", "AnthropicAuthenticationError", at("anthropic")],
  ["boto3, Converse", "bedrock_converse", bedrock, "/bedrock", "ValidationException", signed],
  ["boto3, InvokeModel", "bedrock_invoke", bedrockInvoke, "/bedrock", "ValidationException", signed],
  ["boto3, token held by Outrider", "bedrock_converse", bedrock, "/bedrock", "ValidationException", borne],
];

const clients = rows.map(([sdk, script, dialect, prefix, errorClass, more]): ClientCase => ({
  sdk,
  script: `${script}.py`,
  dialect,
  prefix,
  errorClass,
  ...more,
}));

describeClients(clients, async () => {
  ({ python } = (await ensureComponents(["python"])).python);
  return { home, command: (script) => [python, "-B", find(`clients/${script}`)] };
});

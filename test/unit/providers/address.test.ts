// Addresses with gaps: what fills them, what is refused, and that no client gets a host of its own choice.
import { describe, expect, it } from "vitest";

import { type Options, OptionsError } from "../../../src/options.ts";
import { createProviders, joinUrl } from "../../../src/providers/index.ts";
import { requireProvider } from "../../support/providers.ts";

type Dialect = Parameters<typeof joinUrl>[1];

interface Given {
  providers?: Options["providers"];
  environment?: Record<string, string>;
  /** What the request names itself. */
  region?: string;
}

function join(
  id: string,
  dialect: Dialect,
  path: string,
  { providers = {}, environment = {}, region }: Given = {},
): string {
  const all = createProviders({ options: { providers, credentials: {} }, environment });
  const { origin, path: target } = joinUrl(
    requireProvider(id, all),
    dialect,
    path,
    "",
    region === undefined ? {} : { region },
  );
  return origin + target;
}

const converse = "/model/anthropic.claude-v2%3A1/converse";
const generate = (location: string): string =>
  `/v1/projects/p/locations/${location}/publishers/google/models/gemini-2.5-pro:generateContent`;

describe("a region", () => {
  it("comes from the option, else from the environment, else from the request", () => {
    const environment = { AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "eu-west-2" };
    const providers = { bedrock: { region: "us-west-2" } };
    const at = (given: Given): string => new URL(join("bedrock", "bedrock-converse", converse, given)).hostname;
    expect(at({ providers, environment, region: "us-east-1" })).toBe("bedrock-runtime.us-west-2.amazonaws.com");
    expect(at({ environment, region: "us-east-1" })).toBe("bedrock-runtime.eu-west-1.amazonaws.com");
    expect(at({ environment: { AWS_DEFAULT_REGION: "eu-west-2" } })).toBe("bedrock-runtime.eu-west-2.amazonaws.com");
    expect(at({ region: "us-east-1" })).toBe("bedrock-runtime.us-east-1.amazonaws.com");
  });

  it("is asked for by name when nobody said it", () => {
    expect(() => join("bedrock", "bedrock-converse", converse)).toThrow(
      expect.objectContaining({
        code: "operation_unsupported",
        message: expect.stringContaining(
          "the address of bedrock needs a region: set providers.bedrock.region or providers.bedrock.baseUrl or AWS_REGION",
        ),
      }),
    );
  });

  it("is not needed where the operator gave the whole address", () => {
    const providers = { bedrock: { baseUrl: "http://127.0.0.1:9000" } };
    expect(join("bedrock", "bedrock-converse", converse, { providers })).toBe(`http://127.0.0.1:9000${converse}`);
  });

  it.each(["evil.example/x", "a b", "-x", "x/../y", "#"])("of the environment is not %j", (AWS_REGION) => {
    expect(() => join("bedrock", "bedrock-converse", converse, { environment: { AWS_REGION } })).toThrow(
      expect.objectContaining({ code: "operation_unsupported" }),
    );
  });

  it("is refused as an option of a provider whose address has none", () => {
    const create = (): unknown =>
      createProviders({ options: { providers: { openai: { region: "eu" } }, credentials: {} } });
    expect(create).toThrow(OptionsError);
    expect(create).toThrow("providers.openai.region: expected no region: the address of openai has none");
  });
});

describe("Vertex AI", () => {
  it.each([
    ["us-central1", "us-central1-aiplatform.googleapis.com"],
    ["europe-west12", "europe-west12-aiplatform.googleapis.com"],
    ["northamerica-northeast1", "northamerica-northeast1-aiplatform.googleapis.com"],
    ["global", "aiplatform.googleapis.com"],
    ["us", "aiplatform.us.rep.googleapis.com"],
    ["eu", "aiplatform.eu.rep.googleapis.com"],
  ])("is reached at the host of the path's location %s", (location, host) => {
    const environment = { GOOGLE_CLOUD_LOCATION: "asia-east1" };
    expect(join("vertex", "gemini-generate-content", generate(location), { environment })).toBe(
      `https://${host}${generate(location)}`,
    );
  });

  it.each(["evil.example", "us-central1.evil", "US-CENTRAL1", "us-central1-x", "x", "us-central999", "%2e"])(
    "refuses the location %s",
    (location) => {
      expect(() => join("vertex", "gemini-generate-content", generate(location))).toThrow(
        expect.objectContaining({ code: "request_malformed" }),
      );
    },
  );

  it("keeps to the operator's address whatever location the path names", () => {
    const providers = { vertex: { baseUrl: "http://127.0.0.1:9000" } };
    expect(join("vertex", "gemini-generate-content", generate("europe-west4"), { providers })).toBe(
      `http://127.0.0.1:9000${generate("europe-west4")}`,
    );
  });

  it("takes a dated model of another publisher, and adds the version that was left out", () => {
    const path = "/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict";
    expect(join("vertex", "anthropic-messages", path)).toBe(`https://us-east5-aiplatform.googleapis.com/v1${path}`);
  });

  it("needs no project for a path without one", () => {
    const path = "/v1/publishers/google/models/gemini-2.5-pro:streamGenerateContent";
    expect(join("vertex", "gemini-generate-content", path)).toBe(`https://aiplatform.googleapis.com${path}`);
  });

  it("puts project and location into OpenAI's paths", () => {
    const environment = { GOOGLE_CLOUD_PROJECT: "acme", GOOGLE_CLOUD_LOCATION: "us-central1" };
    const root = "https://us-central1-aiplatform.googleapis.com/v1/projects/acme/locations/us-central1";
    expect(join("vertex", "openai-chat", "/v1/chat/completions", { environment })).toBe(
      `${root}/endpoints/openapi/chat/completions`,
    );
    expect(join("vertex", "openai-responses", "/v1/responses", { environment })).toBe(
      `${root}/publishers/openai/v1/responses`,
    );
    expect(() => join("vertex", "openai-chat", "/v1/chat/completions")).toThrow("needs a project");
  });
});

describe("Azure", () => {
  const providers = { azure: { resource: "acme" } };
  it.each([
    ["/openai/deployments/gpt/chat/completions", "/openai/deployments/gpt/chat/completions"],
    ["/openai/v1/chat/completions", "/openai/v1/chat/completions"],
    ["/openai/responses", "/openai/responses"],
    ["/v1/chat/completions", "/openai/v1/chat/completions"],
    ["/chat/completions", "/openai/v1/chat/completions"],
  ])("takes %s to %s", (path, expected) => {
    expect(join("azure", "openai-chat", path, { providers })).toBe(`https://acme.openai.azure.com${expected}`);
  });

  it.each(["https://acme.openai.azure.com/openai/v1", "https://acme.openai.azure.com/openai"])(
    "does not repeat what the base %s has",
    (baseUrl) => {
      const given = { providers: { azure: { baseUrl } } };
      expect(join("azure", "openai-chat", "/openai/deployments/gpt/chat/completions", given)).toBe(
        "https://acme.openai.azure.com/openai/deployments/gpt/chat/completions",
      );
    },
  );

  it("is where its conventional variable says, unless that is Outrider itself", () => {
    const at = (AZURE_OPENAI_ENDPOINT: string): string =>
      join("azure", "openai-chat", "/v1/chat/completions", { environment: { AZURE_OPENAI_ENDPOINT } });
    expect(at("https://acme.cognitiveservices.azure.com/")).toBe(
      "https://acme.cognitiveservices.azure.com/openai/v1/chat/completions",
    );
    for (const own of ["http://127.0.0.1:4141/azure", "http://localhost:4141", "http://[::1]:4141", "nonsense"]) {
      expect(() => at(own)).toThrow("needs a resource");
    }
  });
});

describe("a path's own version", () => {
  it.each<[string, Dialect, string, string]>([
    ["google", "gemini-generate-content", "/v1/models/g:generateContent", "/v1/models/g:generateContent"],
    ["google", "gemini-generate-content", "/models/g:generateContent", "/v1beta/models/g:generateContent"],
    ["google", undefined, "/upload/v1beta/files", "/upload/v1beta/files"],
    ["google", "openai-chat", "/v1/chat/completions", "/v1beta/openai/chat/completions"],
    ["cohere", "cohere-chat", "/v1/chat", "/v1/chat"],
    ["cohere", "rerank", "/v1/rerank", "/v1/rerank"],
    ["cohere", "rerank", "/rerank", "/v2/rerank"],
    ["voyage", "rerank", "/rerank", "/v1/rerank"],
    ["voyage", "rerank", "/v1/rerank", "/v1/rerank"],
    ["ollama", "ollama-chat", "/api/chat", "/api/chat"],
    ["ollama", "openai-responses", "/v1/responses", "/v1/responses"],
  ])("%s %s %s is %s there", (id, dialect, path, expected) => {
    expect(new URL(join(id, dialect, path)).pathname).toBe(expected);
  });
});

describe("what only one provider's model ids need", () => {
  const environment = { AWS_REGION: "us-east-1" };
  const arn = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse";

  it("is a slash in an ARN at Bedrock, called or tunnelled", () => {
    for (const dialect of ["bedrock-converse", undefined] as const) {
      expect(join("bedrock", dialect, arn, { environment })).toBe(
        `https://bedrock-runtime.us-east-1.amazonaws.com${arn}`,
      );
    }
    expect(() => join("openai", "openai-chat", arn)).toThrow("not in its plain form");
    expect(() => join("vertex", "gemini-generate-content", arn)).toThrow("not in its plain form");
  });

  it.each(["/model/a%2f..%2fb/converse", "/model/a%2F%2Fb/converse", "/model/%2Fa/converse", "/model/a%2f./converse"])(
    "is not %s, which some server would read as another path",
    (path) => {
      expect(() => join("bedrock", "bedrock-converse", path, { environment })).toThrow("not in its plain form");
    },
  );

  it("is an @ at Vertex AI and nowhere else", () => {
    expect(() => join("anthropic", "anthropic-messages", "/v1/messages@x")).toThrow("not in its plain form");
    expect(join("vertex", undefined, "/v1/publishers/anthropic/models/c@1")).toBe(
      "https://aiplatform.googleapis.com/v1/publishers/anthropic/models/c@1",
    );
  });
});

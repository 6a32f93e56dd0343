import { describe, expect, it } from "vitest";
import { keepBaseUrls, pointClients } from "../../../src/cli/exec.ts";
import { optionsSchema } from "../../../src/options.ts";
import { createProviders } from "../../../src/providers/index.ts";

const url = "http://127.0.0.1:40000";

describe("exec", () => {
  it("points every client's variable at its provider behind the sidecar, and leaves the rest alone", () => {
    const environment = { HOME: "/home/x", OPENAI_API_KEY: "k", OPENAI_BASE_URL: "https://elsewhere.example/v1" };
    expect(pointClients(environment, url)).toEqual({
      HOME: "/home/x",
      OPENAI_API_KEY: "k",
      OUTRIDER_URL: url,
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_API_BASE: `${url}/v1`,
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_URL: url,
      ANTHROPIC_API_BASE: url,
      AZURE_OPENAI_ENDPOINT: `${url}/azure`,
      AZURE_API_BASE: `${url}/azure`,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: `${url}/bedrock`,
      ANTHROPIC_BEDROCK_BASE_URL: `${url}/bedrock`,
      ANTHROPIC_BEDROCK_MANTLE_BASE_URL: `${url}/bedrock-mantle-anthropic`,
      AWS_BEDROCK_BASE_URL: `${url}/bedrock-mantle-openai/v1`,
      ANTHROPIC_AWS_BASE_URL: `${url}/anthropic-on-aws`,
      ANTHROPIC_FOUNDRY_BASE_URL: `${url}/anthropic-foundry`,
      ANTHROPIC_GOOGLE_CLOUD_BASE_URL: `${url}/anthropic-google-cloud`,
      GOOGLE_GEMINI_BASE_URL: `${url}/google`,
      GOOGLE_VERTEX_BASE_URL: `${url}/vertex`,
      ANTHROPIC_VERTEX_BASE_URL: `${url}/vertex/v1`,
      CO_API_URL: `${url}/cohere`,
      OLLAMA_HOST: `${url}/ollama`,
      OLLAMA_API_BASE: `${url}/ollama`,
    });
  });

  it("points only at providers that there are", () => {
    const ids = createProviders({ options: optionsSchema.parse({}) }).ids();
    const prefixes = Object.values(pointClients({}, url)).map((value) => value?.slice(url.length).split("/")[1] ?? "");
    expect(prefixes.filter((prefix) => prefix !== "" && prefix !== "v1" && !ids.includes(prefix))).toEqual([]);
    expect(new Set(prefixes).size).toBeGreaterThan(8);
  });

  it("leaves AWS_ENDPOINT_URL as it is, for it moves every service of AWS", () => {
    const environment = { AWS_ENDPOINT_URL: "http://aws.example:4566" };
    expect(pointClients(environment, url)).toMatchObject(environment);
    expect(keepBaseUrls(optionsSchema.parse({}), environment).providers).toEqual({
      bedrock: { baseUrl: "http://aws.example:4566" },
    });
    const narrower = { ...environment, AWS_ENDPOINT_URL_BEDROCK_RUNTIME: "https://bedrock.example" };
    expect(keepBaseUrls(optionsSchema.parse({}), narrower).providers).toEqual({
      bedrock: { baseUrl: "https://bedrock.example" },
    });
  });

  it("takes the Foundry client's resource away, which it does not take beside a base URL", () => {
    expect(pointClients({ ANTHROPIC_FOUNDRY_RESOURCE: "name" }, url)).not.toHaveProperty("ANTHROPIC_FOUNDRY_RESOURCE");
  });

  it.each(["true", "True", "1"])("sends google-genai to Vertex when the environment says %s to it", (value) => {
    const pointed = pointClients({ GOOGLE_GENAI_USE_VERTEXAI: value }, url);
    expect(pointed["GOOGLE_GEMINI_BASE_URL"]).toBe(`${url}/vertex`);
    expect(pointClients({ GOOGLE_GENAI_USE_VERTEXAI: "false" }, url)["GOOGLE_GEMINI_BASE_URL"]).toBe(`${url}/google`);
  });

  it("leaves OPENAI_BASE_URL to an application that has Azure's endpoint and no key of OpenAI", () => {
    const azure = { AZURE_OPENAI_ENDPOINT: "https://name.openai.azure.com" };
    const pointed = pointClients(azure, url);
    expect([pointed["AZURE_OPENAI_ENDPOINT"], pointed["OPENAI_BASE_URL"]]).toEqual([`${url}/azure`, undefined]);
    expect(pointClients({ ...azure, OPENAI_API_KEY: "k" }, url)["OPENAI_BASE_URL"]).toBe(`${url}/v1`);
  });

  it.each([
    ["0.0.0.0", "http://127.0.0.1:11434"],
    [":9999", "http://127.0.0.1:9999"],
    ["gpu.internal", "http://gpu.internal:11434"],
    ["gpu.internal:80", "http://gpu.internal:80"],
    ["https://gpu.internal", "https://gpu.internal"],
  ])("reads OLLAMA_HOST=%s as Ollama does", (value, baseUrl) => {
    expect(keepBaseUrls(optionsSchema.parse({}), { OLLAMA_HOST: value }).providers).toEqual({ ollama: { baseUrl } });
  });

  it("takes loopback out of what goes through an HTTP proxy, only where one is set", () => {
    expect(pointClients({ HTTP_PROXY: "http://proxy:1", NO_PROXY: "a.internal" }, url)).toMatchObject({
      NO_PROXY: "a.internal,127.0.0.1",
      no_proxy: "127.0.0.1",
    });
    expect(pointClients({}, url)).not.toHaveProperty("NO_PROXY");
  });

  it("keeps a base URL that was set as the provider's, so that its key goes to the host it belongs to", () => {
    const environment = { OPENAI_BASE_URL: "https://gateway.example/v1", ANTHROPIC_API_URL: "https://claude.example" };
    expect(keepBaseUrls(optionsSchema.parse({}), environment).providers).toEqual({
      openai: { baseUrl: "https://gateway.example/v1" },
      anthropic: { baseUrl: "https://claude.example" },
    });
  });

  it("lets the options' base URL win over the client's variable", () => {
    const options = optionsSchema.parse({ providers: { openai: { baseUrl: "https://options.example/v1" } } });
    expect(keepBaseUrls(options, { OPENAI_BASE_URL: "https://gateway.example/v1" }).providers).toEqual({
      openai: { baseUrl: "https://options.example/v1" },
    });
  });
});

import { describe, expect, it } from "vitest";
import { keepBaseUrls, pointClients } from "../../../src/cli/exec.ts";
import { optionsSchema } from "../../../src/options.ts";

const url = "http://127.0.0.1:40000";

describe("exec", () => {
  it("points the variables of the OpenAI and Anthropic clients at the sidecar, and leaves the rest alone", () => {
    expect(
      pointClients({ HOME: "/home/x", OPENAI_API_KEY: "k", OPENAI_BASE_URL: "https://elsewhere.example/v1" }, url),
    ).toEqual({
      HOME: "/home/x",
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_API_BASE: `${url}/v1`,
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_URL: url,
      ANTHROPIC_API_BASE: url,
    });
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

// Joining a client's path to a provider's base: every spelling reaches the same place, and none reaches another host.
import { describe, expect, it } from "vitest";

import { SidecarError } from "../../../src/errors.ts";
import { createProviders, joinUrl, stripBasePath, type UpstreamAddress } from "../../../src/providers/index.ts";
import { presets } from "../../../src/providers/presets.ts";
import { requireProvider } from "../../support/providers.ts";

/** Undefined for a refused path; any other failure is one of the test. */
function tryJoin(path: string, dialect: Parameters<typeof joinUrl>[1]): UpstreamAddress | undefined {
  try {
    return joinUrl(requireProvider("groq"), dialect, path, "");
  } catch (error) {
    if (error instanceof SidecarError && error.code === "request_malformed") return undefined;
    throw error;
  }
}

const calls = {
  "openai-chat": { path: "/chat/completions", versioned: "/v1/chat/completions" },
  embeddings: { path: "/embeddings", versioned: "/v1/embeddings" },
  "anthropic-messages": { path: "/messages", versioned: "/v1/messages" },
} as const;

/** All presets, the gaps of their addresses filled. */
const filledProviders = createProviders({
  options: {
    providers: Object.fromEntries(
      presets.map(({ id, settings = {} }) => [
        id,
        Object.fromEntries(Object.keys(settings).map((name) => [name, name === "region" ? "us-east1" : "acme"])),
      ]),
    ),
    credentials: {},
  },
});

/** Where Anthropic's dialect lives, as a URL without the call; written down, not computed. */
const anthropicRoots: Record<string, string> = {
  anthropic: "https://api.anthropic.com/v1",
  "anthropic-foundry": "https://acme.services.ai.azure.com/anthropic/v1",
  "anthropic-google-cloud":
    "https://claude.googleapis.com/v1alpha/projects/acme/locations/us-east1/workspaces/acme/invoke/v1",
  "anthropic-on-aws": "https://aws-external-anthropic.us-east1.api.aws/v1",
  "bedrock-mantle-anthropic": "https://bedrock-mantle.us-east1.api.aws/anthropic/v1",
  deepseek: "https://api.deepseek.com/anthropic/v1",
  "github-copilot": "https://api.githubcopilot.com/v1",
  "llama-cpp": "http://localhost:8080/v1",
  minimax: "https://api.minimax.io/anthropic/v1",
  ollama: "http://localhost:11434/v1",
  openrouter: "https://openrouter.ai/api/v1",
  "vercel-ai-gateway": "https://ai-gateway.vercel.sh/v1",
  vertex: "https://us-east1-aiplatform.googleapis.com/v1",
  vllm: "http://localhost:8000/v1",
};

/** The same for OpenAI's dialects, where they have a base of their own. */
const openaiRoots: Record<string, string> = {
  azure: "https://acme.openai.azure.com/openai/v1",
  google: "https://generativelanguage.googleapis.com/v1beta/openai",
  ollama: "http://localhost:11434/v1",
  vertex: "https://us-east1-aiplatform.googleapis.com/v1/projects/acme/locations/us-east1/endpoints/openapi",
};

const isListed = (dialect: string): dialect is keyof typeof calls => dialect in calls;
const rows = presets.flatMap((row) => row.dialects.filter(isListed).map((dialect) => [row.id, dialect] as const));

describe("every preset and dialect", () => {
  it.each(rows)("%s %s: bare, versioned and full paths reach the same place", (id, dialect) => {
    const provider = requireProvider(id, filledProviders);
    const { path, versioned } = calls[dialect];
    const own = dialect === "anthropic-messages" ? anthropicRoots[id] : openaiRoots[id];
    const root = own ?? provider.baseUrl.href.replace(/\/$/, "");
    const expected = `${root}${path}?beta=true`;
    const fullPath = new URL(expected).pathname;
    for (const clientPath of [path, versioned, fullPath]) {
      const { origin, path: target } = joinUrl(provider, dialect, clientPath, "?beta=true");
      expect([clientPath, `${origin}${target}`]).toEqual([clientPath, expected]);
    }
  });

  it.each(rows)("%s %s: a full path is recognised as the call it is", (id, dialect) => {
    const provider = requireProvider(id, filledProviders);
    const { path, versioned } = calls[dialect];
    const { path: fullPath } = joinUrl(provider, dialect, path, "");
    for (const clientPath of [path, versioned, fullPath]) {
      expect([path, versioned]).toContain(stripBasePath(provider, clientPath));
    }
  });
});

describe("joining", () => {
  const join = (id: string, dialect: Parameters<typeof joinUrl>[1], path: string, query = ""): string => {
    const { origin, path: target } = joinUrl(requireProvider(id), dialect, path, query);
    return `${origin}${target}`;
  };

  it("completes a base path of which the client wrote only a part", () => {
    expect(join("groq", "openai-chat", "/openai/chat/completions")).toBe(
      "https://api.groq.com/openai/v1/chat/completions",
    );
    expect(join("zai", "openai-chat", "/v4/chat/completions")).toBe("https://api.z.ai/api/paas/v4/chat/completions");
  });

  it("drops the client's version where an OpenAI-shaped base has none, or another one", () => {
    expect(join("perplexity", "openai-chat", "/v1/chat/completions")).toBe(
      "https://api.perplexity.ai/chat/completions",
    );
    expect(join("deepinfra", "openai-chat", "/v1/chat/completions")).toBe(
      "https://api.deepinfra.com/v1/openai/chat/completions",
    );
  });

  it("keeps what stands behind the call, and a slash at the end", () => {
    expect(join("anthropic", "anthropic-messages", "/v1/messages/count_tokens")).toBe(
      "https://api.anthropic.com/v1/messages/count_tokens",
    );
    expect(join("openai", "openai-chat", "/v1/chat/completions/")).toBe("https://api.openai.com/v1/chat/completions/");
  });

  it.each([
    ["openai", "/v1/files", "https://api.openai.com/v1/files"],
    ["openai", "/files/file-1/content", "https://api.openai.com/v1/files/file-1/content"],
    ["groq", "/openai/v1/models", "https://api.groq.com/openai/v1/models"],
    ["zai", "/v1/models", "https://api.z.ai/api/paas/v4/models"],
    ["anthropic", "/v1/messages/batches", "https://api.anthropic.com/v1/messages/batches"],
    ["anthropic", "/v1/models", "https://api.anthropic.com/v1/models"],
    ["ollama", "/api/tags", "http://localhost:11434/api/tags"],
    ["ollama", "/v1/models", "http://localhost:11434/v1/models"],
    ["perplexity", "/v1/sonar", "https://api.perplexity.ai/v1/sonar"],
    ["openai", "/", "https://api.openai.com/v1"],
  ])("tunnels %s %s without repeating anything", (id, path, expected) => {
    expect(join(id, undefined, path)).toBe(expected);
  });

  it("keeps the query byte for byte", () => {
    const query = "?beta=true&x=%7B%22a%22%3A1%7D&&y=a+b&z=@:/?";
    expect(join("anthropic", "anthropic-messages", "/v1/messages", query)).toBe(
      `https://api.anthropic.com/v1/messages${query}`,
    );
  });

  it("takes any base path that a person gives, version or none", () => {
    const at = (baseUrl: string, path: string): string => {
      const moved = createProviders({ options: { providers: { openai: { baseUrl } }, credentials: {} } });
      const { origin, path: target } = joinUrl(requireProvider("openai", moved), "openai-chat", path, "");
      return `${origin}${target}`;
    };
    expect(at("http://gateway:8080", "/v1/chat/completions")).toBe("http://gateway:8080/chat/completions");
    expect(at("http://gateway:8080/v1/", "/v1/chat/completions")).toBe("http://gateway:8080/v1/chat/completions");
    expect(at("http://gateway:8080/llm/openai/v1", "/chat/completions")).toBe(
      "http://gateway:8080/llm/openai/v1/chat/completions",
    );
  });
});

describe("a path that some server would read as another one", () => {
  const paths = [
    "//evil.example/v1/messages",
    "/v1//messages",
    "/v1/../admin",
    "/..",
    "/v1/./messages",
    "/v1/.",
    "/%2e%2e/admin",
    "/v1/%2E./x",
    "/v1/.%2e/x",
    "/v1/x%2f..%2fy",
    "/v1\\messages",
    "/v1/%5cx",
    "/v1/messages#x",
    "/@evil.example/v1",
    "/v1/a@b",
    "evil.example",
    "",
    "@evil.example",
    ":80/",
    "/v1/mes sages",
    "/v1/\r\nx-injected: 1",
    "/v1/\u0000",
    "/v1/\u00e9",
    "/v1/?x=1",
    "/v1/%0d%0a",
    "http://evil.example/v1",
  ];

  it.each(paths)("%j is refused", (path) => {
    for (const dialect of ["openai-chat", "anthropic-messages", undefined] as const) {
      expect(() => joinUrl(requireProvider("openai"), dialect, path, "")).toThrow(
        expect.objectContaining({ name: "SidecarError", code: "request_malformed", httpStatus: 400 }),
      );
    }
  });

  it.each(["x=1", "?a#b", "?a b", "?a\r\nb", "?\u00e9"])("so is the query %j", (query) => {
    expect(() => joinUrl(requireProvider("openai"), undefined, "/v1/files", query)).toThrow(SidecarError);
  });

  it("never changes scheme, host or port, whatever is accepted", () => {
    // A fixed linear congruential generator: the same 20,000 paths in every run.
    let state = 20_261_121;
    const next = (bound: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % bound;
    };
    const alphabet = [
      "/",
      ".",
      "%2e",
      "%2f",
      "v1",
      "chat",
      "@",
      ":",
      "\\",
      "?",
      "#",
      "a",
      "evil.example",
      "//",
      ";",
      "%",
      "openai",
    ];
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const path = `/${Array.from({ length: 1 + next(7) }, () => alphabet[next(alphabet.length)]).join("")}`;
      const address = tryJoin(path, round % 2 === 0 ? "openai-chat" : undefined);
      if (address === undefined) continue;
      accepted++;
      const url = new URL(`${address.origin}${address.path}`);
      expect(url.origin).toBe("https://api.groq.com");
      expect(url.pathname).toMatch(/^\/openai\/v1(?:\/|$)/);
    }
    expect(accepted).toBeGreaterThan(1000);
  });
});

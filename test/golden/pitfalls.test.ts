// The list of real bugs of other gateways that the tests named by a number stand for, and that none of them is forgotten.
// A number's place in the list is the number; beside it, the reports (`owner/repo#n` on github.com) that a test may be named after.
import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const reports = [
  "BerriAI/litellm#5231 maximhq/bifrost#1961 Portkey-AI/gateway#1284 mozilla-ai/any-llm#970",
  "BerriAI/litellm#21331",
  "BerriAI/litellm#5063 agentgateway/agentgateway#3002 aws-samples/bedrock-access-gateway#258",
  "MadSkittles/Router-Maestro#162",
  "theopenco/llmgateway#2468",
  "BerriAI/litellm#25321",
  "BerriAI/litellm#32357 BerriAI/litellm#25212 BerriAI/litellm#33224",
  "BerriAI/litellm#24176",
  "Portkey-AI/gateway#1417",
  "BerriAI/litellm#25322 strands-agents/harness-sdk#2129",
  "BerriAI/litellm#38809 strands-agents/harness-sdk#2704",
  "crmne/ruby_llm#896",
  "anomalyco/opencode#3077",
  "envoyproxy/ai-gateway#2399 BerriAI/litellm#10485",
  "googleapis/python-genai#2868",
  "NousResearch/hermes-agent#43478 2389-research/tracker#542",
  "langwatch/langwatch#6290",
  "langwatch/langwatch#6290",
  "maximhq/bifrost#5166",
  "maximhq/bifrost#1136",
  "router-for-me/CLIProxyAPI#97 router-for-me/CLIProxyAPI#2142 router-for-me/CLIProxyAPI#4754 tailcallhq/forgecode#3426 su-kaka/gcli2api#374",
  "BerriAI/litellm#9812 BerriAI/litellm#11789 BerriAI/litellm#25517 maximhq/bifrost#3451",
  "simonw/llm-gemini#75 vercel/ai#6082 Portkey-AI/gateway#1458 Wei-Shaw/sub2api#554",
  "simstudioai/sim#3039",
  "pydantic/genai-prices vercel/ai",
  "vercel/ai",
  "Portkey-AI/gateway#1627 ROCm/ATOM#1711 awslabs/llmeter#34",
  "headroomlabs-ai/headroom#2026",
  "Azure",
  "Azure",
  "Portkey-AI/gateway#1047 Portkey-AI/gateway#1142",
  "BerriAI/litellm#28551",
  "BerriAI/litellm#32686",
  "Portkey-AI/gateway#949 Portkey-AI/gateway#741",
  "musistudio/claude-code-router#1672 api7/aisix#111 astrid-runtime/astrid#171 katanemo/plano#980",
  "qualixar/superlocalmemory#79 freelensapp/freelens-ai-extension#272 tombii/better-ccflare#243",
  "zyycn/codex-proxy-rs#66",
  "api7/aisix#144 BerriAI/litellm#21553 BerriAI/litellm#37767",
  "sourcegraph/sourcegraph-public-snapshot#52518",
  "NousResearch/hermes-agent#55092",
  "patriceckhart/zot#18 vxcontrol/pentagi#196 nearai/ironclaw#1710",
  "vercel/ai#14117 envoyproxy/ai-gateway#1332 crmne/ruby_llm#803",
  "anthropics/claude-code#82549 anthropics/claude-code#49370 Wei-Shaw/sub2api#3150 mnfst/llm-gateway#2910",
  "pollinations/pollinations#11319 aws-samples/bedrock-chat#1102 The-PR-Agent/pr-agent#2456",
  "router-for-me/CLIProxyAPI#1670 NanmiCoder/cc-haha#1278 ggml-org/llama.cpp#22536 envoyproxy/ai-gateway#2098",
  "shogo-labs/shogo-ai#842",
  "BerriAI/litellm#36197 BerriAI/litellm#40654",
  "BerriAI/litellm#40364",
  "openai/codex#41340 router-for-me/CLIProxyAPI#3055",
  "agentgateway/agentgateway#2760",
  "envoyproxy/ai-gateway#2546",
  "BerriAI/litellm#30245 BerriAI/litellm#31499 BerriAI/litellm#37140",
  "anthropics/anthropic-sdk-typescript#1199",
  "github/gh-aw#27710",
];

/** Names of tests that begin with a number and a report. */
const named = /["'](\d{1,2}) ((?:[\w.-]+\/[\w.-]+(?:#\d+)?)|Azure)/g;

it("every pitfall has a test that begins with its number and one of its reports", () => {
  const sources = globSync("test/{golden,e2e}/pitfalls-*.test.ts").concat("test/e2e/pitfalls.test.ts");
  const found = sources.flatMap((path) => [...readFileSync(path, "utf8").matchAll(named)]);
  const numbers = new Set(found.map(([, number]) => Number(number)));
  expect([...numbers].toSorted((a, b) => a - b)).toEqual(reports.map((_, index) => index + 1));
  for (const [, number, report] of found) expect(reports[Number(number) - 1]?.split(" "), number).toContain(report);
});

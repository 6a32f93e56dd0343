// Room cli: `outrider exec -- CMD`: a sidecar for the lifetime of one command, with the SDKs' base-URL variables pointed at it.
// Invariant: the command's exit code is ours, and its telemetry is flushed before we exit.

import { spawn } from "node:child_process";
import type { Options } from "../options.ts";
import { createSidecar } from "../sidecar.ts";
import { installCrashHandlers, signalExitCode } from "./lifetime.ts";
import { loadOptions, type OptionFlags } from "./load-options.ts";
import { createLog } from "./log.ts";
import type { Environment } from "./option-environment.ts";
import type { Shell } from "./shell.ts";
import { version } from "./version.ts";

/** Flags of `exec`. */
export interface ExecFlags extends OptionFlags {
  config?: string;
}

/** One variable that clients read their base URL from; `path` is what they expect on it, below the sidecar's URL. */
interface BaseUrlVariable {
  name: string;
  /** Whose base URL a value that was set already is. */
  provider: string;
  /** Absent: the variable is kept as the provider's base URL, but not set. */
  path?: string;
}

/**
 * What the official clients and LangChain, LlamaIndex, Aider and LiteLLM read; openai 7.55.0, anthropic 1.11.0 and 2.11.0 (Python),
 * @google/genai 3.1.0, @aws-sdk 3.1162.0, read 2026-11-21. AWS_ENDPOINT_URL is not set: it would bring S3 and the rest here too.
 */
const baseUrlVariables: readonly BaseUrlVariable[] = [
  { name: "OPENAI_BASE_URL", provider: "openai", path: "/v1" },
  { name: "OPENAI_API_BASE", provider: "openai", path: "/v1" },
  { name: "ANTHROPIC_BASE_URL", provider: "anthropic", path: "" },
  { name: "ANTHROPIC_API_URL", provider: "anthropic", path: "" },
  { name: "ANTHROPIC_API_BASE", provider: "anthropic", path: "" },
  { name: "AZURE_OPENAI_ENDPOINT", provider: "azure", path: "/azure" },
  { name: "AZURE_API_BASE", provider: "azure", path: "/azure" },
  { name: "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", provider: "bedrock", path: "/bedrock" },
  { name: "ANTHROPIC_BEDROCK_BASE_URL", provider: "bedrock", path: "/bedrock" },
  { name: "AWS_ENDPOINT_URL", provider: "bedrock" },
  {
    name: "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    provider: "bedrock-mantle-anthropic",
    path: "/bedrock-mantle-anthropic",
  },
  { name: "AWS_BEDROCK_BASE_URL", provider: "bedrock-mantle-openai", path: "/bedrock-mantle-openai/v1" },
  { name: "ANTHROPIC_AWS_BASE_URL", provider: "anthropic-on-aws", path: "/anthropic-on-aws" },
  { name: "ANTHROPIC_FOUNDRY_BASE_URL", provider: "anthropic-foundry", path: "/anthropic-foundry" },
  { name: "ANTHROPIC_GOOGLE_CLOUD_BASE_URL", provider: "anthropic-google-cloud", path: "/anthropic-google-cloud" },
  { name: "GOOGLE_GEMINI_BASE_URL", provider: "google", path: "/google" },
  { name: "GOOGLE_VERTEX_BASE_URL", provider: "vertex", path: "/vertex" },
  { name: "ANTHROPIC_VERTEX_BASE_URL", provider: "vertex", path: "/vertex/v1" },
  { name: "CO_API_URL", provider: "cohere", path: "/cohere" },
  { name: "OLLAMA_HOST", provider: "ollama", path: "/ollama" },
  { name: "OLLAMA_API_BASE", provider: "ollama", path: "/ollama" },
];

/** Between the command's exit and the sidecar's. */
const settleMs = 20;

const forwardedSignals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

/**
 * Resolves with the command's exit code; 126 and 127 as in a shell when it cannot be started.
 * @throws OptionsError, ListenError
 */
export async function execCommand(command: readonly string[], flags: ExecFlags, shell: Shell): Promise<number> {
  const { config, ...optionFlags } = flags;
  const { environment } = shell;
  const loaded = loadOptions({ file: config, environment, flags: optionFlags });
  const options = keepBaseUrls({ ...loaded, listen: ["127.0.0.1:0"], admin: "127.0.0.1:0" }, environment);
  const log = createLog(shell, { quiet: true });
  const sidecar = createSidecar({ options, environment, version, log });
  installCrashHandlers(() => sidecar.close({ now: true }), log);
  const { dataUrls } = await sidecar.listen();
  try {
    return await runChild(command, pointClients(environment, dataUrls[0] ?? ""), shell);
  } finally {
    // The end of its connections may still be unread; an exchange that it left would else count as cut off by us.
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    // The command is gone: nothing more is coming that a drain could wait for. Where nobody named a collector there may be none.
    const named = Object.keys(environment).some((name) => /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name));
    await sidecar.close({ now: true, flushMs: named ? 2000 : 300 });
  }
}

/** A base URL that was set already stays the provider's, else its key would be sent to another host. */
export function keepBaseUrls(options: Options, environment: Environment): Options {
  const providers = { ...options.providers };
  for (const { name, provider } of baseUrlVariables) {
    const value = environment[name];
    if (!value || providers[provider]?.baseUrl !== undefined) continue;
    providers[provider] = { ...providers[provider], baseUrl: name === "OLLAMA_HOST" ? readOllamaHost(value) : value };
  }
  return { ...options, providers };
}

/** OLLAMA_HOST may lack scheme and port, and names what the server listens on as well: `0.0.0.0`, `:11434`. */
function readOllamaHost(value: string): string {
  const url = /^https?:\/\//.test(value) ? value : `http://${value.replace(/^(0\.0\.0\.0)?(?=:|$)/, "127.0.0.1")}`;
  return url === value || /:\d+(\/|$)/.test(url) ? url : `${url}:11434`;
}

/**
 * The command's environment: every base-URL variable set, OUTRIDER_URL for clients that read none, and loopback taken out of what
 * goes through an HTTP proxy.
 */
export function pointClients(environment: Environment, dataUrl: string): Record<string, string | undefined> {
  const pointed: Record<string, string | undefined> = { ...environment, OUTRIDER_URL: dataUrl };
  for (const { name, path } of baseUrlVariables) if (path !== undefined) pointed[name] = `${dataUrl}${path}`;
  // Anthropic's Foundry client takes a base URL or a resource, not both; the sidecar has read the resource.
  delete pointed["ANTHROPIC_FOUNDRY_RESOURCE"];
  // AzureOpenAI of the openai package for Node prefers OPENAI_BASE_URL, which has no deployments.
  if (environment["AZURE_OPENAI_ENDPOINT"] && !environment["OPENAI_API_KEY"]) {
    pointed["OPENAI_BASE_URL"] = environment["OPENAI_BASE_URL"];
  }
  // google-genai for Python (3.4.0) reads this one in Vertex mode too, where only the environment asks for that mode.
  const isVertex = (name: string): boolean => /^(?:true|1)$/i.test(environment[name] ?? "");
  if (["GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"].some(isVertex)) {
    pointed["GOOGLE_GEMINI_BASE_URL"] = pointed["GOOGLE_VERTEX_BASE_URL"];
  }
  const proxied = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].some((name) => environment[name]);
  if (proxied) {
    for (const name of ["NO_PROXY", "no_proxy"]) {
      pointed[name] = [environment[name], "127.0.0.1"].filter(Boolean).join(",");
    }
  }
  return pointed;
}

function runChild(
  [file = "", ...args]: readonly string[],
  environment: Record<string, string | undefined>,
  shell: Shell,
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: "inherit", env: environment });
    const forward = (signal: NodeJS.Signals) => {
      // At a terminal Ctrl-C and Ctrl-\ reach the command from the terminal itself; a second copy would count as a second press.
      const fromTerminal = process.stdin.isTTY && (signal === "SIGINT" || signal === "SIGQUIT");
      if (!fromTerminal) child.kill(signal);
    };
    for (const signal of forwardedSignals) process.on(signal, forward);
    const finish = (code: number) => {
      for (const signal of forwardedSignals) process.off(signal, forward);
      resolve(code);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      const missing = error.code === "ENOENT";
      shell.error(`outrider: ${file}: ${missing ? "command not found" : `cannot be started (${error.code})`}\n`);
      finish(missing ? 127 : 126);
    });
    child.on("exit", (code, signal) => finish(signal === null ? (code ?? 1) : signalExitCode(signal)));
  });
}

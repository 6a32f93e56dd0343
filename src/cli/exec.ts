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

/** One variable that clients read their base URL from; `suffix` is what they expect on it. */
interface BaseUrlVariable {
  name: string;
  provider: "openai" | "anthropic";
  suffix: string;
}

/**
 * Of the clients' variables, those of the providers that Outrider understands: the OpenAI and Anthropic SDKs and what is built
 * on them; OPENAI_API_BASE and ANTHROPIC_API_BASE: LangChain, LlamaIndex, Aider; ANTHROPIC_API_URL: LangChain. Read 2026-11-21.
 */
const baseUrlVariables: readonly BaseUrlVariable[] = [
  { name: "OPENAI_BASE_URL", provider: "openai", suffix: "/v1" },
  { name: "OPENAI_API_BASE", provider: "openai", suffix: "/v1" },
  { name: "ANTHROPIC_BASE_URL", provider: "anthropic", suffix: "" },
  { name: "ANTHROPIC_API_URL", provider: "anthropic", suffix: "" },
  { name: "ANTHROPIC_API_BASE", provider: "anthropic", suffix: "" },
];

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
    // The command is gone: nothing more is coming that a drain could wait for. Where nobody named a collector there may be none.
    const named = Object.keys(environment).some((name) => /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name));
    await sidecar.close({ now: true, flushMs: named ? 2000 : 300 });
  }
}

/** A base URL that was set already stays the provider's, else its key would be sent to another host. */
export function keepBaseUrls(options: Options, environment: Environment): Options {
  const providers = { ...options.providers };
  for (const { name, provider } of baseUrlVariables) {
    const baseUrl = environment[name];
    if (baseUrl && providers[provider]?.baseUrl === undefined)
      providers[provider] = { ...providers[provider], baseUrl };
  }
  return { ...options, providers };
}

/** The command's environment: every base-URL variable set, and loopback taken out of what goes through an HTTP proxy. */
export function pointClients(environment: Environment, dataUrl: string): Record<string, string | undefined> {
  const pointed: Record<string, string | undefined> = { ...environment };
  for (const { name, suffix } of baseUrlVariables) pointed[name] = `${dataUrl}${suffix}`;
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

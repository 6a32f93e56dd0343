// Room cli: `outrider run`: a sidecar until a signal ends it.
// Invariant: stdout stays empty; a machine reads JSON lines on stderr, a person a banner.

import { type Options, quote } from "../options.ts";
import { createSidecar } from "../sidecar.ts";
import { describeCollector } from "./collector.ts";
import { listHeldCredentials } from "./held-credentials.ts";
import { type Close, holdUntilStopped, installCrashHandlers } from "./lifetime.ts";
import { loadOptions, type OptionFlags } from "./load-options.ts";
import { createLog } from "./log.ts";
import type { Shell } from "./shell.ts";
import { version } from "./version.ts";

/** Flags of `run`. */
export interface RunFlags extends OptionFlags {
  config?: string;
}

/**
 * Resolves with the exit code.
 * @throws OptionsError, ListenError
 */
export async function runSidecar({ config, ...flags }: RunFlags, shell: Shell): Promise<number> {
  const { environment } = shell;
  const options = loadOptions({ file: config, environment, flags });
  const log = createLog(shell);
  const sidecar = createSidecar({ options, environment, version, log });
  const close: Close = (how) => sidecar.close(how);
  installCrashHandlers(close, log);
  // A later version reloads options on it; until then it must not end the process.
  process.on("SIGHUP", () => undefined);
  const { dataUrls, adminUrl } = await sidecar.listen();
  const facts = {
    dataUrls,
    adminUrl,
    collector: describeCollector(environment),
    capture: options.telemetry.capture,
    credentials: listHeldCredentials(options, environment).map(({ provider }) => provider),
  };
  // Before the line that a supervisor waits for: from then on a signal must find its handler.
  const stopped = holdUntilStopped(close, log, () => sidecar.accounting());
  log.info({ version, ...facts }, "listening");
  if (shell.errorIsTerminal) shell.error(renderBanner(facts, options));
  const open = options.listen.filter((address) => !isLocal(address));
  if (open.length > 0 && facts.credentials.length > 0) {
    log.warn(
      { listen: open, credentials: facts.credentials },
      "everybody who reaches this port spends the credentials held",
    );
  }
  return stopped;
}

/** Whether only this machine reaches the address. */
function isLocal(address: string): boolean {
  return /^(unix:|localhost:|127(\.\d+){3}:|\[(::1|(0+:){7}0*1)\]:)/i.test(address);
}

function renderBanner(
  facts: { dataUrls: string[]; adminUrl: string; collector: string; credentials: string[] },
  options: Options,
): string {
  const rows = [
    ["data plane", facts.dataUrls.join("  ")],
    ["admin", facts.adminUrl],
    ["telemetry", facts.collector],
    ["content", options.telemetry.capture === "none" ? "not captured" : `captured (${options.telemetry.capture})`],
    [
      "credentials",
      facts.credentials.length === 0 ? "none held: clients send their own" : facts.credentials.join(", "),
    ],
    ...(options.app === undefined ? [] : [["app", quote(options.app)]]),
  ];
  return `Outrider ${version}\n${rows.map(([name = "", value]) => `  ${name.padEnd(12)}${value}`).join("\n")}\n`;
}

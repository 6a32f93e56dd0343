// Room cli: `outrider policy serve`: a small real endpoint for one policy, until a signal ends it.
// Invariant: it starts with a valid policy or not at all; from then on a bad file costs a line in the log and nothing else.

import { systemClock } from "../clock.ts";
import { OptionsError } from "../options.ts";
import { holdUntilStopped } from "./lifetime.ts";
import { createLog } from "./log.ts";
import { describePolicy, type PolicyCheckFlags } from "./policy-check.ts";
import { createPolicyEndpoint, isLoopbackHost } from "./policy-endpoint.ts";
import { readSigningKey } from "./policy-keys.ts";
import { PolicyShelf } from "./policy-shelf.ts";
import { exitCodes, type Shell } from "./shell.ts";

/** Flags of `policy serve`. */
export interface ServeFlags extends PolicyCheckFlags {
  /** `host:port`. */
  listen: string;
  /** Private JWK to sign with; without it documents go out as they are. */
  key?: string;
}

/** A change is taken once two looks in a row saw the same file. */
const lookMs = 500;

/**
 * Resolves with the exit code once a signal ended it.
 * @throws OptionsError, ListenError
 */
export async function servePolicy(path: string, { listen, key, ...flags }: ServeFlags, shell: Shell): Promise<number> {
  const [host, port] = splitListen(listen);
  const log = createLog(shell);
  const signingKey = key === undefined ? undefined : await readSigningKey(key, shell);
  const refusals: string[] = [];
  let isServing = false;
  const shelf = new PolicyShelf({
    path,
    check: (bytes) => describePolicy(bytes, flags, shell.environment),
    sign: signingKey?.sign,
    epochMs: () => systemClock.epochMs(),
    onEvent: (event) => {
      if (event.type === "shelved") {
        const { type: _, ...fields } = event;
        log.info(fields, "policy served from now on");
        for (const warning of event.warnings) log.warn({ file: event.file, warning }, "about this policy");
      } else if (isServing) {
        const fields = { file: event.file, reasons: event.reasons.slice(0, 20), serving: shelf.current?.version };
        log.warn(fields, "policy refused; the one before is served on");
      } else {
        refusals.push(...event.reasons.map((reason) => `${event.file}: ${reason}`));
      }
    },
  });
  try {
    await shelf.look({ atOnce: true });
  } catch (error) {
    if (error instanceof OptionsError) throw error;
    shell.error(`${path}: cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown error"}\n`);
    return exitCodes.misused;
  }
  for (const refusal of refusals) shell.error(`${refusal}\n`);
  if (shelf.current === undefined) {
    shell.error(`outrider: ${path} has no valid policy to serve\n`);
    return exitCodes.failed;
  }
  isServing = true;

  const endpoint = createPolicyEndpoint({
    host,
    port,
    shelf,
    epochMs: () => systemClock.epochMs(),
    onInstance: ({ instance, version }) => log.info({ instance, version }, "instance has this version"),
  });
  const url = await endpoint.listen();
  const timer = watchShelf(shelf, (code) => log.warn({ path, code }, "cannot be read; served on as it was"));
  const stopped = holdUntilStopped(async () => {
    clearInterval(timer);
    await endpoint.close();
  }, log);
  shell.out(`${url}/policy\n`);
  log.info({ url: `${url}/policy`, version: shelf.current.version, signing: signingKey?.kid ?? "off" }, "listening");
  if (!isLoopbackHost(host)) {
    log.warn({ listen }, "plain HTTP beyond loopback: sidecars take a policy over https or from loopback only");
  }
  return stopped;
}

/** Looks twice a second, one look at a time; tells a path that cannot be read once. */
function watchShelf(shelf: PolicyShelf, onUnreadable: (code: string) => void): NodeJS.Timeout {
  let isLooking = false;
  let wasReadable = true;
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      await shelf.look();
      wasReadable = true;
    } catch (error) {
      const code = error instanceof OptionsError ? "options" : ((error as NodeJS.ErrnoException).code ?? "unknown");
      if (wasReadable) onUnreadable(code);
      wasReadable = false;
    } finally {
      isLooking = false;
    }
  };
  return setInterval(() => void look(), lookMs);
}

function splitListen(address: string): [string, number] {
  const found = /^(\[[0-9a-f:.]+\]|[^\s:[\]/]+):(\d{1,5})$/i.exec(address);
  const port = Number(found?.[2] ?? "65536");
  if (found?.[1] === undefined || port > 65_535) {
    throw new OptionsError([
      { source: "--listen", expected: "an address as host:port, e.g. 127.0.0.1:4143", found: address },
    ]);
  }
  return [found[1], port];
}

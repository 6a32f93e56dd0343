// Room cli: the command line: which commands and flags there are. What each does is in its own file.
// Invariant: whatever is wrong with the command line, the options or a port is one line on stderr and exit code 2.

import { Command, CommanderError, InvalidArgumentError } from "commander";
import { formatOptionsIssue, nearestName, OptionsError } from "../options.ts";
import { ListenError } from "../proxy/index.ts";
import { checkFile, type CheckFlags } from "./check.ts";
import { runDemo } from "./demo.ts";
import { runDoctor } from "./doctor.ts";
import { execCommand, type ExecFlags } from "./exec.ts";
import { explain, type ExplainFlags } from "./explain.ts";
import { importLitellm, type ImportFlags } from "./import-litellm.ts";
import { splitList } from "./option-environment.ts";
import { addPolicyCommand } from "./policy.ts";
import { type RunFlags, runSidecar } from "./run.ts";
import { exitCodes, type Shell } from "./shell.ts";
import { simulate } from "./simulate.ts";
import { tailExchanges } from "./tail.ts";
import { translateBody, type TranslateFlags } from "./translate.ts";
import { version } from "./version.ts";

/** Runs one command line (without node and script) and gives the exit code. */
export async function runCommandLine(args: readonly string[], shell: Shell): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = buildProgram(shell, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    return explainFailure(error, program, args, shell);
  }
}

function buildProgram(shell: Shell, finish: (exitCode: number) => void): Command {
  const program = new Command("outrider")
    .description("Observability sidecar for LLM traffic: point your SDK at it, get OpenTelemetry.")
    .version(version)
    .enablePositionalOptions()
    .addHelpText(
      "after",
      example(
        "outrider                      start the sidecar",
        "outrider demo                 see it work, without a key",
      ),
    );

  const run = program.command("run", { isDefault: true }).description("start the sidecar (the default)");
  optionFlags(run)
    .option("--listen <address>", "data-plane address, host:port; again or comma-separated for more", collectAddresses)
    .option("--admin <address>", "address of the admin pages, host:port")
    .addHelpText("after", example("outrider run --config outrider.yaml --capture none"))
    .action(async (flags: RunFlags) => finish(await runSidecar(flags, shell)));

  program
    .command("demo")
    .description("sidecar, simulated providers and scripted traffic; needs no key and no network")
    .addHelpText("after", example("outrider demo"))
    .action(async () => finish(await runDemo(shell)));

  program
    .command("simulate")
    .description("the simulated providers alone, to try things without paying")
    .option("--port <number>", "port on 127.0.0.1; 0 takes a free one", parsePort, 4143)
    .addHelpText("after", example("outrider simulate --port 4143"))
    .action(async (flags: { port: number }) => finish(await simulate(flags, shell)));

  const exec = program
    .command("exec")
    .description("run a command with the SDKs' base-URL variables pointed at a sidecar of its own")
    .argument("<command...>", "the command and its arguments, after --")
    .passThroughOptions();
  optionFlags(exec)
    .addHelpText("after", example("outrider exec -- python app.py"))
    .action(async (command: string[], flags: ExecFlags) => finish(await execCommand(command, flags, shell)));

  program
    .command("check")
    .description("validate an options or a policy file: exit 0 valid, 1 invalid, 2 unreadable")
    .argument("<file>")
    .option("--options", "take it for options, whatever it says")
    .option("--policy", "take it for a policy, whatever it says")
    .option("--config <file>", "options of the sidecars that are to obey the policy: their providers count too")
    .option("--keys <jwks>", "the policy must be signed by one of these public keys")
    .addHelpText("after", example("outrider check outrider.yaml", "outrider check policy.jws --keys jwks.json"))
    .action(async (file: string, flags: CheckFlags) => finish(await checkFile(file, flags, shell)));

  program
    .command("explain")
    .description("what policy would do with a call: what matches, who is tried in which order, who is not and why")
    .requiredOption("--model <name>", "the model as the client writes it")
    .option("--policy <file>", "a policy document")
    .option("--admin <address>", "or the admin port of a running sidecar: its policy, its targets' health")
    .option("--config <file>", "with --policy: options file, for providers and credentials")
    .option("--candidate", "with --policy: the document's candidate")
    .option("--path <path>", "path as the client calls it; default: the dialect's own")
    .option("--dialect <id>", "the client's wire format (default: openai-chat)")
    .option("--operation <name>", "kind of call, e.g. chat, embeddings; default: the path's")
    .option("--app <name>", "the service beside Outrider")
    .option("--team <name>", "the team of the caller's key")
    .option("--tag <name=value>", "a tag; again for more", collect)
    .option("--needs <list>", "what the call needs: tools, images, structured")
    .option("--tokens <number>", "input and output together")
    .option("--session <id>", "for affinity")
    .option("--no-fallback", "as with x-outrider-fallback: off")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      example(
        "outrider explain --policy policy.yaml --model smart --tag env=dev --needs tools",
        "outrider explain --admin 127.0.0.1:4142 --model smart",
      ),
    )
    .action(async (flags: ExplainFlags) => finish(await explain(flags, shell)));

  addPolicyCommand(program, shell, finish);

  program
    .command("import")
    .description("turn another gateway's configuration into a policy")
    .addHelpText("after", example("outrider import litellm config.yaml > policy.yaml"))
    .command("litellm")
    .description("a LiteLLM proxy's config.yaml; what could not be carried over goes to the standard error")
    .argument("<file>")
    .option("--options <file>", "write the credentials to be held as an options file, by reference")
    .addHelpText("after", example("outrider import litellm config.yaml --options outrider.yaml > policy.yaml"))
    .action(async (file: string, flags: ImportFlags) => finish(await importLitellm(file, flags, shell)));

  const doctor = program
    .command("doctor")
    .description("check ports, collector, credentials (names only), clock and Node");
  optionFlags(doctor)
    .option("--listen <address>", "data-plane address, host:port", collectAddresses)
    .option("--admin <address>", "address of the admin pages, host:port")
    .addHelpText("after", example("outrider doctor --config outrider.yaml"))
    .action(async (flags: RunFlags) => finish(await runDoctor(flags, shell)));

  program
    .command("tail")
    .description("follow a running sidecar's exchanges, one a line")
    .option("--admin <address>", "its admin port", shell.environment["OUTRIDER_ADMIN"] || "127.0.0.1:4142")
    .addHelpText("after", example("outrider tail --admin 127.0.0.1:4142"))
    .action(async (flags: { admin: string }) => finish(await tailExchanges(flags, shell)));

  program
    .command("translate")
    .description("print a request (or an answer) in another dialect's words, and what is lost")
    .requiredOption("--from <dialect>", "dialect of the body on the standard input")
    .requiredOption("--to <dialect>", "dialect to write it in")
    .option("--response", "the body is an answer")
    .option("--model <name>", "what the target calls the model; else as in the body")
    .addHelpText("after", example("outrider translate --from anthropic --to openai < body.json"))
    .action(async (flags: TranslateFlags) => finish(await translateBody(flags, process.stdin, shell)));

  for (const command of withSubcommands(program)) {
    command
      .exitOverride()
      .configureOutput({ writeOut: shell.out, writeErr: shell.error, outputError: () => undefined });
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function collect(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}

function optionFlags(command: Command): Command {
  return command
    .option("--config <file>", "options file, YAML or JSON")
    .option("--app <name>", "name of the service beside it")
    .option("--capture <mode>", "message content in telemetry: none, span, event, both");
}

function example(...lines: string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function collectAddresses(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), ...splitList(text)];
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("expected a port, 0 to 65535.");
}

function explainFailure(error: unknown, program: Command, args: readonly string[], shell: Shell): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    // A group without a command: its help was printed.
    if (error.code === "commander.help") return exitCodes.misused;
    shell.error(
      `outrider: ${unknownCommand(error, program, args) ?? error.message.replace(/^error: /, "").replaceAll("\n", " ")}\n`,
    );
    return exitCodes.misused;
  }
  if (error instanceof OptionsError) {
    const source = optionsFile(program) ?? (shell.environment["OUTRIDER_CONFIG"] || "options");
    for (const issue of error.issues) shell.error(`${formatOptionsIssue({ source, ...issue })}\n`);
    return exitCodes.misused;
  }
  const taken = describeListenFailure(error);
  if (taken !== undefined) {
    shell.error(`outrider: ${taken}\n`);
    return exitCodes.misused;
  }
  throw error;
}

function optionsFile(program: Command): string | undefined {
  return program.commands
    .map((command) => command.opts<{ config?: string }>().config)
    .find((file) => file !== undefined);
}

/** A word that is no command goes to the default one, which would only say that it takes no arguments. */
function unknownCommand(error: CommanderError, program: Command, args: readonly string[]): string | undefined {
  const [word = ""] = args;
  const names = program.commands.map((command) => command.name());
  if (error.code !== "commander.excessArguments" || names.includes(word) || word.startsWith("-")) return undefined;
  const nearest = nearestName(word, names);
  return `unknown command '${word}'${nearest === undefined ? "" : `; did you mean '${nearest}'?`}`;
}

const listenCauses: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is taken; is another Outrider running? (`outrider doctor` looks)",
  EACCES: "not permitted",
  EADDRNOTAVAIL: "this machine has no such address",
};

function describeListenFailure(error: unknown): string | undefined {
  if (error instanceof ListenError)
    return `cannot listen on ${error.address}: ${listenCauses[error.reason] ?? error.reason}`;
  if (!(error instanceof Error) || !("syscall" in error) || error.syscall !== "listen") return undefined;
  const { address, port, code = "" } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  return `cannot listen on ${address}:${port}: ${listenCauses[code] ?? code}`;
}

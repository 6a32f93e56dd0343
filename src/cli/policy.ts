// Room cli: `outrider policy …`: its commands and flags. What each does is in its own file.

import type { Command } from "commander";
import { generateKeys, type KeygenFlags, signPolicy } from "./policy-keys.ts";
import type { PolicyCheckFlags } from "./policy-check.ts";
import { type ServeFlags, servePolicy } from "./policy-serve.ts";
import type { Shell } from "./shell.ts";

/** Adds the group to the program; `finish` is told the exit code. */
export function addPolicyCommand(program: Command, shell: Shell, finish: (exitCode: number) => void): void {
  const policy = program
    .command("policy")
    .description("make keys, sign and serve policy documents")
    .addHelpText("after", "\nExample:\n  outrider policy serve policy.yaml --key private.jwk\n");

  policy
    .command("keygen")
    .description("an Ed25519 key pair: a private JWK that only its owner may read, and a JWKS for sidecars")
    .option("--key <file>", "where the private key goes", "private.jwk")
    .option("--jwks <file>", "where the public key goes", "jwks.json")
    .addHelpText("after", "\nExample:\n  outrider policy keygen --key private.jwk --jwks jwks.json\n")
    .action(async (flags: KeygenFlags) => finish(await generateKeys(flags, shell)));

  policy
    .command("sign")
    .description("print a valid policy in its signed form")
    .argument("<file>")
    .requiredOption("--key <file>", "private JWK")
    .option("--config <file>", "options of the sidecars that are to obey it: their providers count too")
    .addHelpText("after", "\nExample:\n  outrider policy sign policy.yaml --key private.jwk > policy.jws\n")
    .action(async (file: string, flags: PolicyCheckFlags & { key: string }) =>
      finish(await signPolicy(file, flags, shell)),
    );

  policy
    .command("serve")
    .description("an endpoint for sidecars: the newest valid version of a file or folder, its history, who has it")
    .argument("<path>", "a policy, or a folder of its versions")
    .option("--listen <address>", "host:port", "127.0.0.1:4143")
    .option("--key <file>", "private JWK to sign with")
    .option("--config <file>", "options of the sidecars that are to obey it: their providers count too")
    .addHelpText("after", "\nExample:\n  outrider policy serve policies/ --listen 127.0.0.1:4143 --key private.jwk\n")
    .action(async (path: string, flags: ServeFlags) => finish(await servePolicy(path, flags, shell)));
}

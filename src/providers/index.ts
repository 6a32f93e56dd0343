// Room providers: its only door.
export type { HeldCredential, Provider, ProviderAuth } from "./provider.ts";
export { createProviders, type Providers } from "./registry.ts";
export { joinUrl, stripBasePath, type UpstreamAddress } from "./join.ts";
export { applyCredential, type CredentialChoice, type Credentialed, type CredentialUse } from "./credential-choice.ts";
export { createCredentials, type Credentials, type CredentialsInput } from "./credentials.ts";
export type { CredentialFiles } from "./credential-files.ts";
export {
  type Authorizers,
  type AuthorizersInput,
  createAuthorizers,
  type OutgoingRequest,
} from "./auth/authorizers.ts";
export { readSignedRegion } from "./auth/aws-region.ts";
export { findOutputLimit } from "./output-limits.ts";

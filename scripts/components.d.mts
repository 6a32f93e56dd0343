// The types of components.mjs, which is plain JavaScript because it must run on any Node >= 20.

/** Every component by name: its version and the absolute paths of what was installed. */
export interface Components {
  otelcol: { version: string; otelcol: string };
  jaeger: { version: string; jaeger: string };
  prometheus: { version: string; prometheus: string; promtool: string };
  redis: { version: string; redisServer: string; redisCli: string };
  image: { version: string; buildah: string; debootstrap: string; rootfs: string };
  hadolint: { version: string; hadolint: string };
  chromium: { version: string; chromium: string };
  model: { version: string; python: string; weights: string };
  python: { version: string; python: string };
  node: { version: string; modules: string };
}

/** The cache folder: `$OUTRIDER_COMPONENTS_DIR`, else `outrider-components` in the user's cache folder. */
export function componentsDir(): string;

/**
 * Installs what is missing of the named components (default: all) and says where they are; progress goes to stderr.
 * Throws when one cannot be installed, with the last 30 lines of its log in the message.
 */
export function ensureComponents<Name extends keyof Components = keyof Components>(
  names?: readonly Name[],
): Promise<Pick<Components, Name>>;

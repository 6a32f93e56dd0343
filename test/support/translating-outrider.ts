// Outrider before one scripted upstream that stands for every provider named, and the receiver of its telemetry.
import { type OtlpReceiver, startOtlpReceiver } from "./otlp-receiver.ts";
import { type OutriderProcess, startOutrider } from "./outrider-process.ts";
import {
  type ResponsePlan,
  type ScriptedUpstream,
  startScriptedUpstream,
  type UpstreamRequest,
} from "./scripted-upstream.ts";

/** Each provider's base path, and how its key is given. */
const providers = {
  openai: { path: "/v1", environment: { OPENAI_API_KEY: "test-key-openai" } },
  anthropic: { path: "", environment: { ANTHROPIC_API_KEY: "test-key-anthropic" } },
  google: { path: "", environment: { GEMINI_API_KEY: "test-key-google" } },
  cohere: { path: "", environment: { CO_API_KEY: "test-key-cohere" } },
  voyage: { path: "/v1", environment: { VOYAGE_API_KEY: "test-key-voyage" } },
  jina: { path: "/v1", environment: { JINA_API_KEY: "test-key-jina" } },
  bedrock: {
    path: "",
    environment: {
      OUTRIDER_CREDENTIAL_BEDROCK_ENV: "BEDROCK_TEST_TOKEN",
      BEDROCK_TEST_TOKEN: "test-key-bedrock",
      AWS_REGION: "us-east-1",
    },
  },
};

/** What was started, to be ended with `stop`. */
export interface TranslatingOutrider {
  upstream: ScriptedUpstream;
  receiver: OtlpReceiver;
  outrider: OutriderProcess;
  stop(): Promise<void>;
}

/** Starts it with the keys of these providers; spans leave soon. */
export async function startTranslatingOutrider(
  names: readonly (keyof typeof providers)[],
  options: Record<string, unknown> = {},
): Promise<TranslatingOutrider> {
  const upstream = await startScriptedUpstream();
  const receiver = await startOtlpReceiver();
  const chosen = names.map((name) => ({ name, ...providers[name] }));
  const outrider = await startOutrider({
    options: {
      providers: Object.fromEntries(chosen.map(({ name, path }) => [name, { baseUrl: `${upstream.url}${path}` }])),
      ...options,
    },
    environment: {
      ...Object.assign({}, ...chosen.map(({ environment }) => environment)),
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    },
  });
  const stop = async (): Promise<void> => {
    await outrider.stop();
    await receiver.close();
    await upstream.close();
  };
  return { upstream, receiver, outrider, stop };
}

type Json = Record<string, unknown>;

/** One call and what both sides saw of it. */
export interface Asked {
  response: Response;
  /** What the client reads. */
  read: Json;
  /** Undefined when no provider was asked. */
  seen: UpstreamRequest | undefined;
  /** What the provider was asked. */
  asked: Json;
}

/** Posts a call, with a credential of the client's own, whose provider gives this answer. */
export async function askThrough(
  { upstream, outrider }: TranslatingOutrider,
  [path, body]: readonly [path: string, body: Json],
  answer: Json,
  plan: Pick<ResponsePlan, "status" | "headers"> = {},
): Promise<Asked> {
  const type = { "content-type": "application/json" };
  upstream.setScript({
    ...plan,
    headers: { ...type, ...(plan.headers as Record<string, string> | undefined) },
    contentLength: true,
    chunks: [JSON.stringify(answer)],
  });
  const before = upstream.requests.length;
  const response = await fetch(outrider.url + path, {
    method: "POST",
    headers: { ...type, authorization: "Bearer test-key-of-the-client" },
    body: JSON.stringify(body),
  });
  const seen = upstream.requests[before];
  const asked = JSON.parse(seen?.body.toString() ?? "{}") as Json;
  return { response, read: (await response.json()) as Json, seen, asked };
}

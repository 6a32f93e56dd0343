// A real, very small language model behind OpenAI- and Anthropic-shaped endpoints.
import { fileURLToPath } from "node:url";
import { ensureComponents } from "../../../scripts/components.mjs";
import { findFreePorts } from "../ports.ts";
import { answersOk, startChild } from "./child.ts";
import type { RunningComponent } from "./child.ts";

export interface Model extends RunningComponent {
  /** Base URL without a version: `/v1/chat/completions`, `/v1/responses`, `/v1/messages`, `/v1/models`. */
  url: string;
}

/** Starts a real, very small language model (SmolLM2 135M) on one thread; it may take seconds on a busy machine. */
export async function startModel(): Promise<Model> {
  const { python, weights } = (await ensureComponents(["model"])).model;
  const [port] = (await findFreePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: "model",
    command: python,
    args: [fileURLToPath(new URL("../serve-model.py", import.meta.url)), weights, String(port)],
    isReady: () => answersOk(`${url}/health`),
    readyTimeoutMs: 60_000,
  });
  return { ...child, url };
}

// The table of docs/coverage.md, and what of the recorded traffic cannot be told right, each with its reason.
import type { Recording } from "./recordings.ts";

interface Counts {
  exchanges: number;
  identical: number;
  right: number;
  usage: number;
  tunnelled: number;
}

export interface Explanation {
  /** Beginning of the recording's id. */
  id: string;
  what: "usage" | "finish" | "model" | "id" | "failed";
  reason: string;
}

/** Differences that are meant. A difference that is not listed fails the run. */
const explanations: readonly Explanation[] = [
  ...every(
    "ollama/ollama/prism-structured-with-multiple-tools-structured-mode-1-0",
    ["usage", "finish", "model", "id"],
    {
      reason: "ollama: one recording is an OpenAI chat answer that its source filed under `/api/chat`",
    },
  ),
  ...every("azure-openai/azure/ai-azure-deepseek-reasoning-1-chunks", ["usage", "finish", "model", "id"], {
    reason:
      "azure-openai: one recording has chat completion chunks under a Responses path (its publisher guessed the path)",
  }),
  ...every("azure-openai/azure/ai-azure-reasoning-encrypted-content-1-chunks", ["usage", "id"], {
    reason: "azure-openai: one recording has four answers in one body; the last one's facts stand",
  }),
  ...every("cohere-v1/cohere/openllmetry-test-agent-with-multiple-tools", ["usage"], {
    reason: "cohere-v1: three answers state `meta.cached_tokens`, which the recording's usage leaves out",
  }),
  ...every("openai-responses/github-copilot/rig-copilot-reasoning-roundtrip-streaming", ["id"], {
    reason: "openai-responses: one recorder gave the same response another id in each event; the last one stands",
  }),
  ...every("openai-audio/openai/ruby-llm-transcription-basic-functionality-openai-gpt-4o-transcribe-diari", ["id"], {
    reason: "openai-audio: the ids in a diarized transcript are those of its segments; the answer has none",
  }),
];

function every(id: string, whats: readonly Explanation["what"][], { reason }: { reason: string }): Explanation[] {
  return whats.map((what) => ({ id, what, reason }));
}

/** Why this difference is meant; undefined when it is not. */
export function explained(recording: Recording, what: Explanation["what"]): Explanation | undefined {
  return explanations.find((one) => one.what === what && recording.id.startsWith(one.id));
}

/** Counts by dialect, provider and streaming. */
export class CoverageTable {
  readonly #rows = new Map<string, Counts>();

  get exchanges(): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + row.exchanges + row.tunnelled, 0);
  }

  add({ dialect, provider, streaming }: Recording, counts: Partial<Counts>): void {
    const key = `${dialect} | ${provider} | ${streaming ? "stream" : "whole"}`;
    const row = this.#rows.get(key) ?? { exchanges: 0, identical: 0, right: 0, usage: 0, tunnelled: 0 };
    for (const [name, count] of Object.entries(counts)) row[name as keyof Counts] += count;
    this.#rows.set(key, row);
  }

  toMarkdown(): string {
    const lines = [
      "| dialect | provider | mode | calls | byte-identical | told right | state usage | tunnelled |",
      "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ];
    const total: Counts = { exchanges: 0, identical: 0, right: 0, usage: 0, tunnelled: 0 };
    const cells = (row: Counts): string =>
      [row.exchanges, row.identical, row.right, row.usage, row.tunnelled].join(" | ");
    for (const [key, row] of [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`| ${key} | ${cells(row)} |`);
      for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += row[name];
    }
    lines.push(`| **all** | | | ${cells(total)} |`);
    return lines.join("\n");
  }

  /** The document with this table, and the reasons of the differences that were met, between its markers. */
  writeInto(text: string, reasons: readonly string[]): string {
    const listed = reasons.length === 0 ? "None." : reasons.map((reason) => `- ${reason}`).join("\n");
    const block = `${this.toMarkdown()}\n\n### Differences that are meant\n\n${listed}`;
    return text.replace(
      /(<!-- coverage:start -->\n)[\s\S]*(\n<!-- coverage:end -->)/,
      (_all, start: string, end: string) => `${start}\n${block}\n${end}`,
    );
  }
}

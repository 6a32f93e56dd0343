import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createInspector, inspectPage, summarize } from "../../../src/inspect/index.ts";
import { buildAttempt, buildGroup, buildRecord } from "../../support/exchange-record.ts";

const idOf = (index: number): string => index.toString(16).padStart(32, "0");

describe("inspector", () => {
  it("keeps the last `capacity` exchanges, newest first", () => {
    const inspector = createInspector({ capacity: 3 });
    expect(inspector.list()).toEqual([]);
    for (let index = 0; index < 8; index++) inspector.add(buildRecord({ id: idOf(index) }));
    expect(inspector.list().map(({ id }) => id)).toEqual([idOf(7), idOf(6), idOf(5)]);
  });

  it("lists newest first before the ring is full", () => {
    const inspector = createInspector({ capacity: 3 });
    inspector.add(buildRecord({ id: idOf(1) }));
    inspector.add(buildRecord({ id: idOf(2) }));
    expect(inspector.list().map(({ id }) => id)).toEqual([idOf(2), idOf(1)]);
  });

  it("tells subscribers of each further exchange until they leave, and survives one that throws", () => {
    const inspector = createInspector({ capacity: 3 });
    const heard: string[] = [];
    inspector.subscribe(() => {
      throw new Error("a reader's defect");
    });
    const leave = inspector.subscribe(({ id }) => heard.push(id));
    inspector.add(buildRecord({ id: idOf(1) }));
    leave();
    inspector.add(buildRecord({ id: idOf(2) }));
    expect(heard).toEqual([idOf(1)]);
    expect(inspector.list()).toHaveLength(2);
  });
});

describe("summary", () => {
  it("names what served, what it used and what it cost", () => {
    const summary = summarize(
      buildRecord({ traceId: "a".repeat(32), operation: { kind: "chat", name: "chat", route: "/x" } }),
    );
    expect(summary).toEqual({
      id: "0".repeat(32),
      traceId: "a".repeat(32),
      time: "2026-11-21T04:30:00.000Z",
      method: "POST",
      route: "/v1/chat/completions",
      operation: "chat",
      stream: false,
      provider: "openai",
      requestModel: "gpt-4o",
      responseModel: "gpt-4o-2024-08-06",
      status: 200,
      end: "complete",
      durationMs: 101.235,
      requestBytes: 100,
      responseBytes: 200,
      usage: { source: "provider", inputTokens: 10, outputTokens: 5 },
      costNanoUsd: 75_000,
      costStatus: "exact",
      attempts: 1,
    });
  });

  it("has no cost at all when any price is missing", () => {
    const missing = summarize(buildRecord({ groups: [buildGroup(), buildGroup({ cost: { status: "missing" } })] }));
    expect(missing.costStatus).toBe("missing");
    expect(JSON.parse(JSON.stringify(missing))).not.toHaveProperty("costNanoUsd");
  });

  it("adds up attempts once, and says the least sure source and status", () => {
    const summary = summarize(
      buildRecord({
        groups: [
          buildGroup({ attempts: [buildAttempt(), buildAttempt({ resendCount: 1 })], usageSource: "estimated" }),
          buildGroup({ provider: "anthropic", cost: { status: "alias", nanoUsd: 25_000 }, usage: { inputTokens: 1 } }),
        ],
      }),
    );
    expect(summary).toMatchObject({
      provider: "anthropic",
      attempts: 3,
      costNanoUsd: 100_000,
      costStatus: "alias",
      usage: { source: "estimated", inputTokens: 11, outputTokens: 5 },
    });
    expect(summary.usage).not.toHaveProperty("cacheReadTokens");
  });

  it("keeps a free price as 0, which is not the same as unknown", () => {
    const summary = summarize(buildRecord({ groups: [buildGroup({ cost: { status: "exact", nanoUsd: 0 } })] }));
    expect(summary.costNanoUsd).toBe(0);
  });

  it("leaves out what is not known, such as the status of an exchange that was never answered", () => {
    const { statusCode: _, ...http } = buildRecord().http;
    const summary = summarize(
      buildRecord({
        http,
        groups: [],
        end: "client_aborted",
        failure: { code: "client_disconnected", source: "client", message: "gone" },
      }),
    );
    for (const key of ["status", "usage", "costNanoUsd", "costStatus", "provider"])
      expect(JSON.parse(JSON.stringify(summary))).not.toHaveProperty(key);
    expect(summary).toMatchObject({ attempts: 0, errorCode: "client_disconnected" });
  });

  it("carries no content, query, user agent or failure text", () => {
    const canary = "canary-7c1f";
    const text = JSON.stringify(
      summarize(
        buildRecord({
          http: { ...buildRecord().http, query: `key=${canary}`, userAgent: canary, host: canary },
          request: {
            model: "gpt-4o",
            messages: [{ role: "user", parts: [{ type: "text", content: canary }] }],
          } as unknown as NonNullable<ReturnType<typeof buildRecord>["request"]>,
          groups: [
            buildGroup({
              response: {
                model: "m",
                choices: [{ index: 0, message: { role: "assistant", parts: [{ type: "text", content: canary }] } }],
              },
              providerError: { message: canary },
              failure: { code: "upstream_rejected", source: "provider", message: canary },
            }),
          ],
          session: canary,
          user: canary,
          tags: { note: canary },
        }),
      ),
    );
    expect(text).not.toContain(canary);
    expect(text).toContain("upstream_rejected");
  });

  it("cuts a model name that is no name", () => {
    const summary = summarize(buildRecord({ groups: [buildGroup({ requestModel: "x".repeat(5000) })] }));
    expect(summary.requestModel).toHaveLength(201);
  });
});

describe("inspect page", () => {
  it("loads nothing from elsewhere and sets no markup from values", () => {
    expect(inspectPage.html).not.toMatch(/(?:src|href)="(?!data:)/);
    expect(inspectPage.html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
    expect(inspectPage.contentSecurityPolicy).toMatch(/^default-src 'none'; /);
    expect(inspectPage.contentSecurityPolicy).not.toMatch(/unsafe|\*/);
  });

  it("shows what is known before the stream opens, with estimates, tiny costs and short trace ids marked as such", async () => {
    const summary = {
      id: "1",
      time: "2026-11-21T10:00:00.000Z",
      method: "POST",
      route: "/v1/embeddings",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      status: 200,
      end: "complete",
      usage: { source: "estimated", inputTokens: 1200 },
      costNanoUsd: 80,
    };
    const rows = await runPage([summary]);
    const titles = [...inspectPage.html.matchAll(/<th class="\w*">([^<]*)/g)].map((match) => match[1] ?? "");
    const cell = (title: string): FakeElement | undefined => rows[0]?.children[titles.indexOf(title)];
    expect(rows).toHaveLength(1);
    expect(rows[0]?.children).toHaveLength(titles.length);
    expect(titles[titles.indexOf("End") + 1]).toBe("Error");
    expect(cell("Tokens in")?.textContent).toBe("~1,200");
    expect(cell("Tokens out")?.textContent).toBe("");
    expect(cell("Cost")?.textContent).toBe("<$0.000001");
    expect(cell("Trace")).toMatchObject({ textContent: "0af76519", title: summary.traceId });
  });
});

/** As much of an element as the page's script uses. */
class FakeElement {
  children: FakeElement[] = [];
  dataset: Record<string, string> = {};
  textContent = "";
  title = "";
  append(child: FakeElement): void {
    this.children.push(child);
  }
  insertBefore(child: FakeElement): void {
    this.children.unshift(child);
  }
}

/** Runs the page's script against an event stream that never opens; gives its rows. */
async function runPage(exchanges: unknown[]): Promise<FakeElement[]> {
  const elements: Record<string, FakeElement> = { rows: new FakeElement(), state: new FakeElement() };
  runInNewContext(/<script>([^]*)<\/script>/.exec(inspectPage.html)?.[1] ?? "", {
    document: { getElementById: (id: string) => elements[id], createElement: () => new FakeElement() },
    EventSource: class {
      addEventListener(): void {}
    },
    fetch: async () => ({ json: async () => exchanges }),
  });
  await new Promise((resolve) => setImmediate(resolve));
  return elements["rows"]?.children ?? [];
}

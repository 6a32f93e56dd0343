// Room telemetry: the queue between the request path and an exporter, for spans and log records alike.
// Invariant: produced = exported + dropped + queued at every moment, and every drop has a reason. Bounded by items and by bytes;
// one export in flight; adding never waits. The SDK's own batch processors lose a failed batch without a count, hence this one.

import type { SpanExporter } from "@opentelemetry/sdk-trace";

import type { SignalAccounting } from "./telemetry.ts";

/** `rejected`: the receiver answered with partial success and refused these. */
export type DropReason = "queue_full" | "export_failed" | "rejected" | "shutdown";

export interface BatchSettings {
  maxQueueItems: number;
  /** Approximate size of what may wait. */
  maxQueueBytes: number;
  maxBatchItems: number;
  scheduleDelayMs: number;
  exportTimeoutMs: number;
  /** How often one batch is handed to the exporter before it is dropped; the exporter retries by itself within each. */
  maxExports: number;
  /** Before the second export of a batch; doubles after that. */
  retryDelayMs: number;
}

type ExportResult = Parameters<Parameters<SpanExporter["export"]>[1]>[0];

/** What the SDK's span and log exporters have in common. */
export interface ItemExporter<Item> {
  export(items: Item[], done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

export interface BatchHooks {
  onDrop(reason: DropReason, items: number): void;
  /** An export failed for good; for the log, at most a line a minute. */
  onFailure(message: string): void;
}

type Outcome = { type: "delivered" } | { type: "failed"; retryable: boolean; message: string };

/** Owns its exporter: `shutdown` closes it. */
export class BoundedBatch<Item> {
  readonly #exporter: ItemExporter<Item>;
  readonly #settings: BatchSettings;
  readonly #hooks: BatchHooks;
  #items: Item[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  #inFlight = 0;
  /** The part of the batch in flight that the receiver says it refused. */
  #refused = 0;
  #produced = 0;
  #exported = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  readonly #stopped = Promise.withResolvers<"stopped">();

  constructor(exporter: ItemExporter<Item>, settings: BatchSettings, hooks: BatchHooks) {
    this.#exporter = exporter;
    this.#settings = settings;
    this.#hooks = hooks;
  }

  get capacity(): number {
    return this.#settings.maxQueueItems;
  }

  accounting(): SignalAccounting {
    return {
      produced: this.#produced,
      exported: this.#exported,
      dropped: this.#dropped,
      queued: this.#items.length + this.#inFlight,
    };
  }

  /** `bytes`: approximate size in memory. */
  add(item: Item, bytes: number): void {
    this.#produced += 1;
    if (this.#closed) return this.#drop("shutdown", 1);
    const { maxQueueItems, maxQueueBytes, maxBatchItems } = this.#settings;
    if (this.#items.length + this.#inFlight >= maxQueueItems || this.#bytes + bytes > maxQueueBytes) {
      return this.#drop("queue_full", 1);
    }
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    if (this.#running !== undefined) return;
    if (this.#items.length >= maxBatchItems) this.#arm(0);
    else if (this.#timer === undefined) this.#arm(this.#settings.scheduleDelayMs);
  }

  /** Told by the exporter's response while a batch is in flight. */
  refuse(items: number): void {
    this.#refused = Math.min(this.#inFlight, this.#refused + Math.max(0, Math.trunc(items) || 0));
  }

  /** Exports all that is queued now. */
  async flush(): Promise<void> {
    while (this.#items.length > 0 || this.#running !== undefined) await (this.#running ?? this.#start());
  }

  /** Exports what is queued until the deadline; the rest is counted as dropped. Then closes the exporter. */
  async shutdown(timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#disarm();
    const deadline = setTimeout(() => this.#stopped.resolve("stopped"), timeoutMs);
    await Promise.race([this.flush(), this.#stopped.promise]);
    this.#stopped.resolve("stopped");
    await this.#running;
    const left = this.#items.length;
    this.#items = [];
    this.#sizes = [];
    this.#bytes = 0;
    if (left > 0) this.#drop("shutdown", left);
    // A dead receiver may hold the exporter's own shutdown for as long as its timeouts.
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, 50);
    await Promise.race([this.#exporter.shutdown().catch(() => undefined), patience.promise]);
    clearTimeout(timer);
    clearTimeout(deadline);
  }

  #drop(reason: DropReason, items: number): void {
    this.#dropped += items;
    this.#hooks.onDrop(reason, items);
  }

  #arm(delayMs: number): void {
    this.#disarm();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#start();
    }, delayMs);
    this.#timer.unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(): Promise<void> {
    this.#disarm();
    this.#running = this.#exportBatch().finally(() => {
      this.#running = undefined;
      if (this.#closed || this.#items.length === 0) return;
      this.#arm(this.#items.length >= this.#settings.maxBatchItems ? 0 : this.#settings.scheduleDelayMs);
    });
    return this.#running;
  }

  async #exportBatch(): Promise<void> {
    const batch = this.#items.splice(0, this.#settings.maxBatchItems);
    let bytes = 0;
    for (const size of this.#sizes.splice(0, batch.length)) bytes += size;
    this.#inFlight = batch.length;
    const outcome = await this.#deliver(batch);
    this.#bytes -= bytes;
    this.#inFlight = 0;
    const refused = this.#refused;
    this.#refused = 0;
    if (outcome === "stopped") return this.#drop("shutdown", batch.length);
    if (outcome.type === "failed") {
      this.#drop("export_failed", batch.length);
      return this.#hooks.onFailure(outcome.message);
    }
    this.#exported += batch.length - refused;
    if (refused === 0) return;
    this.#drop("rejected", refused);
    this.#hooks.onFailure(`the receiver refused ${refused} of ${batch.length}`);
  }

  async #deliver(batch: Item[]): Promise<Outcome | "stopped"> {
    for (let round = 1; ; round += 1) {
      const outcome = await Promise.race([this.#send(batch), this.#stopped.promise]);
      if (outcome === "stopped" || outcome.type === "delivered" || !outcome.retryable) return outcome;
      if (round >= this.#settings.maxExports || this.#closed) return outcome;
      const waited = await Promise.race([
        expire(this.#settings.retryDelayMs * 2 ** (round - 1)),
        this.#stopped.promise,
      ]);
      if (waited === "stopped") return waited;
    }
  }

  #send(batch: Item[]): Promise<Outcome> {
    return new Promise((resolve) => {
      const { exportTimeoutMs } = this.#settings;
      const timer = setTimeout(
        () => resolve({ type: "failed", retryable: true, message: `no answer within ${exportTimeoutMs} ms` }),
        exportTimeoutMs,
      );
      timer.unref();
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      try {
        this.#exporter.export(batch, ({ code, error }) => {
          settle(code === 0 ? { type: "delivered" } : toFailure(error));
        });
      } catch (error) {
        settle(toFailure(error));
      }
    });
  }
}

/** Worth another export: the receiver could not be reached or asked for patience (OTLP specification, "Failures"); any other answer is final. */
function toFailure(error: unknown): Outcome {
  if (!(error instanceof Error)) return { type: "failed", retryable: false, message: "export failed" };
  const code: unknown = Reflect.get(error, "code");
  const retryable =
    typeof code === "string" ||
    (error.name === "OTLPExporterError" && code === undefined) ||
    /timed out/i.test(error.message);
  // An aggregate error (both address families refused) has its words in the code only.
  const words =
    error.message === ""
      ? typeof code === "string" || typeof code === "number"
        ? String(code)
        : "export failed"
      : error.message;
  return { type: "failed", retryable, message: typeof code === "number" ? `${code} ${words}` : words };
}

function expire(delayMs: number): Promise<"expired"> {
  return new Promise((resolve) => {
    setTimeout(() => resolve("expired"), delayMs).unref();
  });
}

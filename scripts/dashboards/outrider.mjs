// The Outrider dashboard as data: rows of panels, each with its queries. scripts/write-dashboards.mjs makes Grafana's JSON of it.
// A panel is here only when Outrider emits what it asks for; test/real/dashboard.test.ts asks every query of a real Prometheus.
import { byModel, calls, increase, level, providers, quantile, rate, ratio, sidecars, sumBy } from "./promql.mjs";

const duration = "gen_ai_client_inference_duration_seconds";
const firstChunk = "gen_ai_client_inference_time_to_first_chunk_seconds";
const chunkGap = "gen_ai_client_inference_time_per_output_chunk_seconds";
const tokens = (kind) => `gen_ai_client_inference_usage_${kind}_tokens_total`;
const failed = `${calls}, error_type!=""`;
// Embeddings cost money too, but are no model calls in the sense of the other panels.
const generating = `${calls}, gen_ai_operation_name!="embeddings"`;
const model = "{{gen_ai_provider_name}} {{gen_ai_request_model}}";

const quantiles = (histogram, selector) =>
  [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, histogram, selector), legend: `p${q * 100}` }));
const p95ByModel = (histogram) => [{ expr: quantile(0.95, histogram, calls, { by: byModel }), legend: model }];
const tokensPerMinute = (kind) => ({ expr: `60 * ${sumBy(byModel, rate(tokens(kind), calls))}`, legend: model });

const overview = [
  {
    title: "Calls per second",
    unit: "reqps",
    queries: [{ expr: sumBy("", rate(`${duration}_count`, calls)) }],
  },
  {
    title: "Failed calls",
    unit: "percentunit",
    description: "Share of model calls that ended in an error; no call, no value.",
    queries: [
      {
        // Without the `or`, no failure at all would read as no value instead of 0.
        expr: `(${sumBy("", rate(`${duration}_count`, failed))} or 0 * ${sumBy("", rate(`${duration}_count`, calls))}) / (${sumBy("", rate(`${duration}_count`, calls))} > 0)`,
      },
    ],
  },
  { title: "Latency p95", unit: "s", queries: [{ expr: quantile(0.95, duration, calls) }] },
  {
    title: "Tokens per minute",
    unit: "short",
    queries: [
      { expr: `60 * (${sumBy("", rate(tokens("input"), calls))} + ${sumBy("", rate(tokens("output"), calls))})` },
    ],
  },
  {
    title: "Cost per hour",
    unit: "currencyUSD",
    description: "At the rate of the last 15 minutes; calls whose price is unknown are not in it.",
    queries: [{ expr: `3600 * ${sumBy("", rate("outrider_cost_USD_total", calls, "15m"))}` }],
  },
  {
    title: "Calls without a price",
    unit: "short",
    description: "In the chosen time; their cost is missing from every sum, never counted as 0.",
    noValue: "0",
    queries: [
      {
        expr: sumBy("", increase("outrider_cost_lookups_total", `${providers}, outrider_cost_outcome="missing"`)),
      },
    ],
  },
];

const traffic = [
  {
    title: "Calls by provider and model",
    unit: "reqps",
    queries: [{ expr: sumBy(byModel, rate(`${duration}_count`, calls)), legend: model }],
  },
  {
    title: "Failed calls by provider and model",
    unit: "percentunit",
    description: "Share of a model's calls that ended in an error.",
    noValue: "0",
    queries: [
      { expr: ratio(byModel, rate(`${duration}_count`, failed), rate(`${duration}_count`, calls)), legend: model },
    ],
  },
  {
    title: "Errors by type",
    unit: "reqps",
    noValue: "0",
    queries: [
      {
        expr: `topk(10, ${sumBy("gen_ai_provider_name, error_type", rate(`${duration}_count`, failed))})`,
        legend: "{{gen_ai_provider_name}} {{error_type}}",
      },
    ],
  },
  {
    title: "Wire attempts at providers",
    unit: "reqps",
    description: "Every HTTP request sent to a provider: the first of a call, and the retries.",
    queries: [
      {
        expr: sumBy("gen_ai_provider_name, outrider_attempt_reason", rate("outrider_attempts_total", providers)),
        legend: "{{gen_ai_provider_name}} {{outrider_attempt_reason}}",
      },
    ],
  },
  {
    title: "Failed wire attempts by type",
    unit: "reqps",
    description: "What went wrong on the wire, also where a retry then helped.",
    noValue: "0",
    queries: [
      {
        expr: sumBy(
          "gen_ai_provider_name, error_type",
          rate("outrider_attempts_total", `${providers}, error_type!=""`),
        ),
        legend: "{{gen_ai_provider_name}} {{error_type}}",
      },
    ],
  },
  {
    title: "Fallbacks by model",
    unit: "reqps",
    description: "Which model took over from which, and why; for all providers and models.",
    noValue: "0",
    queries: [
      {
        expr: sumBy(
          "outrider_fallback_from, outrider_fallback_to, outrider_fallback_reason",
          rate("outrider_fallbacks_total", sidecars),
        ),
        legend: "{{outrider_fallback_to}} from {{outrider_fallback_from}} ({{outrider_fallback_reason}})",
      },
    ],
  },
  {
    title: "Fallbacks by outcome",
    unit: "reqps",
    description: "failure: the model that took over failed, too; for all providers and models.",
    noValue: "0",
    queries: [
      {
        expr: sumBy("outrider_fallback_outcome", rate("outrider_fallbacks_total", sidecars)),
        legend: "{{outrider_fallback_outcome}}",
      },
    ],
  },
  {
    title: "Answers to clients by status",
    unit: "reqps",
    description: "All requests, also those that are no model call, for all providers and models.",
    queries: [
      {
        expr: sumBy(
          "http_route, http_response_status_code",
          rate("http_server_request_duration_seconds_count", sidecars),
        ),
        legend: "{{http_response_status_code}} {{http_route}}",
      },
    ],
  },
];

const latency = [
  { title: "Call duration", unit: "s", queries: quantiles(duration, calls) },
  { title: "Call duration p95 by provider and model", unit: "s", queries: p95ByModel(duration) },
  {
    title: "Time to first chunk",
    unit: "s",
    description: "Streams only, from the request to the provider.",
    queries: quantiles(firstChunk, calls),
  },
  { title: "Time to first chunk p95 by provider and model", unit: "s", queries: p95ByModel(firstChunk) },
  {
    title: "Time between chunks",
    unit: "s",
    description: "Streams only: how evenly the answer arrives.",
    queries: quantiles(chunkGap, calls),
  },
  {
    title: "Output tokens per second of a call",
    unit: "short",
    queries: [{ expr: ratio(byModel, rate(tokens("output"), calls), rate(`${duration}_sum`, calls)), legend: model }],
  },
  {
    title: "Other operations: p95",
    unit: "s",
    description: "Embeddings and whatever else is no inference.",
    queries: [
      {
        expr: quantile(0.95, "gen_ai_client_operation_duration_seconds", calls, {
          by: `gen_ai_operation_name, ${byModel}`,
        }),
        legend: `{{gen_ai_operation_name}} ${model}`,
      },
    ],
  },
  {
    title: "Provider response time p95 by host",
    unit: "s",
    description: "One HTTP request to a provider, from the send to the last byte.",
    queries: [
      {
        expr: quantile(0.95, "http_client_request_duration_seconds", sidecars, { by: "server_address" }),
        legend: "{{server_address}}",
      },
    ],
  },
];

const usage = [
  { title: "Input tokens per minute", unit: "short", queries: [tokensPerMinute("input")] },
  { title: "Output tokens per minute", unit: "short", queries: [tokensPerMinute("output")] },
  {
    title: "Cached input tokens per minute",
    unit: "short",
    description: "Part of the input tokens: read from, and written to, the provider's prompt cache.",
    queries: [
      { ...tokensPerMinute("cache_read_input"), legend: `read ${model}` },
      { ...tokensPerMinute("cache_write_input"), legend: `written ${model}` },
    ],
  },
  {
    title: "Share of input tokens read from cache",
    unit: "percentunit",
    queries: [
      { expr: ratio(byModel, rate(tokens("cache_read_input"), calls), rate(tokens("input"), calls)), legend: model },
    ],
  },
  {
    title: "Reasoning tokens per minute",
    unit: "short",
    description: "Part of the output tokens.",
    queries: [tokensPerMinute("reasoning_output")],
  },
  {
    title: "Tokens of one call, p95",
    unit: "short",
    queries: [
      { expr: quantile(0.95, "gen_ai_client_inference_operation_input_tokens", calls), legend: "input" },
      { expr: quantile(0.95, "gen_ai_client_inference_operation_output_tokens", calls), legend: "output" },
    ],
  },
];

const cost = [
  {
    title: "Cost per hour by provider and model",
    unit: "currencyUSD",
    description: "At the rate of the last 15 minutes.",
    queries: [{ expr: `3600 * ${sumBy(byModel, rate("outrider_cost_USD_total", calls, "15m"))}`, legend: model }],
  },
  {
    title: "Cost of 1,000 calls",
    unit: "currencyUSD",
    description: "Over the last hour, failed calls included.",
    queries: [
      {
        expr: `1000 * ${ratio(byModel, rate("outrider_cost_USD_total", generating, "1h"), rate(`${duration}_count`, calls, "1h"))}`,
        legend: model,
      },
    ],
  },
  {
    title: "Price look-ups by outcome",
    unit: "reqps",
    description: "exact: the model is in the catalogue; alias: by another name; assumed: by rule; missing: no price.",
    queries: [
      {
        expr: sumBy("gen_ai_provider_name, outrider_cost_outcome", rate("outrider_cost_lookups_total", providers)),
        legend: "{{gen_ai_provider_name}} {{outrider_cost_outcome}}",
      },
    ],
  },
  {
    title: "Where usage comes from",
    unit: "reqps",
    description: "provider: stated in the answer; estimated: counted by Outrider; missing: nobody knows.",
    queries: [
      {
        expr: sumBy("gen_ai_provider_name, outrider_usage_source", rate("outrider_usage_records_total", providers)),
        legend: "{{gen_ai_provider_name}} {{outrider_usage_source}}",
      },
    ],
  },
];

const sidecar = [
  {
    title: "Streams by how they ended",
    unit: "reqps",
    queries: [
      {
        expr: sumBy("outrider_stream_end", rate("outrider_streams_ended_total", sidecars)),
        legend: "{{outrider_stream_end}}",
      },
    ],
  },
  {
    title: "Requests in flight",
    unit: "short",
    queries: [{ expr: sumBy("instance", level("http_server_active_requests", sidecars)), legend: "{{instance}}" }],
  },
  {
    title: "Outrider's own time, p99",
    unit: "s",
    description: "Without the time spent waiting for the client and the provider; by phase.",
    queries: [
      {
        expr: quantile(0.99, "outrider_request_overhead_seconds", sidecars, { by: "outrider_overhead_phase" }),
        legend: "{{outrider_overhead_phase}}",
      },
    ],
  },
  {
    title: "Breakers of targets",
    unit: "short",
    description:
      "0 closed, 1 half open, 2 open and the target passed over; the worst of the sidecars, for all providers.",
    queries: [
      {
        expr: `max by (outrider_provider, gen_ai_request_model) (${level("outrider_breaker_state", `${sidecars}, gen_ai_request_model=~"$model"`)})`,
        legend: "{{outrider_provider}} {{gen_ai_request_model}}",
      },
    ],
  },
  {
    title: "Telemetry dropped",
    unit: "short",
    description: "Spans, log records and data points that could not be delivered, a minute.",
    noValue: "0",
    queries: [
      {
        expr: `60 * ${sumBy("outrider_telemetry_signal, outrider_telemetry_reason", rate("outrider_telemetry_dropped_total", sidecars))}`,
        legend: "{{outrider_telemetry_signal}} {{outrider_telemetry_reason}}",
      },
    ],
  },
  {
    title: "Telemetry queues",
    unit: "percentunit",
    description: "How full they are; what comes when one is full is dropped.",
    queries: [
      {
        expr: `max by (instance) (${level("otel_sdk_processor_span_queue_size", sidecars)}) / max by (instance) (${level("otel_sdk_processor_span_queue_capacity", sidecars)})`,
        legend: "spans {{instance}}",
      },
      {
        expr: `max by (instance) (${level("otel_sdk_processor_log_queue_size", sidecars)}) / max by (instance) (${level("otel_sdk_processor_log_queue_capacity", sidecars)})`,
        legend: "log records {{instance}}",
      },
    ],
  },
];

/** Everything Grafana is told, in the order it is shown. */
export const outriderDashboard = {
  uid: "outrider",
  title: "Outrider: LLM traffic",
  description: "Traffic, latency, tokens, cost and errors by provider and model, as Outrider's telemetry tells them.",
  variables: [
    { name: "job", label: "Sidecars", query: "label_values(outrider_request_overhead_seconds_count, job)" },
    {
      name: "app",
      label: "Application",
      query: 'label_values(target_info{job=~"$job"}, outrider_app)',
      allValue: ".*", // also sidecars that were not told their application's name
    },
    {
      name: "provider",
      label: "Provider",
      query: 'label_values(outrider_usage_records_total{job=~"$job"}, gen_ai_provider_name)',
      allValue: ".*",
    },
    {
      name: "model",
      label: "Model",
      // Both names: an embedding model is in the second alone.
      query:
        'label_values({__name__=~"gen_ai_client_(inference|operation)_duration_seconds_count", job=~"$job", gen_ai_provider_name=~"$provider"}, gen_ai_request_model)',
      allValue: ".*", // also calls that name no model
    },
  ],
  rows: [
    { title: "Overview", kind: "stat", panels: overview },
    { title: "Traffic and errors", kind: "timeseries", panels: traffic },
    { title: "Latency", kind: "timeseries", panels: latency },
    { title: "Tokens", kind: "timeseries", panels: usage },
    { title: "Cost", kind: "timeseries", panels: cost },
    { title: "Streams and the sidecar itself", kind: "timeseries", panels: sidecar },
  ],
};

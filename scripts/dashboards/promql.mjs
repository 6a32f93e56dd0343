// PromQL of the dashboards: which series a panel reads, and the few shapes that most of them have.
// Every selector names the sidecars (`job`), since an instrumented application emits the same `gen_ai_*` and `http_*` names;
// `outrider.app` is a resource attribute, so it is in `target_info` and reached by a join.

const ofApp = 'and on (job, instance) target_info{outrider_app=~"$app"}';

/** Series of one model call: they have a provider and a model. */
export const calls = 'job=~"$job", gen_ai_provider_name=~"$provider", gen_ai_request_model=~"$model"';
/** Series that know the provider but no model, to keep them few. */
export const providers = 'job=~"$job", gen_ai_provider_name=~"$provider"';
/** Series of the whole sidecar. */
export const sidecars = 'job=~"$job"';

/** The labels that most panels split by. */
export const byModel = "gen_ai_provider_name, gen_ai_request_model";

/** Per-second rate of a counter, or of a histogram's part, of the chosen application. */
export function rate(metric, selector, window = "$__rate_interval") {
  return `rate(${metric}{${selector}}[${window}]) ${ofApp}`;
}

/** What a counter grew by in a window. */
export function increase(metric, selector, window = "$__range") {
  return `increase(${metric}{${selector}}[${window}]) ${ofApp}`;
}

/** A gauge as it stands. */
export function level(metric, selector) {
  return `${metric}{${selector}} ${ofApp}`;
}

export function sumBy(labels, expression) {
  return labels === "" ? `sum(${expression})` : `sum by (${labels}) (${expression})`;
}

/** A quantile of a histogram named without `_bucket`. */
export function quantile(q, histogram, selector, { by = "", window } = {}) {
  const labels = by === "" ? "le" : `le, ${by}`;
  return `histogram_quantile(${q}, ${sumBy(labels, rate(`${histogram}_bucket`, selector, window))})`;
}

/** One sum divided by another over the same labels; without a value where nothing happened. */
export function ratio(labels, part, whole) {
  return `${sumBy(labels, part)} / (${sumBy(labels, whole)} > 0)`;
}

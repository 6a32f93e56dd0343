// Room inspect: its only door.
// Invariant: what leaves it holds no content.
export { createInspector, type Inspector } from "./inspector.ts";
export { summarize, type ExchangeSummary } from "./summary.ts";
export { inspectPage, type InspectPage } from "./page.ts";

// Room inspect: its only door.
export { createInspector, type Inspector } from "./inspector.ts";
export { summarize, type ExchangeSummary } from "./summary.ts";
export { inspectPage, type InspectPage } from "./page.ts";

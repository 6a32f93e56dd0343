// Room telemetry: its only door.
export { createTelemetry, type TelemetrySettings } from "./create-telemetry.ts";
export { expositionContentType } from "./exposition.ts";
export { readDestinations } from "./options.ts";
export type { Exporters } from "./sdk.ts";
export type { ExchangeTrace, InboundContext, SignalAccounting, Telemetry, TelemetryAccounting } from "./telemetry.ts";

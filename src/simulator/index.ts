// Simulator: simulated OpenAI and Anthropic endpoints, for demos and for testing one's own policy without paying.
// Shares no code with dialects/ or providers/, so that a mistake there cannot hide here.

export { startSimulator, type Simulator, type SimulatorOptions } from "./server.ts";

// Room spend: its only door.
export {
  createPricer,
  type Price,
  type PricedModels,
  type PricedProvider,
  type PriceInput,
  type Pricer,
  type PriceStatus,
} from "./price.ts";
export type { PriceOverride } from "./override.ts";

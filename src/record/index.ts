// Room record: its only door.
export type {
  AttemptGroup,
  AttemptReason,
  Cost,
  CostStatus,
  ExchangeEnd,
  ExchangeHttp,
  ExchangeRecord,
  Failure,
  WireAttempt,
} from "./exchange-record.ts";

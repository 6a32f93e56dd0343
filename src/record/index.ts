// Room record: its only door.
export type {
  AttemptGroup,
  AttemptReason,
  Cost,
  CostStatus,
  ExchangeEnd,
  ExchangeHttp,
  ExchangeRecord,
  Replaced,
  RequestUnread,
  Failure,
  WebSocketFacts,
  WireAttempt,
} from "./exchange-record.ts";

// Room proxy: its only door.
export { createAdminServer } from "./admin.ts";
export { DeferredWork } from "./deferred-work.ts";
export {
  explainCall,
  type Explanation,
  type ExplainedCandidate,
  type ExplainRooms,
  type PassedOver,
  type Question,
} from "./explain.ts";
export { needNames, readQuestion, writeQuestion } from "./explain-query.ts";
export { runExchange, type Rooms } from "./exchange.ts";
export { createGuard } from "./guard.ts";
export { createDataServer, ListenError } from "./server.ts";
export { createTunnels } from "./tunnel.ts";
export { createUpstream } from "./upstream.ts";

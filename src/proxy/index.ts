// Room proxy: its only door.
export { createAdminServer } from "./admin.ts";
export { runExchange, type Rooms } from "./exchange.ts";
export { createGuard } from "./guard.ts";
export { createDataServer, ListenError } from "./server.ts";
export { createTunnels } from "./tunnel.ts";
export { createUpstream } from "./upstream.ts";

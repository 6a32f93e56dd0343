// Bench: an OTLP/HTTP receiver that swallows what it is sent and only counts it. Usage: node test/bench/sink.ts PORT.
// GET /counts answers {requests, bytes, spans}. Spans are counted by walking the protobuf's outermost fields.
// Invariant: it answers 200 at once and keeps nothing, so that exporting costs the proxy what a healthy collector would.
import { createServer } from "node:http";
import type { SinkCounts } from "./sink-counts.ts";

const counts: SinkCounts = { requests: 0, bytes: 0, spans: 0 };

/** The byte ranges of every length-delimited field `wanted` in one protobuf message; other fields are stepped over. */
function findFields(bytes: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const wireType = tag & 7;
    if (wireType === 2) {
      const length = readVarint();
      if (tag >>> 3 === wanted) found.push(bytes.subarray(at, at + length));
      at += length;
    } else if (wireType === 0) readVarint();
    else at += wireType === 1 ? 8 : 4;
  }
  return found;
}

/** Spans in an ExportTraceServiceRequest: resource_spans (1) → scope_spans (2) → spans (2). */
function countSpans(body: Buffer): number {
  let spans = 0;
  for (const resourceSpans of findFields(body, 1)) {
    for (const scopeSpans of findFields(resourceSpans, 2)) spans += findFields(scopeSpans, 2).length;
  }
  return spans;
}

const server = createServer((request, response) => {
  if (request.url === "/counts") {
    response.end(JSON.stringify(counts));
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    counts.requests += 1;
    counts.bytes += body.length;
    if (request.url === "/v1/traces") counts.spans += countSpans(body);
    response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": 0 }).end();
  });
});
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
process.on("SIGTERM", () => process.exit(0));

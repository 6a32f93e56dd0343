// Room inspect: the page at `/` of the admin port: one static document that follows `/exchanges`.
// Invariant: no outside asset, and every value enters the page as text, so nothing that a client sent can become markup.

import { createHash } from "node:crypto";

/** The page and the Content-Security-Policy that admits nothing but its own style and script. */
export interface InspectPage {
  html: string;
  contentSecurityPolicy: string;
}

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; }
h1 { font-size: 1.1rem; margin: 0 0 .2rem; }
p { margin: 0 0 .8rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { max-width: 24rem; overflow: hidden; text-overflow: ellipsis; }
.number { text-align: right; }
.bad { color: #c62828; }
`;

const script = `
"use strict";
const rows = document.getElementById("rows");
const state = document.getElementById("state");
const seen = new Map();
const shown = 200;
const number = (value) => value === undefined ? "" : value.toLocaleString("en");
const milliseconds = (value) => value === undefined ? "" : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
const cost = (x) => x.costNanoUsd !== undefined ? "$" + (x.costNanoUsd / 1e9).toFixed(6) : x.costStatus === undefined ? "" : "unknown";
function cells(x) {
  return [
    [new Date(x.time).toLocaleTimeString(), ""],
    [x.method + " " + x.route, ""],
    [x.provider ?? "", ""],
    [x.responseModel ?? x.requestModel ?? "", ""],
    [x.status ?? "none", x.status === undefined || x.status >= 400 ? "bad" : ""],
    [x.end ?? "", x.end === "complete" ? "" : "bad"],
    [number(x.usage?.inputTokens), "number"],
    [number(x.usage?.outputTokens), "number"],
    [cost(x), "number"],
    [milliseconds(x.durationMs), "number"],
    [milliseconds(x.timeToFirstChunkMs), "number"],
    [x.errorCode ?? "", "bad"],
    [x.traceId ?? "", ""],
  ];
}
function add(x) {
  if (seen.has(x.id)) return;
  const row = document.createElement("tr");
  for (const [text, kind] of cells(x)) {
    const cell = document.createElement("td");
    cell.textContent = String(text);
    if (kind !== "") cell.className = kind;
    row.append(cell);
  }
  row.dataset.time = x.time;
  seen.set(x.id, row);
  const after = [...rows.children].find((other) => other.dataset.time <= x.time);
  rows.insertBefore(row, after ?? null);
  while (rows.children.length > shown) rows.lastChild.remove();
  if (seen.size > 10 * shown) for (const [id, old] of seen) if (!old.isConnected) seen.delete(id);
}
const source = new EventSource("/exchanges");
source.addEventListener("exchange", (event) => add(JSON.parse(event.data)));
source.addEventListener("open", async () => {
  state.textContent = "Live.";
  try {
    for (const x of await (await fetch("/exchanges")).json()) add(x);
  } catch {
    // The stream goes on; its own error handler says so when it does not.
  }
});
source.addEventListener("error", () => { state.textContent = "Not connected; trying again."; });
`;

const columns = [
  ["Time", ""],
  ["Request", ""],
  ["Provider", ""],
  ["Model", ""],
  ["Status", ""],
  ["End", ""],
  ["Tokens in", "number"],
  ["Tokens out", "number"],
  ["Cost", "number"],
  ["Duration, ms", "number"],
  ["First chunk, ms", "number"],
  ["Error", ""],
  ["Trace", ""],
] as const;

/** Built once, at load. */
export const inspectPage: InspectPage = {
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Outrider</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<h1>Outrider: the last exchanges</h1>
<p><span id="state">Connecting.</span> Newest first. No content is kept here.</p>
<table>
<thead><tr>${columns.map(([title, kind]) => `<th class="${kind}">${title}</th>`).join("")}</tr></thead>
<tbody id="rows"></tbody>
</table>
<script>${script}</script>
</body>
</html>
`,
  contentSecurityPolicy: [
    "default-src 'none'",
    `style-src '${hash(style)}'`,
    `script-src '${hash(script)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
};

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

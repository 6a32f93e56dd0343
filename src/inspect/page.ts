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
body { font: 12px/1.5 system-ui, sans-serif; margin: 1rem; }
h1 { font-size: 1.1rem; margin: 0 0 .2rem; }
p { margin: 0 0 .8rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
td { max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }
.number { text-align: right; }
.bad { color: light-dark(#b71c1c, #ff8a80); }
`;

const script = `
"use strict";
const rows = document.getElementById("rows");
const state = document.getElementById("state");
const seen = new Map();
const shown = 200;
const number = (value) => value === undefined ? "" : value.toLocaleString("en");
const milliseconds = (value) => value === undefined ? "" : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
const dollars = (nanoUsd) => nanoUsd > 0 && nanoUsd < 1000 ? "<$0.000001" : "$" + (nanoUsd / 1e9).toFixed(6);
const cost = (x) => x.costNanoUsd !== undefined ? dollars(x.costNanoUsd) : x.costStatus === undefined ? "" : "unknown";
const tokens = (x, name) => x.usage?.[name] === undefined ? "" : (x.usage.source === "estimated" ? "~" : "") + number(x.usage[name]);
function cells(x) {
  return [
    [new Date(x.time).toLocaleTimeString("en-GB"), ""],
    [x.method + " " + x.route, ""],
    [x.provider ?? "", ""],
    [x.responseModel ?? x.requestModel ?? "", ""],
    [x.status ?? "none", x.status === undefined || x.status >= 400 ? "bad" : ""],
    [x.end ?? "", x.end === "complete" ? "" : "bad"],
    [x.errorCode ?? "", x.errorCode === undefined ? "" : "bad"],
    [tokens(x, "inputTokens"), "number"],
    [tokens(x, "outputTokens"), "number"],
    [cost(x), "number"],
    [milliseconds(x.durationMs), "number"],
    [milliseconds(x.timeToFirstChunkMs), "number"],
    [(x.traceId ?? "").slice(0, 8), "", x.traceId],
  ];
}
function add(x) {
  if (seen.has(x.id)) return;
  const row = document.createElement("tr");
  for (const [text, kind, title = String(text)] of cells(x)) {
    const cell = document.createElement("td");
    cell.textContent = String(text);
    cell.title = title;
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
async function load() {
  try {
    for (const x of await (await fetch("/exchanges")).json()) add(x);
  } catch {
    // The stream's own error handler says when nobody answers.
  }
}
load();
const source = new EventSource("/exchanges");
source.addEventListener("exchange", (event) => add(JSON.parse(event.data)));
source.addEventListener("open", () => {
  state.textContent = "Live.";
  // Again: for what ended between the first answer and now, or while the connection was lost.
  load();
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
  ["Error", ""],
  ["Tokens in", "number"],
  ["Tokens out", "number"],
  ["Cost", "number"],
  ["Duration, ms", "number"],
  ["First chunk, ms", "number"],
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
<p><span id="state">Connecting.</span> Newest first. No content is kept here. ~ marks estimated counts.</p>
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

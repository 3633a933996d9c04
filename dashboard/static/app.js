// The page: takes what the server tells, and has each part drawn that changed.

import { state, apply, follow, most } from "./state.js";
import { Table, el, setText, natural } from "./table.js";
import { Lineage, legend } from "./lineage.js";
import { Chart, told } from "./charts.js";
import { tables } from "./columns.js";
import { duration, number, bytes, ago, short, worker, share, states, signOf } from "./format.js";

const $ = (id) => document.getElementById(id);
const source = document.body.dataset.source;
let chosen = null, find = "", only = "", offset = 0;

const one = (name) => state.one.get(name) || {};
const now = () => Date.now() + offset;

// Parts of the page.
const lineage = new Lineage($("lineage"), pick);
legend($("legend"));
const parts = tables({ now, pick, chosen: () => chosen, $ });
const seconds = (y) => duration(y * 1000);
const lagChart = new Chart($("c-lag"), { series: ["lag"], format: seconds, sync: "fleet" });
const rateChart = new Chart($("c-rate"), { series: ["rate"], format: (y) => number(y, 1), sync: "fleet" });
const callChart = new Chart($("c-calls"), { series: ["middle", "99 %"], format: (y) => duration(y), sync: "fleet" });
const shardLag = new Chart($("c-shard-lag"), { series: ["lag"], format: seconds, sync: "shard" });
const shardRate = new Chart($("c-shard-rate"), { series: ["rate"], format: (y) => number(y, 1), sync: "shard" });
const charts = [lagChart, rateChart, callChart, shardLag, shardRate];

// Tiles: made once, written to again and again.
const tiles = {};
for (const [key, name] of [["lag", "Longest lag"], ["rate", "Throughput"], ["shards", "Shards"], ["workers", "Workers"], ["hand", "In hand"], ["calls", "Handler call"], ["parked", "Parked keys"], ["failures", "Failures"]]) {
  const value = el("dd", { class: "value", text: "–" }), note = el("dd", { class: "note" });
  tiles[key] = { box: el("div", { class: "tile", id: "tile-" + key }, el("dt", { text: name }), value, note), value, note };
  $("tiles").append(tiles[key].box);
}

function tile(key, value, note, cls) {
  const t = tiles[key];
  setText(t.value, value);
  setText(t.note, note || "");
  const want = "tile" + (cls ? " " + cls : "");
  if (t.box.className !== want) t.box.className = want;
}

function drawSummary() {
  const s = one("summary"), a = one("about"), o = one("orders");
  if (s.shards === undefined) return;
  const st = s.states || {}, unread = a.has_tables && !(a.tables_at > 0) && !s.shards && !s.workers;
  tile("lag", (s.lag_at_most && s.lag > 0 ? "≤ " : "") + duration(s.lag), s.lag_shard ? "shard " + short(s.lag_shard) : "", s.lag > 600000 ? "bad" : s.lag > 60000 ? "warn" : "");
  if (s.rate >= 0) tile("rate", number(s.rate, s.rate < 10 ? 1 : 0), "records/s here" + (a.has_tables && s.kib > 0 ? ", " + bytes(s.kib * 1024) + "/s in all" : ""));
  else tile("rate", a.has_tables && !unread ? bytes(s.kib * 1024) + "/s" : "–", unread ? "not known yet" : "by the rows of the table");
  if (unread) for (const key of ["shards", "workers", "parked"]) tile(key, "–", "not known yet");
  else {
    tile("shards", number(s.shards), Object.keys(states).filter((n) => st[n]).map((n) => st[n] + " " + n).join(", "), st.fault || st.gone || st.hole ? "bad" : st.orphaned ? "warn" : "");
    tile("workers", s.alive === s.workers ? number(s.workers) : s.alive + " of " + s.workers, !s.workers ? "" : s.alive === s.workers ? "all alive" : "alive", s.workers && !s.alive ? "bad" : s.alive < s.workers ? "warn" : "");
    tile("parked", a.has_here ? number(s.parked) : "–", s.suspects ? s.suspects + (s.suspects === 1 ? " suspect record" : " suspect records") : a.has_here ? "" : "not known from tables", s.suspects ? "warn" : "");
  }
  tile("hand", a.has_here ? number(s.pending) : "–", a.has_here ? s.busy + (s.busy === 1 ? " lane" : " lanes") + " at work" : "not known from tables");
  tile("calls", s.p50 >= 0 ? duration(s.p50) : "–", s.p99 >= 0 ? "99 % within " + duration(s.p99) : a.has_recorder ? "no call just now" : "not known from tables");
  tile("failures", a.has_recorder ? number(s.recent) : "–", a.has_recorder ? "in 15 minutes" + (s.grave ? ", " + number(s.grave) + " grave" : "") : "not known from tables", s.grave ? "bad" : s.recent ? "warn" : "");

  const notes = [];
  if (a.trouble) notes.push(["bad", (!a.failing ? "" : a.tables_at > 0 ? "What the tables told " + ago(a.tables_at, a.at) + " is shown, as they cannot be read: " : "The tables cannot be read: ") + a.trouble]);
  if (o.move) notes.push(["warn", "A move is under way: " + o.move]);
  if (o.fault) notes.push(["bad", "The control row could not be read: " + o.fault]);
  for (const p of o.pauses || []) notes.push(["warn", "Paused: " + p]);
  if (o.limited) notes.push(["warn", "Limited to " + o.limit + " calls at once in the fleet" + (o.kept === false && a.has_tables ? ", which not every worker is known to keep to yet" : "") + (a.has_here ? "; " + o.running + " run here" : "")]);
  for (const p of state.problems.values()) notes.push([/^(worker_silent|move_under_way|owner_gone)$/.test(p.kind) ? "warn" : "bad", (p.shard ? "Shard " + short(p.shard) + ": " : "") + p.text]);
  const box = $("notices"), text = JSON.stringify(notes);
  if (box.dataset.text !== text) {
    box.dataset.text = text;
    box.replaceChildren(...notes.slice(0, 20).map(([cls, t]) => el("p", { class: "notice " + cls }, el("span", { "aria-hidden": "true", class: "mark", text: cls === "bad" ? "!" : "i" }), el("span", { text: t }))));
    if (notes.length > 20) box.append(el("p", { class: "notice", text: "and " + (notes.length - 20) + " more" }));
  }
  say(s, st);
}

// say tells screen readers of the fleet, when it is another than it was, and not
// more often than every ten seconds.
let saidAt = 0;
function say(s, st) {
  const behind = s.lag < 0 ? "lag not known" : s.lag < 5000 ? "hardly behind" : s.lag < 60000 ? "less than a minute behind" : s.lag < 600000 ? "minutes behind" : "more than ten minutes behind";
  const text = s.shards + " shards, " + Object.keys(st).map((n) => st[n] + " " + n).join(", ") + "; " + s.alive + " of " + s.workers + " workers alive; " + behind;
  if ($("said").textContent !== text && Date.now() - saidAt > 10000) { saidAt = Date.now(); setText($("said"), text); }
}

function drawCurves() {
  const p = state.points, a = one("about"), at = p.map((x) => x[0]), column = (i) => p.map((x) => x[i]);
  lagChart.draw([at, column(1)]);
  setText($("c-lag-text"), told(column(1), seconds));
  const rate = a.has_here ? 2 : 3, kib = (y) => bytes(y * 1024) + "/s";
  rateChart.options.format = a.has_here ? (y) => number(y, 1) : kib;
  rateChart.draw([at, column(rate)]);
  setText($("c-rate-text"), told(column(rate), a.has_here ? (y) => number(y, 1) + " records/s" : kib));
  $("f-calls").hidden = !a.has_recorder;
  if (a.has_recorder) {
    callChart.draw([at, column(4), column(5)]);
    setText($("c-calls-text"), "99 % (dashed): " + told(column(5), duration));
  }
}

function drawShards() {
  const rows = [];
  for (const [id, l] of state.live) {
    if (only && l.s !== only) continue;
    if (find && !(id + " " + short(id) + " " + (l.o || "") + " " + l.s).toLowerCase().includes(find)) continue;
    rows.push({ id, l, s: state.shards.get(id) || { lo: -1 } });
  }
  parts.shards.show(rows);
  const more = $("more-shards"), left = parts.shards.total - parts.shards.want.length;
  const text = left > 0 ? parts.shards.want.length + " of " + parts.shards.total + " shown" : parts.shards.total > 100 ? "all " + parts.shards.total + " shown" : "";
  if (more.dataset.text !== text) {
    more.dataset.text = text;
    more.replaceChildren();
    if (text) more.append(el("span", { text }));
    if (left > 0) more.append(el("button", { type: "button", class: "quiet", id: "show-all", text: "Show all", onclick: () => { parts.shards.most = Infinity; drawShards(); } }));
    else if (text) more.append(el("button", { type: "button", class: "quiet", id: "show-few", text: "Show 100", onclick: () => { parts.shards.most = 100; drawShards(); } }));
  }
}

function drawDetail() {
  const l = chosen && state.live.get(chosen);
  $("detail").hidden = !l;
  if (!l) return;
  const s = state.shards.get(chosen) || {}, facts = [
    ["Id", chosen], ["Stream", s.stream || "–"], ["State", signOf(l.s) + " " + l.s + (l.x ? ", paused" : "")],
    ["Worker", l.o || "–"], ["To be worked by", l.n], ["Behind", (l.m && l.l > 0 ? "at most " : "") + duration(l.l)],
    ["Position", l.at || "–"], ["Saved", ago(l.w, now())], ["Counter of its row", l.c ? String(l.c) : "–"],
    ["Oldest in hand", l.a ? duration(l.a) + " old" : undefined],
    ["Owners since its position moved", l.ow ? String(l.ow) : undefined],
    ["Share of the hashes", share(s.lo, s.hi)], ["Parents", (s.parents || []).map(short).join(", ") || "none known"], ["Children", (s.children || []).map(short).join(", ") || "none"],
    ["Records a second", l.r >= 0 ? number(l.r, 1) : "–"], ["KiB a second", l.k ? number(l.k, 1) : "–"],
  ];
  if (l.me) facts.push(["In hand", number(l.p || 0) + " records, " + (l.b || 0) + " lanes at work"], ["Keys that wait", number(l.h || 0)], ["Finished later", number(l.d || 0) + " records"], ["Parked keys", number(l.q || 0)]);
  if (l.su) facts.push(["Suspect", "a process has died on a record of this shard"]);
  if (l.e) facts.push(["Last error", l.e]);
  for (const h of l.hs || []) facts.push(["Handler " + h.name, "finished up to " + h.at + ", " + h.pending + " in hand, " + h.busy + " lanes, " + duration(h.lag) + " behind"]);
  const list = $("facts"), have = facts.filter((f) => f[1] !== undefined);
  while (list.children.length > have.length) list.lastChild.remove();
  while (list.children.length < have.length) list.append(el("div", {}, el("dt"), el("dd")));
  have.forEach(([name, value], i) => { setText(list.children[i].children[0], name); setText(list.children[i].children[1], value); });
  setText($("h-detail"), "Shard " + short(chosen));
}

let curves = null; // of the shard that is chosen: [t, lag, rate]
let opener = null; // what had the focus when it was chosen
function pick(id) {
  if (id && !$("detail").contains(document.activeElement)) opener = document.activeElement;
  chosen = id;
  curves = null;
  for (const c of [shardLag, shardRate]) { if (c.plot) { c.plot.destroy(); c.plot = null; } c.data = null; }
  lineage.paint(state.live, chosen);
  parts.shards.draw();
  drawDetail();
  if (!id) return;
  $("h-detail").focus({ preventScroll: true });
  $("detail").scrollIntoView({ block: "nearest" });
  askCurves(id);
}

function askCurves(id) {
  fetch("curves?source=" + encodeURIComponent(source) + "&shard=" + encodeURIComponent(id))
    .then((r) => (r.ok ? r.json() : null))
    .then((c) => { if (c && chosen === id) { curves = [c.t, c.lag, c.rate]; drawShardCurves(); } })
    .catch(() => { /* the link line says that the server is gone */ });
}

function drawShardCurves() {
  if (!curves) return;
  shardLag.draw([curves[0], curves[1]]);
  shardRate.draw([curves[0], curves[2]]);
}

function addShardPoint() {
  const l = chosen && state.live.get(chosen), p = state.points[state.points.length - 1];
  if (!l || !curves || !p || p[0] <= curves[0][curves[0].length - 1]) return;
  curves[0].push(p[0]);
  curves[1].push(l.l >= 0 ? l.l / 1000 : null);
  curves[2].push(l.r >= 0 ? l.r : null);
  for (const c of curves) while (c.length > most()) c.shift();
  drawShardCurves();
}

// One change may touch much; all is drawn once, in the next frame.
let due = false;
function draw() {
  due = false;
  const d = state.dirty;
  if (d.has("one") || d.has("failures") || d.has("problems")) drawSummary();
  if (d.has("shards")) lineage.shape(state.shards);
  if (d.has("live") || d.has("shards")) { lineage.paint(state.live, chosen); drawShards(); drawDetail(); drawStates(); }
  if (d.has("points")) { drawCurves(); addShardPoint(); }
  const list = (name) => [...state[name]].map(([id, row]) => Object.assign({ id }, row));
  if (d.has("workers") || d.has("one")) parts.workers.show(list("workers"));
  if (d.has("failures") || d.has("one")) parts.failures.show(list("failures"));
  if (d.has("handovers") || d.has("one")) parts.handovers.show(list("handovers"));
  d.clear();
  const a = one("about"), unread = a.has_tables && !(a.tables_at > 0);
  for (const t of [parts.shards, parts.workers]) t.say(unread ? "Not known yet." : "");
  parts.failures.say(a.has_recorder ? "" : "Not known here.");
  setText($("failures-hint"), !a.has_recorder ? "Only consumers of the serving process tell of failures, through a Recorder." : a.texts ? "" : "Texts of errors are not shown: they may quote records.");
  setText($("age"), a.tables_at > 0 ? "Tables read " + ago(a.tables_at, now()) + "." : "");
}

function drawStates() {
  const select = $("state"), have = [...new Set([...state.live.values()].map((l) => l.s))].sort().join("\n");
  if (select.dataset.have === have) return;
  select.dataset.have = have;
  for (const li of $("legend").children) li.hidden = !have.split("\n").includes(li.dataset.state);
  select.replaceChildren(el("option", { value: "", text: "all" }), ...have.split("\n").filter(Boolean).map((s) => el("option", { value: s, text: s })));
  select.value = only;
  if (select.selectedIndex < 0) { select.value = ""; only = ""; }
}

follow(source, (change) => {
  if (!apply(change)) return;
  if (change.full && chosen) askCurves(chosen); // there may be a gap in those that are here
  const a = one("about");
  if (a.at) offset = a.at - Date.now();
  if (!due) { due = true; requestAnimationFrame(draw); }
}, (link) => {
  if ($("link").dataset.state === link) return;
  $("link").dataset.state = link;
  setText($("link-text"), { live: "live", waiting: "connecting" }[link] || "connection lost, trying again");
});

// Tools.
$("find").addEventListener("input", (e) => { find = e.target.value.trim().toLowerCase(); drawShards(); });
$("state").addEventListener("change", (e) => { only = e.target.value; drawShards(); });
$("detail-close").addEventListener("click", () => {
  const row = chosen && parts.shards.made.get(chosen), back = opener && opener.isConnected && opener !== document.body ? opener : row ? row.cells[0].inner : $("find");
  pick(null);
  back.focus();
});
$("z-in").addEventListener("click", () => lineage.zoom(0.5));
$("z-out").addEventListener("click", () => lineage.zoom(2));
$("z-left").addEventListener("click", () => lineage.move(-0.4));
$("z-right").addEventListener("click", () => lineage.move(0.4));
$("z-all").addEventListener("click", () => lineage.frame(0, 1));

const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
function themed() {
  setText($("theme-name"), root.dataset.theme || "auto");
  for (const c of charts) c.again();
}
$("theme").addEventListener("click", () => {
  const next = { auto: "light", light: "dark", dark: "auto" }[root.dataset.theme || "auto"];
  if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
  try { if (next === "auto") localStorage.removeItem("towpath-theme"); else localStorage.setItem("towpath-theme", next); } catch (e) { /* storage is off */ }
  themed();
});
dark.addEventListener("change", themed);
themed();

// What stands in the tables.

import { Table } from "./table.js";
import { duration, number, bytes, ago, clock, short, worker, share, signOf, stateClass } from "./format.js";

export function tables({ now, pick, chosen, $ }) {
  const lagClass = (ms) => (ms > 600000 ? "hot" : ms > 60000 ? "warm" : "");
  const shards = new Table($("t-shards"), "Shards: state, worker, how far behind, and what is in hand", [
    { key: "id", name: "Shard", text: (r) => short(r.id), sort: (r) => String.fromCharCode(Math.min(r.id.length, 0xffff)) + r.id, title: (r) => r.id, open: (r) => pick(r.id) },
    { key: "state", name: "State", kind: "state", text: (r) => signOf(r.l.s) + " " + r.l.s + (r.l.x ? " ‖ paused" : ""), sort: (r) => r.l.s, cls: (r) => stateClass(r.l.s) },
    { key: "owner", name: "Worker", text: (r) => worker(r.l.o) + (r.l.n ? " → " + worker(r.l.n) : ""), title: (r) => r.l.o || "" },
    { key: "lag", name: "Behind", num: true, text: (r) => (r.l.s === "ended" ? "–" : (r.l.l > 600000 ? "▲ " : "") + (r.l.m && r.l.l > 0 ? "≤ " : "") + duration(r.l.l)), sort: (r) => (r.l.s === "ended" ? -2 : r.l.l), cls: (r) => (r.l.s === "ended" ? "" : lagClass(r.l.l)) },
    { key: "rate", name: "Records/s", num: true, text: (r) => number(r.l.r, 1), sort: (r) => r.l.r },
    { key: "kib", name: "KiB/s", num: true, narrow: true, text: (r) => (r.l.k ? number(r.l.k, 1) : "–"), sort: (r) => r.l.k || 0 },
    { key: "hand", name: "In hand", num: true, narrow: true, hint: "records that are read and not finished", text: (r) => (r.l.me ? number(r.l.p || 0) : "–"), sort: (r) => r.l.p || 0 },
    { key: "lanes", name: "Lanes", num: true, narrow: true, hint: "calls of the handler that run now", text: (r) => (r.l.me ? String(r.l.b || 0) : "–"), sort: (r) => r.l.b || 0 },
    { key: "keys", name: "Keys aside", num: true, narrow: true, hint: "keys that wait, and keys that are parked", text: (r) => ((r.l.h || 0) + (r.l.q || 0) ? (r.l.h || 0) + " + " + (r.l.q || 0) + " parked" : "–"), sort: (r) => (r.l.h || 0) + (r.l.q || 0) },
    { key: "share", name: "Hashes", num: true, narrow: true, hint: "its share of the key space", text: (r) => share(r.s.lo, r.s.hi), sort: (r) => (r.s.lo >= 0 ? r.s.hi - r.s.lo : -1) },
    { key: "saved", name: "Saved", num: true, narrow: true, hint: "its position, by a consumer of the serving process", text: (r) => ago(r.l.w, now()), sort: (r) => r.l.w || 0 },
    { key: "note", name: "Note", narrow: true, kind: "text", text: (r) => [r.l.su ? "suspect record" : "", r.l.e || ""].filter(Boolean).join("; "), title: (r) => r.l.e || "" },
  ], { by: "lag", down: true, most: 100, none: "No shard.", chosen: (r) => r.id === chosen() });

  const workers = new Table($("t-workers"), "Workers: what each does, and what it carries", [
    { key: "name", name: "Worker", text: (r) => worker(r.name) + (r.here ? " (here)" : ""), title: (r) => r.name },
    { key: "state", name: "State", kind: "state", text: (r) => ({ seen: "○ ", alive: "● ", leaving: "⇢ ", silent: "◌ ", revoked: "✕ ", gone: "✕ " }[r.state] || "? ") + r.state, cls: (r) => "w-" + r.state },
    { key: "leases", name: "Leases", num: true, text: (r) => number(r.leases) + (r.most ? " of " + r.most : ""), sort: (r) => r.leases },
    { key: "doing", name: "Does now", kind: "text", text: (r) => r.doing || (r.here ? "" : "–") },
    { key: "kib", name: "KiB/s", num: true, narrow: true, text: (r) => (r.kib ? number(r.kib, 1) : "–"), sort: (r) => r.kib },
    { key: "share", name: "Share of limit", num: true, narrow: true, text: (r) => (r.share >= 0 ? number(r.share) : "–"), sort: (r) => r.share },
    { key: "memory", name: "Memory", num: true, narrow: true, hint: "of the memory budget, in use", text: (r) => (r.here ? bytes(r.memory || 0) : "–"), sort: (r) => r.memory || 0 },
    { key: "beat", name: "Last beat", num: true, narrow: true, text: (r) => (r.here && !(r.beat > 0) ? "here" : ago(r.beat, now())), sort: (r) => r.beat },
    { key: "kind", name: "Kind", narrow: true, text: (r) => r.kind },
  ], { by: "name", none: "No worker has signed in." });

  const failures = new Table($("t-failures"), "Failures, the last first: what happened, where and why", [
    { key: "at", name: "When", text: (r) => clock(r.at, now()), sort: (r) => r.at, title: (r) => ago(r.at, now()) },
    { key: "kind", name: "What", kind: "text", text: (r) => (r.grave ? "! " : "") + r.kind, cls: (r) => (r.grave ? "grave" : "") },
    { key: "reason", name: "Why", kind: "text", text: (r) => [r.reason, r.text].filter(Boolean).join(": ") || "–" },
    { key: "shard", name: "Shard", text: (r) => (r.shard ? short(r.shard) : "–") + (r.handler ? " " + r.handler : ""), title: (r) => r.shard || "" },
    { key: "records", name: "Records", num: true, text: (r) => (r.records ? number(r.records) : "–"), sort: (r) => r.records || 0 },
    { key: "times", name: "Times", num: true, text: (r) => number(r.times), sort: (r) => r.times },
    { key: "worker", name: "Worker", narrow: true, text: (r) => worker(r.worker), title: (r) => r.worker || "" },
  ], { by: "at", down: true, most: 50, none: "Nothing has failed." });

  const handovers = new Table($("t-handovers"), "Shards that went from one worker to another, the last first", [
    { key: "at", name: "When", text: (r) => clock(r.at, now()), sort: (r) => r.at, title: (r) => ago(r.at, now()) },
    { key: "shard", name: "Shard", text: (r) => short(r.shard), title: (r) => r.shard },
    { key: "from", name: "From → to", kind: "text", text: (r) => (worker(r.from) || "nobody") + " → " + (worker(r.to) || (r.how === "finished" ? "its children" : "nobody yet")), title: (r) => (r.from || "") + " → " + (r.to || "") },
    { key: "how", name: "How", text: (r) => r.how },
    { key: "took", name: "Drained in", num: true, text: (r) => duration(r.took), sort: (r) => r.took },
    { key: "gap", name: "Idle for", num: true, text: (r) => duration(r.gap), sort: (r) => r.gap },
  ], { by: "at", down: true, most: 50, none: "No shard has changed hands." });
  return { shards, workers, failures, handovers };
}

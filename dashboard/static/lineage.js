// The family tree of the shards over the range of hashes: each shard is a bar as
// wide as its part of the hashes, below its parents. One bar at a time can be
// reached by Tab; from it the arrow keys go to its neighbours, parents and children.

import { el, setText, natural } from "./table.js";
import { short, worker, duration, states, stateClass, signOf } from "./format.js";

const svgNS = "http://www.w3.org/2000/svg";
const barHeight = 26, gap = 16, top = 4;

function svg(tag, attrs) {
  const e = document.createElementNS(svgNS, tag);
  for (const k in attrs || {}) e.setAttribute(k, attrs[k]);
  return e;
}

// layOut gives each shard a generation and a range, also where the service tells
// none (DynamoDB streams), where parents are gone, and where ids go in circles.
export function layOut(shards) {
  const nodes = new Map();
  for (const [id, s] of shards) nodes.set(id, { id, lo: s.lo, hi: s.hi, parents: [], children: [], gen: 0 });
  for (const [id, s] of shards) {
    for (const p of s.parents || []) link(p, id);
    for (const c of s.children || []) link(id, c);
  }
  function link(p, c) {
    const a = nodes.get(p), b = nodes.get(c);
    if (!a || !b || a === b || b.parents.includes(a)) return;
    a.children.push(b);
    b.parents.push(a);
  }
  // Generations: parents first, each shard once; what is left over is a circle.
  const missing = new Map(), queue = [], order = [];
  for (const n of nodes.values()) { missing.set(n, n.parents.length); if (n.parents.length === 0) queue.push(n); }
  for (let i = 0; i < queue.length; i++) {
    const n = queue[i];
    order.push(n);
    for (const c of n.children) {
      c.gen = Math.max(c.gen, n.gen + 1);
      missing.set(c, missing.get(c) - 1);
      if (missing.get(c) === 0) queue.push(c);
    }
  }
  // Ranges: side by side where there are none.
  const bare = order.filter((n) => !(n.lo >= 0));
  if (bare.length) {
    const roots = bare.filter((n) => n.parents.length === 0).sort((a, b) => natural(a.id, b.id));
    roots.forEach((n, i) => { n.lo = i / roots.length; n.hi = (i + 1) / roots.length; });
    for (const n of order) {
      const kids = n.children.filter((c) => !(c.lo >= 0)).sort((a, b) => natural(a.id, b.id));
      kids.forEach((c, i) => { c.lo = n.lo + (n.hi - n.lo) * i / kids.length; c.hi = n.lo + (n.hi - n.lo) * (i + 1) / kids.length; });
    }
  }
  const rows = [];
  for (const n of order) (rows[n.gen] ||= []).push(n);
  for (const row of rows) row.sort((a, b) => a.lo - b.lo || natural(a.id, b.id));
  return { order, rows, depth: rows.length };
}

export class Lineage {
  constructor(box, onPick) {
    this.box = box;
    this.from = 0;
    this.to = 1;
    this.svg = svg("svg", { role: "group", "aria-labelledby": "lineage-title", "aria-describedby": "lineage-desc" });
    this.title = svg("title", { id: "lineage-title" });
    this.desc = svg("desc", { id: "lineage-desc" });
    const defs = svg("defs");
    defs.append(pattern("hatch", 6, "M0 6 6 0", "p-hatch"), pattern("weave", 8, "M0 4h8", "p-weave"));
    this.links = svg("g", { class: "links" });
    this.bars = svg("g", { class: "bars" });
    // What is written on the bars is cut to their width; they have names of their own.
    this.labels = svg("g", { "aria-hidden": "true" });
    this.svg.append(this.title, this.desc, defs, this.links, this.bars, this.labels);
    box.append(this.svg);
    this.nodes = new Map();
    this.bars.addEventListener("click", (e) => {
      const g = e.target.closest("g[data-id]");
      if (g) { this.rove(g.dataset.id); onPick(g.dataset.id); }
    });
    this.bars.addEventListener("keydown", (e) => {
      if (e.altKey || e.ctrlKey || e.metaKey || e.shiftKey) return;
      const g = e.target.closest("g[data-id]"), to = g && this.beside(g.dataset.id, e.key);
      if (g && (e.key === "Enter" || e.key === " ")) onPick(g.dataset.id);
      else if (to) this.go(to);
      else return;
      e.preventDefault();
    });
    new ResizeObserver(() => this.place()).observe(box);
  }

  zoom(factor) {
    const middle = (this.from + this.to) / 2, half = Math.min(0.5, Math.max(0.0005, (this.to - this.from) / 2 * factor));
    this.frame(middle - half, middle + half);
  }
  move(part) { const by = (this.to - this.from) * part; this.frame(this.from + by, this.to + by); }
  frame(from, to) {
    const width = to - from;
    if (from < 0) { from = 0; to = width; }
    if (to > 1) { to = 1; from = Math.max(0, 1 - width); }
    this.from = from;
    this.to = to;
    this.place();
  }

  // beside is the shard that a key leads to from another.
  beside(id, key) {
    const node = this.tree.order.find((n) => n.id === id);
    if (!node) return null;
    const row = this.tree.rows[node.gen], i = row.indexOf(node), last = row.length - 1;
    const first = (list) => list.slice().sort((a, b) => a.lo - b.lo)[0];
    return { ArrowLeft: row[Math.max(0, i - 1)], ArrowRight: row[Math.min(last, i + 1)], Home: row[0], End: row[last], ArrowUp: first(node.parents) || node, ArrowDown: first(node.children) || node }[key] || null;
  }

  // go gives a bar the focus, and draws the part of the hashes where it is.
  go(node) {
    if (this.nodes.get(node.id).out) { const half = (this.to - this.from) / 2, at = (node.lo + node.hi) / 2; this.frame(at - half, at + half); }
    this.rove(node.id);
    this.nodes.get(node.id).g.focus();
  }

  // rove makes a bar the one that Tab reaches.
  rove(id) {
    const was = this.nodes.get(this.at), is = this.nodes.get(id);
    if (was && was !== is) was.g.setAttribute("tabindex", "-1");
    if (is) is.g.setAttribute("tabindex", "0");
    this.at = id;
  }

  // shape draws another tree; paint colours the one that is there.
  shape(shards) {
    this.tree = layOut(shards);
    const keep = new Set(this.tree.order.map((n) => n.id));
    for (const [id, n] of this.nodes) if (!keep.has(id)) { n.g.remove(); n.text.remove(); this.nodes.delete(id); }
    for (const node of this.tree.order) {
      if (this.nodes.has(node.id)) continue;
      const g = svg("g", { role: "button", tabindex: "-1" }), rect = svg("rect", { height: barHeight, rx: 3 }), stem = svg("rect", { class: "stem" }), text = svg("text"), title = svg("title");
      g.dataset.id = node.id;
      g.append(title, stem, rect);
      this.bars.append(g);
      this.labels.append(text);
      this.nodes.set(node.id, { g, rect, stem, text, title });
    }
    this.place();
  }

  place() {
    if (!this.tree) return;
    const width = Math.max(240, Math.floor(this.box.clientWidth) - 2), scale = width / (this.to - this.from);
    const height = top + this.tree.depth * (barHeight + gap);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", "0 0 " + width + " " + height);
    const x = (at) => (at - this.from) * scale;
    const y = (gen) => top + gen * (barHeight + gap);
    const lines = [];
    for (const node of this.tree.order) {
      const n = this.nodes.get(node.id), left = x(node.lo), wide = (node.hi - node.lo) * scale, space = Math.min(2, wide * 0.2);
      n.out = left > width || left + wide < 0;
      n.g.classList.toggle("out", n.out);
      n.text.classList.toggle("out", n.out);
      if (n.out) continue;
      // What is seen of a bar that reaches beyond the edge is labelled too.
      const seen = Math.max(0, left), end = Math.min(width, left + wide);
      n.wide = end - seen;
      n.rect.setAttribute("x", left + space / 2);
      n.rect.setAttribute("width", Math.max(0.6, wide - space));
      n.rect.setAttribute("y", y(node.gen));
      n.rect.setAttribute("rx", wide > 12 ? 3 : 0);
      n.text.setAttribute("x", seen + 7);
      n.text.setAttribute("y", y(node.gen) + barHeight / 2 + 4);
      const leaf = node.children.length === 0 && node.gen < this.tree.depth - 1;
      n.stem.setAttribute("x", left + space / 2);
      n.stem.setAttribute("width", leaf ? Math.max(0.6, wide - space) : 0);
      n.stem.setAttribute("y", y(node.gen) + barHeight);
      n.stem.setAttribute("height", leaf ? Math.max(0, height - gap - y(node.gen) - barHeight) : 0);
      for (const c of node.children) {
        const a = x(Math.max(node.lo, c.lo)), b = x(Math.min(node.hi, c.hi));
        if (b > a) lines.push("M" + (a + 1).toFixed(1) + " " + (y(node.gen) + barHeight) + "V" + y(c.gen) + "H" + Math.max(a + 1.5, b - 1).toFixed(1) + "V" + (y(node.gen) + barHeight) + "Z");
      }
    }
    const at = this.nodes.get(this.at);
    if (!at || at.out) { const seen = this.tree.order.find((n) => !this.nodes.get(n.id).out); if (seen) this.rove(seen.id); }
    let path = this.links.firstChild;
    if (!path) { path = svg("path", {}); this.links.append(path); }
    path.setAttribute("d", lines.join(""));
    this.paint();
  }

  paint(live, chosen) {
    this.live = live || this.live;
    if (chosen !== undefined) this.chosen = chosen;
    if (!this.live || !this.tree) return;
    const counts = {};
    for (const node of this.tree.order) {
      const l = this.live.get(node.id) || { s: "passed", l: -1 }, n = this.nodes.get(node.id);
      counts[l.s] = (counts[l.s] || 0) + 1;
      if (!n || n.out) continue;
      const cls = "bar " + stateClass(l.s) + (l.x ? " paused" : "") + (node.id === this.chosen ? " chosen" : "");
      if (cls !== n.cls) { n.g.setAttribute("class", cls); n.text.setAttribute("class", "label " + stateClass(l.s)); n.cls = cls; }
      // Without the lag, which changes all the time, and would be read out again.
      const name = "Shard " + short(node.id) + ", " + l.s + (l.x ? ", paused" : "") + (l.o ? ", " + worker(l.o) : "");
      if (name !== n.name) { n.g.setAttribute("aria-label", name); n.name = name; }
      const current = node.id === this.chosen;
      if (current !== n.current) { n.g.setAttribute("aria-current", String(current)); n.current = current; }
      let label = "";
      if (n.wide >= 26) label = signOf(l.s) + (l.x ? "‖" : "") + " " + short(node.id);
      if (n.wide >= 100 && l.o && l.s !== "ended") label += "  " + worker(l.o) + (l.n ? " → " + worker(l.n) : "");
      if (n.wide >= 230 && l.l > 0 && l.s !== "ended") label += "  " + duration(l.l) + " behind";
      const most = Math.floor((n.wide - 10) / 6.7);
      if (label.length > most) label = most < 3 ? "" : label.slice(0, most - 1) + "…";
      setText(n.text, label);
      setText(n.title, node.id + ", " + l.s + (l.o ? ", " + l.o : "") + (l.l >= 0 ? ", " + duration(l.l) + " behind" : ""));
    }
    setText(this.title, "Lineage of " + this.tree.order.length + " shards in " + this.tree.depth + (this.tree.depth === 1 ? " generation" : " generations"));
    setText(this.desc, Object.keys(counts).map((s) => counts[s] + " " + s).join(", ") + ". Parents stand above their children, over the part of the hashes that they share. Arrow keys go from shard to shard, Enter chooses one.");
  }
}

function pattern(id, size, d, cls) {
  const p = svg("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" });
  p.append(svg("rect", { width: size, height: size, class: cls + "-ground" }), svg("path", { d, class: cls }));
  return p;
}

export function legend(list) {
  for (const name in states) {
    list.append(el("li", { "data-state": name, class: stateClass(name), title: states[name].means, hidden: true }, el("span", { class: "swatch", "aria-hidden": "true", text: states[name].sign }), el("span", { text: name })));
  }
}

// A table that is told its rows again and again and changes only what differs.

export function el(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const k in attrs || {}) {
    if (k === "class") e.className = attrs[k];
    else if (k === "text") e.textContent = attrs[k];
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), attrs[k]);
    else if (attrs[k] !== false && attrs[k] !== undefined) e.setAttribute(k, attrs[k] === true ? "" : attrs[k]);
  }
  for (const c of children) if (c) e.append(c);
  return e;
}

// setText writes a text if it is another, so that nothing is laid out in vain.
export function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

const slice = 14; // milliseconds of work in one go, so that no key press waits for it

export class Table {
  // columns: {key, name, num, narrow, sort(row), text(row), cls(row), title(row), open(row)}
  constructor(box, caption, columns, options) {
    this.columns = columns;
    this.options = options || {};
    this.rows = [];
    this.made = new Map();
    this.most = this.options.most || Infinity;
    this.by = this.options.by || columns[0].key;
    this.down = !!this.options.down;
    this.head = el("tr");
    this.body = el("tbody");
    for (const c of columns) {
      const button = el("button", { type: "button", onclick: () => this.order(c.key) }, el("span", { text: c.name }), el("span", { class: "arrow", "aria-hidden": "true" }));
      this.head.append(el("th", { scope: "col", class: classes(c), title: c.hint || false }, button));
    }
    this.table = el("table", {}, el("caption", { class: "unseen", text: caption }), el("thead", {}, this.head), this.body);
    this.none = el("p", { class: "none", text: this.options.none || "Nothing." });
    box.append(this.table, this.none);
    this.mark();
  }

  // say has it say something else than usual while it has no rows; "" is the usual.
  say(text) { setText(this.none, text || this.options.none || "Nothing."); }

  order(key) {
    const column = this.columns.find((c) => c.key === key);
    this.down = this.by === key ? !this.down : !!column.num;
    this.by = key;
    this.mark();
    this.draw();
  }

  mark() {
    this.columns.forEach((c, i) => {
      const th = this.head.children[i], on = c.key === this.by;
      if (on) th.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
      setText(th.querySelector(".arrow"), on ? (this.down ? "▼" : "▲") : "");
    });
  }

  // show takes rows with an id each. What is being put in place is finished first,
  // or a slow machine would never come to the last rows.
  show(rows) { this.rows = rows; this.draw(true); }

  draw(patient) {
    const column = this.columns.find((c) => c.key === this.by), sign = this.down ? -1 : 1;
    const key = column.sort || column.text;
    const keyed = this.rows.map((row) => [key(row), row]);
    keyed.sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : natural(x.id, y.id)));
    this.total = keyed.length;
    this.want = keyed.slice(0, this.most).map((k) => k[1]);
    this.none.hidden = this.total > 0;
    this.table.hidden = this.total === 0;
    if (patient && this.placing) this.again = true;
    else this.begin();
  }

  begin() {
    const list = this.want, keep = new Set(list.map((r) => r.id));
    for (const [id, made] of this.made) if (!keep.has(id)) { made.tr.remove(); this.made.delete(id); }
    this.again = false;
    this.placing = (this.passes = (this.passes || 0) + 1);
    this.place(list, 0, this.placing);
  }

  // place puts rows in their places, for some time, and goes on in the next frame.
  place(list, from, pass) {
    if (pass !== this.placing) return; // somebody wanted another order
    const began = performance.now();
    let i = from, at = this.body.children[from] || null;
    for (; i < list.length; i++) {
      if (i % 16 === 0 && i > from && performance.now() - began > slice) break;
      const row = list[i];
      let m = this.made.get(row.id);
      if (!m) { m = this.make(row); this.made.set(row.id, m); }
      this.fill(m, row);
      if (m.tr === at) at = at.nextElementSibling;
      else this.body.insertBefore(m.tr, at);
    }
    if (i < list.length) { requestAnimationFrame(() => this.place(list, i, pass)); return; }
    this.placing = 0;
    if (this.again) this.begin();
  }

  make(row) {
    const tr = el("tr"), cells = [];
    this.columns.forEach((c, i) => {
      const cell = el(i === 0 ? "th" : "td", { class: classes(c), scope: i === 0 ? "row" : false });
      let inner = cell;
      if (c.open) { inner = el("button", { type: "button", class: "open", onclick: () => c.open(m.row) }); cell.append(inner); }
      tr.append(cell);
      cells.push({ cell, inner, text: null, cls: null, title: null });
    });
    const m = { tr, cells, row };
    return m;
  }

  fill(m, row) {
    m.row = row;
    const chosen = !!(this.options.chosen && this.options.chosen(row));
    if (chosen !== m.chosen) { m.chosen = chosen; m.tr.classList.toggle("chosen", chosen); }
    this.columns.forEach((c, i) => {
      const cell = m.cells[i], text = c.text(row), cls = c.cls ? c.cls(row) : "", title = c.title ? c.title(row) : "";
      if (text !== cell.text) { cell.inner.textContent = text; cell.text = text; }
      if (cls !== cell.cls) { cell.cell.className = classes(c) + (cls ? " " + cls : ""); cell.cls = cls; }
      if (title !== cell.title) { if (title) cell.cell.title = title; else cell.cell.removeAttribute("title"); cell.title = title; }
    });
  }
}

function classes(c) { return [c.num ? "num" : "", c.narrow ? "wide-only" : "", c.kind || ""].filter(Boolean).join(" "); }

export function natural(a, b) { return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0); }

// Curves over time, by uPlot.

/* global uPlot */

const colours = () => {
  const css = getComputedStyle(document.documentElement);
  const get = (name) => css.getPropertyValue(name).trim();
  return { ink: get("--muted"), line: get("--line"), one: get("--accent"), two: get("--second"), fill: get("--accent-faint") };
};

// Chart draws one or two curves of lists [t, y, …].
export class Chart {
  constructor(box, options) {
    this.box = box;
    this.options = options;
    this.data = null;
    new ResizeObserver(() => {
      if (this.plot && box.clientWidth > 0 && box.clientWidth !== this.wide) { this.wide = box.clientWidth; this.plot.setSize({ width: this.wide, height: this.high() }); }
      else if (!this.plot && this.data) this.draw(this.data);
    }).observe(box);
  }

  high() { return this.options.height || 150; }

  draw(data) {
    this.data = data;
    if (!data[0].length || !this.box.clientWidth) return;
    const key = this.options.series.join("|");
    if (this.plot && key === this.key) { this.plot.setData(data); return; }
    this.key = key;
    this.again();
  }

  // again builds the plot anew, with the colours of the theme that now is.
  again() {
    if (this.plot) { this.plot.destroy(); this.plot = null; }
    if (!this.data || !this.box.clientWidth) return;
    const c = colours(), o = this.options, font = "11px system-ui, sans-serif";
    this.wide = this.box.clientWidth;
    const axis = { stroke: c.ink, font, grid: { stroke: c.line, width: 1 }, ticks: { show: false } };
    this.plot = new uPlot({
      width: this.wide, height: this.high(), ms: 1,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { sync: o.sync ? { key: o.sync } : undefined, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (u, lo, hi) => [0, hi > 0 ? hi * 1.1 : 1] } },
      axes: [
        Object.assign({}, axis, { space: 70, size: 28, values: (u, list) => list.map((t) => new Date(t).toLocaleTimeString("en-GB", o.brief ? { hour: "2-digit", minute: "2-digit" } : {})) }),
        Object.assign({}, axis, { size: (u, list) => roomFor(list), space: 32, values: (u, list) => list.map(o.format) }),
      ],
      series: [{}].concat(o.series.map((name, i) => ({
        label: name, stroke: i ? c.two : c.one, width: 1.6, dash: i ? [5, 3] : undefined, fill: i ? undefined : c.fill, points: { show: false }, spanGaps: false,
      }))),
    }, this.data, this.box);
  }
}

// roomFor is how wide an axis has to be for what is written at it: a number that is
// cut at its left is another number. A character is at most 7 wide.
function roomFor(list) { return Math.max(62, 16 + 7 * Math.max(0, ...(list || []).map((text) => text.length))); }

// told says what a curve shows, for those who do not see it.
export function told(list, format) {
  let last = null, most = null;
  for (const y of list) if (y !== null && y !== undefined) { last = y; if (most === null || y > most) most = y; }
  const now = list[list.length - 1], young = now !== null && now !== undefined;
  return last === null ? "not known" : format(last) + (young ? " now" : " last") + ", at most " + format(most);
}

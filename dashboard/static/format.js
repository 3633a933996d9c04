// How numbers, times and ids are written.

const dash = "–";

export function duration(ms) {
  if (ms === undefined || ms === null || ms < 0) return dash;
  if (ms < 1) return ms === 0 ? "0 s" : (ms * 1000).toFixed(0) + " µs";
  if (ms < 1000) return (ms < 10 ? ms.toFixed(1) : ms.toFixed(0)) + " ms";
  const s = ms / 1000;
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 90) return s.toFixed(0) + " s";
  const m = s / 60;
  if (m < 90) return Math.floor(m) + " min " + pad(Math.floor(s % 60)) + " s";
  const h = m / 60;
  if (h < 48) return Math.floor(h) + " h " + pad(Math.floor(m % 60)) + " min";
  return (h / 24).toFixed(1) + " days";
}

function pad(n) { return n < 10 ? "0" + n : String(n); }

export function number(n, digits) {
  if (n === undefined || n === null || n < 0) return dash;
  if (n >= 1e6) return (n / 1e6).toFixed(1) + " M";
  if (n >= 1e5) return (n / 1e3).toFixed(0) + " k";
  return n.toLocaleString("en", { maximumFractionDigits: digits || 0 });
}

export function bytes(n) {
  if (n === undefined || n === null || n < 0) return dash;
  if (n >= 1073741824) return (n / 1073741824).toFixed(1) + " GiB";
  if (n >= 1048576) return (n / 1048576).toFixed(1) + " MiB";
  return (n / 1024).toFixed(n < 10240 ? 1 : 0) + " KiB";
}

export function ago(at, now) {
  if (!at || at < 0) return dash;
  const s = Math.max(0, Math.round((now - at) / 1000));
  if (s < 1) return "now";
  if (s < 90) return s + " s ago";
  if (s < 5400) return Math.round(s / 60) + " min ago";
  if (s < 172800) return Math.round(s / 3600) + " h ago";
  return Math.round(s / 86400) + " days ago";
}

// clock is the time of day, with the date if it is not of today.
export function clock(at, now) {
  if (!(at > 0)) return dash;
  const then = new Date(at), time = then.toLocaleTimeString("en-GB");
  return then.toDateString() === new Date(now).toDateString() ? time : then.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + " " + time;
}

// short is what tells a shard from its neighbours: 12 of shardId-000000000012,
// with its stream before it where there are several.
export function short(id) {
  const i = id.lastIndexOf("shardId-");
  if (i < 0) return id;
  const rest = id.slice(i + 8);
  const tail = /^\d+$/.test(rest) ? rest.replace(/^0+(?=\d)/, "") : rest.slice(-8);
  const parts = id.slice(0, i).split(":").filter(Boolean);
  return parts.length >= 2 ? parts[1] + " " + tail : tail;
}

// worker is a worker's name without what makes its id unique.
export function worker(id) {
  if (!id) return "";
  const i = id.indexOf("/");
  return i > 0 ? id.slice(0, i) : id;
}

export function share(lo, hi) {
  if (lo === undefined || lo < 0) return dash;
  const p = (hi - lo) * 100;
  return p >= 9.95 ? p.toFixed(0) + " %" : p >= 1 ? p.toFixed(1) + " %" : p.toFixed(2) + " %";
}

// states are how each state of a shard is drawn: a sign beside the colour.
export const states = {
  "held": { sign: "●", means: "held: a worker works it" },
  "handing over": { sign: "⇄", means: "handing over: asked of its holder" },
  "free": { sign: "○", means: "free: for any worker to take" },
  "waiting": { sign: "◔", means: "waiting for its parents to end" },
  "orphaned": { sign: "◇", means: "orphaned: its owner has no session, or one that is over" },
  "to come": { sign: "…", means: "to come: gets a row when its parents end" },
  "ended": { sign: "✓", means: "ended: read to its end" },
  "passed": { sign: "·", means: "passed: without a row, behind the fleet" },
  "hole": { sign: "?", means: "hole: no row leads to it" },
  "gone": { sign: "⊘", means: "gone: not finished, and not listed any more" },
  "fault": { sign: "✕", means: "fault: its row cannot be believed" },
};

export function stateClass(state) { return "s-" + state.replace(/[^a-z]/g, "-"); }
export function signOf(state) { return (states[state] || { sign: "·" }).sign; }

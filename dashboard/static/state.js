// What the server has told: sections of rows by id, and the points of the curves.

export const state = {
  seq: -1,
  one: new Map(), workers: new Map(), shards: new Map(), live: new Map(),
  failures: new Map(), handovers: new Map(), problems: new Map(),
  points: [],
  // dirty names the sections that are not as they were when last drawn.
  dirty: new Set(),
};

const sections = ["one", "workers", "shards", "live", "failures", "handovers", "problems"];

// apply takes one change, and says whether it was new.
export function apply(change) {
  if (!change.full && change.seq <= state.seq) return false;
  if (change.full) {
    for (const name of sections) { state[name].clear(); state.dirty.add(name); }
    state.points = [];
  }
  state.seq = change.seq;
  for (const name of sections) {
    const set = (change.set || {})[name], gone = (change.gone || {})[name];
    if (set) { state.dirty.add(name); for (const id of Object.keys(set)) state[name].set(id, set[id]); }
    if (gone) { state.dirty.add(name); for (const id of gone) state[name].delete(id); }
  }
  for (const p of change.points || []) state.points.push(p);
  if (change.points && change.points.length) state.dirty.add("points");
  if (state.points.length > 5000) state.points.splice(0, state.points.length - 5000);
  return true;
}

// follow keeps a stream of events open, and opens another when it ends: the
// browser comes again by itself after a break, but not after a refusal.
export function follow(source, onChange, onLink) {
  let events = null, timer = 0, tries = 0;
  const open = () => {
    timer = 0;
    events = new EventSource("events?source=" + encodeURIComponent(source));
    events.addEventListener("change", (e) => {
      tries = 0;
      let change;
      try { change = JSON.parse(e.data); } catch (err) { return; }
      onLink("live");
      onChange(change);
    });
    events.onerror = () => {
      onLink("lost");
      if (events.readyState === EventSource.CLOSED && !timer) {
        tries++;
        timer = setTimeout(open, Math.min(15000, 1000 * tries));
      }
    };
  };
  open();
  window.addEventListener("pagehide", () => events.close());
  window.addEventListener("pageshow", (e) => { if (e.persisted) open(); });
}

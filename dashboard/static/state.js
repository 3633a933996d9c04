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
  if (state.points.length > most()) state.points.splice(0, state.points.length - most());
  return true;
}

// most is how many points the curves have: as many as the server keeps, so that a
// page that is left open shows what one does that was opened just now.
export function most() { return (state.one.get("about") || {}).points || 5000; }

// What is waited for: a stream that says nothing for so long is dead, though
// nothing may tell (a change comes every refresh, and comments are not heard of
// here); and a page that nobody sees for so long is not looked at.
const silence = 30000, unseen = 60000;

// follow keeps a stream of events open while the page is seen, and opens another
// when it ends: the browser comes again by itself after a break, but not after a
// refusal. While nobody sees the page, the tables need not be read for it.
export function follow(source, onChange, onLink) {
  let events = null, timer = 0, away = 0, tries = 0, heard = 0;
  const close = () => {
    clearTimeout(timer);
    clearTimeout(away);
    timer = away = 0;
    if (events) events.close();
    events = null;
  };
  const open = () => {
    close();
    heard = Date.now();
    const mine = events = new EventSource("events?source=" + encodeURIComponent(source));
    mine.addEventListener("change", (e) => {
      tries = 0;
      heard = Date.now();
      let change;
      try { change = JSON.parse(e.data); } catch (err) { return; }
      onLink("live");
      onChange(change);
    });
    mine.onerror = () => {
      if (mine !== events) return;
      onLink("lost");
      if (mine.readyState === EventSource.CLOSED && !timer) {
        tries++;
        timer = setTimeout(open, Math.min(15000, 1000 * tries));
      }
    };
  };
  const look = () => {
    clearTimeout(away);
    away = 0;
    if (document.visibilityState === "hidden") away = setTimeout(() => { close(); onLink("waiting"); }, unseen);
    else if (!events) open();
  };
  open();
  look();
  setInterval(() => {
    const refresh = (state.one.get("about") || {}).refresh || 0;
    if (events && !timer && Date.now() - heard > silence + 2 * refresh) { onLink("lost"); open(); }
  }, 5000);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (e) => { if (e.persisted) open(); });
}

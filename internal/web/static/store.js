// SPDX-License-Identifier: Apache-2.0

// The page's knowledge of the host: read once, then kept by the event stream.
// Nothing here asks at intervals.
import { useEffect, useReducer } from "/lib.js";

const listeners = new Set();

// remembered keeps a choice of the person for the next visit of the page.
export function remembered(key, otherwise) {
  try { return JSON.parse(localStorage.getItem(`station.${key}`)) ?? otherwise; } catch { return otherwise; }
}
export function remember(key, value) {
  try { localStorage.setItem(`station.${key}`, JSON.stringify(value)); } catch { /* a browser that stores nothing */ }
}

export const state = {
  me: null, status: null, trees: new Map(), services: null, accounts: null, events: [], audit: null, auditTrouble: "",
  live: "connecting", // connecting, live, gone (no daemon), offline (no console), out (signed out)
  liveWhy: "", loaded: false, trouble: "",
  selected: null, desktop: null, dialog: null, toasts: [],
  dock: remembered("dock", null), closed: new Set(remembered("closed", [])), hideWarnings: false,
  pictures: new Map(), // session → how often its pictures went stale
};

// set changes the state and draws the page anew.
export function set(patch) {
  Object.assign(state, patch);
  for (const l of listeners) l();
}

// useStore draws a component anew whenever the state changes.
export function useStore() {
  const [, draw] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    listeners.add(draw);
    draw();
    return () => listeners.delete(draw);
  }, []);
  return state;
}

// Refused is a problem+json answer.
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "The console did not answer.");
    Object.assign(this, { problem, status: problem.status, code: problem.code, rule: problem.rule });
  }
}

// call makes one request of the API and gives its JSON, or null for no body.
export async function call(method, path, body, options = {}) {
  let r;
  try {
    r = await fetch(`/v1${path}`, {
      method, signal: options.signal, headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused({ status: 0, title: "The console does not answer.", detail: "Cannot reach the console: is “station web” running?" });
  }
  if (r.status === 401) set({ live: "out" });
  if (!r.ok) throw new Refused(await r.json().catch(() => ({ status: r.status, title: r.statusText })));
  if (r.status === 204) return null;
  return (r.headers.get("Content-Type") || "").includes("json") ? r.json() : r.text();
}

let toastID = 0;

// toast shows a short word about what happened; trouble stays longer.
export function toast(text, kind = "good", rule = "") {
  const id = ++toastID;
  set({ toasts: [...state.toasts.slice(-3), { id, text, kind, rule }] });
  setTimeout(() => dropToast(id), kind === "bad" ? 9000 : 4000);
}
export const dropToast = (id) => set({ toasts: state.toasts.filter((t) => t.id !== id) });

// attempt runs an action of the person and tells how it went.
export async function attempt(action, done) {
  try {
    const r = await action();
    if (done) toast(typeof done === "function" ? done(r) : done);
    return r;
  } catch (e) {
    if (e.name !== "AbortError") toast(e.message, "bad", e.rule);
    return undefined;
  }
}

// one keeps at most one run of a job under way and one more waiting, so that a
// burst of events becomes two requests, not hundreds.
function one(job) {
  let running = null, again = false;
  return async function run(...args) {
    if (running) { again = true; return running; }
    running = (async () => {
      await job(...args);
      while (again) {
        await new Promise((go) => setTimeout(go, 120));
        again = false;
        await job(...args);
      }
    })().finally(() => { running = null; });
    return running;
  };
}

const jobs = new Map();
function job(key, work) {
  if (!jobs.has(key)) jobs.set(key, one(work));
  return jobs.get(key)().catch((e) => { if (e.status !== 401) console.warn(key, e.message); });
}

function putTree(t) {
  const trees = new Map(state.trees);
  trees.set(t.session.id, t);
  return new Map([...trees].sort((a, b) => a[0] - b[0]));
}

export const loadTree = (id) => job(`tree ${id}`, async () => {
  try {
    set({ trees: putTree(await call("GET", `/sessions/${id}/tree`)) });
  } catch (e) {
    if (e.status !== 404) throw e;
    const trees = new Map(state.trees);
    trees.delete(id);
    set({ trees });
  }
  settle();
});

const loadSessions = () => job("sessions", async () => {
  const list = await call("GET", "/sessions");
  const trees = new Map();
  for (const s of list) {
    const t = state.trees.get(s.id);
    trees.set(s.id, t ? { ...t, session: s } : { session: s, stations: [], processes: [], messages: [] });
    if (!t) loadTree(s.id);
  }
  set({ trees });
  settle();
});

export const loadServices = () => job("services", async () => set({ services: await call("GET", "/services") }));
export const loadAccounts = () => job("accounts", async () => set({ accounts: await call("GET", "/accounts") }));
export const loadStatus = () => job("status", async () => set({ status: await call("GET", "/status") }));

export const loadAudit = () => job("audit", async () => {
  try {
    const got = await call("GET", "/audit?max=1000");
    set({ audit: got.records.slice(-300).reverse(), auditTrouble: "" });
  } catch (e) {
    set({ audit: [], auditTrouble: e.message });
  }
});

// followAudit keeps the list of refusals while somebody looks at it.
export function followAudit() {
  const stream = new EventSource("/v1/audit");
  stream.addEventListener("ready", loadAudit);
  stream.addEventListener("reset", loadAudit);
  stream.onmessage = (e) => set({ audit: [JSON.parse(e.data), ...(state.audit || [])].slice(0, 300) });
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) loadAudit(); }; // it tells why
  return () => stream.close();
}

const loadEvents = () => job("events", async () => {
  const got = await call("GET", "/events?max=1000");
  set({ events: got.records.slice(-300).reverse() });
});

// loadAll reads everything anew: at the start, and when the daemon is another.
export const loadAll = () => job("all", async () => {
  try {
    const [me, trees] = await Promise.all([call("GET", "/me"), call("GET", "/tree")]);
    set({ me, trees: new Map(trees.map((t) => [t.session.id, t])), loaded: true, trouble: "" });
    for (const t of trees) stale(t.session.id);
    settle();
    loadStatus(); loadServices(); loadAccounts(); loadEvents();
  } catch (e) {
    set({ trouble: e.message });
    throw e;
  }
});

// settle keeps the selection on a session that exists.
function settle() {
  if (state.selected !== null && state.trees.has(state.selected)) return;
  if (state.selected !== null && state.loaded) return; // the view says that it ended
  const wanted = Number(location.hash.match(/session=(\d+)/)?.[1] ?? NaN);
  const first = state.trees.has(wanted) ? wanted : [...state.trees.values()].find((t) => t.session.state === "Active")?.session.id ?? [...state.trees.keys()][0];
  if (first !== undefined) select(first);
}

// select shows a session, and marks one of its desktops.
export function select(id, desktop = null) {
  history.replaceState(null, "", `#session=${id}`);
  set({ selected: id, desktop });
}

// stale says that a session's pictures may have changed.
function stale(id) {
  const pictures = new Map(state.pictures);
  pictures.set(id, (pictures.get(id) || 0) + 1);
  set({ pictures });
}

let source = null, lastID = "";

// follow opens the event stream. A hidden page lets it go: browsers allow six
// connections to a host, and many consoles may be open.
export function follow() {
  source?.close();
  if (document.hidden) return;
  source = new EventSource(`/v1/events${lastID ? `?lastEventId=${encodeURIComponent(lastID)}` : ""}`);
  const seen = (e) => { if (e.lastEventId) lastID = e.lastEventId; };
  source.addEventListener("ready", (e) => {
    seen(e);
    set({ live: "live", liveWhy: "" });
    if (!state.loaded) loadAll();
  });
  source.addEventListener("reset", (e) => { seen(e); set({ live: "live", liveWhy: "" }); loadAll(); });
  source.addEventListener("gone", (e) => { seen(e); set({ live: "gone", liveWhy: JSON.parse(e.data).detail }); });
  source.onmessage = (e) => { seen(e); happened(JSON.parse(e.data)); };
  source.onerror = () => {
    if (state.live === "out") return source.close();
    set({ live: "offline" });
    if (!state.loaded) loadAll();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(async () => {
      try { await call("GET", "/me"); } catch (e) { if (e.status === 401) return; }
      follow();
    }, 1000);
  };
}

document.addEventListener("visibilitychange", () => {
  if (state.live === "out") return;
  if (document.hidden) source?.close();
  else follow();
});

// happened takes one event and reads anew what it may have changed.
function happened(e) {
  set({ events: [e, ...state.events].slice(0, 300) });
  if (e.kind.startsWith("service")) { loadServices(); loadTree(0); }
  if (e.kind.startsWith("account")) loadAccounts();
  if (e.kind.startsWith("session")) loadSessions();
  loadTree(e.sessionId);
  if (/^(desktop|session|message)/.test(e.kind)) stale(e.sessionId);
  if (state.dock === "status") loadStatus();
}

// openDock shows a panel at the bottom; the same again hides it.
export function openDock(name) {
  const dock = state.dock === name ? null : name;
  remember("dock", dock);
  set({ dock });
  if (dock === "status") loadStatus();
}

// toggleClosed folds or unfolds a part of the tree.
export function toggleClosed(key, force) {
  const closed = new Set(state.closed);
  const close = force ?? !closed.has(key);
  close ? closed.add(key) : closed.delete(key);
  remember("closed", [...closed]);
  set({ closed });
}

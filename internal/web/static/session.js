// SPDX-License-Identifier: Apache-2.0

// The right side: one session with its actions, desktops and screen.
import { html, Badge, Button, Icon, SurfaceBadge, bytes, cls, fullUser, stateKind, stateWords, minuteOf, useEffect, useRef, useState } from "/lib.js";
import { attempt, call, select, set, state, useStore } from "/store.js";
import { MessageCard } from "/tree.js";
import { Viewer, current } from "/viewer.js";

const act = (id, what, done) => attempt(() => call("POST", `/sessions/${id}/${what}`, what === "connect" ? {} : undefined), done);
const dialog = (kind, more) => set({ dialog: { kind, ...more } });

function Actions({ s }) {
  const gone = s.state === "Disc";
  return html`<div class="actions" role="toolbar" aria-label="Actions on the session">
    <${Button} icon="play" label="Start program" test="run-open" disabled=${!s.user} onClick=${() => dialog("run", { session: s })}/>
    <${Button} icon="message" label="Send message" test="message-open" onClick=${() => dialog("message", { session: s })}/>
    ${s.locked ? html`<${Button} icon="unlock" label="Unlock" title="Unlock with the password of the session's user" test="session-unlock"
          onClick=${() => dialog("unlock", { session: s })}/>`
      : html`<${Button} icon="lock" label="Lock" title="Lock: the Winlogon desktop becomes active" test="session-lock" disabled=${!s.user}
          onClick=${() => act(s.id, "lock", `Session ${s.id} is locked.`)}/>`}
    ${gone ? html`<${Button} icon="plug" label="Connect" title="Give the session a terminal again" test="session-connect"
          onClick=${() => act(s.id, "connect", `Session ${s.id} is connected.`)}/>`
      : html`<${Button} icon="unplug" label="Disconnect" title="Take the terminal away; programs run on" test="session-disconnect" disabled=${!s.user}
          onClick=${() => act(s.id, "disconnect", `Session ${s.id} is disconnected; its programs run on.`)}/>`}
    <${Button} icon="logoff" label="Log off" kind="danger" title="Log off: end the session and its programs" test="session-logoff" disabled=${!s.user}
        onClick=${() => dialog("logoff", { session: s })}/>
  </div>`;
}

// Picture is a small picture of a desktop. The active one of the session on
// the page is copied from the viewer; others are asked for when something
// happened, and the new one replaces the old only when it is there.
function Picture({ s, d, round }) {
  const [shot, setShot] = useState({ url: "", why: "" });
  const canvas = useRef(null), url = useRef(""), last = useRef(0);
  const mirrored = d.active && current.session === s.id && current.canvas;

  useEffect(() => {
    if (d.secure) return undefined;
    const stop = new AbortController();
    // A picture costs the daemon a read of the whole desktop: one in three seconds.
    const wait = setTimeout(async () => {
      last.current = Date.now();
      try {
        const r = await fetch(`/v1/sessions/${s.id}/desktops/${encodeURIComponent(d.name)}/screenshot.png?station=${encodeURIComponent(d.station)}`, { signal: stop.signal });
        if (!r.ok) return setShot({ url: "", why: (await r.json()).detail });
        const next = URL.createObjectURL(await r.blob());
        const img = new Image();
        img.src = next;
        await img.decode();
        if (stop.signal.aborted) return URL.revokeObjectURL(next);
        URL.revokeObjectURL(url.current);
        url.current = next;
        setShot({ url: next, why: "" });
      } catch (e) {
        if (e.name !== "AbortError") setShot((old) => ({ ...old, why: "no picture" }));
      }
      return undefined;
    }, Math.max(round ? 250 : 0, last.current + 3000 - Date.now()));
    return () => { clearTimeout(wait); stop.abort(); };
  }, [s.id, d.station, d.name, d.secure, round]);
  useEffect(() => () => URL.revokeObjectURL(url.current), []);

  useEffect(() => {
    if (!d.active || d.secure) return undefined;
    const draw = () => {
      const from = current.session === s.id ? current.canvas : null;
      if (!from || !from.width || !canvas.current || document.hidden) return;
      const to = canvas.current;
      to.height = Math.round((to.width * from.height) / from.width);
      to.getContext("2d").drawImage(from, 0, 0, to.width, to.height);
      to.hidden = false;
    };
    const t = setInterval(draw, 2000);
    draw();
    return () => clearInterval(t);
  }, [s.id, d.active, d.secure, mirrored]);

  if (d.secure) return html`<div class="picture none" title="Drawn by the session manager; no picture of it is given to anyone"><${Icon} name="shield"
      size=${22}/></div>`;
  return html`<div class="picture" title=${shot.why || undefined}>
    ${shot.url ? html`<img src=${shot.url} alt=${`Picture of desktop ${d.name}`}/>` : html`<span class="why">${shot.why ? "no picture" : ""}</span>`}
    ${d.active && html`<canvas ref=${canvas} width="320" height="200" hidden aria-hidden="true"></canvas>`}</div>`;
}

function DesktopCard({ tree, d, round, chosen }) {
  const s = tree.session;
  const path = `/sessions/${s.id}/desktops/${encodeURIComponent(d.name)}`;
  const query = `?station=${encodeURIComponent(d.station)}`;
  const full = `${d.station}\\${d.name}`;
  const own = !["Default", "Winlogon", "Screen-saver", "Disconnect"].includes(d.name);
  return html`<article class=${cls("desktop", d.active && "active", d.secure && "secure", chosen && "chosen")} data-testid=${`desktop-${d.name}`}
      aria-label=${`Desktop ${full}`}>
    <button type="button" class="pick" title=${`Show the facts of ${full}`} aria-label=${`Desktop ${full}`} aria-pressed=${String(!!chosen)}
        onClick=${() => select(s.id, chosen ? null : full)}>
      <${Picture} s=${s} d=${d} round=${round}/></button>
    <footer>${d.secure && html`<${Icon} name="shield" size=${12}/>`}
      <b title=${d.secure ? `${full}: drawn by the session manager, never by a program` : full}>${d.name}</b>
      ${d.active ? html`<${Badge} kind="good" title="Receives the session's input">active<//>`
        : !d.secure && html`<${Button} icon="switch" label="Switch to" title=${`Make ${d.name} the active desktop`} compact=${true}
          test=${`desktop-switch-${d.name}`}
          onClick=${() => attempt(() => call("POST", `${path}/switch${query}`), `${d.name} is active.`)}/>`}
      ${!d.secure && html`<${SurfaceBadge} d=${d}/>`}
      ${own && !d.active && html`<${Button} icon="close" label="Close" title=${`Close desktop ${d.name}`} compact=${true} test=${`desktop-close-${d.name}`}
        onClick=${() => attempt(() => call("DELETE", path + query), `${d.name} is closed.`)}/>`}</footer></article>`;
}

// Heap shows how much of a desktop's heap is taken.
function Heap({ d }) {
  const share = d.heapKB ? d.heapUsed / (d.heapKB * 1024) : 0;
  const words = `${bytes(d.heapUsed)} of ${bytes(d.heapKB * 1024)}`;
  return html`<span data-testid="heap">${words}</span><meter class="heap" min="0" max="1" high="0.9" value=${share} title=${`${(share * 100).toFixed(1)} % of the desktop heap`}
    aria-label=${`Desktop heap: ${words}`}></meter>`;
}

// Rights tells a descriptor's list in words.
function Rights({ list, test }) {
  if (!list || !list.length) return html`<span data-testid=${test}>you may not read it, or it lets nobody in</span>`;
  return html`<ul class="rights" data-testid=${test}>${list.map((r, i) => html`<li key=${i} title=${r.sid}>
    <b>${r.who}</b>${r.inherit ? " on desktops made here" : ""}: ${r.denies ? "not " : ""}${r.words}</li>`)}</ul>`;
}

// Facts tells all about the chosen desktop.
function Facts({ d, tree }) {
  const w = tree.stations.find((x) => x.name === d.station);
  const rows = [
    ["Desktop", `${d.station}\\${d.name}`], ["Surface", d.surface === "x11" ? `X server of its own${d.display ? ` (${d.display})` : ", not started"}` : d.surface || "none yet"],
    ["Size", `${d.width} × ${d.height}`], ["Heap", html`<${Heap} d=${d}/>`], ["Processes", d.processes], ["Threads", d.threads],
    ["Who may do what with the desktop", html`<${Rights} list=${d.rights} test="rights-desktop"/>`],
    ["Who may do what with its station", html`<${Rights} list=${w?.rights} test="rights-station"/>`],
    ["Descriptor", d.sddl || "you may not read it"], ["Station’s descriptor", w?.sddl || "you may not read it"],
  ];
  if (d.trouble) rows.unshift(["Trouble", d.trouble]);
  return html`<dl class="facts"
      data-testid="facts">${rows.map(([k, v]) => html`<div key=${k} class=${cls(k.includes("escriptor") && "wide mono", k.startsWith("Who") && "wide")}><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>`;
}

function Strip({ tree, round }) {
  const s = tree.session;
  const desktops = tree.stations.filter((w) => w.interactive).flatMap((w) => w.desktops);
  const chosen = tree.stations.flatMap((w) => w.desktops).find((d) => `${d.station}\\${d.name}` === state.desktop);
  return html`<div class="strip" aria-label="Desktops" data-testid="desktops">
    <div class="cards">${desktops.map((d) => html`<${DesktopCard} key=${`${d.station}\\${d.name}`} tree=${tree} d=${d} round=${round} chosen=${chosen === d}/>`)}
      <button type="button" class="desktop add" data-testid="desktop-open" title="Create a desktop" aria-label="Create a desktop"
          onClick=${() => dialog("desktop", { session: s })}><${Icon} name="plus" size=${20}/><span>New desktop</span></button></div>
    ${chosen && html`<${Facts} d=${chosen} tree=${tree}/>`}</div>`;
}

// Zero is what stands in for a screen in session 0.
function Zero({ tree }) {
  const desktops = tree.stations.flatMap((w) => w.desktops.map((d) => ({
    key: `${w.name}/${d.name}`, w, d, own: tree.processes.filter((p) => p.station === w.name && p.desktop === d.name),
  })));
  const empty = desktops.filter((x) => !x.own.length);
  return html`<div class="zero" data-testid="session-zero">
    <p class="lead">Session 0 has no terminal: nobody logs on to it and no viewer shows it. Services run here, each on a window station that no user’s program can open.
      A service that must ask a person does so with a message box in that person’s session.</p>
    <div class="framed"><table class="grid">
      <thead><tr><th>Window station</th><th>Desktop</th><th>Program</th><th>Account</th><th>Service</th><th class="num">PID</th></tr></thead>
      <tbody>${desktops.flatMap(({ key, w, d, own }) => own.map((p, i) => html`<tr key=${`${key}/${p.id}`}>
        <td>${i === 0 && w.name}</td><td>${i === 0 && d.name}</td><td class="long" title=${p.args.join(" ")}>${p.args.join(" ") || p.name}</td>
        <td>${p.user}</td><td>${p.service}</td><td class="num">${p.id}</td></tr>`))}
        ${empty.length === desktops.length && html`<tr><td colspan="6" class="none">No program runs in session 0.</td></tr>`}</tbody></table></div>
    ${empty.length > 0 && html`<p class="rest">No program on ${empty.map((x) => `${x.w.name}\\${x.d.name}`).join(", ")}.</p>`}</div>`;
}

export function Session() {
  const st = useStore();
  const tree = st.trees.get(st.selected);
  if (!tree) {
    if (!st.loaded) {
      const wait = st.trouble ? html`<b>Nothing could be read</b><p>${st.trouble}</p>` : html`<span class="spin"></span>`;
      return html`<main class="main"><div class="blank">${wait}</div></main>`;
    }
    return html`<main class="main"><div class="blank" data-testid="session-ended">
      <b>${st.selected === null ? "No session" : `Session ${st.selected} has ended`}</b>
      <p>Choose another one at the left, or log a user on.</p>
      <${Button} icon="plus" label="Log on" kind="primary" test="logon-open-empty" onClick=${() => dialog("logon")}/></div></main>`;
  }
  const s = tree.session;
  const zero = s.id === 0 && s.name === "Services"; // in mode shared session 0 is a user's, too
  // Keys keep one session's pictures from being shown as another's.
  return html`<main class="main" data-testid="session" data-session=${s.id}>
    <header class="title"><div class="names">
      <h1 title=${s.user ? `${fullUser(s)}, ${s.userSid}` : undefined}>${zero ? "Services" : s.user || "Logon screen"}</h1>
      <p><span>Session ${s.id}</span>${s.name && !zero && html`<span>${s.name}</span>`}
        ${!zero && html`<${Badge} kind=${stateKind(s.state)} test="session-state">${stateWords[s.state] || s.state}<//>`}
        ${s.locked && html`<${Badge} kind="calm" test="session-locked"><${Icon} name="lock" size=${11}/> locked<//>`}
        ${s.loggedOn && html`<span>since ${minuteOf(s.loggedOn)}</span>`}
        <span>${tree.processes.length} ${tree.processes.length === 1 ? "process" : "processes"}</span></p></div>
      ${!zero && html`<${Actions} s=${s}/>`}</header>
    ${tree.messages.length > 0 && html`<div class="asks">${tree.messages.map((m) => html`<${MessageCard} key=${m.id} m=${m} here=${!zero}/>`)}</div>`}
    ${zero ? html`<${Zero} tree=${tree}/>` : html`<div class="stage">
      <${Strip} key=${s.id} tree=${tree} round=${st.pictures.get(s.id) || 0}/><${Viewer} key=${s.id} session=${s}/></div>`}
  </main>`;
}

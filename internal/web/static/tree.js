// SPDX-License-Identifier: Apache-2.0

// The tree at the left: sessions, window stations, desktops, processes, and
// the message boxes that wait for a person.
import { html, Badge, Button, Icon, SurfaceBadge, cls, fullUser, stateKind, stateWords, timeOf } from "/lib.js";
import { select, set, state, toggleClosed, useStore } from "/store.js";

// Row is one line of the tree.
function Row({ first, level, id, open, selected, icon, label, title, onOpen, test, children, dim }) {
  const folds = open !== undefined;
  return html`<div role="treeitem" class=${cls("row", selected && "selected", dim && "dimmed")} aria-level=${level}
      aria-selected=${String(!!selected)}
    aria-expanded=${folds ? String(open) : undefined} tabindex=${selected || first ? 0 : -1} data-level=${level} data-key=${id} data-testid=${test}
        title=${title}
    onClick=${onOpen}>
    <span class=${cls("fold", folds && "can", open && "open")} onClick=${(e) => { if (folds) { e.stopPropagation(); toggleClosed(id, open); } }}>
      ${folds && html`<${Icon} name="caret" size=${12}/>`}</span>
    <${Icon} name=${icon}/><span class="label">${label}</span><span class="tail">${children}</span></div>`;
}

function DesktopRows({ tree, station, desktop, chosen }) {
  const s = tree.session;
  const key = `d${s.id}/${station.name}/${desktop.name}`;
  const own = tree.processes.filter((p) => p.station === station.name && p.desktop === desktop.name);
  const open = own.length ? !state.closed.has(key) : undefined;
  return html`
    <${Row} key=${key} id=${key} level=${3} open=${open} icon=${desktop.secure ? "shield" : "monitor"} label=${desktop.name}
      selected=${chosen} test=${`tree-desktop-${s.id}-${desktop.name}`}
      title=${[`${station.name}\\${desktop.name}`, desktop.active && "receives input", desktop.secure && "drawn by the session manager only", desktop.trouble]
        .filter(Boolean).join(", ")}
      onOpen=${() => select(s.id, `${station.name}\\${desktop.name}`)}>
      ${desktop.trouble && html`<${Badge} kind="bad" title=${desktop.trouble}>trouble<//>`}
      ${desktop.active && html`<${Badge} kind="good" title="Receives the session's input">active<//>`}
      ${desktop.secure ? html`<${Badge} kind="calm" title="Drawn by the session manager, never by a program">secure<//>`
        : html`<${SurfaceBadge} d=${desktop}/>`}
    <//>
    ${open && own.map((p) => html`<${Process} key=${p.id} p=${p} level=${4}/>`)}`;
}

function Process({ p, level }) {
  return html`<${Row} id=${`p${p.id}`} level=${level} icon="process" label=${p.name} dim=${true} test=${`tree-process-${p.id}`}
    title=${`${p.args.join(" ")}\n${p.user}${p.started ? `, since ${timeOf(p.started)}` : ""}`} onOpen=${() => select(p.sessionId)}>
    ${p.service && html`<${Badge} kind="calm" title="Runs this service">${p.service}<//>`}<span class="num">${p.id}</span><//>`;
}

function SessionRows({ tree, s, chosen, desktop }) {
  const key = `s${tree.session.id}`;
  const open = !state.closed.has(key);
  const loose = tree.processes.filter((p) => !tree.stations.some((w) => w.name === p.station && w.desktops.some((d) => d.name === p.desktop)));
  const sess = tree.session;
  const name = sess.name === "Services" ? "Services" : sess.user || "No user";
  return html`
    <${Row} first=${!state.trees.has(state.selected)} id=${key} level=${1} open=${open} icon=${sess.name === "Services" ? "gear" : "user"}
        selected=${chosen && !desktop} test=${`tree-session-${sess.id}`}
      label=${html`<b class="num">${sess.id}</b> <span class=${cls("who", !sess.user && "none")}>${name}</span>`}
      title=${`Session ${sess.id}${sess.user ? `, ${fullUser(sess)}` : ""}: ${stateWords[sess.state] || sess.state}${sess.locked ? ", locked" : ""}`}
      onOpen=${() => select(sess.id)}>
      ${sess.messages > 0 && html`<${Badge} kind="warn" title="Message boxes that wait for a person"><${Icon} name="message" size=${11}/> ${sess.messages}<//>`}
      ${sess.locked && html`<${Badge} kind="calm" title="Locked"><${Icon} name="lock" size=${11}/><//>`}
      ${sess.id !== 0 && html`<${Badge} kind=${stateKind(sess.state)} title=${`Connect state ${sess.state}`}>${stateWords[sess.state] || sess.state}<//>`}
    <//>
    ${open && tree.stations.map((w) => {
      const wkey = `w${sess.id}/${w.name}`;
      const wopen = !state.closed.has(wkey);
      return html`<${Row} key=${wkey} id=${wkey} level=${2} open=${wopen} icon="station" label=${w.name} test=${`tree-station-${sess.id}-${w.name}`}
          title=${`Window station ${w.name}, logon ${w.logonId}${w.interactive ? ", interactive" : ""}`} onOpen=${() => select(sess.id)}>
          ${!w.interactive && sess.id !== 0 && html`<${Badge} title="Has no keyboard, mouse or display">hidden<//>`}<//>
        ${wopen && w.desktops.map((d) => html`<${DesktopRows} key=${d.name} tree=${tree} station=${w} desktop=${d} chosen=${chosen && desktop === `${w.name}\\${d.name}`}/>`)}`;
    })}
    ${open && loose.map((p) => html`<${Process} key=${p.id} p=${p} level=${2}/>`)}
    ${open && tree.trouble && html`<div class="row note" data-level="2" title=${tree.trouble.join("\n")}>you may not see all of it</div>`}`;
}

// keys moves through the tree as trees are moved through.
function keys(e) {
  const rows = [...e.currentTarget.querySelectorAll("[role=treeitem]")];
  const i = rows.indexOf(document.activeElement);
  if (i < 0) return;
  const row = rows[i], key = row.dataset.key, open = row.getAttribute("aria-expanded");
  let to = -1;
  switch (e.key) {
    case "ArrowDown": to = i + 1; break;
    case "ArrowUp": to = i - 1; break;
    case "Home": to = 0; break;
    case "End": to = rows.length - 1; break;
    case "ArrowRight": if (open === "false") toggleClosed(key, false); else to = i + 1; break;
    case "ArrowLeft":
      if (open === "true") toggleClosed(key, true);
      else to = rows.findLastIndex((r, j) => j < i && r.dataset.level < row.dataset.level);
      break;
    case "Enter": case " ": row.click(); break;
    default: return;
  }
  e.preventDefault();
  if (to >= 0) rows[Math.min(to, rows.length - 1)].focus();
}

// MessageCard tells of a box that waits; it offers no answer, for only a person
// at the session's screen may give one.
export function MessageCard({ m, here }) {
  const locked = state.trees.get(m.sessionId)?.session.locked;
  return html`<article class="card message" data-testid=${`message-${m.id}`} aria-label="Waiting message">
    <header><${Icon} name="message"/><b>${m.title || "Message"}</b>
      <span class="when">${m.deadline ? `until ${timeOf(m.deadline)}` : "no time limit"}</span></header>
    <p>${m.text}</p>
    <footer><span class="ghosts">${m.buttons.map((b) => html`<span class="ghost" key=${b}>${b}</span>`)}</span>
      ${here ? html`<span class="hint">${locked ? "Unlock the session first, then answer it in the session’s view." : "Answer it in the session’s view."}</span>`
        : html`<button type="button" class="link" data-testid=${`message-goto-${m.id}`}
            title=${`Show session ${m.sessionId}, where it can be answered`}
            onClick=${() => select(m.sessionId)}>answer it in the session’s view</button>`}</footer></article>`;
}

export function Side() {
  const s = useStore();
  const waiting = [...s.trees.values()].flatMap((t) => t.messages).filter((m) => m.sessionId !== s.selected);
  return html`<aside class="side" aria-label="Sessions">
    <header class="head"><h2>Sessions</h2>
      <${Button} icon="plus" label="Log on" title="Log a user on" test="logon-open" onClick=${() => set({ dialog: { kind: "logon" } })}/></header>
    <div class="tree" role="tree" aria-label="Sessions, window stations, desktops, processes" data-testid="tree" onKeyDown=${keys}>
      ${[...s.trees.values()].map((t) => html`<${SessionRows} key=${t.session.id} tree=${t} s=${s} chosen=${s.selected === t.session.id} desktop=${s.desktop}/>`)}
      ${s.loaded && s.trees.size === 0 && html`<p class="empty">There is no session that you may see.</p>`}
    </div>
    ${waiting.length > 0 && html`<section class="waiting" aria-label="Messages that wait for a person"><h3>Waiting for a person</h3>
      ${waiting.map((m) => html`<${MessageCard} key=${m.id} m=${m}/>`)}</section>`}
  </aside>`;
}

// SPDX-License-Identifier: Apache-2.0

// The panels at the bottom: services, events, refusals, accounts, status.
import { html, Badge, Button, Icon, cls, timeOf, useEffect, useState } from "/lib.js";
import { attempt, call, followAudit, openDock, select, state, useStore } from "/store.js";

const serviceWords = { Running: "Running", Stopped: "Stopped", StartPending: "Starting", StopPending: "Stopping", Paused: "Paused", PausePending: "Pausing", ContinuePending: "Continuing" };
const serviceKind = { Running: "good", Stopped: "dim" };

function Services() {
  const { services } = useStore();
  const [log, setLog] = useState(null);
  const show = (name) => attempt(async () => setLog({ name, text: await call("GET", `/services/${encodeURIComponent(name)}/log`) }));
  if (!services) return html`<p class="empty">Reading the services…</p>`;
  if (!services.length) return html`<p class="empty">No service is installed. “station service create” adds one.</p>`;
  return html`<div class="split"><div class="part"><table class="grid" data-testid="services"><thead><tr><th>Service</th><th>State</th><th>Account</th><th>Runs on</th><th class="num">PID</th><th><span class="sr">Actions</span></th></tr></thead><tbody>
    ${services.map((s) => html`<tr key=${s.name} data-testid=${`service-${s.name}`}>
      <td><b>${s.name}</b> <span class="none">${s.displayName}</span></td>
      <td><${Badge} kind=${serviceKind[s.state] || "warn"}>${serviceWords[s.state] || s.state}<//>${s.state === "Stopped" && s.exitCode !== 0 && s.exitCode !== 1077 ? html` <span class="none">exit ${s.exitCode === 1066 ? s.specificExitCode : s.exitCode}</span>` : ""}</td>
      <td>${s.account}</td><td>${s.station}</td><td class="num">${s.processId || ""}</td>
      <td class="do"><${Button} icon="process" label="Log" title=${`Show what ${s.name} wrote`} compact=${true} test=${`service-log-${s.name}`} onClick=${() => show(s.name)}/>
        ${s.state === "Stopped" ? html`<${Button} icon="play" label="Start" title=${`Start ${s.name}`} compact=${true} test=${`service-start-${s.name}`} onClick=${() => attempt(() => call("POST", `/services/${encodeURIComponent(s.name)}/start`), `${s.name} starts.`)}/>`
          : html`<${Button} icon="stop" label="Stop" title=${`Stop ${s.name}`} compact=${true} disabled=${!s.canStop} test=${`service-stop-${s.name}`} onClick=${() => attempt(() => call("POST", `/services/${encodeURIComponent(s.name)}/stop`), `${s.name} stops.`)}/>`}</td></tr>`)}</tbody></table></div>
    ${log && html`<section class="log" aria-label=${`Log of ${log.name}`}><header><b>${log.name}</b> <${Button} icon="refresh" label="Read again" compact=${true} test="log-again" onClick=${() => show(log.name)}/><${Button} icon="close" label="Close the log" compact=${true} test="log-close" onClick=${() => setLog(null)}/></header>
      <pre data-testid="service-log-text">${log.text || "It wrote nothing."}</pre></section>`}</div>`;
}

function Events() {
  const { events } = useStore();
  if (!events.length) return html`<p class="empty">Nothing has happened yet.</p>`;
  return html`<table class="grid" data-testid="events"><thead><tr><th class="num">#</th><th>Time</th><th>What</th><th class="num">Session</th><th>Object</th><th>Details</th></tr></thead><tbody>
    ${events.map((e) => html`<tr key=${e.seq}><td class="num none">${e.seq}</td><td class="none">${timeOf(e.time)}</td><td><b>${e.kind}</b></td>
      <td class="num">${state.trees.has(e.sessionId) ? html`<button type="button" class="link" title=${`Show session ${e.sessionId}`} onClick=${() => select(e.sessionId)}>${e.sessionId}</button>` : e.sessionId}</td><td>${e.object}</td><td>${e.text}</td></tr>`)}</tbody></table>`;
}

function Audit() {
  const { audit, auditTrouble } = useStore();
  useEffect(followAudit, []);
  if (auditTrouble) return html`<div class="empty"><p>${auditTrouble}</p></div>`;
  if (!audit) return html`<p class="empty">Reading the refusals…</p>`;
  if (!audit.length) return html`<p class="empty">Nothing was refused.</p>`;
  return html`<table class="grid" data-testid="audit"><thead><tr><th>Time</th><th>Who</th><th class="num">Session</th><th>Call</th><th>Object</th><th>Wanted</th><th>Refused because</th><th>Rule</th></tr></thead><tbody>
    ${audit.map((r) => html`<tr key=${r.seq}><td class="none">${timeOf(r.time)}</td><td title=${r.userSid}>${r.user || r.userSid} <span class="none num">${r.processId}</span></td><td class="num">${r.sessionId}</td><td><b>${r.op}</b></td><td>${r.object}</td>
      <td class="num">${r.desired}</td><td title=${r.text}>${r.ace >= 0 ? `entry ${r.ace}: ${r.aceText}` : "no entry allows it"} <span class="none">(${r.code})</span></td><td>${r.rule}</td></tr>`)}</tbody></table>`;
}

function Accounts() {
  const { accounts } = useStore();
  if (!accounts) return html`<p class="empty">Reading the accounts…</p>`;
  return html`<table class="grid" data-testid="accounts"><thead><tr><th>Account</th><th>Kind</th><th class="num">Linux uid</th><th>SID</th></tr></thead><tbody>
    ${accounts.map((a) => html`<tr key=${a.name}><td><b>${a.name}</b></td><td>${a.builtIn ? "built in" : a.admin ? "administrator" : "user"}${a.disabled ? ", disabled" : ""}</td><td class="num">${a.builtIn ? "" : a.uid}</td><td class="none">${a.sid}</td></tr>`)}</tbody></table>`;
}

function Status() {
  const { status: s } = useStore();
  if (!s) return html`<p class="empty">Reading the status…</p>`;
  const rows = [["Version", s.version], ["Mode", s.mode], ["Directory", s.dir], ["Daemon", `process ${s.pid}, since ${timeOf(s.started)}`], ["Sessions", s.sessions], ["Desktops", s.desktops], ["Processes", s.processes],
    ["Connections", s.connections], ["Adopted sessions", s.adopted]];
  return html`<div class="status" data-testid="status"><dl class="facts">${rows.map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>
    <ul class="checks"><li class=${s.isolation === "full" ? "yes" : "no"}><${Icon} name=${s.isolation === "full" ? "shield" : "warn"}/><span><b>Isolation: ${s.isolation}</b> ${s.isolationWhy || "namespaces, users and limits are all in force"}</span></li>
      <li class=${s.xserver ? "yes" : "no"}><${Icon} name=${s.xserver ? "monitor" : "warn"}/><span><b>X servers: ${s.xserver ? "yes" : "no"}</b> ${s.xserver || s.xserverWhy}</span></li>
      ${s.features.map((f) => html`<li key=${f.name} class=${f.available ? "yes" : "no"}><${Icon} name=${f.available ? "gear" : "warn"}/><span><b>${f.name}: ${f.available ? "yes" : "no"}</b> ${f.available ? "" : f.instead}</span></li>`)}</ul></div>`;
}

const tabs = { services: ["Services", Services], events: ["Events", Events], audit: ["Refusals", Audit], accounts: ["Accounts", Accounts], status: ["Status", Status] };

export function Dock() {
  const st = useStore();
  const Panel = tabs[st.dock]?.[1];
  const running = st.services?.filter((s) => s.state === "Running").length;
  return html`<section class=${cls("dock", Panel && "open")} aria-label="Panels"><nav role="tablist" aria-label="Panels">
    ${Object.entries(tabs).map(([key, [name]]) => html`<button key=${key} type="button" role="tab" id=${`tab-${key}`} aria-selected=${String(st.dock === key)} aria-controls="panel" title=${`${name}: show or hide`} data-testid=${`tab-${key}`} onClick=${() => openDock(key)}>
      ${name}${key === "services" && running !== undefined && html`<span class="count">${running}</span>`}</button>`)}
    <span class="last" aria-live="polite">${!Panel && st.events[0] && html`${timeOf(st.events[0].time)} <b>${st.events[0].kind}</b> ${st.events[0].sessionId ? `session ${st.events[0].sessionId}` : ""} ${st.events[0].text || st.events[0].object || ""}`}</span>
    ${Panel && html`<${Button} icon="down" label="Hide the panel" compact=${true} test="dock-hide" onClick=${() => openDock(st.dock)}/>`}</nav>
    ${Panel && html`<div class="panel" role="tabpanel" id="panel" aria-labelledby=${`tab-${st.dock}`} tabindex="0"><${Panel}/></div>`}</section>`;
}

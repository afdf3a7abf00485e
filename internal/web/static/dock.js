// SPDX-License-Identifier: Apache-2.0

// The panels at the bottom: services, events, refusals, accounts, status.
import { html, Badge, Button, Icon, cls, timeOf, useEffect, useState } from "/lib.js";
import { attempt, call, followAudit, openDock, select, state, useStore } from "/store.js";

const serviceWords = { Running: "Running", Stopped: "Stopped", StartPending: "Starting", StopPending: "Stopping", Paused: "Paused", PausePending: "Pausing", ContinuePending: "Continuing" };
const serviceKind = { Running: "good", Stopped: "dim" };

// Table is a list with its heads; heads that begin with # stand over numbers.
const Table = ({ heads, test, children }) => html`<table class="grid" data-testid=${test}>
  <thead><tr>${heads.map((head) => html`<th key=${head} class=${cls(head[0] === "#" && "num")}>${head.replace(/^#/, "")}</th>`)}</tr></thead>
  <tbody>${children}</tbody></table>`;

const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

function ServiceRow({ s, show }) {
  const path = `/services/${encodeURIComponent(s.name)}`;
  const failed = s.state === "Stopped" && s.exitCode !== 0 && s.exitCode !== 1077; // 1077: never started
  return html`<tr data-testid=${`service-${s.name}`}>
    <td><b>${s.name}</b> <span class="none">${s.displayName}</span></td>
    <td><${Badge} kind=${serviceKind[s.state] || "warn"}>${serviceWords[s.state] || s.state}<//>
      ${failed && html` <span class="none">exit ${s.exitCode === 1066 ? s.specificExitCode : s.exitCode}</span>`}</td>
    <td>${s.account}</td><td>${s.station}</td><td class="num">${s.processId || ""}</td>
    <td class="do">
      <${Button} icon="process" label="Log" title=${`Show what ${s.name} wrote`} compact=${true} test=${`service-log-${s.name}`}
        onClick=${() => show(s.name)}/>
      ${s.state === "Stopped"
        ? html`<${Button} icon="play" label="Start" title=${`Start ${s.name}`} compact=${true} test=${`service-start-${s.name}`}
            onClick=${() => attempt(() => call("POST", `${path}/start`), `${s.name} starts.`)}/>`
        : html`<${Button} icon="stop" label="Stop" title=${`Stop ${s.name}`} compact=${true} disabled=${!s.canStop} test=${`service-stop-${s.name}`}
            onClick=${() => attempt(() => call("POST", `${path}/stop`), `${s.name} stops.`)}/>`}</td></tr>`;
}

function Services() {
  const { services } = useStore();
  const [log, setLog] = useState(null);
  const show = (name) => attempt(async () => setLog({ name, text: await call("GET", `/services/${encodeURIComponent(name)}/log`) }));
  if (!services) return html`<${Empty}>Reading the services…<//>`;
  if (!services.length) return html`<${Empty}>No service is installed. “station service create” adds one.<//>`;
  return html`<div class="split">
    <div class="part"><${Table} test="services" heads=${["Service", "State", "Account", "Runs on", "#PID", ""]}>
      ${services.map((s) => html`<${ServiceRow} key=${s.name} s=${s} show=${show}/>`)}<//></div>
    ${log && html`<section class="log" aria-label=${`Log of ${log.name}`}>
      <header><b>${log.name}</b>
        <${Button} icon="refresh" label="Read again" compact=${true} test="log-again" onClick=${() => show(log.name)}/>
        <${Button} icon="close" label="Close the log" compact=${true} test="log-close" onClick=${() => setLog(null)}/></header>
      <pre data-testid="service-log-text">${log.text || "It wrote nothing."}</pre></section>`}</div>`;
}

function SessionLink({ id }) {
  if (!state.trees.has(id)) return id;
  return html`<button type="button" class="link" title=${`Show session ${id}`} onClick=${() => select(id)}>${id}</button>`;
}

function Events() {
  const { events } = useStore();
  if (!events.length) return html`<${Empty}>Nothing has happened yet.<//>`;
  return html`<${Table} test="events" heads=${["##", "Time", "What", "#Session", "Object", "Details"]}>
    ${events.map((e) => html`<tr key=${e.seq}><td class="num none">${e.seq}</td><td class="none">${timeOf(e.time)}</td><td><b>${e.kind}</b></td>
      <td class="num"><${SessionLink} id=${e.sessionId}/></td><td>${e.object}</td><td title=${e.text}>${e.text}</td></tr>`)}<//>`;
}

function Audit() {
  const { audit, auditTrouble } = useStore();
  useEffect(followAudit, []);
  if (auditTrouble) return html`<${Empty}>${auditTrouble}<//>`;
  if (!audit) return html`<${Empty}>Reading the refusals…<//>`;
  if (!audit.length) return html`<${Empty}>Nothing was refused.<//>`;
  return html`<${Table} test="audit" heads=${["Time", "Who", "#Session", "Call", "Object", "#Wanted", "Refused because", "Rule"]}>
    ${audit.map((r) => html`<tr key=${r.seq}><td class="none">${timeOf(r.time)}</td>
      <td title=${r.userSid}>${r.user || r.userSid} <span class="none num">${r.processId}</span></td>
      <td class="num"><${SessionLink} id=${r.sessionId}/></td><td><b>${r.op}</b></td><td title=${r.object}>${r.object}</td><td class="num">${r.desired}</td>
      <td title=${r.text}>${r.ace >= 0 ? `entry ${r.ace}: ${r.aceText}` : r.aceText || "no entry allows it"} <span class="none">(${r.code})</span></td>
      <td>${r.rule}</td></tr>`)}<//>`;
}

function Accounts() {
  const { accounts } = useStore();
  if (!accounts) return html`<${Empty}>Reading the accounts…<//>`;
  const kind = (a) => (a.builtIn ? "built in" : a.admin ? "administrator" : "user") + (a.disabled ? ", disabled" : "");
  return html`<${Table} test="accounts" heads=${["Account", "Kind", "#Linux uid", "SID"]}>
    ${accounts.map((a) => html`<tr key=${a.name}><td><b>${a.name}</b></td><td>${kind(a)}</td>
      <td class="num">${a.builtIn ? "" : a.uid}</td><td class="none">${a.sid}</td></tr>`)}<//>`;
}

// Check is one line of what the machine has, or what is used instead.
const Check = ({ yes, icon, name, words }) => html`<li class=${yes ? "yes" : "no"}>
  <${Icon} name=${yes ? icon : "warn"}/><span><b>${name}</b> ${words}</span></li>`;

function Status() {
  const { status: s } = useStore();
  if (!s) return html`<${Empty}>Reading the status…<//>`;
  const rows = [
    ["Version", s.version], ["Mode", s.mode], ["Directory", s.dir], ["Daemon", `process ${s.pid}, since ${timeOf(s.started)}`], ["Sessions", s.sessions],
    ["Desktops", s.desktops], ["Processes", s.processes], ["Connections", s.connections], ["Adopted sessions", s.adopted],
  ];
  const full = s.isolation === "full";
  return html`<div class="status" data-testid="status">
    <dl class="facts">${rows.map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>
    <ul class="checks">
      <${Check} yes=${full} icon="shield" name=${`Isolation: ${s.isolation}`} words=${s.isolationWhy || "namespaces, users and limits are all in force"}/>
      <${Check} yes=${!!s.xserver} icon="monitor" name=${`X servers: ${s.xserver ? "yes" : "no"}`} words=${s.xserver || s.xserverWhy}/>
      ${s.features.map((f) => html`<${Check} key=${f.name} yes=${f.available} icon="gear" name=${`${f.name}: ${f.available ? "yes" : "no"}`} words=${f.available ? "" : f.instead}/>`)}
    </ul></div>`;
}

const tabs = { services: ["Services", Services], events: ["Events", Events], audit: ["Refusals", Audit], accounts: ["Accounts", Accounts], status: ["Status", Status] };

// Last tells the newest event while no panel is open.
function Last({ e }) {
  if (!e) return null;
  return html`${timeOf(e.time)} <b>${e.kind}</b> ${e.sessionId ? `session ${e.sessionId}` : ""} ${e.text || e.object || ""}`;
}

export function Dock() {
  const st = useStore();
  const Panel = tabs[st.dock]?.[1];
  const running = st.services?.filter((s) => s.state === "Running").length;
  return html`<section class=${cls("dock", Panel && "open")} aria-label="Panels">
    <nav role="tablist" aria-label="Panels">
      ${Object.entries(tabs).map(([key, [name]]) => html`<button key=${key} type="button" role="tab" id=${`tab-${key}`}
        aria-selected=${String(st.dock === key)} aria-controls="panel" title=${`${name}: show or hide`} data-testid=${`tab-${key}`} onClick=${() => openDock(key)}>
        ${name}${key === "services" && running !== undefined && html`<span class="count">${running}</span>`}</button>`)}
      <span class="last" aria-live="polite">${!Panel && html`<${Last} e=${st.events[0]}/>`}</span>
      ${Panel && html`<${Button} icon="down" label="Hide the panel" compact=${true} test="dock-hide" onClick=${() => openDock(st.dock)}/>`}</nav>
    ${Panel && html`<div class="panel" role="tabpanel" id="panel" aria-labelledby=${`tab-${st.dock}`} tabindex="0"><${Panel}/></div>`}</section>`;
}

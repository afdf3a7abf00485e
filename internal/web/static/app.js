// SPDX-License-Identifier: Apache-2.0

// The console: top bar, tree, session, panels.
import { html, render, Badge, Button, Icon, cls } from "/lib.js";
import { attempt, call, dropToast, follow, openDock, set, state, useStore } from "/store.js";
import { Side } from "/tree.js";
import { Session } from "/session.js";
import { Dock } from "/dock.js";
import { Dialogs } from "/dialogs.js";

const liveWords = {
  connecting: ["Connecting", "calm"], live: ["Live", "good"], gone: ["Daemon away", "warn"], offline: ["Console away", "bad"], out: ["Signed out", "bad"],
};

async function signOut() {
  await attempt(() => call("POST", "/signout"));
  set({ live: "out" });
}

function Me({ me }) {
  const means = me.person ? "What you type and click in a view counts as a person's" : "This sign-in is for automation: it answers no message box";
  return html`<span class="me" data-testid="me" title=${means}><${Icon} name="user"/>${me.user}
      ${!me.person && html` <${Badge} kind="warn">automation<//>`}</span>
    <${Button} icon="logoff" label="Sign out" title="Sign out of the console" test="signout" onClick=${signOut}/>`;
}

function Top() {
  const st = useStore();
  const [word, kind] = liveWords[st.live];
  const s = st.status;
  return html`<header class="top">
    <a class="brand" href="/" title="Stationmaster"><img src="/icon.svg" alt="" width="24" height="24"/><b>Stationmaster</b></a>
    ${s && html`<button type="button" class="chips" data-testid="chips" title="Show the status" aria-label="Show the status" onClick=${() => openDock("status")}>
      <${Badge}>${s.mode}<//><${Badge} kind=${s.isolation === "full" ? "good" : "warn"} test="isolation"
          title=${s.isolationWhy || "Isolation level"}>isolation: ${s.isolation}<//>
      <${Badge} kind=${s.xserver ? "good" : "warn"}>${s.xserver ? "X servers" : "no X servers"}<//></button>`}
    <span class="grow"></span>
    <span class=${cls("live", kind)} data-testid="live" data-state=${st.live} role="status" title=${st.liveWhy || "How this page hears of changes"}>
        <span class="dot"></span>${word}</span>
    ${st.me && html`<${Me} me=${st.me}/>`}</header>`;
}

// Warnings says loudly what this machine falls back to.
function Warnings() {
  const st = useStore();
  const list = st.status?.warnings || [];
  if (!list.length || st.hideWarnings) return null;
  return html`<div class="band" role="alert" data-testid="warnings"><${Icon} name="warn"/><span>${list.join(" · ")}</span>
    <${Button} label="Details" test="warnings-more" onClick=${() => { if (st.dock !== "status") openDock("status"); }}/><${Button} icon="close"
        label="Hide" title="Hide until the page is loaded again" compact=${true} test="warnings-hide" onClick=${() => set({ hideWarnings: true })}/></div>`;
}

function Toasts() {
  const { toasts } = useStore();
  return html`<div class="toasts" aria-live="polite"
      data-testid="toasts">${toasts.map((t) => html`<div key=${t.id} class=${cls("toast", t.kind)} role=${t.kind === "bad" ? "alert" : "status"}>
    <span>${t.text}${t.rule && html` <span class="rule" title="Rule of docs/spec that decided">${t.rule}</span>`}</span><${Button} icon="close"
        label="Dismiss" compact=${true} test="toast-close" onClick=${() => dropToast(t.id)}/></div>`)}</div>`;
}

function Out() {
  return html`<div class="door"><main data-testid="signed-out"><img src="/icon.svg" alt="" width="44" height="44"/><h1>You are not signed in</h1>
    <p>The console opens with a one-time ticket. Make one with <code>station view</code> on the machine itself, and open the address it prints.</p></main></div>`;
}

function App() {
  const st = useStore();
  if (st.live === "out") return html`<${Out}/>`;
  return html`<div class=${cls("app", st.dock && "docked")} data-testid="console" data-loaded=${String(st.loaded)}>
    <${Top}/><${Warnings}/>
    <div class="middle"><${Side}/><${Session}/></div>
    <${Dock}/><${Toasts}/><${Dialogs}/></div>`;
}

render(html`<${App}/>`, document.getElementById("app"));
// The stream opens first and everything is read when it is ready, so that
// nothing falls between the two.
follow();

// SPDX-License-Identifier: Apache-2.0

// The dialogs: log on, unlock, log off, new desktop, message, program.
import { html, Button, useEffect, useRef, useState, fullUser } from "/lib.js";
import { call, select, set, state, toast, useStore } from "/store.js";

// Dialog is a form in a modal box. submit gets the form's values and may throw;
// what it throws is shown in the box, which then stays.
function Dialog({ title, go, danger, submit, children, test }) {
  const box = useRef(null);
  const [trouble, setTrouble] = useState(null);
  const [busy, setBusy] = useState(false);
  const close = () => set({ dialog: null });
  useEffect(() => {
    const opener = document.activeElement;
    box.current.showModal();
    return () => opener?.focus?.();
  }, []);
  const send = async (e) => {
    e.preventDefault();
    setTrouble(null);
    setBusy(true);
    try {
      await submit(Object.fromEntries(new FormData(e.target)));
      close();
    } catch (err) {
      setTrouble(err);
      setBusy(false);
    }
  };
  return html`<dialog ref=${box} data-testid=${test} aria-label=${title} onCancel=${close} onClick=${(e) => { if (e.target === box.current) close(); }}>
    <form method="dialog" onSubmit=${send}>
      <header><h2>${title}</h2><${Button} icon="close" label="Close" compact=${true} test="dialog-close" onClick=${close}/></header>
      <div class="fields">${children}</div>
      ${trouble && html`<p class="trouble" role="alert" data-testid="dialog-error">${trouble.message}${trouble.rule && html` <span class="rule" title="Rule of docs/spec">${trouble.rule}</span>`}</p>`}
      <footer><${Button} label="Cancel" test="dialog-cancel" onClick=${close}/>
        <${Button} type="submit" label=${go} kind=${danger ? "danger solid" : "primary"} disabled=${busy} test="dialog-go"/></footer>
    </form></dialog>`;
}

const Field = ({ label, hint, children, wide }) => html`<label class=${wide ? "field wide" : "field"}>
  <span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;

const Check = ({ name, label, hint, checked, onChange, test }) => html`<label class="check">
  <input type="checkbox" name=${name} data-testid=${test} checked=${checked} onChange=${onChange}/>
  <span>${label}${hint && html`<small>${hint}</small>`}</span></label>`;

// Choice is a list to choose from; options are pairs of value and words.
const Choice = ({ name, label, hint, options, chosen, test }) => html`<${Field} label=${label} hint=${hint}>
  <select name=${name} data-testid=${test}>
    ${options.map(([value, words]) => html`<option key=${value} value=${value} selected=${value === chosen}>${words}</option>`)}</select><//>`;

const surfaces = (first) => [["", first], ["x11", "an X server of its own"], ["builtin", "the built-in surface"]];
const sizes = [["", "as the session"], ["1280x800", "1280 × 800"], ["1600x1000", "1600 × 1000"], ["1920x1080", "1920 × 1080"]];
const boxStyles = [["ok", "OK"], ["okcancel", "OK, Cancel"], ["yesno", "Yes, No"], ["yesnocancel", "Yes, No, Cancel"], ["retrycancel", "Retry, Cancel"],
  ["abortretryignore", "Abort, Retry, Ignore"], ["canceltrycontinue", "Cancel, Try Again, Continue"]];
const boxIcons = ["none", "information", "question", "warning", "error"].map((x) => [x, x]);

function Logon() {
  const st = useStore();
  const [free, setFree] = useState(/SYSTEM$/i.test(st.me?.user || ""));
  const submit = async (f) => {
    const r = await call("POST", "/sessions", {
      user: f.user, password: free ? undefined : f.password, noPassword: free || undefined, new: !!f.new || undefined, surface: f.surface || undefined,
    });
    toast(r.reconnected ? `${f.user} is back in session ${r.sessionId}.` : `${f.user} is logged on: session ${r.sessionId}.`);
    select(r.sessionId);
  };
  const known = (st.accounts || []).filter((a) => !a.builtIn && !a.disabled);
  return html`<${Dialog} title="Log on" go="Log on" test="dialog-logon" submit=${submit}>
    <${Field} label="User">
      <input name="user" required autofocus autocomplete="username" list="accounts" data-testid="logon-user"/>
      <datalist id="accounts">${known.map((a) => html`<option key=${a.name} value=${a.name}/>`)}</datalist><//>
    <${Field} label="Password">
      <input type="password" name="password" autocomplete="current-password" disabled=${free} data-testid="logon-password"/><//>
    <${Check} name="free" label="Without the password" hint="Only the operator of the machine may." test="logon-nopassword"
      checked=${free} onChange=${(e) => setFree(e.target.checked)}/>
    <${Check} name="new" label="A new session even if the user has one" test="logon-new"/>
    <${Choice} name="surface" label="Default desktop draws on" hint="An X server shows ordinary programs." options=${surfaces("the best there is")} test="logon-surface"/>
  <//>`;
}

function Unlock({ session: s }) {
  const submit = async (f) => {
    await call("POST", `/sessions/${s.id}/unlock`, { password: f.password });
    toast(`Session ${s.id} is unlocked.`);
  };
  return html`<${Dialog} title=${`Unlock session ${s.id}`} go="Unlock" test="dialog-unlock" submit=${submit}>
    <${Field} label=${`Password of ${fullUser(s)}`} wide=${true}>
      <input type="password" name="password" required autofocus autocomplete="current-password" data-testid="unlock-password"/><//><//>`;
}

function Logoff({ session: s }) {
  const n = state.trees.get(s.id)?.processes.length;
  const submit = async () => {
    await call("POST", `/sessions/${s.id}/logoff`);
    toast(`Session ${s.id} is logged off.`);
  };
  return html`<${Dialog} title=${`Log ${s.user} off?`} go="Log off" danger=${true} test="dialog-logoff" submit=${submit}>
    <p>Session ${s.id} ends with all its programs${n ? ` (${n} now)` : ""}. What is not saved is lost.</p><//>`;
}

function Desktop({ session: s }) {
  const submit = async (f) => {
    const [width, height] = f.size ? f.size.split("x").map(Number) : [];
    await call("POST", `/sessions/${s.id}/desktops`, { name: f.name, surface: f.surface || undefined, width, height });
    if (f.switch) await call("POST", `/sessions/${s.id}/desktops/${encodeURIComponent(f.name)}/switch`);
    toast(`Desktop ${f.name} is there.`);
  };
  return html`<${Dialog} title="New desktop" go="Create" test="dialog-desktop" submit=${submit}>
    <${Field} label="Name"><input name="name" required autofocus maxlength="256" autocomplete="off" data-testid="desktop-name"/><//>
    <${Choice} name="surface" label="Draws on" options=${surfaces("the default")} test="desktop-surface"/>
    <${Choice} name="size" label="Size" options=${sizes} test="desktop-size"/>
    <${Check} name="switch" label="Switch to it" test="desktop-switch-now"/><//>`;
}

function Message({ session: s }) {
  const submit = async (f) => {
    const body = { title: f.title, text: f.text, style: f.style, icon: f.icon, timeoutSeconds: Number(f.timeout) || 0, wait: !!f.wait };
    const sent = call("POST", `/sessions/${s.id}/messages`, body);
    if (!body.wait) {
      await sent;
      toast("The message is shown.");
      return;
    }
    // The answer may take as long as a person does: the box closes, the toast comes then.
    sent.then((r) => toast(`“${f.title || f.text}”: ${r.answer}`, r.answer === "IDTIMEOUT" ? "bad" : "good"), (e) => toast(e.message, "bad", e.rule));
    toast("The message waits for an answer.");
  };
  return html`<${Dialog} title=${`Message to ${s.user || `session ${s.id}`}`} go="Send" test="dialog-message" submit=${submit}>
    <${Field} label="Title" wide=${true}><input name="title" maxlength="200" autofocus data-testid="message-title"/><//>
    <${Field} label="Text" wide=${true}><textarea name="text" rows="3" required data-testid="message-text"></textarea><//>
    <${Choice} name="style" label="Buttons" options=${boxStyles} test="message-style"/>
    <${Choice} name="icon" label="Icon" options=${boxIcons} test="message-icon"/>
    <${Field} label="Time limit, seconds" hint="0: none"><input type="number" name="timeout" min="0" max="86400" value="0" data-testid="message-timeout"/><//>
    <${Check} name="wait" label="Tell me the answer" test="message-wait"/><//>`;
}

// words splits a command line as a shell splits plain and quoted words.
export function words(line) {
  const out = [];
  for (const m of line.matchAll(/(?:[^\s"']|"(?:[^"\\]|\\.)*"|'[^']*')+/g)) {
    out.push(m[0].replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_, a, b) => (a === undefined ? b : a.replace(/\\(["\\])/g, "$1"))));
  }
  return out;
}

function Run({ session: s }) {
  const desktops = (state.trees.get(s.id)?.stations || []).flatMap((w) => w.desktops).filter((d) => !d.secure);
  const full = (d) => `${d.station}\\${d.name}`;
  const active = desktops.find((d) => d.active);
  const submit = async (f) => {
    const r = await call("POST", `/sessions/${s.id}/processes`, { args: words(f.line), desktop: f.desktop });
    toast(`Started with process ID ${r.processId}.`);
  };
  return html`<${Dialog} title=${`Start a program as ${s.user}`} go="Start" test="dialog-run" submit=${submit}>
    <${Field} label="Command" wide=${true} hint="Words are split at spaces; quote words that hold some.">
      <input name="line" required autofocus autocomplete="off" spellcheck="false" placeholder="xterm -title Hello" data-testid="run-command"/><//>
    <${Choice} name="desktop" label="Desktop" options=${desktops.map((d) => [full(d), full(d)])} chosen=${active && full(active)} test="run-desktop"/><//>`;
}

const kinds = { logon: Logon, unlock: Unlock, logoff: Logoff, desktop: Desktop, message: Message, run: Run };

export function Dialogs() {
  const { dialog } = useStore();
  const Kind = dialog && kinds[dialog.kind];
  return Kind ? html`<${Kind} session=${dialog.session}/>` : null;
}

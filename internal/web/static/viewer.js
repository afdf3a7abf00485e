// SPDX-License-Identifier: Apache-2.0

// The picture of a session: noVNC over the WebSocket, scaled to fit. It comes
// back by itself when the daemon restarts, with the last picture kept dimmed.
import RFB from "/novnc/core/rfb.js";
import { html, Button, cls, useEffect, useRef, useState } from "/lib.js";
import { call, remember, remembered, useStore } from "/store.js";

const pauses = [100, 200, 300, 400, 500]; // milliseconds between attempts; the last one repeats

// current is the viewer on the page, for the small live picture of its desktop.
export const current = { session: null, canvas: null };

// connectViewer keeps a session's picture in host until the returned function
// is called. tell(state, why) hears connecting, connected, lost and ended.
function connectViewer(host, still, id, readOnly, tell) {
  let rfb = null, canvas = null, timer = 0, lift = 0, tries = 0, over = false;

  const url = () => {
    const u = new URL(`/v1/sessions/${id}/view`, location.href);
    u.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (readOnly) u.searchParams.set("readonly", "true");
    return u.href;
  };

  // keep copies the last picture before noVNC takes its canvas away.
  const keep = () => {
    if (over || !canvas || !canvas.width) return;
    still.width = canvas.width;
    still.height = canvas.height;
    still.getContext("2d").drawImage(canvas, 0, 0);
    still.hidden = false;
  };

  // release lets go of the picture; another viewer's is left alone.
  const release = () => {
    if (current.canvas === canvas) current.canvas = null;
    canvas = null;
  };

  const again = async () => {
    if (over) return;
    // A WebSocket does not say why it was refused; the API does.
    if (tries > 0) {
      try {
        await call("GET", `/sessions/${id}`);
      } catch (e) {
        if (over) return;
        if (e.status === 404) return tell("ended", e.message);
        if (e.status === 401) return tell("lost", e.message);
        if (e.status === 403) return tell("refused", e.message);
      }
    }
    if (over) return;
    timer = setTimeout(open, pauses[Math.min(tries++, pauses.length - 1)]);
  };

  const open = () => {
    tell(still.hidden ? "connecting" : "lost");
    const box = document.createElement("div");
    box.className = "rfb";
    host.append(box);
    try {
      rfb = new RFB(box, url(), { shared: true, wsProtocols: ["binary"] });
    } catch (e) {
      box.remove();
      tell("lost", e.message);
      return again();
    }
    rfb.scaleViewport = true;
    rfb.viewOnly = readOnly;
    rfb.background = "transparent";
    rfb.qualityLevel = 7;
    rfb.compressionLevel = 2;
    rfb.addEventListener("connect", () => {
      tries = 0;
      canvas = box.querySelector("canvas");
      current.session = id;
      current.canvas = canvas;
      tell("connected");
      // The first picture follows at once; the old one goes when it is there.
      lift = setTimeout(() => { still.hidden = true; }, 120);
    });
    rfb.addEventListener("securityfailure", (e) => tell("refused", e.detail.reason));
    rfb.addEventListener("disconnect", () => {
      clearTimeout(lift);
      keep();
      release();
      box.remove();
      rfb = null;
      if (!over) { tell("lost"); again(); }
    });
  };
  open();

  return {
    sas: () => rfb?.sendCtrlAltDel(),
    focus: () => rfb?.focus(),
    close: () => {
      over = true;
      clearTimeout(timer);
      clearTimeout(lift);
      const last = rfb;
      rfb = null;
      release();
      still.hidden = true;
      last?.disconnect();
    },
  };
}

const words = {
  connecting: "Connecting…", connected: "Connected", lost: "Connection lost – coming back…", ended: "This session has ended.", refused: "You may not view this session.",
};

export function Viewer({ session }) {
  const store = useStore();
  const host = useRef(null), still = useRef(null), pane = useRef(null), viewer = useRef(null);
  const [told, setLink] = useState({ of: "", state: "connecting", why: "" });
  const [readOnly, setReadOnly] = useState(remembered("readOnly", false));
  const [full, setFull] = useState(false);

  // What was told about another connection does not count for this one.
  const of = `${session.id}/${readOnly}`;
  const link = told.of === of ? told : { state: "connecting", why: "" };

  useEffect(() => {
    viewer.current = connectViewer(host.current, still.current, session.id, readOnly, (state, why = "") => setLink({ of, state, why }));
    return () => viewer.current.close();
  }, [session.id, readOnly]);

  useEffect(() => {
    const changed = () => setFull(document.fullscreenElement === pane.current);
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);

  const toggleFull = async () => {
    if (document.fullscreenElement) return document.exitFullscreen();
    await pane.current.requestFullscreen();
    viewer.current?.focus();
  };
  const why = store.live === "gone" ? "The daemon does not answer. The session goes on; its picture comes back with the daemon." : link.why;
  return html`<section class=${cls("viewer", link.state)} ref=${pane} aria-label=${`Screen of session ${session.id}`} data-testid="viewer"
      data-state=${link.state}>
    <div class="bar">
      <span class=${cls("dot", link.state)}></span><span class="word" data-testid="viewer-state" role="status">${words[link.state]}</span>
      <span class="where" title="Desktop that receives input">${session.inputDesktop}</span>
      <span class="grow"></span>
      <${Button} icon="keys" label="Ctrl+Alt+Del" title="Send Ctrl+Alt+Del: shows the Winlogon desktop" test="viewer-sas"
          disabled=${link.state !== "connected" || readOnly} onClick=${() => { viewer.current.sas(); viewer.current.focus(); }}/>
      <${Button} icon="eye" label="Read only"
          title=${readOnly ? "Read only: nothing you type or click is sent. Press to take part" : "Watch only, send nothing"} test="viewer-readonly"
          pressed=${readOnly}
        onClick=${() => { remember("readOnly", !readOnly); setReadOnly(!readOnly); }}/>
      <${Button} icon="full" label=${full ? "Leave full screen" : "Full screen"} title=${full ? "Leave full screen" : "Full screen"} compact=${true}
          test="viewer-full" onClick=${toggleFull}/>
    </div>
    <div class="screen" ref=${host} data-testid="viewer-screen">
      <canvas class="still" ref=${still} hidden aria-hidden="true"></canvas>
      ${link.state !== "connected" && html`<div class="veil"><div>
        ${(link.state === "connecting" || link.state === "lost") && html`<span class="spin" aria-hidden="true"></span>`}
        <b>${words[link.state]}</b>${why && html`<p>${why}</p>`}</div></div>`}
    </div>
  </section>`;
}

// SPDX-License-Identifier: Apache-2.0

// What every part of the page uses: preact with htm, icons and small helpers.
import { h, render, Fragment } from "/vendor/preact/preact.mjs";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "/vendor/preact/hooks.mjs";
import htm from "/vendor/htm/htm.mjs";

export const html = htm.bind(h);
export { render, Fragment, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState };

// cls joins class names, leaving out what is false.
export const cls = (...names) => names.filter(Boolean).join(" ");

const paths = {
  caret: "M6 4l4 4-4 4",
  lock: "M4 7.5h8v5.5H4zM5.5 7.5V5.5a2.5 2.5 0 0 1 5 0v2",
  unlock: "M4 7.5h8v5.5H4zM5.5 7.5V5a2.5 2.5 0 0 1 4.9-.7",
  monitor: "M2 3h12v8H2zM6 13.5h4M8 11v2.5",
  station: "M2.5 5h8v6h-8zM5.5 5V3h8v6h-3",
  gear: "M8 5.6a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6L5 5M11 11l1.4 1.4M3.6 12.4L5 11M11 5l1.4-1.4",
  user: "M8 8.2a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM3 13.5c.5-2.6 2.5-3.8 5-3.8s4.500 1.200 5 3.800",
  process: "M3 3h10v10H3zM5.500 6.200l2 1.800-2 1.800M8.500 10h2.500",
  message: "M2 3h12v8H8l-3 2.500V11H2z",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.500v9l7-4.500z",
  stop: "M4.500 4.500h7v7h-7z",
  plug: "M6 2v3M10 2v3M4 5h8v2.500a4 4 0 0 1-8 0zM8 11.500V14",
  unplug: "M6 2v2M10 2v2M4 5h8v2.500a4 4 0 0 1-8 0zM8 11.500V14M2 2l12 12",
  logoff: "M9 3H3v10h6M7 8h7M11.500 5.500L14 8l-2.500 2.500",
  full: "M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10",
  eye: "M1.500 8S4 3.800 8 3.800 14.500 8 14.500 8 12 12.200 8 12.200 1.500 8 1.500 8zM8 6.200a1.800 1.800 0 1 0 0 3.600 1.800 1.800 0 0 0 0-3.600z",
  keys: "M1.500 4h13v8h-13zM4 6.500h.01M6.500 6.500h.01M9 6.500h.01M11.500 6.500h.01M4.500 9.500h7",
  refresh: "M13 8a5 5 0 1 1-1.600-3.700M13 2v3h-3",
  warn: "M8 2.500l6 10.500H2zM8 6.500v3M8 11.300v.1",
  shield: "M8 1.800l5 2v4c0 3-2 5.200-5 6.400-3-1.200-5-3.400-5-6.400v-4z",
  switch: "M3 5.500h9M9.500 3L12 5.500 9.500 8M13 10.500H4M6.500 8L4 10.500 6.500 13",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
};

// Icon draws a 16-pixel line icon; it is decoration, names are on the control.
export function Icon({ name, size = 16 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d=${paths[name]} fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
}

// Button is a control with an icon, a name and a place for tests to find it.
export function Button({ icon, label, title, test, kind, disabled, onClick, pressed, compact, type = "button" }) {
  return html`<button type=${type} class=${cls("btn", kind, compact && "compact")} title=${title || label} aria-label=${title || label}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)} data-testid=${test} disabled=${disabled} onClick=${onClick}>
    ${icon && html`<${Icon} name=${icon}/>`}${!compact && html`<span>${label}</span>`}</button>`;
}

// Badge is a small word with a colour that repeats what the word says.
export const Badge = ({ kind, children, title, test }) =>
  html`<span class=${cls("badge", kind)} title=${title} data-testid=${test}>${children}</span>`;

// SurfaceBadge says what a desktop draws on; nothing while it has no surface.
export function SurfaceBadge({ d }) {
  if (d.surface === "x11") return html`<${Badge} title=${`X server of its own${d.display ? `, ${d.display}` : ", starts when first needed"}`}>X<//>`;
  return d.surface ? html`<${Badge} title="Drawn by the daemon itself">built-in<//>` : null;
}

const hours = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });
const minute = new Intl.DateTimeFormat(undefined, hours);
const day = new Intl.DateTimeFormat(undefined, { ...hours, month: "short", day: "numeric" });

// timeOf shows a time of today as a clock, another with its day.
export function timeOf(text) {
  if (!text) return "";
  const t = new Date(text);
  return (t.toDateString() === new Date().toDateString() ? clock : day).format(t);
}

// minuteOf is timeOf without the seconds.
export function minuteOf(text) {
  const t = new Date(text);
  return t.toDateString() === new Date().toDateString() ? minute.format(t) : day.format(t);
}

// bytes shows a size.
export function bytes(n) {
  return n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(0)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;
}

// fullUser puts the domain before a user's name.
export const fullUser = (s) => (s.domain ? `${s.domain}\\${s.user}` : s.user);

// stateWords are the connect states in words for people.
export const stateWords = {
  Active: "Active", Conn: "Logon screen", ConnQ: "Connecting", Shadow: "Shadowing", Disc: "Disconnected",
  Idle: "Idle", Listen: "Listening", Reset: "Resetting", Down: "Down", Init: "Starting",
};
export const stateKind = (s) => ({ Active: "good", Conn: "calm", Disc: "dim", Down: "bad", Reset: "bad" })[s] || "calm";

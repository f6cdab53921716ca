// Keys; each has a visible twin on the page. Single keys are switched off where somebody types.
// @ts-check
import { tinykeys } from "../vendor/tinykeys.js";

const root = document.body.dataset.root;

/** @param {string} path */
const go = (path) => () => location.assign(`${root}${path}`);

/** @param {(event: KeyboardEvent) => void} act */
const quiet = (act) => (/** @type {KeyboardEvent} */ event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  if (at.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  if (localStorage.getItem("windlass-keys") === "off") return;
  event.preventDefault();
  act(event);
};

/** @param {string} selector */
const click = (selector) => () => {
  /** @type {HTMLElement | null} */ (document.querySelector(selector))?.click();
};

const rows = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row]")]);
const current = () => rows().findIndex((row) => row.classList.contains("cursor") || row === document.activeElement);

/** @param {number} by */
function move(by) {
  const all = rows();
  if (!all.length) return;
  const at = current();
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  all.forEach((row) => row.classList.toggle("cursor", row === next));
  const link = /** @type {HTMLElement | null} */ (next.matches("a") ? next : next.querySelector("a"));
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function select() {
  const row = rows()[current()];
  /** @type {HTMLElement | null | undefined} */ (row?.querySelector("input[type=checkbox]"))?.click();
}

async function copy() {
  const id = /** @type {HTMLElement | null} */ (document.querySelector("[data-copy]"))?.dataset.copy;
  if (id) await navigator.clipboard?.writeText(id);
  const status = document.getElementById("said");
  if (id && status) status.textContent = "The id was copied.";
}

tinykeys(window, {
  "/": quiet(() => document.getElementById("search")?.focus()),
  "Shift+?": quiet(go("/help")),
  "g o": quiet(go("/")),
  "g r": quiet(go("/runs")),
  "g a": quiet(go("/attention")),
  "g s": quiet(go("/servers")),
  "g l": quiet(go("/locks")),
  "g w": quiet(go("/workers")),
  "g t": quiet(go("/types")),
  j: quiet(() => move(1)),
  k: quiet(() => move(-1)),
  x: quiet(select),
  f: quiet(click("#chips summary")),
  t: quiet(click("[data-view=timeline]")),
  d: quiet(click("[data-view=graph]")),
  e: quiet(click("[data-view=events]")),
  a: quiet(click("[data-action]")),
  r: quiet(click("[data-action=retry]")),
  c: quiet(click("[data-action=cancel]")),
  ".": quiet(copy),
});

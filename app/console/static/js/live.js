// Live pages: the server says that something has changed, and the page is fetched and morphed in place.
// Only a visible tab listens; when all places are taken the page is polled with its ETag.
// @ts-check
import { messages, tellsOfChange } from "./messages.js";

/** @type {any} */
const htmx = /** @type {any} */ (window).htmx;
const POLL_MS = 5_000;
const SAY_MS = 10_000;
const root = document.body.dataset.root;
/** @type {AbortController | null} */
let listening = null;
let polling = 0;
let said = 0;
let seen = "";

/** @param {string} state @param {string} words */
function badge(state, words) {
  const live = document.getElementById("live");
  if (!live) return;
  live.dataset.state = state;
  const text = live.querySelector("span");
  if (text) text.textContent = words;
}

/** Fetch this page as it is now and morph what changed; focus and what was typed stay. */
export async function refresh() {
  const main = document.getElementById("main");
  if (!main || document.querySelector("dialog[open], details.chip[open]")) return;
  if (main.dataset.new !== undefined && (await isLonger(main))) return;
  await htmx.ajax("GET", location.href, { target: "#main", select: "#main", swap: "outerMorph" });
  document.dispatchEvent(new CustomEvent("console:changed"));
  if (Date.now() - said > SAY_MS) {
    said = Date.now();
    const status = document.getElementById("said");
    if (status) status.textContent = "The page was brought up to date.";
  }
}

/** A list that has got new rows says so instead of moving what somebody reads.
 * @param {HTMLElement} main */
async function isLonger(main) {
  const pill = document.getElementById("news");
  if (!pill || !main.dataset.watch) return false;
  const url = `${root}/news?of=${encodeURIComponent(main.dataset.watch)}&since=${main.dataset.new}`;
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) return false;
  const { count } = await answer.json();
  pill.textContent = `${count} new`;
  pill.hidden = !count;
  return count > 0;
}

async function listen() {
  const watch = document.getElementById("main")?.dataset.watch;
  if (!watch || listening || document.hidden) return;
  listening = new AbortController();
  const url = `${root}/live?of=${encodeURIComponent(watch)}`;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: listening.signal });
    if (!answer.ok || !answer.body) throw new Error(String(answer.status));
    clearInterval(polling);
    polling = 0;
    badge("live", "Live");
    await read(answer.body.getReader());
  } catch {
    // Ended, refused or cut off: the page is polled until a place is free.
  }
  listening = null;
  if (document.hidden) return badge("paused", "Paused");
  badge("away", "Every 5 s");
  polling ||= window.setInterval(poll, POLL_MS);
}

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
async function read(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const { whole, rest } = messages(text);
    text = rest;
    if (whole.some(tellsOfChange)) await refresh();
  }
}

async function poll() {
  if (document.hidden) return;
  const watch = document.getElementById("main")?.dataset.watch;
  if (!watch) return;
  const url = `${root}/digest?of=${encodeURIComponent(watch)}`;
  const answer = await fetch(url, { headers: { "If-None-Match": seen, Accept: "text/plain" } });
  if (answer.status === 200) {
    const known = seen;
    seen = answer.headers.get("ETag") ?? "";
    if (known) await refresh();
  }
  listen();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) listening?.abort();
  else refresh().then(listen);
});
listen();

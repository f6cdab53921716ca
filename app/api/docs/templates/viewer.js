// What scripts add to the pages of the API: a filter over all operations, and requests from the page itself.
// @ts-check
const KEY = "windlass-docs-key";
const MOST = 100_000; // Characters of an answer that are shown.

const filter = document.getElementById("filter");
if (filter) {
  filter.hidden = false;
  const text = /** @type {HTMLInputElement} */ (document.getElementById("text"));
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".operations li")]);
  text.addEventListener("input", () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => row.dataset.text?.includes(word));
    for (const section of document.querySelectorAll("main section"))
      /** @type {HTMLElement} */ (section).hidden = !section.querySelector("li:not([hidden])");
    const left = document.getElementById("left");
    if (left) left.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}

// An address with the name of a shape opens it.
const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (named instanceof HTMLDetailsElement) named.open = true;
addEventListener("hashchange", () => {
  const to = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (to instanceof HTMLDetailsElement) to.open = true;
});

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("try"));
if (form) trying(form);

/** @param {HTMLFormElement} form */
function trying(form) {
  form.hidden = false;
  const key = /** @type {HTMLInputElement | null} */ (document.getElementById("key"));
  const told = /** @type {HTMLElement} */ (document.getElementById("told"));
  const shown = /** @type {HTMLElement} */ (document.getElementById("answer"));
  const stop = /** @type {HTMLButtonElement} */ (document.getElementById("stop"));
  if (key) key.value = sessionStorage.getItem(KEY) ?? "";
  /** @type {AbortController | null} */
  let sending = null;
  stop.addEventListener("click", () => sending?.abort());
  document.getElementById("curl")?.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(curl(request(form)));
    told.textContent = "Copied; put your key in.";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (key) sessionStorage.setItem(KEY, key.value);
    const { url, ...init } = request(form);
    if (key?.value) init.headers.Authorization = `Bearer ${key.value}`;
    sending = new AbortController();
    stop.hidden = false;
    shown.hidden = false;
    shown.textContent = "";
    told.textContent = "Sent.";
    const began = performance.now();
    try {
      const answer = await fetch(url, { ...init, signal: sending.signal });
      told.textContent = `${answer.status} ${answer.statusText} after ${Math.round(performance.now() - began)} ms`;
      await show(answer, shown);
    } catch (error) {
      if (!sending.signal.aborted) told.textContent = `No answer: ${error}`;
    }
    stop.hidden = true;
  });
}

/** The request that a form says.
 * @param {HTMLFormElement} form */
function request(form) {
  const { method = "GET", path = "/", accept = "application/json", media } = form.dataset;
  /** @type {Record<string, string>} */
  const headers = { Accept: accept };
  const query = new URLSearchParams();
  let url = path;
  for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("[data-in]"))) {
    if (field.dataset.in === "path") url = url.replace(`{${field.name}}`, encodeURIComponent(field.value));
    else if (!field.value) continue;
    else if (field.dataset.in === "header") headers[field.name] = field.value;
    else for (const one of field.value.split(",")) query.append(field.name, one.trim());
  }
  const text = /** @type {HTMLTextAreaElement | null} */ (form.querySelector("#body"))?.value.trim();
  const body = media && text ? text : undefined;
  if (media && body) headers["Content-Type"] = media;
  return { method, url: query.size ? `${url}?${query}` : url, headers, body };
}

/** @param {Response} answer @param {HTMLElement} shown */
async function show(answer, shown) {
  const heads = ["ETag", "Location", "Retry-After", "X-Request-Id"].filter((name) => answer.headers.has(name));
  const above = heads.map((name) => `${name}: ${answer.headers.get(name)}\n`).join("");
  shown.textContent = above;
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done || text.length > MOST) break;
    text += value;
    shown.textContent = `${above}\n${text.slice(0, MOST)}`;
  }
  try {
    shown.textContent = `${above}\n${JSON.stringify(JSON.parse(text), null, 2).slice(0, MOST)}`;
  } catch {
    // It is no JSON, and stands as it came.
  }
}

/** @param {{method: string, url: string, headers: Record<string, string>, body?: string}} asked */
function curl({ method, url, headers, body }) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const heads = { ...headers, Authorization: "Bearer $WINDLASS_API_KEY" };
  const lines = Object.entries(heads).map(([name, value]) => `-H "${name}: ${value.replaceAll('"', '\\"')}"`);
  const parts = ["curl", "-X", method, ...lines, ...(body ? ["--data", quoted(body)] : [])];
  return [...parts, quoted(new URL(url, location.origin).href)].join(" ");
}

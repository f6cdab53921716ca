// A link to a page that asks something opens it in a dialog: the same form, without leaving the page.
// @ts-check
const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));

document.addEventListener("click", async (event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  if (at.closest("[data-close]") && dialog.open) {
    event.preventDefault();
    dialog.close();
    return;
  }
  const link = /** @type {HTMLAnchorElement | null} */ (at.closest("a[data-dialog]"));
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  await open(link.href);
});

/** @param {string} url */
async function open(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const main = page.getElementById("main");
  if (!answer.ok || !main || answer.redirected) return location.assign(url);
  dialog.replaceChildren(...main.childNodes);
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector("[autofocus], textarea, input:not([type=hidden]), button");
  /** @type {HTMLElement | null} */ (first)?.focus();
}

// A form that only looks at something else, such as another first step, stays in the dialog.
dialog.addEventListener("change", (event) => {
  const at = /** @type {HTMLInputElement} */ (event.target);
  if (at.form && at.matches("[data-again]")) open(asked(at.form));
});

// What an edited input changes is said below the fields, which stay as they are.
document.addEventListener("change", async (event) => {
  const at = /** @type {HTMLInputElement} */ (event.target);
  const changes = at.form?.querySelector("#changes");
  if (!at.form || !changes || at.matches("[data-again]")) return;
  const answer = await fetch(asked(at.form), { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("changes");
  if (answer.ok && found) changes.replaceChildren(...found.childNodes);
});

/** The address at which a form is looked at with what is in it now.
 * @param {HTMLFormElement} form */
function asked(form) {
  const given = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  for (const name of ["csrf", "key", "version"]) given.delete(name);
  return `${form.getAttribute("action")}?${given}`;
}

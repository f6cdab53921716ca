// Ctrl K: what the server finds by id or name, then pages, then what can be done on this page.
// @ts-check
import Combobox from "../vendor/combobox-nav.js";
import { tinykeys } from "../vendor/tinykeys.js";

const root = document.body.dataset.root;
const palette = /** @type {HTMLDialogElement} */ (document.getElementById("palette"));
const input = /** @type {HTMLInputElement} */ (palette.querySelector("input"));
const list = /** @type {HTMLElement} */ (document.getElementById("found"));
const combobox = new Combobox(input, list);
let asked = 0;

/** @param {string} title @param {string} about @param {string | HTMLElement} goal */
function line(title, about, goal) {
  const item = document.createElement("li");
  item.id = `f-${list.childElementCount}`;
  item.setAttribute("role", "option");
  item.append(title);
  const soft = document.createElement("span");
  soft.className = "soft";
  soft.textContent = about;
  item.append(soft);
  item.addEventListener("combobox-commit", () => {
    palette.close();
    if (typeof goal === "string") location.assign(goal);
    else goal.click();
  });
  list.append(item);
}

async function look() {
  const text = input.value.trim();
  const mine = ++asked;
  /** @type {{title: string, about: string, path: string}[]} */
  let found = [];
  if (text) {
    const answer = await fetch(`${root}/search?q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } });
    if (answer.ok) found = await answer.json();
  }
  if (mine !== asked) return;
  list.replaceChildren();
  const fits = (/** @type {string} */ words) => words.toLowerCase().includes(text.toLowerCase());
  for (const one of found) line(one.title, one.about, one.path);
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".acts a[href]")))
    if (fits(link.textContent ?? "")) line((link.firstChild?.textContent ?? "").trim(), "on this page", link);
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".nav a:not(.brand)")))
    if (fits(link.textContent ?? "")) line(link.firstChild?.textContent ?? "", "page", link.href);
  combobox.navigate(1);
}

function open() {
  if (palette.open) return;
  input.value = "";
  palette.showModal();
  combobox.start();
  look();
}

palette.addEventListener("close", () => combobox.stop());
input.addEventListener("input", look);
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault();
});
tinykeys(window, {
  "$mod+k": (/** @type {KeyboardEvent} */ event) => {
    event.preventDefault();
    open();
  },
});

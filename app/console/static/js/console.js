// What scripts add to pages that are complete without them: dialogs, keys, the palette, live changes.
// @ts-check
import "./live.js";
import "./keys.js";
import "./dialog.js";
import "./palette.js";
import "./rows.js";
import { ago } from "./ago.js";

// How long ago each time was, on hover; the text stays what the server wrote.
document.addEventListener("pointerover", (event) => {
  const time = /** @type {HTMLElement} */ (event.target).closest?.("time");
  if (!time) return;
  const at = time.getAttribute("datetime") ?? "";
  time.title = `${ago(Date.parse(at), Date.now())}, ${at}`;
});

// A menu stays within the page: beside the right edge it opens to the left.
document.addEventListener(
  "toggle",
  (event) => {
    const menu = /** @type {HTMLElement} */ (event.target).querySelector?.(":scope > .menu");
    menu?.classList.remove("end");
    if (menu && menu.getBoundingClientRect().right > document.documentElement.clientWidth) menu.classList.add("end");
  },
  true,
);

// Where the rail is a strip, the present page is in sight.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// One open menu at a time, closed by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.chip[open]"))
    if (!open.contains(/** @type {Node} */ (event.target))) open.removeAttribute("open");
});

// What scripts add to pages that are complete without them: dialogs, keys, the palette, live changes.
// @ts-check
import "./live.js";
import "./keys.js";
import "./dialog.js";
import "./palette.js";
import "./rows.js";

/** How long ago each time was, on hover; the text stays what the server wrote. */
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const units = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

document.addEventListener("pointerover", (event) => {
  const time = /** @type {HTMLElement} */ (event.target).closest?.("time");
  if (!time) return;
  const seconds = (Date.parse(time.getAttribute("datetime") ?? "") - Date.now()) / 1000;
  const unit = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
  time.title = `${relative.format(Math.round(seconds / unit[1]), unit[0])}, ${time.getAttribute("datetime")}`;
});

// One open menu at a time, closed by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.chip[open]"))
    if (!open.contains(/** @type {Node} */ (event.target))) open.removeAttribute("open");
});

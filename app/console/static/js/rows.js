// Rows that are selected: how many, and the bar of what can be done with all of them.
// @ts-check
function count() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const picked = document.querySelectorAll("input[name=id]:checked").length;
  const number = document.getElementById("picked");
  if (number) number.textContent = String(picked);
  bar.hidden = !picked;
}

document.addEventListener("change", (event) => {
  if (/** @type {HTMLElement} */ (event.target).matches("input[name=id]")) count();
});
document.addEventListener("console:changed", count);
count();

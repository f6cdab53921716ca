// How long ago, or until, a moment is, in words; pure.
// @ts-check
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const units = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** In the largest unit of which there is one.
 * @param {number} at @param {number} now milliseconds since 1970 */
export function ago(at, now) {
  const seconds = (at - now) / 1000;
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
  return relative.format(Math.round(seconds / size), unit);
}

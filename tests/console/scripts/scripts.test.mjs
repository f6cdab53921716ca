// What the scripts of the console compute; what they do to a page is seen in a browser.
import assert from "node:assert/strict";
import { test } from "node:test";

const scripts = new URL("../../../app/console/static/js/", import.meta.url);
const { ago } = await import(new URL("ago.js", scripts).href);
const { messages, tellsOfChange } = await import(new URL("messages.js", scripts).href);
const NOW = Date.UTC(2026, 10, 30);

for (const [seconds, words] of [
  [0, "now"],
  [-1, "1 second ago"],
  [-59, "59 seconds ago"],
  [-60, "1 minute ago"],
  [-3_599, "60 minutes ago"],
  [-7_200, "2 hours ago"],
  [-86_400, "yesterday"],
  [90, "in 2 minutes"],
])
  test(`${seconds} s from now are ${words}`, () => assert.equal(ago(NOW + seconds * 1000, NOW), words));

test("a message that comes in two pieces is one message", () => {
  const first = messages("retry: 2000\n\nevent: chan");
  assert.deepEqual(first, { whole: ["retry: 2000"], rest: "event: chan" });
  assert.deepEqual(messages(`${first.rest}ged\ndata: \n\n`), { whole: ["event: changed\ndata: "], rest: "" });
});

test("a beat is no change", () => {
  assert.equal(tellsOfChange(": beat"), false);
  assert.equal(tellsOfChange("data: event: changed"), false);
  assert.equal(tellsOfChange("event: changed\ndata: "), true);
});

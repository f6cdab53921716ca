// Messages of a stream of events, as they come in pieces; pure.
// @ts-check

/** The whole messages of a text, and the beginning of the one that has not ended.
 * @param {string} text @returns {{whole: string[], rest: string}} */
export function messages(text) {
  const parts = text.split("\n\n");
  return { whole: parts.slice(0, -1), rest: parts[parts.length - 1] };
}

/** Whether a message says that something is another than before.
 * @param {string} message */
export const tellsOfChange = (message) => message.split("\n").includes("event: changed");

// JSON laid out for reading, from its text: numbers, doubled keys and their order stay what they are.

import { h } from "./dom.js";

const TOKEN = /\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|([{}[\],:])|([^\s"{}[\],:]+))/y;
// A string of a megabyte is some file in base64; copying gives all of it.
const LONGEST = 2000;
// Above this, colours would cost more time than they are worth.
const COLOURED = 200_000;

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The pieces of `text`, which is JSON, each with its kind, and with the space that lays them out. */
function* pieces(text) {
  let depth = 0;
  let previous = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  TOKEN.lastIndex = 0;
  for (let match; TOKEN.lastIndex < text.length && (match = TOKEN.exec(text)); ) {
    const [, string, mark, other] = match;
    if (mark === "}" || mark === "]") {
      depth -= 1;
      yield ["mark", (previous === "{" || previous === "[" ? "" : line()) + mark];
    } else {
      const begun = previous === "{" || previous === "[" || previous === "," ? line() : "";
      if (mark === "{" || mark === "[") depth += 1;
      if (string === undefined) yield [mark ? "mark" : "other", begun + (mark ?? other) + (mark === ":" ? " " : "")];
      else {
        if (begun) yield ["mark", begun];
        const isKey = /^\s*:/.test(text.slice(TOKEN.lastIndex, TOKEN.lastIndex + 20));
        yield [isKey ? "key" : "string", string];
      }
    }
    previous = mark ?? "";
  }
}

/** All of `text` laid out, as text. */
export function pretty(text) {
  return isJson(text) ? Array.from(pieces(text), (piece) => piece[1]).join("") : text;
}

/** A block that shows `text`, as JSON where it is some. */
export function block(text, label) {
  const pre = h("pre", { class: "code", tabindex: "0", role: "region", "aria-label": label });
  if (!isJson(text)) {
    pre.append(text);
    return pre;
  }
  if (text.length > COLOURED) {
    pre.append(Array.from(pieces(text), ([, shown]) => shortened(shown)).join(""));
    return pre;
  }
  for (const [kind, shown] of pieces(text)) {
    pre.append(kind === "mark" ? shown : h("span", { class: kind }, shortened(shown)));
  }
  return pre;
}

function shortened(shown) {
  if (shown.length <= LONGEST) return shown;
  return `${shown.slice(0, LONGEST)}… (${shown.length.toLocaleString("en")} characters)"`;
}

// Nodes and words: what every part of the page is made with. Text becomes text nodes, never markup.

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function time(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const ms = seconds * 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

export function clock(epoch, exact = false) {
  const date = new Date(epoch * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return exact ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** A path or query with its letters decoded, and nothing else: no escape may turn into what steers the text. */
export function readable(target) {
  return target.replace(/(?:%[89a-f][0-9a-f])+/gi, (escapes) => {
    try {
      const letters = /[\p{L}\p{M}\p{N}]/u;
      return Array.from(decodeURIComponent(escapes), (one) => (letters.test(one) ? one : encodeURIComponent(one))).join("");
    } catch {
      return escapes;
    }
  });
}

export const isFailed = (row) => (row.status !== null && row.status >= 500) || row.error !== null;
export const isCold = (row) => row.init !== null;
export const isHttp = (row) => row.source === "http";

/** What stands for the outcome: a status, or how it went where there is none. */
export function outcome(row) {
  if (row.status !== null) return { text: String(row.status), kind: row.error ? "s5" : `s${Math.floor(row.status / 100)}` };
  if (!row.ended) return { text: "···", kind: "running" };
  return row.error ? { text: "failed", kind: "s5" } : { text: "done", kind: "s2" };
}

const PARTS = [
  ["queued", "queue", "waiting for an environment"],
  ["init", "init", "cold start"],
  ["duration", "handler", "the function"],
];

/** Where the time went: the parts that took any, and what lies around them. */
export function timing(row) {
  const parts = PARTS.filter(([field]) => row[field]).map(([field, name, title]) => ({ name, title, seconds: row[field] }));
  const rest = (row.total ?? 0) - parts.reduce((sum, part) => sum + part.seconds, 0);
  if (rest > 0.00005) parts.push({ name: "emulator", title: "front door and Runtime API", seconds: rest });
  return parts;
}

export function bar(parts, label) {
  const node = h("span", { class: "bar", role: "img", "aria-label": label });
  for (const part of parts) {
    const piece = h("i", { class: part.name, title: `${part.title}: ${time(part.seconds)}` });
    // Shares that add up to less than one would leave the rest of the bar empty.
    piece.style.flexGrow = part.seconds * 1e6;
    node.append(piece);
  }
  return node;
}

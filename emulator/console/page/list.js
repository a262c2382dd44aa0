// The list: a row for each invocation, newest first, kept up to date one by one.

import { bar, clock, h, isCold, isHttp, outcome, readable, time, timing } from "./dom.js";

const KEPT = 1000;
// The bar of the list tells milliseconds from seconds, so its length grows with the logarithm of the time.
const [SHORTEST, LONGEST] = [Math.log(0.0005), Math.log(30)];

export class List {
  constructor(node, grid) {
    this.node = node;
    this.grid = grid;
    this.entries = new Map();
    this.matches = () => true;
    this.current = null;
  }

  get(id) {
    return this.entries.get(id)?.row;
  }

  get size() {
    return this.entries.size;
  }

  get shown() {
    let count = 0;
    for (const entry of this.entries.values()) if (!entry.node.hidden) count += 1;
    return count;
  }

  /** Put in what is new, and what has changed in its place. */
  take(rows) {
    for (const row of rows) {
      const known = this.entries.get(row.id);
      if (known) {
        known.row = row;
        fill(known.node, row);
        known.node.hidden = !this.matches(row);
      } else {
        this.insert(row);
      }
    }
    while (this.entries.size > KEPT) this.drop(this.node.lastElementChild.dataset.id);
  }

  insert(row) {
    const node = h("div", { role: "row", id: `row-${row.id}`, "data-id": row.id, "data-started": row.started, class: "row" });
    fill(node, row);
    node.hidden = !this.matches(row);
    let after = this.node.firstElementChild;
    while (after && Number(after.dataset.started) > row.started) after = after.nextElementSibling;
    this.node.insertBefore(node, after);
    this.entries.set(row.id, { row, node });
  }

  drop(id) {
    this.entries.get(id).node.remove();
    this.entries.delete(id);
    if (this.current === id) this.mark(null);
  }

  clear() {
    this.entries.clear();
    this.node.replaceChildren();
    this.mark(null);
  }

  filter(matches) {
    this.matches = matches;
    for (const { row, node } of this.entries.values()) node.hidden = !matches(row);
  }

  /** Make `id` the row that keys are about. */
  mark(id) {
    this.entries.get(this.current)?.node.removeAttribute("aria-selected");
    const entry = this.entries.get(id);
    this.current = entry ? id : null;
    if (!entry) {
      this.grid.removeAttribute("aria-activedescendant");
      return;
    }
    entry.node.setAttribute("aria-selected", "true");
    this.grid.setAttribute("aria-activedescendant", entry.node.id);
    entry.node.scrollIntoView({ block: "nearest" });
  }

  /** The row `step` further down among those shown; the first where there is none yet. */
  neighbour(step) {
    let node = this.entries.get(this.current)?.node;
    if (!node) {
      node = this.node.firstElementChild;
      step = 0;
    }
    const next = (one) => (step < 0 ? one.previousElementSibling : one.nextElementSibling);
    if (step) node = next(node);
    while (node?.hidden) node = next(node);
    return node?.dataset.id ?? null;
  }
}

function fill(node, row) {
  const result = outcome(row);
  const [first, rest] = isHttp(row) ? [row.title, row.target] : [row.source, `${row.title} ${row.target}`];
  const parts = timing(row);
  const picture = bar(parts, parts.map((part) => `${part.name} ${time(part.seconds)}`).join(", "));
  const total = row.total ?? row.duration ?? 0;
  const share = Math.min(1, Math.max(0.04, (Math.log(total || 0.0001) - SHORTEST) / (LONGEST - SHORTEST)));
  picture.style.width = total ? `${share * 100}%` : "0";
  const cell = (name, ...children) => h("span", { role: "gridcell", class: name }, ...children);
  node.classList.toggle("failed", result.kind === "s5");
  node.replaceChildren(
    cell("time", h("time", { datetime: new Date(row.started * 1000).toISOString() }, clock(row.started))),
    cell("status", h("b", { class: `status-mark ${result.kind}` }, result.text)),
    cell("method", first),
    cell("path", h("span", { title: rest }, readable(rest)), row.replay_of ? h("em", { title: "a replay" }, "↻ replay") : null),
    cell("door", row.origin),
    cell("start", isCold(row) ? h("em", { class: "cold" }, "cold") : row.duration === null ? "" : "warm"),
    cell("timing", picture),
    cell("duration number", time(row.duration ?? row.total)),
    cell("billed number", time(row.billed)),
    cell("memory number", row.memory === null ? "" : `${row.memory} MB`),
  );
}

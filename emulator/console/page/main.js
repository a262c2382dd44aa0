// The page at work: listens for what is new, and to the keys.

import { Detail } from "./detail.js";
import { h, isFailed, isCold } from "./dom.js";
import { List } from "./list.js";
import { compile, includes, toggle } from "./search.js";

const at = (id) => document.getElementById(id);
const search = at("search");
const list = new List(at("rows"), at("grid"));
const detail = new Detail(at("detail"), { replay, copy, close: leave, open, fetch: ask });
const chips = document.querySelectorAll(".chip");
const CHIPS = {
  error: (rows) => `${rows.filter(isFailed).length} failed`,
  cold: (rows) => `${rows.filter(isCold).length} cold`,
};
const live = { source: null, run: null, place: "", paused: false };

// What is new

function listen() {
  const source = live.source = new EventSource(`api/live?after=${live.place}`);
  source.addEventListener("hello", ({ data }) => greet(JSON.parse(data)));
  source.addEventListener("message", ({ data, lastEventId }) => {
    live.place = lastEventId;
    take(JSON.parse(data));
  });
  source.addEventListener("error", () => {
    state("lost");
    // The browser itself tries again, save after an answer that was no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => live.source === source && listen(), 2000);
  });
}

function silence() {
  live.source?.close();
  live.source = null;
}

function greet({ run, project, facts }) {
  if (live.run !== null && run !== live.run) list.clear();
  live.run = run;
  at("project").textContent = project;
  const links = facts.map(([name, value]) => h(
    "div", {}, h("dt", {}, name), h("dd", {}, /^https?:\/\//.test(value) ? h("a", { href: value, rel: "noreferrer" }, value) : value),
  ));
  at("facts").replaceChildren(...links);
  at("empty").replaceChildren(
    h("p", {}, "Nothing has been invoked yet."), h("p", {}, "Open the site, and each request shows here."),
    h("dl", {}, ...links.map((link) => link.cloneNode(true))),
  );
  state("live");
  count();
}

function take(rows) {
  list.take(rows);
  count();
  const changed = rows.find((row) => row.id === detail.id);
  if (changed) detail.show(changed.id);
}

const STATES = { connecting: "Connecting", live: "Live", paused: "Paused", lost: "Reconnecting" };

function state(name) {
  at("live").dataset.state = name;
  at("live").setAttribute("aria-pressed", String(name === "live"));
  at("live").lastElementChild.textContent = STATES[name];
}

function pause() {
  live.paused = !live.paused;
  silence();
  if (live.paused) state("paused");
  else listen();
}

// A browser opens six connections to a host: a page that nobody sees leaves this one to the site.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) silence();
  else if (!live.paused && !live.source) listen();
});

function count() {
  const rows = [...list.entries.values()].map((entry) => entry.row);
  const shown = list.shown;
  const all = `${rows.length} invocation${rows.length === 1 ? "" : "s"}`;
  at("count").textContent = shown < rows.length ? `${shown} of ${all}` : all;
  for (const chip of chips) chip.textContent = CHIPS[chip.dataset.word](rows);
  at("empty").hidden = rows.length > 0;
  at("unmatched").hidden = rows.length === 0 || shown > 0;
}

// One of them

async function ask(id) {
  try {
    return await (await fetch(`api/invocations/${encodeURIComponent(id)}`)).json();
  } catch {
    return { error: "The emulator does not answer." };
  }
}

function open(id, tab = null) {
  const address = `#${id}`;
  if (detail.id === null) history.pushState({ opened: true }, "", address);
  else history.replaceState(history.state, "", address);
  show(id, tab);
}

function show(id, tab = null) {
  list.mark(id);
  if (detail.id === null) requestAnimationFrame(() => at("detail").focus({ preventScroll: true }));
  document.body.classList.add("opened");
  return detail.show(id, tab);
}

function leave() {
  if (history.state?.opened) history.back();
  else {
    history.replaceState(null, "", location.pathname);
    arrive();
  }
}

/** What the address says is open. */
function arrive() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id) show(id);
  else {
    document.body.classList.remove("opened");
    detail.close();
    at("grid").focus({ preventScroll: true });
  }
}

function say(text) {
  at("said").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { at("said").textContent = ""; }, 4000);
}

async function replay() {
  const id = detail.id ?? list.current;
  if (id === null) return;
  say("Replaying …");
  try {
    const answer = await fetch(`api/invocations/${encodeURIComponent(id)}/replay`, { method: "POST" });
    const told = await answer.json();
    if (!answer.ok) {
      say(told.error);
      return;
    }
    say("Replayed.");
    open(told.id, "compare");
  } catch {
    say("The emulator does not answer.");
  }
}

async function copy() {
  const id = detail.id ?? list.current;
  if (id === null) return;
  const record = await ask(id);
  if (record.event === undefined) {
    say(record.error);
    return;
  }
  try {
    await navigator.clipboard.writeText(record.event);
    say("The event is in the clipboard.");
  } catch {
    say("The browser gives no access to the clipboard here; open the console by localhost.");
  }
}

// Search and keys

function filter() {
  list.filter(compile(search.value));
  for (const chip of chips) chip.setAttribute("aria-pressed", String(includes(search.value, chip.dataset.word)));
  count();
}

function move(step) {
  const id = list.neighbour(step);
  if (id === null) return;
  if (detail.id === null) list.mark(id);
  else open(id);
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Enter: () => list.current && open(list.current),
  Escape: () => (detail.id === null ? clear() : leave()),
  r: replay,
  c: copy,
  p: pause,
  "/": () => search.select(),
  "?": () => at("keys").showModal(),
};

function clear() {
  search.value = "";
  filter();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || at("keys").open) return;
  const target = event.target;
  if (target === search) {
    if (event.key === "Escape") {
      if (search.value) clear();
      else at("grid").focus();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      at("grid").focus();
      move(0);
    } else return;
    event.preventDefault();
    return;
  }
  const scrolls = target.closest("pre") && event.key.startsWith("Arrow");
  const presses = event.key === "Enter" && target.closest("button, a");
  if (scrolls || presses || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

search.addEventListener("input", filter);
at("rows").addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (row && !String(getSelection())) open(row.dataset.id);
});
at("live").addEventListener("click", pause);
at("help").addEventListener("click", KEYS["?"]);
for (const chip of chips) {
  chip.addEventListener("click", () => {
    search.value = toggle(search.value, chip.dataset.word);
    filter();
  });
}
addEventListener("popstate", arrive);

listen();
if (location.hash) arrive();

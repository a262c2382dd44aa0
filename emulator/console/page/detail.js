// One invocation, opened: where its time went, its answer, request, event and log; a replay beside its original.

import { compare, folded } from "./compare.js";
import { bar, bytes, clock, h, isCold, isHttp, outcome, readable, time, timing } from "./dom.js";
import { block, pretty } from "./json.js";

const COLOURS = /\x1b\[[0-9;?]*[A-Za-z]/g;
const PLATFORM = /^(START|END|REPORT|INIT_START|INIT_REPORT) /;
const TROUBLE = /^\[?(ERROR|CRITICAL)\b|^Traceback |^\w*(\.\w+)*(Error|Exception): /;

export class Detail {
  /** `actions`: replay, copy, close, open, fetch(id). */
  constructor(node, actions) {
    this.node = node;
    this.actions = actions;
    this.tab = "answer";
    this.shown = null;
    this.asked = null;
  }

  get id() {
    return this.asked;
  }

  /** Shows the record `id`, from the beginning; or again, when it has changed. */
  async show(id, tab = null) {
    const same = this.shown?.id === id && this.asked === id;
    this.asked = id;
    if (tab) this.tab = tab;
    this.node.hidden = false;
    const record = await this.actions.fetch(id);
    if (this.asked !== id) return;
    if (record.error !== undefined && record.id === undefined) {
      this.shown = null;
      this.node.replaceChildren(this.head(null), h("p", { class: "callout" }, record.error));
      return;
    }
    const original = record.replay_of ? await this.actions.fetch(record.replay_of) : null;
    if (this.asked !== id || (same && record.serial < this.shown?.serial)) return;
    this.shown = record;
    this.original = original;
    this.draw(same);
  }

  close() {
    this.asked = this.shown = null;
    this.node.hidden = true;
    this.node.replaceChildren();
  }

  draw(keepPlace) {
    const place = keepPlace ? this.node.scrollTop : 0;
    const focused = keepPlace && this.node.contains(document.activeElement) ? document.activeElement.id : null;
    const record = this.shown;
    this.node.replaceChildren(
      this.head(record),
      record.error ? h("p", { class: "callout" }, record.error) : "",
      this.time(record),
      this.tabs(record),
    );
    this.node.scrollTop = place;
    if (focused) document.getElementById(focused)?.focus();
  }

  head(record) {
    const { replay, copy, close } = this.actions;
    const button = (name, key, action, title) => h(
      "button", { type: "button", id: `do-${key}`, class: name, "aria-keyshortcuts": key, on: { click: action } }, title,
      h("kbd", { "aria-hidden": "true" }, key),
    );
    const back = h("button", { type: "button", id: "do-close", class: "round", "aria-label": "Close", on: { click: close } }, "×");
    if (!record) return h("header", {}, h("div", { class: "actions" }, back), h("h2", { id: "title" }, "No longer kept"));
    const result = outcome(record);
    return h(
      "header", {},
      h("div", { class: "actions" }, button("plain", "c", copy, "Copy event"), button("primary", "r", replay, "Replay"), back),
      h(
        "h2", { id: "title" },
        h("b", { class: `status-mark ${result.kind}` }, result.text), " ",
        h("span", { class: "method" }, record.title), " ",
        h("span", { class: "target", title: record.target }, readable(record.target)),
      ),
      record.replay_of && h(
        "p", { class: "kin" }, "A replay of ",
        h("a", { href: `#${record.replay_of}`, on: { click: (event) => this.follow(event, record.replay_of) } }, "the original"),
      ),
    );
  }

  follow(event, id) {
    event.preventDefault();
    this.actions.open(id);
  }

  time(record) {
    const parts = timing(record);
    const fact = (name, value) => value && h("div", {}, h("dt", {}, name), h("dd", {}, value));
    return h(
      "section", { class: "times", "aria-label": "Timing" },
      parts.length ? bar(parts, `Timing: ${parts.map((part) => `${part.name} ${time(part.seconds)}`).join(", ")}`) : null,
      h("ul", { class: "legend" }, ...parts.map((part) => h(
        "li", { title: part.title }, h("i", { class: part.name, "aria-hidden": "true" }), `${part.name} `, h("b", {}, time(part.seconds)),
      ))),
      h(
        "dl", { class: "facts" },
        fact("Total", record.ended ? time(record.total) : "running"),
        fact("Billed", time(record.billed)),
        fact("Memory", record.memory === null ? "" : `${record.memory} MB`),
        fact("Start", isCold(record) ? "cold" : record.duration === null ? "" : "warm"),
        fact(isHttp(record) ? "Door" : "From", record.origin),
        fact("Function", record.function),
        fact("Environment", record.environment),
        fact("At", clock(record.started, true)),
        fact("Id", record.id),
      ),
    );
  }

  tabs(record) {
    const panels = [["answer", "Answer", () => this.answer(record)]];
    if (record.request) panels.push(["request", "Request", () => this.request(record)]);
    panels.push(["event", "Event", () => this.event(record)]);
    panels.push(["log", "Log", () => this.log(record)]);
    if (this.original?.id) panels.push(["compare", "Compare", () => this.compare(record)]);
    const chosen = panels.find(([name]) => name === this.tab) ?? panels[0];
    const list = h("div", { role: "tablist", "aria-label": "Parts of the invocation" }, ...panels.map(([name, title]) => h("button", {
      type: "button",
      role: "tab",
      id: `tab-${name}`,
      "aria-selected": String(name === chosen[0]),
      "aria-controls": "panel",
      tabindex: name === chosen[0] ? "0" : "-1",
      on: { click: () => this.choose(name) },
    }, title)));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const index = panels.findIndex(([name]) => name === chosen[0]);
      this.choose(panels.at((index + step) % panels.length)[0]);
    });
    return h(
      "div", { class: "parts" }, list,
      h("div", { role: "tabpanel", id: "panel", "aria-labelledby": `tab-${chosen[0]}` }, ...chosen[2]()),
    );
  }

  choose(name) {
    this.tab = name;
    this.draw(true);
    document.getElementById(`tab-${name}`).focus();
  }

  answer(record) {
    if (!record.ended) return [h("p", { class: "note" }, "No answer yet.")];
    if (!record.answer) return [nothing("There is no answer.")];
    if (!record.response) {
      return [titled("What the function gave", block(record.answer, "Answer"), copier(record.answer), cut(record, "answer"))];
    }
    return [
      ...this.body(
        record.response.body, `api/invocations/${record.id}/page`,
        record.response.kept ? "The answer has no body." : "The answer has no body, or a streamed one, which is not kept.",
      ),
      headers(record.response.headers),
    ];
  }

  request(record) {
    const query = [...new URLSearchParams(record.target.split("?").slice(1).join("?"))];
    return [
      query.length ? titled("Query", table(query.map(([name, value]) => ({ name, value })), "Query")) : "",
      ...this.body(record.request.body, null, "The request has no body."),
      headers(record.request.headers),
    ];
  }

  event(record) {
    return [
      titled("Event", block(record.event, "Event"), copier(record.event), cut(record, "event")),
      record.answer ? titled(
        "Answer, as the function gave it", block(record.answer, "Answer"), copier(record.answer), cut(record, "answer"),
      ) : "",
    ];
  }

  log(record) {
    if (!record.log.length) return [nothing("The function wrote nothing.")];
    const lines = record.log.map((line) => {
      const text = line.replace(COLOURS, "");
      const kind = PLATFORM.test(text) ? "platform" : TROUBLE.test(text) ? "trouble" : null;
      return h("span", { class: kind }, `${text}\n`);
    });
    return [h("pre", { class: "code log", tabindex: "0", role: "region", "aria-label": "Log" }, ...lines)];
  }

  compare(record) {
    const original = this.original;
    if (!record.ended) return [h("p", { class: "note" }, "Waiting for the answer …")];
    const differs = original.answer !== record.answer || original.status !== record.status;
    const whole = !record.cut.length && record.response?.kept !== false;
    const same = whole ? "The same answer, byte for byte." : "The same answer, as far as it is kept.";
    const changes = compare(asText(original), asText(record));
    const visible = changes.some(([mark]) => mark !== " ");
    const change = (name, one, other) => h(
      "tr", {}, h("th", { scope: "row" }, name), h("td", {}, one || "–"), h("td", {}, other || "–"),
    );
    const sums = h(
      "table", { class: "sums" },
      h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "Original"), h("th", { scope: "col" }, "Replay"))),
      h(
        "tbody", {},
        change("Status", outcome(original).text, outcome(record).text),
        change("Duration", time(original.duration), time(record.duration)),
        change("Memory", original.memory && `${original.memory} MB`, record.memory && `${record.memory} MB`),
      ),
    );
    const names = { "-": "removed", "+": "added", "…": "left-out" };
    const lines = folded(changes).map(([mark, text]) => h(
      "span", { class: names[mark] }, `${mark} ${text}\n`,
    ));
    return [
      h("p", { class: `verdict ${differs ? "differs" : "same"}` }, differs ? "The answers differ." : same),
      sums,
      visible ? h("pre", { class: "code diff", tabindex: "0", role: "region", "aria-label": "Differences" }, ...lines) : "",
      differs && !visible ? nothing("They do so only in how their JSON is written, or beyond what is shown of their bodies.") : "",
    ];
  }

  /** A body in its own form; HTML in a frame of its own at `page`, where there is one. */
  body(body, page, none) {
    if (!body) return [nothing(none)];
    const told = [body.media_type || "no Content-Type", bytes(body.size), body.note].filter(Boolean).join(" · ");
    const shown = [];
    if (body.form === "html" && page) {
      const source = this.source === true;
      const button = (title, pressed, value) => h("button", {
        type: "button",
        id: `as-${title.toLowerCase()}`,
        "aria-pressed": String(pressed),
        on: { click: () => { this.source = value; this.draw(true); } },
      }, title);
      const choice = h("span", { class: "choice" }, button("Page", !source, false), button("Source", source, true));
      shown.push(titled("Body", source ? plain(body.text) : frame(page), choice, told));
    } else if (body.form === "image") {
      const image = h("img", { alt: "The image in the body", class: "picture", src: `data:${body.media_type};base64,${body.base64}` });
      shown.push(titled("Body", image, null, told));
    } else if (body.form === "fields") {
      shown.push(titled("Form", table(body.fields, "Form"), null, told));
    } else if (body.form === "json") {
      shown.push(titled("Body", block(body.text, "Body"), copier(body.text), told));
    } else {
      shown.push(titled("Body", plain(body.text), body.form === "binary" ? null : copier(body.text), told));
    }
    return shown;
  }
}

const cut = (record, part) => (record.cut.includes(part) ? "Only its first megabyte is kept" : null);
const nothing = (text) => h("p", { class: "note" }, text);
const plain = (text) => h("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "Body" }, text);

function frame(page) {
  return h("iframe", { sandbox: "", referrerpolicy: "no-referrer", loading: "lazy", title: "The page in the answer", src: page });
}

function titled(title, content, tool = null, told = null) {
  return h("section", { class: "part" }, h("h3", {}, title, told && h("small", {}, told), tool), content);
}

function copier(text) {
  const button = h("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return button;
}

function table(fields, label) {
  return h("table", { class: "pairs", "aria-label": label }, h("tbody", {}, ...fields.map(({ name, value, file }) => h(
    "tr", {}, h("th", { scope: "row" }, name), h("td", {}, file ? h("em", {}, file) : value),
  ))));
}

function headers(pairs) {
  return titled("Headers", table(pairs.map(([name, value]) => ({ name, value })), "Headers"), null, `${pairs.length}`);
}

/** An answer as lines that can be compared: status, headers by name, body. */
function asText(record) {
  const { response, answer } = record;
  if (!response) return pretty(answer);
  const named = response.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`).sort();
  const body = response.body;
  const text = body?.text ?? body?.base64 ?? JSON.stringify(body?.fields ?? "");
  const laidOut = { json: pretty, html: (page) => page.replaceAll("><", ">\n<") }[body?.form];
  return [`status ${record.status}`, ...named, "", laidOut ? laidOut(text) : text].join("\n");
}

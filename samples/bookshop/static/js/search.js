import { findBooks } from "./api.js";

const LIMIT = 6;
const PAUSE = 180;

function entry(book, prefix) {
  const link = document.createElement("a");
  link.href = prefix + encodeURI(book.slug) + "/";
  if (book.cover) {
    const cover = new Image(32, 48);
    cover.src = book.cover;
    cover.alt = "";
    link.append(cover);
  }
  const text = document.createElement("span");
  const title = document.createElement("b");
  title.textContent = book.title;
  title.lang = book.language;
  text.append(title, [book.english_title, book.author].filter(Boolean).join(" · "));
  link.append(text);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function note(words) {
  const item = document.createElement("li");
  item.className = "none";
  item.textContent = words;
  return item;
}

// The form works without this; here books appear while the words are still being typed.
export function suggestBooks(form) {
  const input = form.querySelector("input");
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("aria-live", "polite");
  form.append(list);
  let timer, running;

  async function show() {
    running?.abort();
    const words = input.value.trim();
    if (words.length < 2) {
      list.hidden = true;
      return;
    }
    running = new AbortController();
    try {
      const found = await findBooks(form.dataset.api, words, { limit: LIMIT, signal: running.signal });
      const prefix = new URL(form.action).pathname;
      list.replaceChildren(...found.results.map((book) => entry(book, prefix)));
      if (!found.count) list.append(note(form.dataset.none));
      list.hidden = false;
    } catch (error) {
      if (error.name !== "AbortError") list.hidden = true;
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") list.hidden = true;
    const links = [input, ...list.querySelectorAll("a")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !list.hidden) {
      event.preventDefault();
      links.at((links.indexOf(document.activeElement) + step) % links.length).focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) list.hidden = true;
  });
}

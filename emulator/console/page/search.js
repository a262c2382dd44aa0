// What is typed into the search: words, `key:value`, and a minus for "but not".

import { isCold, isFailed, isHttp, readable } from "./dom.js";

const WORDS = {
  cold: isCold,
  warm: (row) => row.ended && !isCold(row) && row.duration !== null,
  error: isFailed,
  errors: isFailed,
  running: (row) => !row.ended,
  replay: (row) => row.replay_of !== null,
};

const has = (text, value) => String(text ?? "").toLowerCase().includes(value);

const KEYS = {
  status: (row, value) => /^[1-5](xx)?$/.test(value)
    ? Math.floor((row.status ?? 0) / 100) === Number(value[0])
    : String(row.status ?? "").startsWith(value),
  method: (row, value) => isHttp(row) && has(row.title, value),
  path: (row, value) => has(row.target, value) || has(readable(row.target), value),
  door: (row, value) => has(row.origin, value),
  source: (row, value) => has(row.source, value),
  function: (row, value) => has(row.function, value),
  id: (row, value) => has(row.id, value),
};

function term(word) {
  if (Object.hasOwn(WORDS, word)) return WORDS[word];
  const [, key, value] = /^([a-z]+):(.+)$/.exec(word) ?? [];
  if (key && Object.hasOwn(KEYS, key)) return (row) => KEYS[key](row, value);
  // Still being typed, it hides nothing.
  if (Object.hasOwn(KEYS, word.replace(/:$/, "")) && word.endsWith(":")) return () => true;
  return (row) => KEYS.path(row, word) || [row.title, row.id, row.error].some((text) => has(text, word));
}

/** The predicate that `query` asks for; all of its words have to be true of a row. */
export function compile(query) {
  const terms = query.toLowerCase().split(/\s+/).filter((word) => word && word !== "-").map((word) => {
    if (!word.startsWith("-")) return term(word);
    const unwanted = term(word.slice(1));
    return (row) => !unwanted(row);
  });
  return (row) => terms.every((matches) => matches(row));
}

/** `query` with `word` put in or taken out, and whether it is in there now. */
export function toggle(query, word) {
  const words = query.split(/\s+/).filter(Boolean);
  const without = words.filter((one) => one.toLowerCase() !== word);
  return without.length < words.length ? without.join(" ") : [...words, word].join(" ");
}

export const includes = (query, word) => query.toLowerCase().split(/\s+/).includes(word);

import { remember } from "./cookies.js";

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

function current() {
  return root.dataset.theme === "auto" ? (dark.matches ? "dark" : "light") : root.dataset.theme;
}

// The server reads the same cookie, so that the next page comes in the right colours from its first byte.
export function offerThemes(button) {
  const describe = () => {
    const label = current() === "dark" ? button.dataset.light : button.dataset.dark;
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    remember("theme", root.dataset.theme);
    describe();
  });
  dark.addEventListener("change", describe);
  describe();
  button.hidden = false;
}

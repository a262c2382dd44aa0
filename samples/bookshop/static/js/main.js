import { offerThemes } from "./theme.js";
import { suggestBooks } from "./search.js";

offerThemes(document.querySelector(".theme"));
suggestBooks(document.querySelector(".search"));

/** Words of the page in the language that its reader has chosen, and numbers as that language writes them. */

import { PHRASES } from "./phrases.js";
import { WORDS } from "./words.js";

let language = "en";

/**
 * Choose the language of the page from now on.
 * @param {string} wanted A language tag, as `ko-KR`; one that the page does not know is English.
 */
export function useLanguage(wanted) {
  const short = wanted.slice(0, 2).toLowerCase();
  language = short in WORDS ? short : "en";
  document.documentElement.lang = language;
  document.title = t("title");
}

/** @returns {string} The language in use. */
export function languageInUse() {
  return language;
}

/**
 * A sentence of the page.
 * @param {string} key
 * @param {Record<string, string | number>} [values] What stands in the braces; with `n` 1, the key `KEY.one` wins.
 * @returns {string}
 */
export function t(key, values = {}) {
  const words = WORDS[language];
  const text = (values.n === 1 ? words[`${key}.one`] : undefined) ?? words[key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (braces, name) => (name in values ? String(values[name]) : braces));
}

/**
 * @param {string} key
 * @returns {boolean} Whether the page has words for it.
 */
export function knows(key) {
  return key in WORDS.en;
}

/**
 * A phrase that networks and their cards bring along in English.
 * @param {string} text
 * @returns {{text: string, lang: string}} In English still, where there is no translation.
 */
export function translate(text) {
  const own = PHRASES[language]?.[text];
  return own ? { text: own, lang: language } : { text, lang: "en" };
}

/**
 * A number as readers of the language write it.
 * @param {number} value
 * @param {number} [digits] After the point, at most.
 * @returns {string}
 */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/**
 * @param {number} share Between 0 and 1.
 * @returns {string}
 */
export function percent(share) {
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/**
 * A time as people say it.
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds >= 90) {
    return t("minutes", { n: number(seconds / 60) });
  }
  return t("seconds", { n: number(seconds, seconds < 10 ? 1 : 0) });
}

/**
 * Fill each element that names its words by `data-word`, `data-label` (for readers of the screen) or `data-hint`.
 * @param {ParentNode} root
 */
export function fillWords(root) {
  for (const element of root.querySelectorAll("[data-word]")) {
    element.textContent = t(/** @type {HTMLElement} */ (element).dataset.word ?? "");
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    const text = t(/** @type {HTMLElement} */ (element).dataset.label ?? "");
    element.setAttribute("aria-label", text);
    if (element.localName === "button") {
      element.setAttribute("title", text);
    }
  }
}

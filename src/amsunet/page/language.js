/** The choice of the language, kept for the next visit where the browser lets the page keep anything. */

import { languageInUse, useLanguage } from "./i18n.js";

/** Languages by the name that their readers know. */
const LANGUAGES = { en: "English", ko: "한국어" };

const KEPT = "amsunet.language";

/**
 * Begin in the language of the last visit, or of the browser.
 * @param {Iterable<HTMLButtonElement>} buttons One a language.
 * @param {() => void} onChange
 */
export function listenForLanguage(buttons, onChange) {
  const show = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.value === languageInUse()));
    }
  };
  for (const button of buttons) {
    button.title = LANGUAGES[/** @type {keyof typeof LANGUAGES} */ (button.value)];
    button.addEventListener("click", () => {
      useLanguage(button.value);
      keep(button.value);
      show();
      onChange();
    });
  }
  useLanguage(kept() ?? navigator.language);
  show();
}

/** @param {string} value */
function keep(value) {
  try {
    localStorage.setItem(KEPT, value);
  } catch {
    // Some browsers let no page from a file keep anything.
  }
}

/** @returns {string | null} */
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

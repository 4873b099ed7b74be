/** Keys of the page, and the list of them. */

import { make } from "./dom.js";
import { t } from "./i18n.js";

/** @type {[string[], string][]} Keys, and the word for what they do. */
const KEYS = [
  [["N", "P"], "key.next"],
  [["1", "2", "3"], "key.styles"],
  [["H"], "key.hide"],
  [["[", "]"], "key.threshold"],
  [["+", "−"], "key.zoom"],
  [["F", "0"], "key.fit"],
  [["←", "→", "↑", "↓"], "key.move"],
  [["S"], "key.beside"],
  [["O"], "key.open"],
  [["Esc"], "key.cancel"],
];

/**
 * Act on keys, but not while a text is typed.
 * @param {Record<string, (pressed: boolean) => void>} acts By key; what is to act when a key is let go is `KEY up`.
 */
export function listenForKeys(acts) {
  const find = (/** @type {KeyboardEvent} */ event, /** @type {string} */ after) => {
    const typing = event.target instanceof Element && event.target.closest("input[type=text], select, dialog");
    const other = event.ctrlKey || event.metaKey || event.altKey;
    return typing || other ? undefined : acts[event.key.toLowerCase() + after];
  };
  addEventListener("keydown", (event) => {
    const act = find(event, "");
    if (act) {
      event.preventDefault();
      act(true);
    }
  });
  addEventListener("keyup", (event) => find(event, " up")?.(false));
}

/**
 * Show the list of keys.
 * @param {HTMLDialogElement} dialog
 */
export function showKeys(dialog) {
  const rows = KEYS.map(([keys, word]) =>
    make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, t(word))));
  dialog.replaceChildren(
    make("h2", { id: "keyboard-title" }, t("keys")),
    make("dl", {}, ...rows),
    make("form", { method: "dialog" }, make("button", { class: "main" }, t("close"))),
  );
  dialog.showModal();
}

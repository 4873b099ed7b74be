/** What is known of a network: what it finds, where it fails, on what terms; and how long it takes. */

import { make } from "./dom.js";
import { duration, t, translate } from "./i18n.js";

/** @typedef {import("./types.js").Network} Network */

/**
 * The name of a network as people call it.
 * @param {string} name
 * @returns {string}
 */
export function shortName(name) {
  return name.replace(/^zoo:/, "");
}

/**
 * Fill an element with the card of a network.
 * @param {HTMLElement} root
 * @param {Network | null} network
 * @param {number | null} seconds For an image of 256 x 256 pixels.
 */
export function showCard(root, network, seconds) {
  const card = network?.card;
  /** @type {Node[]} */
  const parts = [];
  if (card) {
    const what = translate(card.finds);
    parts.push(make("p", { class: "finds", lang: what.lang }, t("finds", { what: what.text })));
  } else if (network) {
    parts.push(make("p", { class: "finds" }, t("finds.unknown")));
  }
  if (network && seconds !== null) {
    parts.push(make("p", { class: "soft small" }, t("takes", { time: duration(seconds) })));
  }
  if (card) {
    const fails = card.fails.map((sentence) => {
      const { text, lang } = translate(sentence);
      return make("li", { lang }, text);
    });
    const terms = translate(card.terms);
    parts.push(
      make("details", {}, make("summary", {}, t("fails")), make("ul", {}, ...fails)),
      make("p", { class: "soft small" },
        make("span", { lang: terms.lang }, t("terms", { terms: terms.text })),
        card.research_only ? ` ${t("research.only")}` : null),
    );
  }
  root.replaceChildren(...parts);
}

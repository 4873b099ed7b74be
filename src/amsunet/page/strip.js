/** The strip of images: small pictures with their state, to choose from. */

import { make } from "./dom.js";
import { t } from "./i18n.js";

/** @typedef {import("./images.js").Entry} Entry */

export class Strip {
  /**
   * @param {HTMLElement} root
   * @param {{select: (entry: Entry) => void, remove: (entry: Entry) => void, add: () => void, clear: () => void}} actions
   */
  constructor(root, actions) {
    this.actions = actions;
    /** @type {Map<Entry, HTMLLIElement>} */
    this.items = new Map();
    /** @type {Entry | null} */
    this.current = null;
    this.list = make("ul", {});
    this.addButton = make("button", { type: "button", class: "quiet", onclick: actions.add });
    this.clearButton = make("button", { type: "button", class: "quiet", onclick: actions.clear });
    this.count = make("span", { class: "soft small" });
    root.append(this.list, make("div", { class: "strip-acts" }, this.count, this.addButton, this.clearButton));
  }

  /**
   * Show all images.
   * @param {Entry[]} entries
   * @param {Entry | null} selected
   * @param {(entry: Entry) => boolean} toReview Whether a mask is to be checked.
   */
  show(entries, selected, toReview) {
    this.addButton.textContent = t("add");
    this.clearButton.textContent = t("clear");
    const known = new Set(entries);
    for (const [entry, item] of this.items) {
      if (!known.has(entry)) {
        item.remove();
        this.items.delete(entry);
      }
    }
    for (const entry of entries) {
      if (!this.items.has(entry)) {
        const item = this.itemOf(entry);
        this.items.set(entry, item);
        this.list.append(item);
      }
      this.update(entry, entry === selected, toReview(entry));
    }
  }

  /**
   * Show how far the work on many images is.
   * @param {Entry[]} entries
   */
  showCount(entries) {
    const left = entries.filter(({ state }) => state === "waiting" || state === "running").length;
    const words = t("queue", { done: entries.length - left, total: entries.length });
    this.count.textContent = left && entries.length > 1 ? words : "";
  }

  /**
   * @param {Entry} entry
   * @returns {HTMLLIElement}
   */
  itemOf(entry) {
    const { select, remove } = this.actions;
    return make("li", {},
      make("button", { type: "button", class: "thumb", onclick: () => select(entry) },
        make("span", { class: "picture" }), make("span", { class: "mark", "aria-hidden": "true" })),
      make("button", { type: "button", class: "remove", onclick: () => remove(entry) }, "×"),
    );
  }

  /**
   * Show one image as it is now.
   * @param {Entry} entry
   * @param {boolean} selected
   * @param {boolean} toReview
   */
  update(entry, selected, toReview) {
    const item = this.items.get(entry);
    if (!item) {
      return;
    }
    const state = entry.state === "done" && toReview ? "check" : entry.state;
    const [button, remove] = item.querySelectorAll("button");
    const label = `${entry.name}, ${t(`state.${state}`)}`;
    if (button.getAttribute("aria-label") !== label) {
      button.setAttribute("aria-label", label);
      button.title = label;
      remove.setAttribute("aria-label", t("remove", { name: entry.name }));
    }
    item.dataset.state = state;
    if (selected && this.current !== entry) {
      this.current && this.items.get(this.current)?.firstElementChild?.setAttribute("aria-current", "false");
      this.current = entry;
      item.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    button.setAttribute("aria-current", String(selected));
    const picture = /** @type {HTMLElement} */ (button.firstElementChild);
    if (entry.thumbnail && picture.firstChild !== entry.thumbnail) {
      picture.replaceChildren(entry.thumbnail);
    }
  }
}

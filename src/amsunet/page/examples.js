/** Images to try the page with. */

import { make } from "./dom.js";
import { load } from "./resources.js";
import { t } from "./i18n.js";

/**
 * @typedef {import("./types.js").Network} Network
 *
 * @typedef {object} Example
 * @property {string} name
 * @property {string} file
 * @property {string | null} mask A reference mask of it.
 * @property {string[]} networks Those that it is for; empty where any may be tried.
 * @property {string} terms
 */

/**
 * Those that a network is for; all of them for a network of somebody's own.
 * @param {Example[]} examples
 * @param {Network | null} network
 * @returns {Example[]}
 */
export function fitting(examples, network) {
  const own = examples.filter(({ networks }) => networks.includes(network?.name ?? ""));
  return own.length || network?.card ? own : examples;
}

/**
 * @param {HTMLElement} root
 * @param {Example[]} examples
 * @param {(example: Example) => void} open
 */
export function showExamples(root, examples, open) {
  const buttons = examples.map((example) => {
    const picture = make("img", { alt: "", width: 72, height: 72 });
    fileOf(example.file).then(({ file }) => {
      picture.src = URL.createObjectURL(file);
    }, () => {});
    const words = make("span", {}, t("example", { name: example.name }));
    return make("button", { type: "button", title: example.terms, onclick: () => open(example) }, picture, words);
  });
  root.replaceChildren(...buttons);
}

/**
 * A file of the page, as if a person had brought it.
 * @param {string} path
 * @returns {Promise<import("./intake.js").Incoming>}
 */
export async function fileOf(path) {
  const bytes = /** @type {BlobPart} */ (await load(path));
  return { name: path.split("/").pop() ?? path, file: new Blob([bytes]) };
}

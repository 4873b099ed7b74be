/** Errors and doubts as sentences of the page's language. */

import { codeOf } from "./errors.js";
import { knows, say, translate } from "./say.js";

/**
 * One sentence for what went wrong.
 * @param {any} error
 * @param {string} name Of the image.
 * @returns {string}
 */
export function sentenceOf(error, name) {
  const key = `error.${codeOf(error)}`;
  return knows(key) ? say(key, { ...error.values, name: error.values?.name || name }) : say("error.unknown", { name, message: String(error?.message ?? error) });
}

/**
 * Figures and reasons, one after the other, in the page's language.
 * @param {string} list
 * @returns {string}
 */
function translateList(list) {
  return list.split(/([,;] )/).map((part) => translate(part).text).join("");
}

/**
 * Why a mask is to be checked, each reason a sentence.
 * @param {import("./images.js").Entry} entry
 * @param {import("./types.js").Description | null} description
 * @returns {string[]}
 */
export function doubtsOf({ prediction, measured, state }, description) {
  if (!prediction || !measured || state !== "done") {
    return [];
  }
  const limit = description?.uncertainty_limit ?? null;
  return [
    prediction.polarity ? say(`polarity.${prediction.polarity}`) : "",
    prediction.outOfDistribution ? say("unlike", { how: translateList(prediction.outOfDistribution) }) : "",
    limit !== null && measured.uncertainty > limit ? say("unsure") : "",
  ].filter(Boolean);
}

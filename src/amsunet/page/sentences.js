/** Errors and review reasons as sentences of the page's language. */

import { codeOf } from "./errors.js";
import { knows, t, translate } from "./i18n.js";

/**
 * One sentence for what went wrong.
 * @param {any} error
 * @param {string} name Of the image.
 * @returns {string}
 */
export function sentenceOf(error, name) {
  const key = `error.${codeOf(error)}`;
  return knows(key) ? t(key, { ...error.values, name: error.values?.name || name }) : t("error.unknown", { name, message: String(error?.message ?? error) });
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
export function reviewReasonsOf({ prediction, measured, state }, description) {
  if (!prediction || !measured || state !== "done") {
    return [];
  }
  const limit = description?.uncertainty_limit ?? null;
  return [
    prediction.polarity ? t(`polarity.${prediction.polarity}`) : "",
    prediction.outOfDistribution ? t("out_of_distribution", { how: translateList(prediction.outOfDistribution) }) : "",
    limit !== null && measured.uncertainty > limit ? t("unsure") : "",
  ].filter(Boolean);
}

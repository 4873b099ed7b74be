/**
 * What a prediction shows at a threshold: a mask, its objects, and how much of the image they are.
 *
 * @typedef {import("./types.js").Prediction} Prediction
 * @typedef {import("./types.js").Description} Description
 *
 * @typedef {object} Choice What a person has chosen; null for what the network comes with.
 * @property {number | null} threshold
 * @property {number | null} smallest In pixels of the image.
 * @property {number | null} separation In pixels of the image; 0 for objects that are one where they touch.
 *
 * @typedef {object} ClassMeasure
 * @property {string} name
 * @property {number} objects
 * @property {number} pixels
 * @property {number | null} dice Against the reference mask, where there is one.
 *
 * @typedef {object} Measured
 * @property {Uint8Array | null} labels Null where they were put away to save memory.
 * @property {import("./objects.js").MaskObject[]} objects
 * @property {ClassMeasure[]} classes All but the background.
 * @property {number} uncertainty One minus the Dice that the network expects.
 * @property {number | null} threshold Null where the likeliest of several classes counts.
 * @property {number | null} smallest In pixels of this image.
 * @property {number} separation How deep a waist must be at which objects that touch are parted, in pixels of this
 *   image; 0 where they are one.
 */

import { toLabels } from "./finish.js";
import { objectsOf } from "./objects.js";
import { separationIn, smallestIn } from "./prepare.js";
import { diceOf } from "./reference.js";
import { uncertaintyOf } from "./uncertainty.js";

/**
 * @param {Prediction} prediction
 * @param {Description} description
 * @param {Choice} choice
 * @param {Uint8Array | null} reference
 * @returns {Measured & {labels: Uint8Array}}
 */
export function measure(prediction, description, choice, reference) {
  const { width, height, probability, spacing } = prediction;
  const count = prediction.classes.length;
  const { threshold, smallest, separation } = used(description, choice, width, height, spacing);
  const labels = toLabels(probability, count, height, width, threshold, smallest);
  const objects = objectsOf(labels, width, height, probability, separation);
  const classes = prediction.classes.slice(1).map((name, index) => {
    const own = objects.filter(({ label }) => label === index + 1);
    const pixels = own.reduce((sum, { area }) => sum + area, 0);
    return { name, objects: own.length, pixels, dice: reference ? diceOf(labels, reference, index + 1) : null };
  });
  return {
    labels, objects, classes, separation, uncertainty: uncertaintyOf(probability, labels, count),
    threshold: count === 2 ? threshold : null, smallest: count === 2 ? smallest : null,
  };
}

/**
 * The settings that hold for an image of a size.
 * @param {Description} description
 * @param {Choice} choice
 * @param {number} width
 * @param {number} height
 * @param {Prediction["spacing"]} [spacing] From the file of the image.
 * @returns {{threshold: number, smallest: number, separation: number}}
 */
export function used(description, choice, width, height, spacing = null) {
  return {
    threshold: choice.threshold ?? description.threshold,
    smallest: choice.smallest ?? smallestIn(description, height, width, spacing),
    separation: choice.separation ?? separationIn(description, height, width, spacing),
  };
}

/**
 * A mask that a person drew, to compare with.
 *
 * @typedef {import("./types.js").Picture} Picture
 * @typedef {import("./types.js").Description} Description
 */

import { decodeMask } from "./decode.js";
import { PageError } from "./errors.js";

const IGNORE_INDEX = 255;

/**
 * Compare an image with a mask from a file.
 * @param {import("./intake.js").Incoming} incoming
 * @param {import("./images.js").Entry | null} entry
 * @param {import("./images.js").Images} images
 * @param {Description} description
 */
export async function addReference({ name, file }, entry, images, description) {
  if (!entry) {
    throw new PageError("reference_pair", { name });
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const picture = await decodeMask(bytes, name, description.convention.reading);
  if (!entry.view) {
    await images.look(entry);
  }
  const { width, height } = picture;
  if (width !== entry.view?.width || height !== entry.view.height) {
    const wanted = { wanted_width: entry.view?.width ?? 0, wanted_height: entry.view?.height ?? 0 };
    throw new PageError("reference_size", { name, width, height, ...wanted });
  }
  await images.compare(entry, { name, labels: referenceLabels(picture, description, name) });
}

/**
 * Read a mask as class numbers, in the convention of the training masks.
 * @param {Picture} picture
 * @param {Description} description
 * @param {string} name Of its file, for messages.
 * @returns {Uint8Array} 255 where it is ignored.
 */
export function referenceLabels(picture, description, name) {
  const { kind, values, threshold, ignore_value: ignored } = description.convention;
  const { samples, channels, width, height } = picture;
  const colours = kind === "colours" && channels === 3;
  const labels = new Uint8Array(width * height);
  const classes = new Map(values.map((/** @type {number} */ value, /** @type {number} */ label) => [value, label]));
  const byValue = kind === "colours" || (kind === "values" && values.length > 2);
  for (let i = 0; i < labels.length; i += 1) {
    const at = i * channels;
    const brightest = channels === 3 ? Math.max(samples[at], samples[at + 1], samples[at + 2]) : samples[at];
    const value = colours ? (samples[at] << 16) | (samples[at + 1] << 8) | samples[at + 2] : brightest;
    if (ignored !== null && ignored !== undefined && value === ignored) {
      labels[i] = IGNORE_INDEX;
    } else if (byValue) {
      const label = classes.get(value);
      if (label === undefined) {
        throw new PageError("reference_values", { name, value });
      }
      labels[i] = label;
    } else if (kind === "threshold" || kind === "folders") {
      labels[i] = Number(value >= (threshold ?? 1));
    } else {
      labels[i] = Number(value !== (kind === "values" ? values[0] : 0));
    }
  }
  return labels;
}

/**
 * Dice of a class; 1 where mask and reference are both empty, as in reports.
 * @param {Uint8Array} labels
 * @param {Uint8Array} reference
 * @param {number} label
 * @returns {number}
 */
export function diceOf(labels, reference, label) {
  let [both, either] = [0, 0];
  for (let i = 0; i < labels.length; i += 1) {
    if (reference[i] !== IGNORE_INDEX) {
      const [here, there] = [Number(labels[i] === label), Number(reference[i] === label)];
      both += here & there;
      either += here + there;
    }
  }
  return either ? (2 * both) / either : 1;
}

/**
 * The name of a file without its ending, and without what names of masks often end in.
 * @param {string} name
 * @returns {string}
 */
export function stemOf(name) {
  return name.replace(/\.[^.]*$/, "").replace(/[_-](mask|masks|label|labels|seg|segmentation|gt|anno|annotation)$/i, "");
}

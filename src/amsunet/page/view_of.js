/** An image to look at, as the package shows it below its outlines: `data/overlay.py`. */

import { findRange, normalize, withChannels } from "./normalize.js";

/** Colour images of 8 bits that are no brighter are stretched, as grey and deep ones are. */
const DARK = 127;

/**
 * @param {import("./types.js").Picture} picture
 * @param {import("./types.js").Description} [_description] Of the network; images look the same for all of them.
 * @returns {import("./types.js").View}
 */
export function viewOf(picture, _description) {
  const { width, height, spacing } = picture;
  const bytes = picture.samples instanceof Uint8Array;
  const plain = bytes && picture.channels === 3 && picture.samples.some((one) => one > DARK);
  const image = withChannels(picture, 3);
  const rgb = plain ? image.samples : normalize(image, findRange(image, "percentiles", image));
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let index = 0, target = 0; target < rgba.length; target += 4) {
    rgba[target] = rgb[index++];
    rgba[target + 1] = rgb[index++];
    rgba[target + 2] = rgb[index++];
    rgba[target + 3] = 255;
  }
  return { width, height, rgba, spacing };
}

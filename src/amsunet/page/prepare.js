/**
 * An image made ready for a network: normalised, the right way round, at working size. As `inference/prepared_image.py`
 * and `data/preprocessing.py`. Like `predict` it goes by the size of the pixels where the file and the network tell it;
 * what is typed into the page is for areas alone.
 */

import { toLabels, toProbabilities } from "./finish.js";
import { everyNth, findRange, normalize, withChannels } from "./normalize.js";
import { extremes, roundHalfEven } from "./numbers.js";
import { outOfDistribution } from "./out_of_distribution.js";
import { resizeBytes } from "./resize.js";
import { uncertaintyOf } from "./uncertainty.js";

/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Prepared} Prepared */
/** @typedef {import("./types.js").Spacing} Spacing */
/** @typedef {import("./normalize.js").IntensityRange} IntensityRange */
/** @typedef {import("./out_of_distribution.js").Seen} Seen */

/**
 * Takes the range found and what makes the image by a range; gives the range to be taken.
 *
 * @typedef {(found: IntensityRange, view: (range: IntensityRange) => Seen) => Promise<IntensityRange>} ChooseRange
 */

/**
 * As tiles.js has them.
 *
 * @typedef {object} Planes Channel after channel, each row after row.
 * @property {Float32Array} values
 * @property {number} channels
 * @property {number} width
 * @property {number} height
 */

/** Images whose sides differ by no more than this factor count as equal in size. */
const ALIKE = 1.1;
/** Difference between the channels of an image, as a share of the range of its values. */
const COLOURED = 0.03;
/** Pixels, on a side, of the middle of an image that are looked at. */
const SIDE = 1024;

/**
 * @param {Picture} picture
 * @param {Description} description
 * @param {ChooseRange} [chooseRange] Of two ranges; without it that which the image itself suggests.
 * @returns {Promise<Prepared>} Planes of 0 ... 255: an exported network subtracts its mean itself.
 */
export async function prepare(picture, description, chooseRange = async (found) => found) {
  const { in_channels: channels, normalization, values, polarity } = description.preprocessing;
  const image = withChannels(picture, channels);
  const size = workingSize(description, picture.height, picture.width, picture.spacing);
  /** @type {Map<IntensityRange, Seen>} */
  const made = new Map();
  /** @param {IntensityRange} range */
  const view = (range) => {
    const pixels = resizeBytes(normalize(image, range), channels, image.width, image.height, size.width, size.height);
    made.set(range, { pixels, channels, ...size });
    return /** @type {Seen} */ (made.get(range));
  };
  const found = findRange(image, normalization, picture, values ?? [], polarity ?? "auto");
  const chosen = found.other ? await chooseRange(found, view) : found;
  const seen = made.get(chosen) ?? view(chosen);
  const statistics = description.image_statistics;
  const difference =
    (statistics && outOfDistribution(seen, statistics)) ||
    (channels === 1 && isColoured(picture) ? "colours, and the network takes grey images" : "");
  return {
    planes: asPlanes(seen),
    channels,
    ...size,
    outOfDistribution: [found.guess, difference].filter(Boolean).join("; "),
    polarity: found.other ? (chosen.low > chosen.high ? "dark-on-bright" : "bright-on-dark") : "",
  };
}

/**
 * Chooses the range by which a network expects to be right: one that was trained to see bright objects on dark is less
 * sure of what it finds in the gaps between objects. What the image itself shows counts too, by its lead.
 *
 * @param {(planes: Planes) => Promise<Planes>} run An image of any size, as
 *   the network takes it, to logits of that size.
 * @param {Description} description
 * @returns {ChooseRange}
 */
export function byExpectedDice(run, description) {
  /** @param {Seen} seen */
  const expectedDice = async (seen) => {
    const { width, height } = seen;
    const logits = await run({ values: asPlanes(seen), channels: seen.channels, width, height });
    const { values, channels: classes } = logits;
    const probability = toProbabilities(values, classes, height, width, height, width);
    const labels = toLabels(probability, classes, height, width, description.threshold, 0);
    return 1 - uncertaintyOf(probability, labels, classes);
  };
  return async (found, view) => {
    if (!found.other) return found;
    const first = await expectedDice(middleOf(view(found)));
    const other = await expectedDice(middleOf(view(found.other)));
    return first + (found.lead ?? 0) >= other ? found : found.other;
  };
}

/**
 * @param {Description} description
 * @param {number} height
 * @param {number} width
 * @param {Spacing | null} spacing Of the image, where its file tells.
 * @returns {[number, number]} Working pixels a pixel, down and across.
 */
function factorsOf({ preprocessing }, height, width, spacing) {
  const { scale, image_scale: kind, typical_size: typical, spacing: trained } = preprocessing;
  const isAlike = (/** @type {number} */ one) => one >= 1 / ALIKE && one <= ALIKE;
  if (spacing && trained) {
    const millimetres = spacing.unit === "mm" ? 1 : 1e-3;
    const [down, across] = [(spacing.rows * millimetres) / trained[0], (spacing.columns * millimetres) / trained[1]];
    return isAlike(down) && isAlike(across) ? [scale, scale] : [scale * down, scale * across];
  }
  const ratio = typical ? Math.sqrt((height * width) / (typical[0] * typical[1])) : 1;
  const factor = kind !== "size" || isAlike(ratio) ? scale : scale / ratio;
  return [factor, factor];
}

/**
 * The size in which a network sees an image.
 *
 * @param {Description} description
 * @param {number} height
 * @param {number} width
 * @param {Spacing | null} [spacing]
 * @returns {{width: number, height: number}}
 */
export function workingSize(description, height, width, spacing = null) {
  const [down, across] = factorsOf(description, height, width, spacing);
  return { width: Math.max(1, roundHalfEven(width * across)), height: Math.max(1, roundHalfEven(height * down)) };
}

/**
 * Pixels of an image below which objects are dropped: always as many of those that the network sees.
 *
 * @param {Description} description
 * @param {number} height
 * @param {number} width
 * @param {Spacing | null} [spacing]
 * @returns {number}
 */
export function smallestIn(description, height, width, spacing = null) {
  const [down, across] = factorsOf(description, height, width, spacing);
  const { scale } = description.preprocessing;
  return description.smallest_object * (scale / down) * (scale / across);
}

/**
 * How deep a waist must be where objects that touch are parted, in pixels of an image; 0 where none are.
 *
 * @param {Description} description
 * @param {number} height
 * @param {number} width
 * @param {Spacing | null} [spacing]
 * @returns {number}
 */
export function separationIn(description, height, width, spacing = null) {
  if (!description.separation) return 0;
  const [down, across] = factorsOf(description, height, width, spacing);
  return (description.separation * description.preprocessing.scale) / Math.sqrt(down * across);
}

/**
 * @param {Picture} picture
 * @returns {boolean} Whether it has more colour than grey stored as JPEG has.
 */
function isColoured(picture) {
  if (picture.channels === 1) return false;
  const [across, down] = [picture.width, picture.height].map((side) => Math.max(1, Math.floor(side / 256)));
  const { samples } = everyNth(picture, across, down);
  let sum = 0;
  for (let index = 0; index < samples.length; index += 3) {
    const [red, green, blue] = [samples[index], samples[index + 1], samples[index + 2]];
    sum += Math.max(red, green, blue) - Math.min(red, green, blue);
  }
  const { least, most } = extremes(samples);
  return sum / (samples.length / 3) > COLOURED * Math.max(most - least, 1e-6);
}

/**
 * @param {Seen} seen
 * @returns {Seen} Its middle, where it is large.
 */
function middleOf(seen) {
  const { pixels, channels } = seen;
  const [width, height] = [Math.min(SIDE, seen.width), Math.min(SIDE, seen.height)];
  if (width === seen.width && height === seen.height) return seen;
  const [left, top] = [Math.floor((seen.width - width) / 2), Math.floor((seen.height - height) / 2)];
  const out = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * seen.width + left) * channels;
    out.set(pixels.subarray(start, start + width * channels), y * width * channels);
  }
  return { pixels: out, channels, width, height };
}

/**
 * @param {Seen} seen
 * @returns {Float32Array} Channel after channel.
 */
function asPlanes({ pixels, channels, width, height }) {
  const size = width * height;
  const planes = new Float32Array(size * channels);
  for (let index = 0, source = 0; index < size; index++) {
    for (let channel = 0; channel < channels; channel++) planes[channel * size + index] = pixels[source++];
  }
  return planes;
}

/** Whether an image shows dark objects on bright ground, or bright ones on dark. As `data/polarity.py`. */

import { mean, quantiles } from "./numbers.js";

/** @typedef {import("./types.js").Picture} Picture */

/** Least distance of the mean brightness of a grey image from one half for a certain answer. */
const SURE = 0.2;
/** Mean difference between the channels, as a share of white, above which an image has colours. */
const COLOURED = 0.03;
/** Pixels below this brightness are a frame or unlit, and show no colours. */
const BLACK = 0.06;
/** Darkest channel of the brightest pixels, above which they are near white. */
const PALE = 0.35;
/** The same, below which a channel is dark everywhere. */
const PURE = 0.1;
/** Difference in saturation that is none. */
const ALIKE = 0.02;
/** Brightest channel of the darkest pixels, above which light shines through them. */
const LIT = 0.2;

/**
 * What stands out in an image.
 *
 * @typedef {object} PolarityEstimate
 * @property {boolean} darkObjects
 * @property {boolean} sure
 * @property {number} lead Strength of the evidence; 0 where the answer is certain.
 */

/**
 * Find out by colour, else by brightness, whether objects are dark or bright.
 *
 * @param {Picture} image As read, or every n-th pixel of it.
 * @param {number} brightness Its mean, after scaling the image to 0 ... 1.
 * @returns {PolarityEstimate}
 */
export function findPolarity(image, brightness) {
  const [low, high] = quantiles(image.samples, [0.005, 0.995]);
  if (image.channels === 3 && high > 0) {
    const scaled = Float32Array.from(image.samples, (value) => clip(Math.fround(value) / high));
    const { pale, fall, darkest } = measureColours(scaled, image.width, image.height);
    if (pale > PALE && fall > ALIKE && darkest > LIT) return { darkObjects: true, sure: true, lead: 0 };
    if (pale < PURE && fall < ALIKE) return { darkObjects: false, sure: true, lead: 0 };
    if (pale > PURE && fall > ALIKE) return undecided(image, low, high, brightness);
  }
  if (Math.abs(brightness - 0.5) > SURE) return { darkObjects: brightness > 0.5, sure: true, lead: 0 };
  return undecided(image, low, high, brightness);
}

/**
 * @param {number} value
 * @returns {number} In 0 ... 1.
 */
function clip(value) {
  return Math.min(1, Math.max(0, value));
}

/**
 * Measure the colours of an image whose white is 1: the darkest channel of the brightest pixels, `pale`; by how much
 * the darkest quarter is more saturated than the brightest one, `fall`; the brightest channel of the darkest quarter.
 *
 * @param {Float32Array} image Of three channels.
 * @param {number} width
 * @param {number} height
 * @returns {{pale: number, fall: number, darkest: number}} Values that decide nothing for an image without colours.
 */
function measureColours(image, width, height) {
  const smoothed = smooth(image, width, height, 3); // noise gives dark greys colours
  const count = width * height;
  const [most, least, grey] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  let [difference, lit] = [0, 0];
  for (let index = 0; index < count; index++) {
    const [red, green, blue] = smoothed.subarray(3 * index, 3 * index + 3);
    const [high, low] = [Math.max(red, green, blue), Math.min(red, green, blue)];
    difference += high - low;
    if (!(high > Math.fround(BLACK))) continue;
    [most[lit], least[lit], grey[lit]] = [high, low, Math.fround(Math.fround(red + green) + blue) / 3];
    lit++;
  }
  if (difference / count < COLOURED || !lit) return { pale: PALE, fall: 0, darkest: 0 };
  const [dark, bright, brightest] = quantiles(grey.subarray(0, lit), [0.25, 0.75, 0.95]);
  const means = { pale: meanOfSome(), dark: meanOfSome(), bright: meanOfSome(), darkest: meanOfSome() };
  for (let index = 0; index < lit; index++) {
    const saturation = 1 - least[index] / most[index];
    if (grey[index] <= dark) {
      means.dark.add(saturation);
      means.darkest.add(most[index]);
    }
    if (grey[index] >= bright) means.bright.add(saturation);
    if (grey[index] >= brightest) means.pale.add(least[index]);
  }
  return { pale: means.pale.value(), fall: means.dark.value() - means.bright.value(), darkest: means.darkest.value() };
}

/** @returns {{add: (value: number) => void, value: () => number}} */
function meanOfSome() {
  let [sum, count] = [0, 0];
  return {
    add: (value) => {
      sum += value;
      count++;
    },
    value: () => sum / count,
  };
}

/**
 * @param {Picture} image
 * @param {number} low
 * @param {number} high
 * @param {number} brightness
 * @returns {PolarityEstimate}
 */
function undecided(image, low, high, brightness) {
  const { width, height, channels, samples } = image;
  const span = Math.max(high - low, 1e-6);
  const grey = new Float32Array(width * height);
  for (let index = 0; index < grey.length; index++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum = Math.fround(sum + samples[index * channels + channel]);
    grey[index] = clip((Math.fround(sum / channels) - low) / span);
  }
  const lean = groundOf(grey, width, height) - mean(grey) + 0.3 * (brightness - 0.5);
  return { darkObjects: lean > 0, sure: false, lead: Math.abs(lean) };
}

/**
 * @param {Float32Array} image
 * @param {number} width
 * @param {number} height
 * @returns {number} Mean brightness of the smoothest quarter.
 */
function groundOf(image, width, height) {
  const grey = smooth(image, width, height, 1);
  if (Math.min(width, height) < 3) return mean(grey);
  const slope = new Float32Array(grey.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index = y * width + x;
      const across = difference(grey, index, 1, x, width);
      slope[index] = Math.hypot(difference(grey, index, width, y, height), across);
    }
  }
  const [limit] = quantiles(slope, [0.25]);
  const ground = meanOfSome();
  for (let index = 0; index < grey.length; index++) if (slope[index] <= Math.fround(limit)) ground.add(grey[index]);
  return ground.value();
}

/**
 * The slope along one side: of the two neighbours, at the border of one.
 *
 * @param {Float32Array} values
 * @param {number} index
 * @param {number} step
 * @param {number} place Along that side.
 * @param {number} side
 * @returns {number}
 */
function difference(values, index, step, place, side) {
  if (place === 0) return values[index + step] - values[index];
  if (place === side - 1) return values[index] - values[index - step];
  return (values[index + step] - values[index - step]) / 2;
}

/**
 * By 1 2 1 twice on each side: a Gaussian of about one pixel.
 *
 * @param {Float32Array} image Interleaved.
 * @param {number} width
 * @param {number} height
 * @param {number} channels
 * @returns {Float32Array}
 */
function smooth(image, width, height, channels) {
  let seen = image;
  for (const down of [true, false, true, false]) {
    const out = new Float32Array(seen.length);
    const step = down ? width * channels : channels;
    for (let y = 0, index = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const before = (down ? y : x) ? step : 0;
        const after = down ? (y + 1 < height ? step : 0) : x + 1 < width ? step : 0;
        for (let channel = 0; channel < channels; channel++, index++) {
          out[index] = Math.fround(Math.fround(seen[index - before] + 2 * seen[index]) + seen[index + after]) / 4;
        }
      }
    }
    seen = out;
  }
  return seen;
}

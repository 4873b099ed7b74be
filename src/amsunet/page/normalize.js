/** Which values of an image become black and white, and the image in bytes with these. As `data/normalization.py`. */

import { extremes, inSixDigits, quantiles, roundHalfEven } from "./numbers.js";
import { findPolarity } from "./polarity.js";
import { describeRange, evidentRange, shows, valuesOf } from "./value_range.js";

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Samples} Samples */
/** @typedef {import("./value_range.js").ValueRange} ValueRange */

const MOST_SAMPLED = 1_000_000;
/** A few values that lie this many ranges outside would leave three levels to all others. */
const FAR = 100;
/** So many ranges away from all other values, one at either end would leave few levels to them. */
const GAP = 8;
/** Largest share of pixels of such a value, at the upper end and at the lower one. */
const MOST_DRAWN = 0.05;
const MOST_UNSEEN = 0.5;
/** Mean, in 0 ... 1, to which `gamma` brightens darker images. */
const DARK = 0.3;
const SMALLEST_GAMMA = 0.4;

/**
 * The values that become black and white, swapped to invert the image, and the exponent in between.
 *
 * @typedef {object} IntensityRange
 * @property {number} low
 * @property {number} high
 * @property {number} gamma
 * @property {IntensityRange[]} [channels] The ranges of the channels, if each is normalised by itself.
 * @property {string} [guess] How the values were interpreted, where they are not those of the training images.
 * @property {IntensityRange} [other] The inverse, where it is uncertain whether objects are dark or bright.
 * @property {number} [lead] By how much the expected Dice of `other` has to be better for it to be used.
 */

/**
 * An image in grey, or a grey one repeated.
 *
 * @param {Picture} image
 * @param {number} channels 1 or 3.
 * @returns {Picture}
 */
export function withChannels(image, channels) {
  if (image.channels === channels) return image;
  const count = image.width * image.height;
  const { samples } = image;
  const out = new /** @type {any} */ (samples.constructor)(count * channels);
  for (let index = 0; index < count; index++) {
    if (channels === 3) out[3 * index] = out[3 * index + 1] = out[3 * index + 2] = samples[index];
    else out[index] = greyOf(samples[3 * index], samples[3 * index + 1], samples[3 * index + 2], samples);
  }
  return { ...image, channels: channels === 3 ? 3 : 1, samples: out };
}

const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114].map(Math.fround);

/**
 * The luma weights of ITU-R BT.601, as in Pillow.
 *
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 * @param {Samples} samples Whose type tells whether greys are whole numbers.
 * @returns {number}
 */
function greyOf(red, green, blue, samples) {
  const grey = Math.fround(Math.fround(Math.fround(red * RED) + Math.fround(green * GREEN)) + Math.fround(blue * BLUE));
  return samples instanceof Float32Array ? grey : roundHalfEven(grey);
}

/**
 * The range by which an image is normalised.
 *
 * @param {Picture} image With the channels of the network.
 * @param {string} normalization
 * @param {Picture} asRead With the channels of the file, whose colours show its polarity.
 * @param {ValueRange[]} known The range of the training images of each pixel type.
 * @param {string} polarity `auto`, `bright-on-dark` or `dark-on-bright`.
 * @returns {IntensityRange}
 */
export function findRange(image, normalization, asRead, known = [], polarity = "auto") {
  if (normalization === "depth") return rangeByDepth(image, known);
  if (normalization === "channels") {
    const parts = [...Array(image.channels).keys()].map((channel) => {
      const one = channelOf(image, channel);
      return findRange(one, "percentiles", one);
    });
    const [low, high] = [Math.min(...parts.map((part) => part.low)), Math.max(...parts.map((part) => part.high))];
    return { low, high, gamma: 1, channels: parts };
  }
  const step = Math.max(1, Math.ceil(Math.sqrt((image.width * image.height) / MOST_SAMPLED)));
  const sampled = everyNth(image, step);
  const [low, high] = nearlyAll(sampled.samples);
  if (high <= low) {
    const { least, most } = extremes(image.samples); // nearly all pixels are equal
    return { low: least, high: most > least ? most : least + 1, gamma: 1 };
  }
  if (normalization === "percentiles") return { low, high, gamma: 1 };
  const brightness = meanIn(sampled.samples, low, high);
  const upright = { low, high, gamma: lifting(brightness) };
  if (normalization === "gamma") return upright;
  const inverted = { low: high, high: low, gamma: lifting(1 - brightness) };
  if (polarity !== "auto") return polarity === "dark-on-bright" ? inverted : upright;
  const found = findPolarity(everyNth(asRead, step), brightness);
  const [likely, other] = found.darkObjects ? [inverted, upright] : [upright, inverted];
  return found.sure ? likely : { ...likely, other, lead: found.lead };
}

/**
 * @param {Picture} image
 * @param {number} step
 * @returns {Picture} Every n-th pixel of every n-th row.
 */
export function everyNth(image, step, stepDown = step) {
  if (step === 1 && stepDown === 1) return image;
  const { channels, samples } = image;
  const [width, height] = [Math.ceil(image.width / step), Math.ceil(image.height / stepDown)];
  const out = new /** @type {any} */ (samples.constructor)(width * height * channels);
  for (let y = 0, target = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const source = (y * stepDown * image.width + x * step) * channels;
      for (let channel = 0; channel < channels; channel++) out[target++] = samples[source + channel];
    }
  }
  return { ...image, width, height, samples: out };
}

/**
 * @param {Picture} image
 * @param {number} channel
 * @returns {Picture}
 */
function channelOf(image, channel) {
  const samples = new /** @type {any} */ (image.samples.constructor)(image.width * image.height);
  for (let index = 0; index < samples.length; index++) samples[index] = image.samples[index * image.channels + channel];
  return { ...image, channels: 1, samples };
}

/**
 * @param {Samples} values
 * @param {number} low
 * @param {number} high
 * @returns {number} Their mean, in 0 ... 1.
 */
function meanIn(values, low, high) {
  const span = high - low;
  const round = values instanceof Float32Array ? Math.fround : (/** @type {number} */ value) => value;
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    sum += Math.min(1, Math.max(0, round(round(values[index] - round(low)) / round(span))));
  }
  return round(sum / values.length);
}

/**
 * @param {number} brightness
 * @returns {number}
 */
function lifting(brightness) {
  return brightness > 0 && brightness < DARK ? Math.max(SMALLEST_GAMMA, Math.log(DARK) / Math.log(brightness)) : 1;
}

/**
 * The 0.5th to 99.5th percentile; in deep images wider if rarer values lie far outside, but for one value that was drawn
 * into them or stands for no data.
 *
 * @param {Samples} all
 * @returns {[number, number]}
 */
function nearlyAll(all) {
  const values = all instanceof Uint8Array ? all : withoutDrawn(all);
  const [least, low, high, most] = quantiles(values, [0.05, 0.5, 99.5, 99.95].map((percent) => percent / 100));
  if (values instanceof Uint8Array) return [low, high];
  const span = FAR * (high - low);
  return [high - least > span ? least : low, most - low > span ? most : high];
}

/**
 * @param {Uint16Array | Float32Array} all
 * @returns {Uint16Array | Float32Array}
 */
function withoutDrawn(all) {
  let values = all;
  for (const [name, share] of /** @type {const} */ ([["most", MOST_DRAWN], ["least", MOST_UNSEEN]])) {
    const end = extremes(values)[name];
    const rest = values.filter((value) => value !== end);
    const count = values.length - rest.length;
    if (count === 0 || count > share * values.length) continue;
    const [low, high] = quantiles(rest, [0.005, 0.995]);
    if (high > low && Math.max(low - end, end - high) > GAP * (high - low)) values = rest;
  }
  return values;
}

/**
 * The range of the training images of this type; else a guess: the standard range that the values fill.
 *
 * @param {Picture} image
 * @param {ValueRange[]} known
 * @returns {IntensityRange}
 */
function rangeByDepth(image, known) {
  const values = valuesOf(image.samples);
  const ofType = known.find((one) => one.type === values.type);
  if (ofType?.always) return { low: ofType.low, high: ofType.high, gamma: 1 };
  if (values.type === "uint8" && (ofType || !known.length)) return { low: 0, high: 255, gamma: 1 };
  const spread = findRange(image, "percentiles", image);
  if (ofType && shows(ofType, values, spread.high)) {
    return { low: ofType.low, high: ofType.high > ofType.low ? ofType.high : ofType.low + 1, gamma: 1 };
  }
  const { low, high } = evidentRange(values, spread.high) ?? spread;
  if (values.type === "float32" && low === 0 && high === 1) return { low, high, gamma: 1 };
  const trained = known.map(describeRange).join(" and ") || "8 bits, as far as is known";
  const seen = `${inSixDigits(low)} to ${inSixDigits(high)}`;
  const guess = `${describeRange(values)}, seen as ${seen}; the training images have ${trained}`;
  return { low, high, gamma: 1, guess };
}

/**
 * Map an image to the levels of a range.
 *
 * @param {Picture} image
 * @param {IntensityRange} range
 * @returns {Uint8Array} Interleaved, as the image is.
 */
export function normalize(image, range) {
  const { samples, channels } = image;
  if (range.channels) {
    const out = new Uint8Array(samples.length);
    range.channels.forEach((one, channel) => {
      const part = normalize(channelOf(image, channel), one);
      for (let index = 0; index < part.length; index++) out[index * channels + channel] = part[index];
    });
    return out;
  }
  const { low, high, gamma } = range;
  if (samples instanceof Uint8Array && low === 0 && high === 255 && gamma === 1) return samples;
  const level = levelOf(low, high, gamma);
  const out = new Uint8Array(samples.length);
  if (samples instanceof Float32Array) {
    for (let index = 0; index < out.length; index++) out[index] = level(samples[index]);
    return out;
  }
  const levels = Uint8Array.from({ length: samples instanceof Uint8Array ? 256 : 65536 }, (_, value) => level(value));
  for (let index = 0; index < out.length; index++) out[index] = levels[samples[index]];
  return out;
}

/**
 * In single precision, as NumPy has it, but for an exponent that was computed, which it takes in double precision.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} gamma
 * @returns {(value: number) => number}
 */
function levelOf(low, high, gamma) {
  const [black, span] = [Math.fround(low), Math.fround(high - low)];
  const single = gamma === SMALLEST_GAMMA;
  return (value) => {
    const share = Math.min(1, Math.max(0, Math.fround(Math.fround(value - black) / span)));
    if (gamma === 1) return roundHalfEven(Math.fround(255 * share));
    if (single) return roundHalfEven(Math.fround(255 * Math.fround(share ** Math.fround(gamma))));
    return roundHalfEven(255 * share ** gamma);
  };
}


/** The range of values in which images are stored: which values are black and white. As `data/value_range.py`. */

import { extremes, inSixDigits } from "./numbers.js";

/** @typedef {import("./types.js").Samples} Samples */

/**
 * The type of an image's pixels with the values of black and white, or with its smallest and largest value.
 *
 * @typedef {object} ValueRange
 * @property {"uint8" | "uint16" | "float32"} type
 * @property {number} low
 * @property {number} high
 * @property {boolean} [always] Whether it holds for every image of the type, however dark.
 */

const BITS = [8, 10, 12, 14, 16];
/** Share of a range that values must reach to be of this range. */
const LEAST_USED = 1 / 4;
/** Share of a range; an image that stays below would look black. */
const DARK = 1 / 16;
/** Share of a range by which values may lie outside. */
const BEYOND = 0.05;

/**
 * @param {Samples} samples
 * @returns {"uint8" | "uint16" | "float32"}
 */
export function typeOf(samples) {
  if (samples instanceof Uint8Array) return "uint8";
  return samples instanceof Uint16Array ? "uint16" : "float32";
}

/**
 * @param {Samples} samples
 * @returns {ValueRange} The smallest and the largest value.
 */
export function valuesOf(samples) {
  const { least, most } = extremes(samples);
  return { type: typeOf(samples), low: least, high: most };
}

/**
 * The standard range that values fill: 0 to 1, or that of 8, 10, 12, 14 or 16 bits.
 *
 * @param {ValueRange} values The smallest and largest value.
 * @param {number} bright A value that nearly all pixels stay below.
 * @returns {ValueRange | null} Null if they fill none.
 */
export function evidentRange(values, bright) {
  if (values.type === "uint8") return { type: "uint8", low: 0, high: 255 };
  for (const top of [1, ...BITS.map((bits) => 2 ** bits - 1)]) {
    if (values.low >= 0 && values.high <= top) {
      return bright >= LEAST_USED * top ? { type: values.type, low: 0, high: top } : null;
    }
  }
  return null;
}

/**
 * Whether a known range suits an image: it has the same type, holds the values and does not show them as black.
 *
 * @param {ValueRange} known The range of the training images.
 * @param {ValueRange} values The smallest and largest value of the image.
 * @param {number} bright A value that nearly all pixels of the image stay below.
 * @returns {boolean}
 */
export function shows(known, values, bright) {
  if (known.type !== values.type || known.always) return known.type === values.type;
  const span = known.high - known.low;
  const inside = known.low - BEYOND * span <= values.low && values.high <= known.high + BEYOND * span;
  return inside && (known.type === "uint8" || bright >= known.low + DARK * span);
}

/**
 * @param {ValueRange} range
 * @returns {string} In words, those of the package.
 */
export function describeRange({ type, low, high }) {
  const number = low === 0 && type !== "float32" ? BITS.find((bits) => 2 ** bits - 1 === high) : undefined;
  if (number && (type === "uint8" || number === 16)) return `${number} bits`;
  const within = type === "uint16" ? "16 bits with " : "";
  return number ? `${number} bits in 16` : `${within}values of ${inSixDigits(low)} to ${inSixDigits(high)}`;
}

/** Images whose statistics are far from those of all training images. As `data/out_of_distribution.py`. */

import { deviation, mean, quantiles, roundHalfEven } from "./numbers.js";

/** What is measured, by the package's names: those that `outOfDistribution` gives, joined by ", ". */
export const FIGURES = [
  "brightness", "contrast", "darkest tones", "dark tones", "middle tones", "light tones", "lightest tones",
  "red against green", "yellow against blue", "variation of red against green", "variation of yellow against blue",
  "saturation", ...[2, 4, 8, 16, 32].map((pixels) => `detail of ${pixels} pixels`),
];
const TONES = [0.05, 0.25, 0.5, 0.75, 0.95];
const BLOCK = 32;
/** Most blocks a side of an image that are measured. */
const BLOCKS = 32;

/**
 * What is known of the training images.
 *
 * @typedef {object} ImageStatistics
 * @property {number[][]} images `FIGURES` of each.
 * @property {number[]} spread Standard deviation of each figure over them.
 * @property {number} limit
 */

/**
 * An image as networks see it.
 *
 * @typedef {object} Seen
 * @property {Uint8Array} pixels Interleaved.
 * @property {number} channels
 * @property {number} width
 * @property {number} height
 */

/**
 * In which two figures an image differs most from the nearest training image.
 *
 * @param {Seen} seen
 * @param {ImageStatistics} statistics
 * @returns {string} Empty if the image is in distribution.
 */
export function outOfDistribution(seen, { images, spread, limit }) {
  const figures = takeFigures(seen);
  let [nearest, least] = [images[0], Infinity];
  for (const image of images) {
    const distance = Math.sqrt(mean(image.map((value, index) => ((value - figures[index]) / spread[index]) ** 2)));
    if (distance < least) [nearest, least] = [image, distance];
  }
  if (least <= limit) return "";
  const differences = nearest.map((value, index) => Math.abs(value - figures[index]) / spread[index]);
  const order = [...differences.keys()].sort((one, other) => differences[other] - differences[one]);
  return order.slice(0, 2).map((index) => FIGURES[index]).join(", ");
}

/**
 * Measure `FIGURES` of an image. Tones and colours are in 0 ... 1. Detail is the logarithm of the standard deviation of
 * the differences between the means over squares of one size and of twice that size.
 *
 * @param {Seen} seen
 * @returns {number[]}
 */
export function takeFigures(seen) {
  const { pixels, channels, width, height } = someBlocks(seen);
  const count = width * height;
  let grey = new Float32Array(count);
  const [redGreen, yellowBlue] = [new Float32Array(count), new Float32Array(count)];
  let saturation = 0;
  for (let index = 0; index < count; index++) {
    if (channels === 1) grey[index] = pixels[index] / 255;
    else {
      const [r, g, b] = [0, 1, 2].map((channel) => Math.fround(pixels[3 * index + channel] / 255));
      grey[index] = Math.fround(Math.fround(r + g) + b) / 3;
      redGreen[index] = r - g;
      yellowBlue[index] = (r + g) / 2 - b;
      saturation += Math.max(r, g, b) - Math.min(r, g, b);
    }
  }
  const figures = [mean(grey), deviation(grey), ...quantiles(grey, TONES)];
  if (channels === 1) figures.push(0, 0, 0, 0, 0);
  else figures.push(mean(redGreen), mean(yellowBlue), deviation(redGreen), deviation(yellowBlue), saturation / count);
  for (let octave = 0, [across, down] = [width, height]; octave < 5; octave++, across /= 2, down /= 2) {
    const { coarse, detail } = halved(grey, across, down);
    figures.push(Math.log(deviation(detail) + 0.002));
    grey = coarse;
  }
  return figures;
}

/**
 * @param {Float32Array} grey
 * @param {number} width
 * @param {number} height
 * @returns {{coarse: Float32Array<ArrayBuffer>, detail: Float32Array}} Means of four pixels, and what they lack.
 */
function halved(grey, width, height) {
  const coarse = new Float32Array(grey.length / 4);
  const detail = new Float32Array(grey.length);
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const places = [y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1];
      const middle = Math.fround(places.reduce((sum, place) => sum + grey[place], 0) / 4);
      coarse[((y / 2) * width) / 2 + x / 2] = middle;
      for (const place of places) detail[place] = grey[place] - middle;
    }
  }
  return { coarse, detail };
}

/**
 * Blocks spread evenly over an image, put side by side; an image smaller than a block is mirrored.
 *
 * @param {Seen} seen
 * @returns {Seen}
 */
function someBlocks({ pixels, channels, width, height }) {
  const [columns, rows] = [placesOf(width), placesOf(height)];
  const out = new Uint8Array(columns.length * rows.length * channels);
  let target = 0;
  for (const row of rows) {
    for (const column of columns) {
      const source = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[target++] = pixels[source + channel];
    }
  }
  return { pixels: out, channels, width: columns.length, height: rows.length };
}

/**
 * @param {number} side
 * @returns {number[]} The pixels of a side that are measured.
 */
function placesOf(side) {
  if (side < BLOCK) {
    return Array.from({ length: BLOCK }, (_, place) => {
      const within = place % (2 * side);
      return within < side ? within : 2 * side - 1 - within;
    });
  }
  const blocks = Math.floor(side / BLOCK);
  const count = Math.min(blocks, BLOCKS);
  const step = count > 1 ? (blocks - 1) / (count - 1) : 0;
  const chosen = new Set(Array.from({ length: count }, (_, index) => roundHalfEven(index * step)));
  return [...chosen].flatMap((block) => Array.from({ length: BLOCK }, (_, place) => block * BLOCK + place));
}

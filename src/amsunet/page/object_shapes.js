/** What tables say of objects beyond their pixels: circularity and intensity, as `interchange/objects_table.py`. */

const [EDGE, CORNER] = [1, Math.SQRT1_2];

/**
 * How round objects are: 4 pi area / perimeter squared, at most 1, which a disc has. Perimeters, those of holes too, are
 * by the formula of Crofton: from how often lines in four directions cross the border of an object.
 *
 * @param {Int32Array} numbers Of the object of each pixel, from 1 on, and 0 for the background.
 * @param {number} width
 * @param {number[]} areas Of each object, in pixels.
 * @returns {number[]}
 */
export function circularities(numbers, width, areas) {
  const [height, crossed] = [numbers.length / width, new Float64Array(areas.length + 1)];
  const inside = (/** @type {number} */ x, /** @type {number} */ y) => x >= 0 && y >= 0 && x < width && y < height;
  for (let y = 0, place = 0; y < height; y++) {
    for (let x = 0; x < width; x++, place++) {
      const number = numbers[place];
      if (!number) continue;
      for (let down = -1; down <= 1; down++) {
        for (let across = -1; across <= 1; across++) {
          const same = inside(x + across, y + down) && numbers[place + down * width + across] === number;
          if (!same) crossed[number] += down && across ? CORNER : EDGE;
        }
      }
    }
  }
  return areas.map((area, index) => Math.min(1, (4 * Math.PI * area) / ((Math.PI / 8) * crossed[index + 1]) ** 2));
}

/**
 * The mean of each channel of an image over the pixels of each object.
 *
 * @param {Int32Array} numbers
 * @param {number[]} areas
 * @param {import("./types.js").Picture} picture
 * @returns {number[][]} Of each channel, of each object.
 */
export function meanIntensities(numbers, areas, { samples, channels }) {
  const sums = Array.from({ length: channels }, () => new Float64Array(areas.length + 1));
  for (let place = 0; place < numbers.length; place++) {
    if (!numbers[place]) continue;
    for (let channel = 0; channel < channels; channel++) sums[channel][numbers[place]] += samples[place * channels + channel];
  }
  return sums.map((sum) => areas.map((area, index) => sum[index + 1] / area));
}

/** Objects that touch, parted at their waists: the watershed of the distance to the border, as `data/watershed.py`. */

import { squaredDistance } from "./distance.js";

/**
 * Number the objects of every class, parted where a waist is deep enough.
 *
 * @param {Uint8Array} labels Class numbers, 0 for the background.
 * @param {number} width
 * @param {number} height
 * @param {number} depth In pixels, more than 0: how much less the distance to the border is at a waist than in the middle
 *   of the smaller one of two objects.
 * @returns {{numbers: Int32Array, count: number}} In the order of first pixels, from 1 on; 0 for the background.
 */
export function partObjects(labels, width, height, depth) {
  const tops = new Int32Array(labels.length);
  for (const label of [...new Set(labels)].filter(Boolean)) partClass(labels, label, width, height, depth, tops);
  const [numbers, names] = [new Int32Array(labels.length), new Int32Array(labels.length)];
  let count = 0;
  for (let place = 0; place < labels.length; place++) {
    if (labels[place]) numbers[place] = names[tops[place]] ||= ++count;
  }
  return { numbers, count };
}

/**
 * @param {Uint8Array} labels
 * @param {number} label
 * @param {number} width
 * @param {number} height
 * @param {number} depth
 * @param {Int32Array} tops Where to note the highest pixel of the object of each pixel, of this class.
 */
function partClass(labels, label, width, height, depth, tops) {
  const mask = labels.map((one) => Number(one === label));
  const heights = squaredDistance(mask, width, height);
  for (let place = 0; place < mask.length; place++) if (mask[place]) tops[place] = wayUp(heights, place, width, height);
  for (let place = 0; place < mask.length; place++) if (mask[place]) rootOf(tops, place);
  for (const { one, other, height: pass } of passesOf(mask, heights, tops, width)) {
    const pair = [rootOf(tops, one), rootOf(tops, other)];
    const [low, high] = heights[pair[0]] <= heights[pair[1]] ? pair : [pair[1], pair[0]];
    if (Math.sqrt(heights[low]) - Math.sqrt(pass) < depth) tops[low] = high;
  }
  for (let place = 0; place < mask.length; place++) if (mask[place]) rootOf(tops, place);
}

/**
 * The highest neighbour of a pixel, or itself; of one height the later one is the higher.
 *
 * @param {Float64Array} heights
 * @param {number} place
 * @param {number} width
 * @param {number} height
 * @returns {number}
 */
function wayUp(heights, place, width, height) {
  const x = place % width;
  let best = place;
  const look = (/** @type {number} */ other) => {
    if (heights[other] > heights[best] || (heights[other] === heights[best] && other > best)) best = other;
  };
  if (place >= width) look(place - width);
  if (x > 0) look(place - 1);
  if (x < width - 1) look(place + 1);
  if (place < (height - 1) * width) look(place + width);
  return best;
}

/**
 * @param {Int32Array} tops From each pixel the way to its top, which is shortened.
 * @param {number} place
 * @returns {number} The top.
 */
function rootOf(tops, place) {
  let found = place;
  while (tops[found] !== found) found = tops[found];
  for (let next = place; next !== found;) [tops[next], next] = [found, tops[next]];
  return found;
}

/**
 * @param {Uint8Array} mask
 * @param {Float64Array} heights
 * @param {Int32Array} tops
 * @param {number} width
 * @returns {{one: number, other: number, height: number}[]} Tops whose pixels meet, and the pass between them, the
 *   highest first.
 */
function passesOf(mask, heights, tops, width) {
  /** @type {Map<number, {one: number, other: number, height: number}>} */
  const found = new Map();
  const meet = (/** @type {number} */ here, /** @type {number} */ there) => {
    if (!mask[there] || tops[here] === tops[there]) return;
    const [one, other] = [Math.min(tops[here], tops[there]), Math.max(tops[here], tops[there])];
    const height = Math.min(heights[here], heights[there]);
    const key = one * mask.length + other;
    const before = found.get(key);
    if (!before) found.set(key, { one, other, height });
    else if (before.height < height) before.height = height;
  };
  for (let place = 0; place < mask.length; place++) {
    if (!mask[place]) continue;
    if (place % width < width - 1) meet(place, place + 1);
    if (place + width < mask.length) meet(place, place + width);
  }
  return [...found.values()].sort((a, b) => b.height - a.height || a.one - b.one || a.other - b.other);
}

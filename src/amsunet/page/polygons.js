/**
 * Objects as polygons along the edges of their pixels, as `interchange/polygons.py`: drawn again they fill the same
 * pixels. A pixel in row y and column x is the square from (x, y) to (x + 1, y + 1).
 *
 * @typedef {[number, number][]} Ring Corners, x and y; the last one is not the first one again.
 * @typedef {{outer: Ring, holes: Ring[]}} Outline The outer ring has its pixels on its right, where y grows downwards.
 */

/** Right, down, left and up: a step, and the pixels ahead on the left and on the right of a corner. */
const WAYS = [
  { step: [1, 0], left: [0, -1], right: [0, 0] },
  { step: [0, 1], left: [0, 0], right: [-1, 0] },
  { step: [-1, 0], left: [-1, 0], right: [-1, -1] },
  { step: [0, -1], left: [-1, -1], right: [0, -1] },
];

/**
 * @param {Int32Array} numbers Of the object of each pixel, from 1 on, and 0 for the background. Pixels of an object
 *   share edges, so that it has one outer ring.
 * @param {number} width
 * @param {number} count Of objects.
 * @returns {Outline[]} That of the object 1 first.
 */
export function outlineObjects(numbers, width, count) {
  const height = numbers.length / width;
  const found = Array.from({ length: count }, () => /** @type {Outline} */ ({ outer: [], holes: [] }));
  const seen = new Uint8Array(numbers.length); // pixels along whose upper edge a ring has come
  for (let place = 0; place < numbers.length; place++) {
    const number = numbers[place];
    if (!number || seen[place] || (place >= width && numbers[place - width] === number)) continue;
    for (const ring of simple(trace(numbers, width, height, place, seen))) {
      if (areaOf(ring) > 0) found[number - 1].outer = ring;
      else found[number - 1].holes.push(ring);
    }
  }
  return found;
}

/**
 * Walk around an object, or a hole in it, with its pixels on the right. Where two of its pixels share a corner alone the
 * way stays with the one that it came along.
 *
 * @param {Int32Array} numbers
 * @param {number} width
 * @param {number} height
 * @param {number} start A pixel, along whose upper edge the way begins.
 * @param {Uint8Array} seen
 * @returns {Ring}
 */
function trace(numbers, width, height, start, seen) {
  const number = numbers[start];
  const [left, top] = [start % width, Math.floor(start / width)];
  /** @type {Ring} */
  const ring = [];
  let [x, y, way] = [left, top, 0];
  const isOwn = (/** @type {number[]} */ [across, down]) => {
    const [column, row] = [x + across, y + down];
    return column >= 0 && row >= 0 && column < width && row < height && numbers[row * width + column] === number;
  };
  do {
    if (way === 0) seen[y * width + x] = 1;
    x += WAYS[way].step[0];
    y += WAYS[way].step[1];
    const turn = !isOwn(WAYS[way].right) ? 1 : isOwn(WAYS[way].left) ? 3 : 0;
    if (turn) ring.push([x, y]);
    way = (way + turn) % 4;
  } while (x !== left || y !== top || way !== 0);
  return ring;
}

/**
 * Rings that pass no corner twice.
 *
 * @param {Ring} ring
 * @returns {Ring[]}
 */
function simple(ring) {
  /** @type {Ring[]} */
  const found = [];
  /** @type {Ring} */
  const open = [];
  /** @type {Map<string, number>} */
  const places = new Map();
  for (const corner of ring) {
    const before = places.get(corner.join());
    if (before !== undefined) {
      const loop = open.splice(before);
      loop.forEach((one) => places.delete(one.join()));
      found.push(loop);
    }
    places.set(corner.join(), open.length);
    open.push(corner);
  }
  return [...found, open];
}

/**
 * @param {Ring} ring
 * @returns {number} Twice the area inside, positive where it goes from x to y.
 */
function areaOf(ring) {
  return ring.reduce((sum, [x, y], index) => {
    const [nextX, nextY] = ring[(index + 1) % ring.length];
    return sum + x * nextY - nextX * y;
  }, 0);
}

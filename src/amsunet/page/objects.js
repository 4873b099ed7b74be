/**
 * Objects of a mask: neighbours share an edge, as in `data/components.py`. A mask is taken as runs of pixels of a row:
 * few enough for a slider to number them anew at each of its moves.
 */

import { partObjects } from "./watershed.js";

/**
 * The runs of a mask, from its first pixel to its last.
 *
 * @typedef {object} Runs
 * @property {number} count
 * @property {Int32Array} starts Where each begins.
 * @property {Int32Array} stops Where it has ended.
 * @property {Int32Array} roots Of each run the first one of its object.
 */

/**
 * An object.
 *
 * @typedef {object} MaskObject
 * @property {number} label Its class.
 * @property {number} area In pixels.
 * @property {number} row Of its centroid.
 * @property {number} column
 * @property {number} top
 * @property {number} left
 * @property {number} bottom The first row below it.
 * @property {number} right The first column beside it.
 * @property {number} probability Mean over its pixels; NaN where no probabilities are given.
 * @property {boolean} border Whether it touches the border of the image.
 */

/**
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {(label: number) => boolean} counts Whether a label is of an object.
 * @returns {Runs} Joined where they share an edge and a label.
 */
function runsOf(labels, width, height, counts) {
  let room = 1024;
  let [starts, stops, roots] = [new Int32Array(room), new Int32Array(room), new Int32Array(room)];
  const wanted = Uint8Array.from({ length: 256 }, (_, label) => Number(counts(label)));
  let [count, above, aboveEnd] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    const [first, end] = [count, (y + 1) * width];
    for (let place = y * width; place < end;) {
      const label = labels[place];
      const start = place;
      do place++; while (place < end && labels[place] === label);
      if (!wanted[label]) continue;
      if (count === room) {
        room *= 2;
        [starts, stops, roots] = [starts, stops, roots].map((old) => {
          const larger = new Int32Array(room);
          larger.set(old);
          return larger;
        });
      }
      [starts[count], stops[count], roots[count]] = [start, place, count];
      while (above < aboveEnd && stops[above] + width <= start) above++;
      for (let other = above; other < aboveEnd && starts[other] + width < place; other++) {
        if (labels[starts[other]] === label) unite(roots, other, count);
      }
      count++;
    }
    [above, aboveEnd] = [first, count];
  }
  for (let run = 0; run < count; run++) roots[run] = roots[roots[run]];
  return { count, starts, stops, roots };
}

/**
 * @param {Int32Array} numbers Of the object of each pixel, 0 for the background.
 * @param {number} width
 * @returns {Runs} Joined where they have one number.
 */
function runsOfNumbers(numbers, width) {
  /** @type {[number[], number[], number[]]} */
  const [starts, stops, roots] = [[], [], []];
  /** @type {number[]} */
  const firsts = [];
  for (let place = 0; place < numbers.length;) {
    const [number, start, end] = [numbers[place], place, (Math.floor(place / width) + 1) * width];
    do place++; while (place < end && numbers[place] === number);
    if (!number) continue;
    firsts[number] ??= starts.length;
    starts.push(start);
    stops.push(place);
    roots.push(firsts[number]);
  }
  const [first, second, third] = [starts, stops, roots].map((list) => Int32Array.from(list));
  return { count: starts.length, starts: first, stops: second, roots: third };
}

/**
 * @param {Int32Array} roots
 * @param {number} run
 * @returns {number}
 */
function rootOf(roots, run) {
  while (roots[run] !== run) {
    roots[run] = roots[roots[run]];
    run = roots[run];
  }
  return run;
}

/**
 * @param {Int32Array} roots
 * @param {number} one
 * @param {number} other
 */
function unite(roots, one, other) {
  const [first, second] = [rootOf(roots, one), rootOf(roots, other)];
  if (first < second) roots[second] = first;
  else roots[first] = second;
}

/**
 * Drop objects, and then fill holes, of fewer pixels than `smallest`, in place.
 *
 * @param {Uint8Array} mask 0 and 1.
 * @param {number} width
 * @param {number} height
 * @param {number} smallest
 */
export function dropSmall(mask, width, height, smallest) {
  for (const value of [1, 0]) {
    const { count, starts, stops, roots } = runsOf(mask, width, height, (label) => label === value);
    const sizes = new Float64Array(count);
    for (let run = 0; run < count; run++) sizes[roots[run]] += stops[run] - starts[run];
    for (let run = 0; run < count; run++) {
      if (sizes[roots[run]] < smallest) mask.fill(1 - value, starts[run], stops[run]);
    }
  }
}

/**
 * The runs of all objects, which are numbered as the package does: class after class, in each by first pixels.
 *
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {number} separation
 * @returns {Runs & {firsts: number[], places: Int32Array}} Of each object its first run; of each run its object, from 0.
 */
function numberedRuns(labels, width, height, separation) {
  const runs = separation
    ? runsOfNumbers(partObjects(labels, width, height, separation).numbers, width)
    : runsOf(labels, width, height, (label) => label !== 0);
  const { starts } = runs;
  const roots = runs.roots.subarray(0, runs.count);
  const firsts = [...roots.keys()].filter((run) => roots[run] === run);
  firsts.sort((one, other) => labels[starts[one]] - labels[starts[other]] || one - other);
  const places = new Int32Array(roots.length);
  firsts.forEach((run, place) => { places[run] = place; });
  return { ...runs, firsts, places: roots.map((root) => places[root]) };
}

/**
 * The number of the object of each pixel, from 1 on in the order of `objectsOf`, and 0 for the background.
 *
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {number} separation
 * @returns {Int32Array}
 */
export function numbersOf(labels, width, height, separation) {
  const { starts, stops, places } = numberedRuns(labels, width, height, separation);
  const numbers = new Int32Array(labels.length);
  places.forEach((place, run) => numbers.fill(place + 1, starts[run], stops[run]));
  return numbers;
}

/**
 * The objects of every class, class after class, in each in the order of their first pixels.
 *
 * @param {Uint8Array} labels Class numbers, 0 for the background.
 * @param {number} width
 * @param {number} height
 * @param {Float32Array} [probability] Class after class.
 * @param {number} [separation] How deep a waist must be at which objects that touch are parted, in pixels; 0 for none.
 * @returns {MaskObject[]}
 */
export function objectsOf(labels, width, height, probability, separation = 0) {
  const { count, starts, stops, firsts, places } = numberedRuns(labels, width, height, separation);
  const found = firsts.map((run) => /** @type {MaskObject} */ ({
    label: labels[starts[run]], area: 0, row: 0, column: 0, top: Math.floor(starts[run] / width), left: width, bottom: 0,
    right: 0, probability: 0, border: false,
  }));
  for (let run = 0; run < count; run++) {
    const [start, stop] = [starts[run], stops[run]];
    const row = Math.floor(start / width);
    const [left, right] = [start - row * width, stop - row * width];
    const one = found[places[run]];
    one.area += stop - start;
    one.row += row * (stop - start);
    one.column += ((left + right - 1) * (stop - start)) / 2;
    [one.left, one.right, one.bottom] = [Math.min(one.left, left), Math.max(one.right, right), row + 1];
    if (!probability) continue;
    for (let place = one.label * labels.length + start; place < one.label * labels.length + stop; place++) {
      one.probability += probability[place];
    }
  }
  for (const one of found) {
    one.row /= one.area;
    one.column /= one.area;
    one.probability = probability ? one.probability / one.area : NaN;
    one.border = one.top === 0 || one.left === 0 || one.bottom === height || one.right === width;
  }
  return found;
}

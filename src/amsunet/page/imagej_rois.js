/** Outlines as ImageJ's regions of interest, as `interchange/imagej_rois.py`: those with holes are composite. */

import { join } from "./bytes.js";
import { PageError } from "./errors.js";
import { colourOf } from "./paint.js";
import { outlineObjects } from "./polygons.js";

/**
 * @typedef {import("./polygons.js").Ring} Ring
 * @typedef {import("./table.js").Numbered} Numbered
 */

const VERSION = 229;
const [RECTANGLE, TRACED] = [1, 8];
/** Of a coordinate in 16 bits, and of the number of corners; beyond them an outline is written as one with holes is. */
const [LARGEST, MOST] = [32_767, 65_535];
/** Segments of a path, as Java's PathIterator numbers them. */
const [MOVE, LINE, CLOSE] = [0, 1, 4];
const HEAD = 64;
/** Files in an archive, which counts them in 16 bits. */
const MOST_FILES = 65_535;

/**
 * @param {Numbered} numbered
 * @returns {{name: string, bytes: Uint8Array}[]} A file for each object, for an archive that the ROI Manager opens.
 */
export function imagejRois({ numbers, width, measured }) {
  const { objects, classes } = measured;
  if (objects.length > MOST_FILES) throw new PageError("objects", { count: objects.length, limit: MOST_FILES });
  const digits = Math.max(4, String(objects.length).length);
  return outlineObjects(numbers, width, objects.length).map(({ outer, holes }, index) => {
    const { label } = objects[index];
    const name = `${String(index + 1).padStart(digits, "0")}-${classes[label - 1].name}`;
    const bytes = region([outer, ...holes], name, `class: ${classes[label - 1].name}\n`, colourOf(label));
    return { name: `${name.replaceAll("/", "_")}.roi`, bytes };
  });
}

/**
 * @param {Ring[]} rings
 * @param {string} name
 * @param {string} properties
 * @param {number[]} colour
 * @returns {Uint8Array}
 */
function region(rings, name, properties, colour) {
  const [xs, ys] = [0, 1].map((axis) => rings[0].map((corner) => corner[axis]));
  const [left, top] = [xs, ys].map((list) => list.reduce((one, other) => Math.min(one, other)));
  const [right, bottom] = [xs, ys].map((list) => list.reduce((one, other) => Math.max(one, other)));
  const plain = rings.length === 1 && Math.max(right, bottom) <= LARGEST && xs.length <= MOST;
  const path = plain ? [] : rings.flatMap((ring) => [...ring.flatMap(([x, y], at) => [at ? LINE : MOVE, x, y]), CLOSE]);
  const corners = plain
    ? fields(4 * xs.length, (view) => [...xs.map((x) => x - left), ...ys.map((y) => y - top)]
      .forEach((value, at) => view.setInt16(2 * at, value)))
    : fields(4 * path.length, (view) => path.forEach((value, at) => view.setFloat32(4 * at, value)));
  const head = fields(HEAD, (view) => {
    [...new TextEncoder().encode("Iout")].forEach((letter, at) => view.setUint8(at, letter));
    view.setInt16(4, VERSION);
    view.setUint8(6, plain ? TRACED : RECTANGLE);
    [top, left, bottom, right].forEach((side, at) => view.setInt16(8 + 2 * at, Math.min(side, LARGEST)));
    view.setUint16(16, plain ? xs.length : 0);
    view.setInt32(36, path.length);
    [255, ...colour].forEach((part, at) => view.setUint8(40 + at, part));
    view.setInt32(60, HEAD + corners.length);
  });
  const start = HEAD + corners.length + HEAD;
  const more = fields(HEAD, (view) => {
    view.setInt32(16, start);
    view.setInt32(20, name.length);
    view.setInt32(40, start + 2 * name.length);
    view.setInt32(44, properties.length);
  });
  const text = name + properties;
  const letters = fields(2 * text.length, (view) => [...text.split("")].forEach((_, at) => view.setUint16(2 * at, text.charCodeAt(at))));
  return join([head, corners, more, letters]);
}

/**
 * @param {number} size
 * @param {(view: DataView) => void} fill
 * @returns {Uint8Array} The highest byte first.
 */
function fields(size, fill) {
  const view = new DataView(new ArrayBuffer(size));
  fill(view);
  return new Uint8Array(view.buffer);
}

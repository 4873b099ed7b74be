/**
 * Prepared images through a network to logits, whole or by overlapping tiles that a Gaussian blends: as
 * `inference/forward.py` and `inference/sliding_window.py` of the package do, to the pixel.
 *
 * @typedef {object} Planes Channel after channel, each row after row.
 * @property {Float32Array} values
 * @property {number} channels
 * @property {number} width
 * @property {number} height
 *
 * @typedef {(planes: Planes) => Promise<Planes>} Run A network: an image to logits of the same size.
 *
 * @typedef {object} Tile
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

/** Pixels of an image's side that every network takes; smaller images are padded. */
const SMALLEST_SIDE = 32;
/** Tiles begin at multiples of it, where the strides of a network begin too. */
const STEP = 32;
const TILE = 512;
const OVERLAP = 128;
/** Images of up to so many pixels are not cut. */
const WHOLE = 1024 * 1024;
/** Pixels of the longer side of what a preview is made of. */
export const PREVIEW_SIDE = 512;
/** Images of more pixels take long, and get a preview. */
const SMALL = 2 * PREVIEW_SIDE ** 2;

/** The tiles along one side of an image. */
export class Axis {
  /** @param {number} side Pixels. */
  constructor(side) {
    const tile = Math.min(TILE, side);
    const step = Math.max(STEP, Math.floor((tile - OVERLAP) / STEP) * STEP);
    const last = Math.ceil((side - tile) / STEP) * STEP;
    this.starts = [];
    for (let start = 0; start < last; start += step) this.starts.push(start);
    this.ends = [...this.starts.map((start) => start + tile), side];
    this.starts.push(last);
    /** Of the weights, for each pixel. */
    this.sums = new Float32Array(side);
    this.starts.forEach((start, number) => {
      this.weights(number).forEach((weight, index) => (this.sums[start + index] += weight));
    });
  }

  /**
   * Weights of a tile: a Gaussian, 0.0003 of its height at the border, so that no seam is seen where a tile ends.
   *
   * @param {number} number Of the tile.
   * @returns {Float32Array}
   */
  weights(number) {
    const side = this.ends[number] - this.starts[number];
    return Float32Array.from({ length: side }, (_, index) => {
      const place = (index - (side - 1) / 2) / (side / 8);
      return Math.exp(-(place ** 2) / 2);
    });
  }
}

/**
 * Whether an image goes through in tiles.
 *
 * @param {number} width
 * @param {number} height
 */
export function isCut(width, height) {
  return Math.max(width, SMALLEST_SIDE) * Math.max(height, SMALLEST_SIDE) > WHOLE;
}

/**
 * What a network runs on, row after row: the tiles of an image, or all of it.
 *
 * @param {number} width
 * @param {number} height
 * @returns {Tile[]}
 */
export function tilesOf(width, height) {
  const [across, down] = [Math.max(width, SMALLEST_SIDE), Math.max(height, SMALLEST_SIDE)];
  if (!isCut(width, height)) return [{ left: 0, top: 0, width: across, height: down }];
  const [columns, rows] = [new Axis(across), new Axis(down)];
  return rows.starts.flatMap((top, row) =>
    columns.starts.map((left, column) => ({
      left,
      top,
      width: columns.ends[column] - left,
      height: rows.ends[row] - top,
    })),
  );
}

/**
 * What there is to do for an image of a working size.
 *
 * @param {number} width
 * @param {number} height
 * @returns {{ pixels: number, preview: boolean }} Pixels that the network sees in all, and whether a preview is made.
 */
export function workOf(width, height) {
  const preview = width * height > SMALL;
  const pixels = tilesOf(width, height).reduce((sum, tile) => sum + tile.width * tile.height, 0);
  const factor = PREVIEW_SIDE / Math.max(width, height);
  return { pixels: pixels + (preview ? Math.round(width * factor) * Math.round(height * factor) : 0), preview };
}

/**
 * @param {Run} run
 * @param {Planes} image
 * @returns {Promise<Planes>} Logits, of the image's size.
 */
export async function computeLogits(run, image) {
  const padded = pad(image);
  const logits = isCut(image.width, image.height) ? await blend(run, padded) : await run(padded);
  return crop(logits, image.width, image.height);
}

/**
 * @param {Run} run
 * @param {Planes} image
 */
async function blend(run, image) {
  const { width, height } = image;
  const [columns, rows] = [new Axis(width), new Axis(height)];
  /** @type {Planes | null} */
  let total = null;
  for (let row = 0; row < rows.starts.length; row++) {
    for (let column = 0; column < columns.starts.length; column++) {
      const [left, top] = [columns.starts[column], rows.starts[row]];
      const tile = cut(image, left, top, columns.ends[column] - left, rows.ends[row] - top);
      const logits = await run(tile);
      total ??= blank(logits.channels, width, height);
      addWeighted(total, logits, left, top, columns.weights(column), rows.weights(row));
    }
  }
  if (!total) throw new RangeError("an image without pixels");
  // The tiles stand in a grid, so the sum of their weights is that of the rows times that of the columns.
  eachRow(total, (values, start, y) => {
    for (let x = 0; x < width; x++) values[start + x] /= rows.sums[y] * columns.sums[x];
  });
  return total;
}

/**
 * @param {Planes} total
 * @param {Planes} logits
 * @param {number} left
 * @param {number} top
 * @param {Float32Array} across Weights of the columns.
 * @param {Float32Array} down Weights of the rows.
 */
function addWeighted(total, logits, left, top, across, down) {
  eachRow(logits, (values, start, y, channel) => {
    const target = (channel * total.height + top + y) * total.width + left;
    for (let x = 0; x < logits.width; x++) total.values[target + x] += values[start + x] * across[x] * down[y];
  });
}

/**
 * The image in fewer pixels, each the mean of those that it covers: quick, for a preview.
 *
 * @param {Planes} image
 * @param {number} longest Pixels of the longer side.
 * @returns {Planes}
 */
export function shrink(image, longest) {
  const factor = Math.min(1, longest / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * factor));
  const height = Math.max(1, Math.round(image.height * factor));
  const small = blank(image.channels, width, height);
  const counts = new Float32Array(width * height);
  const column = Int32Array.from({ length: image.width }, (_, x) => Math.floor((x * width) / image.width));
  eachRow(image, (values, start, y, channel) => {
    const row = Math.floor((y * height) / image.height) * width;
    const target = channel * width * height + row;
    for (let x = 0; x < image.width; x++) {
      small.values[target + column[x]] += values[start + x];
      if (!channel) counts[row + column[x]] += 1;
    }
  });
  for (let index = 0; index < small.values.length; index++) small.values[index] /= counts[index % counts.length];
  return small;
}

/**
 * Repeat the border of small images below and to the right, up to the smallest size a network takes.
 *
 * @param {Planes} image
 * @returns {Planes}
 */
function pad(image) {
  const width = Math.max(image.width, SMALLEST_SIDE);
  const height = Math.max(image.height, SMALLEST_SIDE);
  if (width === image.width && height === image.height) return image;
  const padded = blank(image.channels, width, height);
  eachRow(padded, (values, start, y, channel) => {
    const source = (channel * image.height + Math.min(y, image.height - 1)) * image.width;
    for (let x = 0; x < width; x++) values[start + x] = image.values[source + Math.min(x, image.width - 1)];
  });
  return padded;
}

/**
 * @param {Planes} image
 * @param {number} width
 * @param {number} height
 */
function crop(image, width, height) {
  return width === image.width && height === image.height ? image : cut(image, 0, 0, width, height);
}

/**
 * @param {Planes} image
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 * @returns {Planes}
 */
export function cut(image, left, top, width, height) {
  const part = blank(image.channels, width, height);
  eachRow(part, (values, start, y, channel) => {
    const source = (channel * image.height + top + y) * image.width + left;
    values.set(image.values.subarray(source, source + width), start);
  });
  return part;
}

/**
 * @param {number} channels
 * @param {number} width
 * @param {number} height
 * @returns {Planes}
 */
function blank(channels, width, height) {
  return { values: new Float32Array(channels * width * height), channels, width, height };
}

/**
 * @param {Planes} planes
 * @param {(values: Float32Array, start: number, y: number, channel: number) => void} act
 */
function eachRow(planes, act) {
  for (let channel = 0; channel < planes.channels; channel++) {
    for (let y = 0; y < planes.height; y++) {
      act(planes.values, (channel * planes.height + y) * planes.width, y, channel);
    }
  }
}

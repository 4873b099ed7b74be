/** Pillow's antialiased bilinear resizing, to the bit: in fixed point for bytes, in double precision for numbers. */

const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/**
 * The pixels that each pixel of a resized line is made of, and how much of each.
 *
 * @typedef {object} Weights
 * @property {Int32Array} first The first pixel of each.
 * @property {Int32Array} counts
 * @property {Float64Array} shares `most` for each pixel.
 * @property {number} most
 */

/**
 * @param {number} from Pixels of a line.
 * @param {number} to Pixels of the resized one.
 * @returns {Weights}
 */
function weightsOf(from, to) {
  const scale = from / to;
  const support = Math.max(1, scale);
  const most = Math.ceil(support) * 2 + 1;
  const [first, counts, shares] = [new Int32Array(to), new Int32Array(to), new Float64Array(to * most)];
  const slope = 1 / support;
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const share = Math.max(0, 1 - Math.abs((index + start - centre + 0.5) * slope));
      shares[place * most + index] = share;
      sum += share;
    }
    for (let index = 0; index < count && sum; index++) shares[place * most + index] /= sum;
    [first[place], counts[place]] = [start, count];
  }
  return { first, counts, shares, most };
}

/**
 * Resize an image of bytes.
 *
 * @param {Uint8Array} pixels Interleaved.
 * @param {number} channels
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth
 * @param {number} toHeight
 * @returns {Uint8Array}
 */
export function resizeBytes(pixels, channels, width, height, toWidth, toHeight) {
  // Pillow's order, from its version 13 on: it rounds in between, so that the order shows.
  if (height - toHeight > 2 * Math.max(0, width - toWidth)) {
    return resizeRows(resizeColumns(pixels, channels * width, height, toHeight), channels, width, toHeight, toWidth);
  }
  return resizeColumns(resizeRows(pixels, channels, width, height, toWidth), channels * toWidth, height, toHeight);
}

/**
 * @param {Uint8Array} pixels
 * @param {number} channels
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth
 * @returns {Uint8Array}
 */
function resizeRows(pixels, channels, width, height, toWidth) {
  if (width === toWidth) return pixels;
  const { first, counts, fixed, most } = inFixedPoint(weightsOf(width, toWidth));
  const out = new Uint8Array(toWidth * height * channels);
  for (let y = 0, target = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      const source = (y * width + first[x]) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = HALF;
        for (let index = 0, share = x * most; index < counts[x]; index++, share++) {
          sum += pixels[source + index * channels + channel] * fixed[share];
        }
        out[target++] = clipped(sum);
      }
    }
  }
  return out;
}

/**
 * @param {Uint8Array} pixels
 * @param {number} row Bytes of one.
 * @param {number} height
 * @param {number} toHeight
 * @returns {Uint8Array}
 */
function resizeColumns(pixels, row, height, toHeight) {
  if (height === toHeight) return pixels;
  const { first, counts, fixed, most } = inFixedPoint(weightsOf(height, toHeight));
  const out = new Uint8Array(row * toHeight);
  for (let y = 0, target = 0; y < toHeight; y++) {
    for (let x = 0; x < row; x++) {
      let sum = HALF;
      for (let share = y * most, source = first[y] * row + x; share < y * most + counts[y]; share++, source += row) {
        sum += pixels[source] * fixed[share];
      }
      out[target++] = clipped(sum);
    }
  }
  return out;
}

/**
 * @param {number} sum In fixed point.
 * @returns {number}
 */
function clipped(sum) {
  const level = sum >> PRECISION;
  return level < 0 ? 0 : level > 255 ? 255 : level;
}

/**
 * @param {Weights} weights
 * @returns {Weights & {fixed: Int32Array}}
 */
function inFixedPoint(weights) {
  return { ...weights, fixed: Int32Array.from(weights.shares, (share) => Math.trunc(0.5 + share * (1 << PRECISION))) };
}

/**
 * Resize a plane of numbers.
 *
 * @param {Float32Array} plane
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth
 * @param {number} toHeight
 * @param {Float32Array} [target] Where the result goes.
 * @returns {Float32Array}
 */
export function resizeNumbers(plane, width, height, toWidth, toHeight, target = new Float32Array(toWidth * toHeight)) {
  const across = width === toWidth ? null : weightsOf(width, toWidth);
  const down = height === toHeight ? null : weightsOf(height, toHeight);
  let seen = plane;
  if (across) {
    const out = down ? new Float32Array(toWidth * height) : target;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < toWidth; x++) {
        const source = y * width + across.first[x];
        let sum = 0;
        for (let index = 0, share = x * across.most; index < across.counts[x]; index++, share++) {
          sum += seen[source + index] * across.shares[share];
        }
        out[y * toWidth + x] = sum;
      }
    }
    seen = out;
  }
  if (!down) {
    if (seen !== target) target.set(seen);
    return target;
  }
  for (let y = 0; y < toHeight; y++) {
    const source = down.first[y] * toWidth;
    for (let x = 0; x < toWidth; x++) {
      let sum = 0;
      for (let index = 0, share = y * down.most; index < down.counts[y]; index++, share++) {
        sum += seen[source + index * toWidth + x] * down.shares[share];
      }
      target[y * toWidth + x] = sum;
    }
  }
  return target;
}

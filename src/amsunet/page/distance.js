/** The distance of each pixel of a mask to its border, as `data/distance.py` has it. */

/**
 * The squared Euclidean distance of each pixel to the nearest one that is not of the mask; what lies beyond the image is
 * no border. Meijster et al., 2000.
 *
 * @param {Uint8Array} mask 0 and 1.
 * @param {number} width
 * @param {number} height
 * @returns {Float64Array} Whole numbers, 0 outside of the mask.
 */
export function squaredDistance(mask, width, height) {
  const squared = inColumns(mask, width, height);
  const [lowest, begin, row] = [new Int32Array(width), new Int32Array(width), new Float64Array(width)];
  for (let y = 0; y < height; y++) {
    row.set(squared.subarray(y * width, (y + 1) * width));
    alongRow(row, lowest, begin, squared.subarray(y * width, (y + 1) * width));
  }
  return squared;
}

/**
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @returns {Float64Array} The squared distance to the nearest pixel of the same column that is not of the mask.
 */
function inColumns(mask, width, height) {
  const far = width + height;
  const distance = new Float64Array(mask.length);
  for (let x = 0; x < width; x++) {
    let run = far;
    for (let place = x; place < mask.length; place += width) {
      run = mask[place] ? run + 1 : 0;
      distance[place] = run;
    }
    run = far;
    for (let place = mask.length - width + x; place >= 0; place -= width) {
      run = mask[place] ? run + 1 : 0;
      distance[place] = Math.min(distance[place], run, far) ** 2;
    }
  }
  return distance;
}

/**
 * The lower envelope of the parabolas `(x - i)² + row[i]`.
 *
 * @param {Float64Array} row
 * @param {Int32Array} lowest Room for the parabola that is lowest from the column `begin` on.
 * @param {Int32Array} begin
 * @param {Float64Array} out
 */
function alongRow(row, lowest, begin, out) {
  const width = row.length;
  const at = (/** @type {number} */ x, /** @type {number} */ other) => (x - other) ** 2 + row[other];
  let top = 0;
  [lowest[0], begin[0]] = [0, 0];
  for (let x = 1; x < width; x++) {
    while (top >= 0 && at(begin[top], lowest[top]) > at(begin[top], x)) top--;
    if (top < 0) {
      top = 0;
      [lowest[0], begin[0]] = [x, 0];
      continue;
    }
    const other = lowest[top];
    const start = Math.floor((x * x - other * other + row[x] - row[other]) / (2 * (x - other))) + 1;
    if (start < width) {
      top++;
      [lowest[top], begin[top]] = [x, start];
    }
  }
  for (let x = width - 1; x >= 0; x--) {
    out[x] = at(x, lowest[top]);
    if (begin[top] === x) top--;
  }
}

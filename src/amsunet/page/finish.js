/** Logits to probabilities at the image's own size, and these to labels. As `inference/forward.py`. */

import { dropSmall } from "./objects.js";
import { resizeNumbers } from "./resize.js";

/**
 * @param {Float32Array} logits
 * @returns {boolean} Whether none is NaN or infinite.
 */
export function areNumbers(logits) {
  for (let index = 0; index < logits.length; index++) if (!Number.isFinite(logits[index])) return false;
  return true;
}

/**
 * @param {Float32Array} logits Class after class, each row after row.
 * @param {number} classes
 * @param {number} h Height of the logits.
 * @param {number} w
 * @param {number} height Of the image.
 * @param {number} width
 * @param {number} [temperature] 1 for an exported network, which has its temperature inside.
 * @returns {Float32Array} Class after class, in single precision; all alike where logits are no numbers.
 */
export function toProbabilities(logits, classes, h, w, height, width, temperature = 1) {
  const size = height * width;
  const out = new Float32Array(classes * size);
  for (let label = 0; label < classes; label++) {
    const target = out.subarray(label * size, (label + 1) * size);
    resizeNumbers(logits.subarray(label * h * w, (label + 1) * h * w), w, h, width, height, target);
  }
  if (temperature !== 1) for (let index = 0; index < out.length; index++) out[index] /= temperature;
  for (let index = 0; index < size; index++) {
    let most = -Infinity;
    for (let place = index; place < out.length; place += size) most = out[place] > most ? out[place] : most;
    let total = 0;
    for (let place = index; place < out.length; place += size) {
      out[place] = Math.exp(Math.fround(out[place] - most));
      total = Math.fround(total + out[place]);
    }
    const finite = Number.isFinite(total);
    for (let place = index; place < out.length; place += size) out[place] = finite ? out[place] / total : 1 / classes;
  }
  return out;
}

/**
 * With two classes foreground above the threshold, without objects and holes of fewer pixels than `smallest`; with more
 * the likeliest class.
 *
 * @param {Float32Array} probability Class after class.
 * @param {number} classes
 * @param {number} height
 * @param {number} width
 * @param {number} threshold
 * @param {number} smallest
 * @returns {Uint8Array}
 */
export function toLabels(probability, classes, height, width, threshold, smallest) {
  const size = height * width;
  const labels = new Uint8Array(size);
  if (classes === 2) {
    const limit = Math.fround(threshold);
    for (let index = 0; index < size; index++) labels[index] = probability[size + index] > limit ? 1 : 0;
    if (smallest) dropSmall(labels, width, height, smallest);
    return labels;
  }
  const most = probability.slice(0, size);
  for (let label = 1; label < classes; label++) {
    const start = label * size;
    for (let index = 0; index < size; index++) {
      if (probability[start + index] > most[index]) {
        most[index] = probability[start + index];
        labels[index] = label;
      }
    }
  }
  return labels;
}

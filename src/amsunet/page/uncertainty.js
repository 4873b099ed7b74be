/** How good a mask is likely to be, from the probabilities that it was made from. As `inference/uncertainty.py`. */

/**
 * One minus the Dice to be expected, mean over the classes but the background: 0 is sure. Of a class with mask m and
 * probability p the expected Dice is 2 sum(m p) / (sum(m) + sum(p)); where m is empty, it is one minus the largest p.
 *
 * Source: Borges et al., soft Dice confidence, arXiv 2402.10665.
 *
 * @param {Float32Array} probability Class after class.
 * @param {Uint8Array} labels
 * @param {number} classes
 * @returns {number}
 */
export function uncertaintyOf(probability, labels, classes) {
  const size = labels.length;
  let expected = 0;
  for (let label = 1; label < classes; label++) {
    let [found, hits, mass, largest] = [0, 0, 0, 0];
    for (let index = 0, place = label * size; index < size; index++, place++) {
      const one = probability[place];
      mass += one;
      if (one > largest) largest = one;
      if (labels[index] === label) {
        found++;
        hits += one;
      }
    }
    expected += found ? (2 * hits) / Math.max(found + mass, 1) : 1 - largest;
  }
  return 1 - expected / (classes - 1);
}

/**
 * How unsure the network is of each pixel: one minus the probability of its likeliest class, over the most that can be.
 *
 * @param {Float32Array} probability Class after class.
 * @param {number} classes
 * @returns {Uint8Array} 0 where it is sure, 255 where all classes are alike.
 */
export function uncertaintyMap(probability, classes) {
  const size = probability.length / classes;
  const out = new Uint8Array(size);
  const factor = (255 * classes) / (classes - 1);
  for (let index = 0; index < size; index++) {
    let most = 0;
    for (let place = index; place < probability.length; place += size) most = Math.max(most, probability[place]);
    out[index] = Math.round(Math.min(255, (1 - most) * factor));
  }
  return out;
}

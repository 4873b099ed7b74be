/** Arithmetic as NumPy and Python do it. */

/**
 * To the nearest integer, halves to the even one.
 *
 * @param {number} value
 * @returns {number}
 */
export function roundHalfEven(value) {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 ? down + 1 : down;
}

/**
 * Quantiles, linear between the two nearest values.
 *
 * @param {import("./types.js").Samples} values
 * @param {number[]} shares In 0 ... 1.
 * @returns {number[]}
 */
export function quantiles(values, shares) {
  const at = values instanceof Float32Array ? sorted(values) : counted(values);
  const round = values instanceof Float32Array ? Math.fround : (/** @type {number} */ value) => value;
  return shares.map((share) => {
    const place = share * (values.length - 1);
    const before = Math.floor(place);
    const [low, high] = [at(before), at(Math.min(before + 1, values.length - 1))];
    const [step, rest] = [round(high - low), place - before];
    return rest < 0.5 ? low + step * rest : high - step * (1 - rest);
  });
}

/**
 * @param {Float32Array} values
 * @returns {(place: number) => number} The value at a place among all, from the least on.
 */
function sorted(values) {
  const inOrder = values.slice().sort();
  return (place) => inOrder[place];
}

/**
 * @param {Uint8Array | Uint16Array} values
 * @returns {(place: number) => number} The value at a place among all, from the least on.
 */
function counted(values) {
  const upTo = new Float64Array(values instanceof Uint8Array ? 256 : 65536);
  for (let index = 0; index < values.length; index++) upTo[values[index]]++;
  for (let level = 1; level < upTo.length; level++) upTo[level] += upTo[level - 1];
  return (place) => {
    let [low, high] = [0, upTo.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle] > place) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/**
 * @param {ArrayLike<number>} values
 * @returns {{least: number, most: number}}
 */
export function extremes(values) {
  let [least, most] = [Infinity, -Infinity];
  for (let index = 0; index < values.length; index++) {
    if (values[index] < least) least = values[index];
    if (values[index] > most) most = values[index];
  }
  return { least, most };
}

/**
 * @param {ArrayLike<number>} values
 * @returns {number}
 */
export function mean(values) {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index];
  return sum / values.length;
}

/**
 * @param {ArrayLike<number>} values
 * @returns {number} The standard deviation.
 */
export function deviation(values) {
  const middle = mean(values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] - middle) ** 2;
  return Math.sqrt(sum / values.length);
}

/**
 * A number in six digits at most, as `f"{value:g}"` writes it.
 *
 * @param {number} value
 * @returns {string}
 */
export function inSixDigits(value) {
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(5).split("e");
  const exponent = Number(power);
  const plain = (/** @type {string} */ text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < 6) return plain(value.toFixed(5 - exponent));
  return `${plain(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

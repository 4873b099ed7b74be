/** Pieces of files. */

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function join(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    out.set(part, place);
    place += part.length;
  }
  return out;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} start A letter for each byte.
 * @returns {boolean}
 */
export function begins(bytes, start) {
  return [...start].every((letter, index) => bytes[index] === letter.charCodeAt(0));
}

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

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/**
 * @param {Uint8Array} bytes
 * @returns {number} Their CRC-32.
 */
export function crcOf(bytes) {
  let rest = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) rest = (rest >>> 8) ^ CRC[(rest ^ bytes[index]) & 255];
  return ~rest >>> 0;
}

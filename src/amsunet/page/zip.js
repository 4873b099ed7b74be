/** Several files as one: a ZIP archive without compression, for PNG files are compressed already. */

import { crcOf } from "./bytes.js";

const UTF8 = 0x800;

/**
 * Pack files.
 * @param {{name: string, bytes: Uint8Array}[]} files
 * @returns {Blob}
 */
export function zip(files) {
  /** @type {Uint8Array[]} */
  const parts = [];
  /** @type {Uint8Array[]} */
  const index = [];
  let place = 0;
  for (const { name, bytes } of files) {
    const path = new TextEncoder().encode(name);
    const about = [[2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, crcOf(bytes)], [4, bytes.length], [4, bytes.length]];
    const local = fields([[4, 0x04034b50], [2, 20], ...about, [2, path.length], [2, 0]]);
    const more = [[2, path.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, place]];
    index.push(fields([[4, 0x02014b50], [2, 20], [2, 20], ...about, ...more]), path);
    parts.push(local, path, bytes);
    place += local.length + path.length + bytes.length;
  }
  const size = index.reduce((sum, part) => sum + part.length, 0);
  const count = [[2, 0], [2, 0], [2, files.length], [2, files.length]];
  const end = fields([[4, 0x06054b50], ...count, [4, size], [4, place], [2, 0]]);
  return new Blob(/** @type {BlobPart[]} */ ([...parts, ...index, end]), { type: "application/zip" });
}

/**
 * @param {number[][]} values Pairs of a width in bytes and a number.
 * @returns {Uint8Array} The lowest byte first.
 */
function fields(values) {
  const bytes = new Uint8Array(values.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of values) {
    for (let byte = 0; byte < width; byte += 1) {
      bytes[at] = Math.floor(value / 256 ** byte) % 256;
      at += 1;
    }
  }
  return bytes;
}

/** BMP: browsers mix the colours of some with a transparency that others take for padding. */

import { PageError, refuseLarge } from "./errors.js";

const [RAW, BITFIELDS] = [0, 3];
/** Lengths of the headers there are; the first one is that of OS/2. */
const HEADERS = [12, 40, 52, 56, 64, 108, 124];
const DEPTHS = [1, 4, 8, 16, 24, 32];
/** Where the channels lie in pixels of 16 bits: 5 bits each, or 6 for green. */
const [FIVE, SIX] = ["7c00,3e0,1f", "f800,7e0,1f"];

/**
 * @param {Uint8Array} bytes
 * @param {string} name For errors.
 * @returns {import("./orientation.js").Pixels} Without alpha; with a palette, where its colours are no ramp of greys.
 */
export function decodeBmp(bytes, name) {
  if (bytes.length < 30) throw new PageError("damaged", { name });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(14, true);
  const old = length === 12;
  if (!HEADERS.includes(length) || bytes.length < 14 + length) throw new PageError("damaged", { name });
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true);
  const tall = old ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(old ? 24 : 28, true);
  const packing = old ? RAW : view.getUint32(30, true);
  const height = Math.abs(tall);
  if (width < 1 || height < 1 || !DEPTHS.includes(bits)) throw new PageError("damaged", { name });
  refuseLarge(width, height, name);
  const palette = bits <= 8 ? readPalette(bytes, view, length, bits) : null;
  const order = orderOf(view, bits, packing, length);
  if (!order && !palette) throw new PageError("unsupported", { name, what: `BMP of ${bits} bits` });
  if (packing !== RAW && !(packing === BITFIELDS && order)) {
    throw new PageError("unsupported", { name, what: `BMP with compression ${packing}` });
  }
  const stride = Math.floor((width * bits + 31) / 32) * 4;
  const start = startOf(view, length, palette ? palette.count * (old ? 3 : 4) : 0);
  if (start + stride * height > bytes.length) throw new PageError("damaged", { name });
  const channels = palette ? 1 : 3;
  const samples = new Uint8Array(width * height * channels);
  for (let y = 0, target = 0; y < height; y++) {
    const row = start + (tall < 0 ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      if (palette) {
        const index = (bytes[row + ((x * bits) >> 3)] >> (8 - bits - ((x * bits) & 7))) & ((1 << bits) - 1);
        if (index >= palette.count) throw new PageError("damaged", { name });
        samples[target++] = palette.grey ? palette.colours[3 * index] : index;
      } else if (bits === 16) {
        const pixel = view.getUint16(row + 2 * x, true);
        const green = order === SIX ? Math.floor((((pixel >> 5) & 63) * 255) / 63) : widened((pixel >> 5) & 31);
        samples[target++] = widened(pixel >> (order === SIX ? 11 : 10) & 31);
        samples[target++] = green;
        samples[target++] = widened(pixel & 31);
      } else {
        for (const byte of /** @type {number[]} */ (order)) samples[target++] = bytes[row + (x * bits) / 8 + byte];
      }
    }
  }
  return { width, height, channels, samples, palette: palette?.grey ? undefined : palette?.colours };
}

/**
 * Where the pixels begin: some writers leave it out, or forget the palette.
 *
 * @param {DataView} view
 * @param {number} length Of the header.
 * @param {number} palette Bytes of it.
 * @returns {number}
 */
function startOf(view, length, palette) {
  const start = view.getUint32(10, true);
  return start === 0 || start === 14 + length ? 14 + length + palette : start;
}

/**
 * @param {number} value Of 5 bits.
 * @returns {number} Of 8 bits.
 */
function widened(value) {
  return Math.floor((value * 255) / 31);
}

/**
 * Where red, green and blue are.
 *
 * @param {DataView} view
 * @param {number} bits
 * @param {number} packing
 * @param {number} length Of the header.
 * @returns {number[] | string | null} Bytes of a pixel; of 16 bits the name of the order; null if it is not known.
 */
function orderOf(view, bits, packing, length) {
  if (packing !== BITFIELDS) return bits === 16 ? FIVE : bits === 24 || bits === 32 ? [2, 1, 0] : null;
  if (view.byteLength < 66) return null;
  const masks = [54, 58, 62].map((place) => view.getUint32(place, true));
  const order = masks.map((mask) => mask.toString(16)).join(",");
  if (bits === 16) return order === FIVE || order === SIX ? order : null;
  if (masks.every((mask) => mask === 0)) return [2, 1, 0];
  const places = masks.map((mask) => [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(mask));
  return (bits === 24 || bits === 32) && !places.includes(-1) ? places : null;
}

/**
 * @param {Uint8Array} bytes
 * @param {DataView} view
 * @param {number} length Of the header.
 * @param {number} bits
 * @returns {{grey: boolean, count: number, colours: Uint8Array}}
 */
function readPalette(bytes, view, length, bits) {
  const step = length === 12 ? 3 : 4;
  const count = Math.min(65536, (length === 12 ? 0 : view.getUint32(46, true)) || 1 << bits);
  const colours = new Uint8Array(3 * count);
  let grey = true;
  for (let index = 0; index < count; index++) {
    for (let channel = 0; channel < 3; channel++) {
      colours[3 * index + channel] = bytes[14 + length + step * index + 2 - channel] ?? 0;
    }
    const level = count === 2 ? 255 * index : index;
    grey &&= [0, 1, 2].every((channel) => colours[3 * index + channel] === level);
  }
  return { grey, count, colours };
}

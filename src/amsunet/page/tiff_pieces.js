/** The strips and tiles of a TIFF, unpacked and put together. */

import { decodeByBrowser, jpegOfStrip } from "./browser_image.js";
import { PageError } from "./errors.js";
import { inflate } from "./inflate.js";
import { unpackBits, unpackLzw } from "./lzw.js";
import { value } from "./tiff.js";

/** @typedef {import("./tiff.js").TiffPage} TiffPage */

/** Values of tag 339. */
export const [UNSIGNED, SIGNED, FLOAT] = [1, 2, 3];
const [WHITE_IS_ZERO, RGB, PALETTE, YCBCR] = [0, 2, 3, 6];
const COLOURS = /** @type {Record<number, string>} */ ({
  4: "transparency", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB",
});
const [NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS] = [1, 5, 7, 8, 32946, 32773];
const COMPRESSIONS = /** @type {Record<number, string>} */ ({
  2: "CCITT", 3: "CCITT", 4: "CCITT", 6: "JPEG of 1992", 34712: "JPEG 2000", 50000: "Zstandard", 50001: "WebP",
});
const [HORIZONTAL, FLOATING] = [2, 3];

/**
 * What the tags say of the pixels.
 *
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} channels
 * @property {number} bits
 * @property {number} format Unsigned, signed or floating.
 * @property {number} compression
 * @property {number} predictor
 * @property {number} photometric
 * @property {boolean} planar Whether each channel is stored by itself.
 * @property {number} across Width of a piece: of a strip or a tile.
 * @property {number} down Height of a piece.
 */

/**
 * @param {TiffPage} page
 * @param {string} name
 * @returns {Layout}
 */
export function layoutOf(page, name) {
  const depths = page.tags.bits ?? [1];
  const [width, height, channels] = [value(page, "width", 0), value(page, "height", 0), value(page, "samples", 1)];
  const tiled = "tileWidth" in page.tags;
  const layout = {
    width, height, channels,
    bits: depths[0],
    format: value(page, "format", UNSIGNED),
    compression: value(page, "compression", NONE),
    predictor: value(page, "predictor", 1),
    photometric: value(page, "photometric", WHITE_IS_ZERO),
    planar: value(page, "planar", 1) === 2 && channels > 1,
    across: tiled ? value(page, "tileWidth", 0) : width,
    down: tiled ? value(page, "tileHeight", 0) : Math.min(height, value(page, "rows", height)),
  };
  if (!(width && height && layout.across && layout.down && page.tags.offsets && page.tags.counts)) {
    throw new PageError("damaged", { name });
  }
  /** @param {string} what */
  const refuse = (what) => {
    throw new PageError("unsupported", { name, what });
  };
  if (value(page, "depth", 1) > 1) refuse("a volume");
  const { bits, format, compression, photometric } = layout;
  const jpeg = compression === JPEG;
  if (![NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS].includes(compression)) {
    refuse(COMPRESSIONS[compression] ?? `compression ${compression}`);
  }
  const readable = photometric <= PALETTE || (jpeg && photometric === YCBCR);
  if (!readable) refuse(COLOURS[photometric] ?? `colours ${photometric}`);
  if (depths.some((depth) => depth !== bits)) refuse(`channels of ${depths.join(", ")} bits`);
  const depth = format === FLOAT ? [16, 32, 64] : channels > 1 ? [8, 16, 32] : [1, 2, 4, 8, 12, 16, 32];
  const signed = format === SIGNED && (bits < 8 || bits === 12);
  if (format > FLOAT || !depth.includes(bits) || signed || (jpeg && bits !== 8)) refuse(`${bits} bits`);
  if (photometric === PALETTE && (bits > 8 || format !== UNSIGNED || channels > 1)) refuse("an unusual palette");
  return layout;
}

/**
 * All pixels, interleaved, low bytes first; of less than 8 bits a value in each byte, and of 12 in two.
 *
 * @param {Uint8Array} bytes
 * @param {TiffPage} page
 * @param {Layout} layout
 * @param {string} name
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function readPieces(bytes, page, layout, name) {
  const { width, height, channels, bits, planar, across, down } = layout;
  const size = bits === 12 ? 2 : Math.max(1, bits >> 3);
  const each = planar ? 1 : channels;
  const out = new Uint8Array(width * height * channels * size);
  const columns = Math.ceil(width / across);
  const rows = Math.ceil(height / down);
  const { offsets, counts } = page.tags;
  if (offsets.length < columns * rows * (planar ? channels : 1)) throw new PageError("damaged", { name });
  for (let index = 0; index < columns * rows * (planar ? channels : 1); index++) {
    const plane = Math.floor(index / (columns * rows));
    const [left, top] = [(index % columns) * across, (Math.floor(index / columns) % rows) * down];
    const tall = "tileWidth" in page.tags ? down : Math.min(down, height - top);
    const shown = Math.min(across, width - left);
    if (counts[index] === 0) continue; // an empty tile is black
    const packed = bytes.subarray(offsets[index], offsets[index] + (counts[index] ?? 0));
    const piece = await unpackPiece(packed, page, layout, across, tall, each, name);
    for (let row = 0; row < Math.min(tall, height - top); row++) {
      const from = row * across * each * size;
      const to = ((top + row) * width + left) * channels * size;
      if (!planar) out.set(piece.subarray(from, from + shown * each * size), to);
      else for (let x = 0; x < shown; x++) {
        const [source, target] = [from + x * size, to + (x * channels + plane) * size];
        for (let byte = 0; byte < size; byte++) out[target + byte] = piece[source + byte];
      }
    }
  }
  return out;
}

/**
 * @param {Uint8Array} packed
 * @param {TiffPage} page
 * @param {Layout} layout
 * @param {number} across
 * @param {number} down
 * @param {number} each Channels in the piece.
 * @param {string} name
 * @returns {Promise<Uint8Array>}
 */
async function unpackPiece(packed, page, layout, across, down, each, name) {
  const { bits, compression, format } = layout;
  const stride = Math.ceil((across * each * bits) / 8);
  const size = stride * down;
  if (compression === JPEG) {
    const rgb = layout.photometric === RGB;
    const found = await decodeByBrowser(jpegOfStrip(packed, page.tags.tables ?? [], rgb), "image/jpeg", name);
    if (found.width < across || found.height < down) throw new PageError("damaged", { name });
    return withChannels(found, across, down, each);
  }
  /** @type {Uint8Array<ArrayBuffer>} */
  let piece = packed.slice();
  if (value(page, "fillOrder", 1) === 2) piece = piece.map(reversed);
  if (compression === LZW) piece = unpackLzw(piece, size);
  else if (compression === PACKBITS) piece = unpackBits(piece, size);
  else if (compression !== NONE) piece = await inflate(piece, size);
  if (piece.length < size) throw new PageError("damaged", { name });
  if (layout.predictor === FLOATING) return withoutFloatingPredictor(piece, across, down, each, bits / 8);
  if (bits > 8 && bits !== 12 && !page.little) swapBytes(piece, bits / 8);
  if (layout.predictor === HORIZONTAL) undoDifferences(piece, across, down, each, bits);
  else if (layout.predictor !== 1) throw new PageError("unsupported", { name, what: `predictor ${layout.predictor}` });
  return bits < 8 || (bits === 12 && format !== FLOAT) ? spread(piece, across * each, down, bits) : piece;
}

/**
 * @param {number} byte
 * @returns {number} With its bits the other way round.
 */
function reversed(byte) {
  let out = 0;
  for (let bit = 0; bit < 8; bit++) out |= ((byte >> bit) & 1) << (7 - bit);
  return out;
}

/**
 * @param {Uint8Array} bytes Changed in place.
 * @param {number} size Of a value.
 */
function swapBytes(bytes, size) {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}

/**
 * @param {Uint8Array<ArrayBuffer>} piece Little-endian; changed in place.
 * @param {number} across
 * @param {number} down
 * @param {number} each
 * @param {number} bits
 */
function undoDifferences(piece, across, down, each, bits) {
  const Type = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[bits];
  if (!Type) return;
  const values = new Type(piece.buffer, piece.byteOffset, across * each * down);
  for (let row = 0; row < down; row++) {
    const start = row * across * each;
    for (let index = start + each; index < start + across * each; index++) values[index] += values[index - each];
  }
}

/**
 * Fractions whose bytes were sorted by their place in the value, and stored as differences.
 *
 * @param {Uint8Array} piece
 * @param {number} across
 * @param {number} down
 * @param {number} each
 * @param {number} size
 * @returns {Uint8Array} Little-endian.
 */
function withoutFloatingPredictor(piece, across, down, each, size) {
  const out = new Uint8Array(piece.length);
  const count = across * each;
  for (let row = 0; row < down; row++) {
    const line = piece.subarray(row * count * size, (row + 1) * count * size);
    for (let index = each; index < line.length; index++) line[index] += line[index - each];
    for (let index = 0; index < count; index++) {
      for (let byte = 0; byte < size; byte++) {
        out[(row * count + index) * size + size - 1 - byte] = line[byte * count + index];
      }
    }
  }
  return out;
}

/**
 * Values of fewer than 8 bits, or of 12, to a byte or to two each.
 *
 * @param {Uint8Array} piece
 * @param {number} count Of values in a row.
 * @param {number} down
 * @param {number} bits
 * @returns {Uint8Array}
 */
function spread(piece, count, down, bits) {
  const stride = Math.ceil((count * bits) / 8);
  const values = bits === 12 ? new Uint16Array(count * down) : new Uint8Array(count * down);
  for (let row = 0, index = 0; row < down; row++) {
    for (let column = 0; column < count; column++, index++) {
      const bit = column * bits;
      const place = row * stride + (bit >> 3);
      const pair = (piece[place] << 8) | (piece[place + 1] ?? 0);
      values[index] = (pair >> (16 - bits - (bit & 7))) & ((1 << bits) - 1);
    }
  }
  return new Uint8Array(values.buffer);
}

/**
 * @param {{width: number, samples: Uint8Array | Uint8ClampedArray}} found RGBA.
 * @param {number} across
 * @param {number} down
 * @param {number} each
 * @returns {Uint8Array}
 */
function withChannels(found, across, down, each) {
  const out = new Uint8Array(across * down * each);
  for (let y = 0, target = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      for (let channel = 0; channel < each; channel++) {
        out[target++] = found.samples[(y * found.width + x) * 4 + channel];
      }
    }
  }
  return out;
}

/**
 * PNG of every depth, upright: browsers keep 8 of 16 bits and mix colours with the transparency.
 */

import { begins, crcOf, join } from "./bytes.js";
import { PageError, refuseLarge } from "./errors.js";
import { inflate } from "./inflate.js";
import { orientationOfExif, orientationOfXmp, upright } from "./orientation.js";
import { spacingOfPng } from "./spacing.js";

const CHANNELS = [1, 0, 3, 1, 2, 0, 4];
const DEPTHS = [[1, 2, 4, 8, 16], [], [8, 16], [1, 2, 4, 8], [8, 16], [], [8, 16]];
const PALETTE = 3;
/** Chunks whose checksum is looked at; the pixels have one of their own. */
const CHECKED = ["IHDR", "PLTE"];
/** Of each pass of an interlaced file the first column and row, and the steps between columns and rows. */
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const WHOLE = [[0, 0, 1, 1]];

/** @typedef {import("./orientation.js").Pixels} Pixels */

/**
 * @typedef {object} Header
 * @property {number} width
 * @property {number} height
 * @property {number} bits
 * @property {number} colour
 * @property {boolean} interlaced
 */

/**
 * @param {Uint8Array} bytes
 * @param {string} name For errors.
 * @returns {Promise<Pixels & {spacing: import("./types.js").Spacing | null}>} With alpha or a palette, where the file
 *   has it.
 */
export async function decodePng(bytes, name) {
  const chunks = readChunks(bytes, name);
  const header = readHeader(chunks, name);
  const { width, height, bits, colour } = header;
  refuseLarge(width, height, name);
  const passes = (header.interlaced ? ADAM7 : WHOLE)
    .map(([left, top, across, down]) => ({
      left, top, across, down, columns: Math.ceil((width - left) / across), rows: Math.ceil((height - top) / down),
    }))
    .filter((pass) => pass.columns > 0 && pass.rows > 0);
  const bitsEach = bits * CHANNELS[colour];
  const needed = passes.reduce((sum, pass) => sum + pass.rows * (1 + Math.ceil((pass.columns * bitsEach) / 8)), 0);
  const data = chunks.filter((chunk) => chunk.kind === "IDAT").map((chunk) => chunk.data);
  if (data.reduce((sum, part) => sum + part.length, 0) * 1032 + 64 < needed) throw new PageError("damaged", { name });
  const raw = await inflate(join(data), needed);
  if (raw.length < needed) throw new PageError("damaged", { name });
  const channels = CHANNELS[colour];
  const samples = bits === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  let place = 0;
  for (const pass of passes) {
    const stride = Math.ceil((pass.columns * bitsEach) / 8);
    const rows = raw.subarray(place, place + pass.rows * (stride + 1));
    place += rows.length;
    if (!unfilter(rows, stride, Math.max(1, bitsEach >> 3))) throw new PageError("damaged", { name });
    for (let row = 0; row < pass.rows; row++) {
      const start = ((pass.top + row * pass.down) * width + pass.left) * channels;
      const line = rows.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1));
      unpackRow(line, samples, start, pass.across * channels, pass.columns, channels, bits);
    }
  }
  if (colour === 0 && bits < 8) {
    const factor = 255 / ((1 << bits) - 1);
    for (let index = 0; index < samples.length; index++) samples[index] *= factor;
  }
  const palette = colour === PALETTE ? chunks.find((chunk) => chunk.kind === "PLTE")?.data : undefined;
  if (colour === PALETTE && !palette) throw new PageError("damaged", { name });
  const orientation = orientationOf(chunks);
  const spacing = spacingOfPng(chunks.find((chunk) => chunk.kind === "pHYs")?.data, orientation);
  return { ...upright({ width, height, channels, samples, palette }, orientation), spacing };
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {{kind: string, data: Uint8Array}[]}
 */
function readChunks(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = [];
  for (let place = 8; place + 12 <= bytes.length;) {
    const length = view.getUint32(place);
    const kind = String.fromCharCode(...bytes.subarray(place + 4, place + 8));
    // A file that is cut off may hold all pixels yet: those that it has are counted once unpacked.
    const data = bytes.subarray(place + 8, place + 8 + length);
    if (CHECKED.includes(kind)) {
      const end = place + 8 + length;
      const right = end + 4 <= bytes.length && crcOf(bytes.subarray(place + 4, end)) === view.getUint32(end);
      if (!right) throw new PageError("damaged", { name });
    }
    chunks.push({ kind, data });
    if (kind === "IEND") break;
    if (kind === "acTL") throw new PageError("unsupported", { name, what: "APNG" });
    place += length + 12;
  }
  return chunks;
}

/**
 * @param {{kind: string, data: Uint8Array}[]} chunks
 * @param {string} name
 * @returns {Header}
 */
function readHeader(chunks, name) {
  const [first] = chunks;
  if (!first || first.kind !== "IHDR" || first.data.length < 13) throw new PageError("damaged", { name });
  const view = new DataView(first.data.buffer, first.data.byteOffset, 13);
  const [bits, colour, packing, filter, interlaced] = first.data.subarray(8, 13);
  const possible = DEPTHS[colour]?.includes(bits) && packing === 0 && filter === 0 && interlaced < 2;
  const header = { width: view.getUint32(0), height: view.getUint32(4), bits, colour, interlaced: interlaced === 1 };
  if (!possible || header.width === 0 || header.height === 0) throw new PageError("damaged", { name });
  return header;
}

/**
 * Undo the filters of rows in place, each of which begins with the number of its filter.
 *
 * @param {Uint8Array} rows
 * @param {number} stride Bytes of a row without that number.
 * @param {number} step Bytes of a pixel, at least one.
 * @returns {boolean} Whether all filters are known.
 */
function unfilter(rows, stride, step) {
  const length = stride + 1;
  for (let start = 0; start < rows.length; start += length) {
    const filter = rows[start];
    if (filter > 4) return false;
    if (filter === 0) continue;
    for (let index = start + 1; index <= start + stride; index++) {
      const left = index - start > step ? rows[index - step] : 0;
      const above = start ? rows[index - length] : 0;
      if (filter === 1) rows[index] += left;
      else if (filter === 2) rows[index] += above;
      else if (filter === 3) rows[index] += (left + above) >> 1;
      else rows[index] += paeth(left, above, start && index - start > step ? rows[index - length - step] : 0);
    }
  }
  return true;
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 * @returns {number}
 */
function paeth(left, above, corner) {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/**
 * @param {Uint8Array} line
 * @param {Uint8Array | Uint16Array} samples
 * @param {number} start Where the row's first sample goes.
 * @param {number} step From one pixel of the row to its next.
 * @param {number} columns
 * @param {number} channels
 * @param {number} bits
 */
function unpackRow(line, samples, start, step, columns, channels, bits) {
  for (let column = 0, source = 0; column < columns; column++) {
    const target = start + column * step;
    for (let channel = 0; channel < channels; channel++, source++) {
      if (bits === 8) samples[target + channel] = line[source];
      else if (bits === 16) samples[target + channel] = (line[2 * source] << 8) | line[2 * source + 1];
      else samples[target] = (line[(source * bits) >> 3] >> (8 - bits - ((source * bits) & 7))) & ((1 << bits) - 1);
    }
  }
}

/**
 * @param {{kind: string, data: Uint8Array}[]} chunks
 * @returns {number}
 */
function orientationOf(chunks) {
  const exif = chunks.find((chunk) => chunk.kind === "eXIf");
  const xmp = chunks.find((chunk) => chunk.kind === "iTXt" && begins(chunk.data, "XML:com.adobe.xmp"));
  return (exif && orientationOfExif(exif.data)) ?? (xmp && orientationOfXmp(xmp.data)) ?? 1;
}

/** The pixels of a TIFF, with all the bits that it has: browsers read no TIFF. */

import { PageError, refuseLarge } from "./errors.js";
import { upright } from "./orientation.js";
import { onlyPage, value } from "./tiff.js";
import { FLOAT, SIGNED, UNSIGNED, layoutOf, readPieces } from "./tiff_pieces.js";

/** @typedef {import("./types.js").Samples} Samples */
/** @typedef {import("./orientation.js").Pixels} Pixels */
/** @typedef {import("./tiff.js").TiffPage} TiffPage */
/** @typedef {import("./tiff_pieces.js").Layout} Layout */

const [WHITE_IS_ZERO, RGB, PALETTE, YCBCR] = [0, 2, 3, 6];
/** Values of tag 338. */
const [ASSOCIATED, UNASSOCIATED] = [1, 2];

/**
 * @param {Uint8Array} bytes
 * @param {string} name For errors.
 * @returns {Promise<Pixels & {page: TiffPage}>} With alpha or a palette, where the file has it.
 */
export async function decodeTiff(bytes, name) {
  const page = onlyPage(bytes, name);
  const layout = layoutOf(page, name);
  refuseLarge(layout.width, layout.height, name);
  const raw = await readPieces(bytes, page, layout, name);
  const typed = asSamples(raw, layout);
  const found = { width: layout.width, height: layout.height, channels: layout.channels, samples: typed };
  const coloured = withoutExtra(withMeaning(found, page, layout, name), page, layout, name);
  return { ...upright(coloured, value(page, "orientation", 1)), page };
}

/**
 * Bytes as numbers of a type that the package has too: 8 and 16 bits without sign, all else in floating point.
 *
 * @param {Uint8Array<ArrayBuffer>} raw
 * @param {Layout} layout
 * @returns {Samples}
 */
function asSamples(raw, layout) {
  const { bits, format } = layout;
  if (format === FLOAT) {
    if (bits === 32) return new Float32Array(raw.buffer);
    if (bits === 64) return Float32Array.from(new Float64Array(raw.buffer));
    return Float32Array.from(new Uint16Array(raw.buffer), ofHalf);
  }
  if (format === SIGNED) {
    const Type = bits === 8 ? Int8Array : bits === 16 ? Int16Array : Int32Array;
    return Float32Array.from(new Type(raw.buffer));
  }
  if (bits === 32) return Float32Array.from(new Uint32Array(raw.buffer));
  return bits > 8 ? new Uint16Array(raw.buffer) : raw;
}

/**
 * @param {number} half The bits of a number of 16 bits in floating point.
 * @returns {number}
 */
function ofHalf(half) {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const size = exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
  return half >> 15 ? -size : size;
}

/**
 * Greys with black as zero, few bits stretched to eight, and the palette.
 *
 * @param {Pixels} found
 * @param {TiffPage} page
 * @param {Layout} layout
 * @param {string} name
 * @returns {Pixels}
 */
function withMeaning(found, page, layout, name) {
  const { bits, format, photometric } = layout;
  const { samples } = found;
  if (photometric === PALETTE) return { ...found, palette: paletteOf(page, bits, name) };
  // Truth values that tifffile wrote are marked with white as zero, which its readers ignore: true is white.
  const truth = photometric === WHITE_IS_ZERO && bits === 1 && page.software.startsWith("tifffile");
  if (photometric === WHITE_IS_ZERO && !truth) {
    if (format === FLOAT) throw new PageError("unsupported", { name, what: "fractions with white as zero" });
    const most = format === SIGNED ? -1 : 2 ** bits - 1;
    for (let index = 0; index < samples.length; index++) samples[index] = most - samples[index];
  }
  if (bits < 8) {
    const factor = 255 / ((1 << bits) - 1);
    for (let index = 0; index < samples.length; index++) samples[index] *= factor;
  }
  return found;
}

/**
 * @param {TiffPage} page
 * @param {number} bits
 * @param {string} name
 * @returns {Uint8Array}
 */
function paletteOf(page, bits, name) {
  const colours = page.tags.colours ?? [];
  const count = 1 << bits;
  if (colours.length < 3 * count) throw new PageError("damaged", { name });
  const placeOf = (/** @type {number} */ index) => (index % 3) * count + Math.floor(index / 3);
  return Uint8Array.from({ length: 3 * count }, (_, index) => colours[placeOf(index)] >> 8);
}

/**
 * Channels beyond the colours: transparency, as far as the file marks it so, and one that is the same everywhere.
 *
 * @param {Pixels} found
 * @param {TiffPage} page
 * @param {Layout} layout
 * @param {string} name
 * @returns {Pixels}
 */
function withoutExtra(found, page, layout, name) {
  const colours = layout.photometric === RGB || layout.photometric === YCBCR ? 3 : 1;
  const beyond = found.channels - colours;
  const sideBySide = layout.channels === 3 && !layout.planar;
  if (beyond <= 0 || sideBySide) {
    if (found.channels !== 1 && found.channels !== 3) throw new PageError("channels", { name, count: found.channels });
    return found;
  }
  const kind = value(page, "extra", 0);
  const marked = beyond === 1 && (kind === ASSOCIATED || kind === UNASSOCIATED);
  if (!marked && !(beyond === 1 && isFilled(found))) throw new PageError("channels", { name, count: found.channels });
  if (kind !== ASSOCIATED || layout.bits > 8) return found;
  if (colours === 1) throw new PageError("unsupported", { name, what: "grey multiplied by transparency" });
  const { samples } = found;
  for (let index = 0; index < samples.length; index += 4) {
    const alpha = samples[index + 3];
    if (alpha === 255) continue;
    for (let channel = index; channel < index + 3; channel++) {
      samples[channel] = alpha ? Math.min(255, Math.floor((255 * samples[channel]) / alpha)) : 0;
    }
  }
  return found;
}

/**
 * @param {Pixels} found
 * @returns {boolean} Whether the last channel has one value everywhere.
 */
function isFilled({ samples, channels }) {
  const first = samples[channels - 1];
  for (let index = channels - 1; index < samples.length; index += channels) if (samples[index] !== first) return false;
  return true;
}

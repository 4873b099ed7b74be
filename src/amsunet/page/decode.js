/**
 * Image files to pixels, as the package reads them: all bits, upright, without alpha. The bytes tell the format, the
 * name does not. Errors are `PageError`s with the codes `empty`, `not_an_image`, `damaged`, `unsupported` and
 * `for_command` (with `what`), `archive`, `pages` and `channels` (with `count`), `not_finite` and `too_large`.
 */

import { decodeBmp } from "./bmp.js";
import { decodeByBrowser, readJpeg, readWebp, withNoiseAtEnd } from "./browser_image.js";
import { begins } from "./bytes.js";
import { PageError, refuseLarge } from "./errors.js";
import { orientationOfExif, orientationOfXmp, upright } from "./orientation.js";
import { decodePng } from "./png.js";
import { spacingOfTiff } from "./spacing.js";
import { isTiff } from "./tiff.js";
import { decodeTiff } from "./tiff_pixels.js";

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Samples} Samples */
/** @typedef {import("./orientation.js").Pixels} Pixels */

const OTHERS = /** @type {[string, string][]} */ ([
  ["GIF8", "GIF"], ["P1", "PBM"], ["P2", "PGM"], ["P3", "PPM"], ["P4", "PBM"], ["P5", "PGM"], ["P6", "PPM"],
  ["\0\0\0\x0cjP", "JPEG 2000"], ["\xff\x4f\xff\x51", "JPEG 2000"], ["8BPS", "PSD"], ["%PDF", "PDF"],
]);

/** Files of clinic and laboratory, which the command reads: where their mark stands, and what they are. */
const FOR_COMMAND = /** @type {[number, string, string][]} */ ([
  [128, "DICM", "DICOM"], [344, "n+1\0", "NIfTI"], [4, "n+2\0", "NIfTI"], [0, "\x1f\x8b", "NIfTI"], [0, "\x89HDF", "HDF5"],
]);

/**
 * @param {Uint8Array} bytes
 * @param {string} name The file's, for errors.
 * @returns {Promise<Picture>}
 */
export async function decode(bytes, name) {
  const { pixels, spacing } = await decodeFile(bytes, name);
  const { width, height, channels, samples } = firstChannels(inColours(pixels, name));
  return { width, height, channels: channels === 1 ? 1 : 3, samples: finite(samples, name), spacing };
}

/**
 * A mask, as `data/masks/files.py` reads one: the numbers of a palette, and numbers too where all colours are grey.
 *
 * @param {Uint8Array} bytes
 * @param {string} name The file's, for errors.
 * @param {string} [reading] Which part is the mask: `stored`, `colours` (of the palette) or `alpha`.
 * @returns {Promise<Picture>}
 */
export async function decodeMask(bytes, name, reading = "stored") {
  if (reading === "visible") throw new PageError("unsupported", { name, what: "a mask by what is visible" });
  const { pixels, spacing } = await decodeFile(bytes, name);
  if (reading === "alpha" && (pixels.palette || begins(bytes, "RIFF"))) {
    throw new PageError("unsupported", { name, what: "a mask in the transparency of WebP or of a palette" });
  }
  const alpha = reading === "alpha" && pixels.channels % 2 === 0;
  const { width, height, channels, samples } = alpha
    ? channelsOf(pixels, pixels.channels - 1, pixels.channels)
    : greyIfGrey(firstChannels(reading === "stored" ? pixels : inColours(pixels, name)));
  return { width, height, channels: channels === 1 ? 1 : 3, samples: finite(samples, name), spacing };
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Promise<{pixels: Pixels, spacing: import("./types.js").Spacing | null}>}
 */
async function decodeFile(bytes, name) {
  if (!bytes.length) throw new PageError("empty", { name });
  refuseForCommand(bytes, name);
  if (begins(bytes, "\x89PNG\r\n\x1a\n")) {
    const { spacing, ...pixels } = await decodePng(bytes, name);
    return { pixels, spacing };
  }
  if (!isTiff(bytes)) return { pixels: await decodePixels(bytes, name), spacing: null };
  const { page, ...pixels } = await decodeTiff(bytes, name);
  return { pixels, spacing: spacingOfTiff(page) };
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Promise<Pixels>}
 */
async function decodePixels(bytes, name) {
  if (begins(bytes, "\xff\xd8\xff")) return decodeJpeg(bytes, name);
  if (begins(bytes, "RIFF") && begins(bytes.subarray(8), "WEBP")) return decodeWebp(bytes, name);
  if (begins(bytes, "BM")) return decodeBmp(bytes, name);
  const other = OTHERS.find(([start]) => begins(bytes, start));
  if (other) throw new PageError("unsupported", { name, what: other[1] });
  if (begins(bytes, "PK\x03\x04")) throw new PageError("archive", { name });
  throw new PageError("not_an_image", { name });
}

/**
 * Refuse what the command reads, before all else: DICOM may begin as a TIFF does.
 *
 * @param {Uint8Array} bytes
 * @param {string} name
 */
function refuseForCommand(bytes, name) {
  const known = FOR_COMMAND.find(([place, mark]) => begins(bytes.subarray(place), mark));
  if (known && (known[2] !== "NIfTI" || /\.nii(\.gz)?$/i.test(name))) throw new PageError("for_command", { name, what: known[2] });
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Promise<Pixels>}
 */
async function decodeJpeg(bytes, name) {
  const jpeg = readJpeg(bytes, name);
  refuseLarge(jpeg.width, jpeg.height, name);
  if (jpeg.components === 4) throw new PageError("unsupported", { name, what: "CMYK" });
  if (!jpeg.whole) throw new PageError("damaged", { name });
  const { width, height, samples } = await decodeByBrowser(jpeg.plain, "image/jpeg", name);
  await refuseMissingRows(jpeg.plain, samples, width, name);
  const orientation = (jpeg.exif && orientationOfExif(jpeg.exif)) ?? (jpeg.xmp && orientationOfXmp(jpeg.xmp)) ?? 1;
  return upright(channelsOf({ width, height, channels: 4, samples }, 0, jpeg.components === 1 ? 1 : 3), orientation);
}

/**
 * Refuse a JPEG of which the file holds only the first rows. Only where the last row ends in the grey that decoders
 * fill up with is it decoded once more, so that other images cost nothing.
 *
 * @param {Uint8Array} plain
 * @param {Uint8ClampedArray} samples RGBA.
 * @param {number} width
 * @param {string} name
 */
async function refuseMissingRows(plain, samples, width, name) {
  const last = samples.subarray(-4 * Math.min(width, 3)).filter((_, index) => index % 4 < 3);
  if (!last.every((level) => level === 127 || level === 128)) return;
  const other = withNoiseAtEnd(plain);
  if (!other) return;
  const again = await decodeByBrowser(other, "image/jpeg", name);
  const start = samples.length - 4 * 16 * width;
  for (let index = Math.max(0, start); index < samples.length; index++) {
    if (samples[index] !== again.samples[index]) throw new PageError("damaged", { name });
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Promise<Pixels>}
 */
async function decodeWebp(bytes, name) {
  const webp = readWebp(bytes, name);
  refuseLarge(webp.width, webp.height, name);
  const { width, height, samples } = await decodeByBrowser(webp.plain, "image/webp", name);
  const orientation = (webp.exif && orientationOfExif(webp.exif)) ?? (webp.xmp && orientationOfXmp(webp.xmp)) ?? 1;
  return upright(channelsOf({ width, height, channels: 4, samples }, 0, 3), orientation);
}

/**
 * @param {Pixels} pixels
 * @param {string} name
 * @returns {Pixels} With the colours of its palette, if it has one.
 */
function inColours(pixels, name) {
  const { palette, samples } = pixels;
  if (!palette) return pixels;
  const out = new Uint8Array(3 * samples.length);
  for (let index = 0; index < samples.length; index++) {
    const colour = 3 * samples[index];
    if (colour + 3 > palette.length) throw new PageError("damaged", { name });
    for (let channel = 0; channel < 3; channel++) out[3 * index + channel] = palette[colour + channel];
  }
  return { ...pixels, channels: 3, samples: out };
}

/**
 * @param {Pixels} pixels
 * @returns {Pixels} Without alpha.
 */
function firstChannels(pixels) {
  const { channels } = pixels;
  return channels % 2 ? pixels : channelsOf(pixels, 0, channels - 1);
}

/**
 * @param {Pixels} pixels
 * @returns {Pixels} Of one channel, if its colours are all grey.
 */
function greyIfGrey(pixels) {
  const { samples, channels } = pixels;
  for (let index = 0; index < samples.length; index++) {
    if (samples[index] !== samples[index - (index % channels)]) return pixels;
  }
  return channels === 1 ? pixels : channelsOf(pixels, 0, 1);
}

/**
 * @param {Samples} samples
 * @param {string} name
 * @returns {Samples}
 */
function finite(samples, name) {
  if (samples instanceof Float32Array && !samples.every(Number.isFinite)) throw new PageError("not_finite", { name });
  return samples;
}

/**
 * Some of the channels of each pixel.
 *
 * @param {{width: number, height: number, channels: number, samples: Samples | Uint8ClampedArray}} pixels
 * @param {number} first
 * @param {number} end The first one that is left out.
 * @returns {Pixels}
 */
function channelsOf({ width, height, channels, samples }, first, end) {
  const Type = samples instanceof Uint8ClampedArray ? Uint8Array : samples.constructor;
  const out = new /** @type {any} */ (Type)(width * height * (end - first));
  for (let source = 0, target = 0; source < samples.length; source += channels) {
    for (let channel = first; channel < end; channel++) out[target++] = samples[source + channel];
  }
  return { width, height, channels: end - first, samples: out };
}

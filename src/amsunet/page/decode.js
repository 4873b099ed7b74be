/**
 * Image files to pixels, as the package reads them: all bits, upright, without alpha. The bytes tell the format, the
 * name does not. Errors are `PageError`s with the codes `empty`, `not_an_image`, `damaged`, `unsupported` (with
 * `what`), `pages` and `channels` (with `count`), `not_finite` and `too_large`.
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

/**
 * @param {Uint8Array} bytes
 * @param {string} name The file's, for errors.
 * @returns {Promise<Picture>}
 */
export async function decode(bytes, name) {
  if (!bytes.length) throw new PageError("empty", { name });
  if (isTiff(bytes)) {
    const { page, ...pixels } = await decodeTiff(bytes, name);
    return asPicture(pixels, name, spacingOfTiff(page));
  }
  return asPicture(await decodePixels(bytes, name), name, null);
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Promise<Pixels>}
 */
async function decodePixels(bytes, name) {
  if (begins(bytes, "\x89PNG\r\n\x1a\n")) return decodePng(bytes, name);
  if (begins(bytes, "\xff\xd8\xff")) return decodeJpeg(bytes, name);
  if (begins(bytes, "RIFF") && begins(bytes.subarray(8), "WEBP")) return decodeWebp(bytes, name);
  if (begins(bytes, "BM")) return decodeBmp(bytes, name);
  const other = OTHERS.find(([start]) => begins(bytes, start));
  if (other) throw new PageError("unsupported", { name, what: other[1] });
  throw new PageError("not_an_image", { name });
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
  return upright(withoutAlpha({ width, height, channels: 4, samples }, jpeg.components === 1 ? 1 : 3), orientation);
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
  return upright(withoutAlpha({ width, height, channels: 4, samples }, 3), orientation);
}

/**
 * @param {Pixels} pixels
 * @param {string} name
 * @param {import("./types.js").Spacing | null} spacing
 * @returns {Picture}
 */
function asPicture(pixels, name, spacing) {
  const { width, height, channels } = pixels;
  const kept = channels === 1 || channels === 2 ? 1 : 3;
  const { samples } = kept === channels ? pixels : withoutAlpha(pixels, kept);
  if (samples instanceof Float32Array && !samples.every(Number.isFinite)) throw new PageError("not_finite", { name });
  return { width, height, channels: kept, samples, spacing };
}

/**
 * The first channels of each pixel.
 *
 * @param {{width: number, height: number, channels: number, samples: Samples | Uint8ClampedArray}} pixels
 * @param {number} kept
 * @returns {Pixels}
 */
function withoutAlpha({ width, height, channels, samples }, kept) {
  const Type = samples instanceof Uint8ClampedArray ? Uint8Array : samples.constructor;
  const out = new /** @type {any} */ (Type)(width * height * kept);
  for (let source = 0, target = 0; source < samples.length; source += channels) {
    for (let channel = 0; channel < kept; channel++) out[target++] = samples[source + channel];
  }
  return { width, height, channels: kept, samples: out };
}

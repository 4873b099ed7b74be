/**
 * JPEG, WebP and the like, by the browser's own decoder: the same libraries as Pillow's, and the same pixels, once the
 * file holds nothing that browsers act on and Pillow does not (profiles of colour, orientation, transparency).
 */

import { begins, join } from "./bytes.js";
import { PageError } from "./errors.js";

/**
 * @param {Uint8Array} bytes
 * @param {string} type
 * @param {string} name For errors.
 * @returns {Promise<{width: number, height: number, samples: Uint8ClampedArray}>} RGBA.
 */
export async function decodeByBrowser(bytes, type, name) {
  const blob = new Blob([/** @type {BlobPart} */ (bytes)], { type });
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new PageError("damaged", { name });
  }
  const { width, height } = bitmap;
  // Without alpha nothing is multiplied or divided by it: channels come out as they were decoded.
  const settings = { alpha: false, willReadFrequently: true, colorSpace: /** @type {const} */ ("srgb") };
  const context = new OffscreenCanvas(width, height).getContext("2d", settings);
  if (!context) throw new PageError("out_of_memory", { name });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  if (!keepsPixels()) throw new PageError("unsupported", { name, what: HIDDEN });
  return { width, height, samples: context.getImageData(0, 0, width, height).data };
}

const HIDDEN = "JPEG and WebP, where a browser hides pixels from pages";
/** @type {boolean | undefined} */
let kept;

/** @returns {boolean} Whether pixels come back as they were drawn: some browsers change them, to hide who they are. */
function keepsPixels() {
  if (kept !== undefined) return kept;
  const context = new OffscreenCanvas(64, 64).getContext("2d", { alpha: false, willReadFrequently: true });
  const drawn = new ImageData(64, 64);
  drawn.data.forEach((_, index) => (drawn.data[index] = index % 4 === 3 ? 255 : (index * 37) % 256));
  context?.putImageData(drawn, 0, 0);
  const found = context?.getImageData(0, 0, 64, 64).data;
  kept = found !== undefined && drawn.data.every((value, index) => value === found[index]);
  return kept;
}

const [SOI, EOI, APP0, APP1, APP14, APP15, COM, SOS, DHT, JPG, DAC] = [
  0xd8, 0xd9, 0xe0, 0xe1, 0xee, 0xef, 0xfe, 0xda, 0xc4, 0xc8, 0xcc,
];

/**
 * What the header of a JPEG says, and the file without what it tells of colours and orientation.
 *
 * @typedef {object} Jpeg
 * @property {number} width
 * @property {number} height
 * @property {number} components
 * @property {boolean} whole Whether it comes to its end: browsers fill up what is missing, in silence.
 * @property {Uint8Array} plain
 * @property {Uint8Array | null} exif
 * @property {Uint8Array | null} xmp
 */

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Jpeg}
 */
export function readJpeg(bytes, name) {
  /** @type {Jpeg} */
  const found = { width: 0, height: 0, components: 0, whole: false, plain: bytes, exif: null, xmp: null };
  const kept = [bytes.subarray(0, 2)];
  let place = 2;
  while (place + 4 <= bytes.length && bytes[place] === 0xff) {
    const kind = bytes[place + 1];
    if (kind === 0xff) {
      place++;
      continue;
    }
    if (kind === SOS) break;
    const length = (bytes[place + 2] << 8) | bytes[place + 3];
    const segment = bytes.subarray(place, place + 2 + length);
    const content = segment.subarray(4);
    if (kind >= 0xc0 && kind <= 0xcf && ![DHT, JPG, DAC].includes(kind)) {
      found.height = (content[1] << 8) | content[2];
      found.width = (content[3] << 8) | content[4];
      found.components = content[5];
      if (content[0] !== 8) throw new PageError("unsupported", { name, what: `JPEG of ${content[0]} bits` });
    }
    if (kind === APP1 && begins(content, "Exif\0\0")) found.exif ??= content.subarray(6);
    if (kind === APP1 && begins(content, "http://ns.adobe.com/xap/1.0/\0")) found.xmp ??= content.subarray(29);
    if (!(kind > APP0 && kind <= APP15 && kind !== APP14) && kind !== COM) kept.push(segment);
    place += 2 + length;
  }
  if (bytes[place + 1] !== SOS || !found.components) throw new PageError("damaged", { name });
  kept.push(bytes.subarray(place));
  found.whole = ends(bytes.subarray(place));
  found.plain = join(kept);
  return found;
}

/**
 * A JPEG of a strip or tile of a TIFF, whose tables stand in a tag.
 *
 * @param {Uint8Array} strip
 * @param {number[]} tables
 * @param {boolean} rgb Whether its channels are colours, and not brightness and differences of colour.
 * @returns {Uint8Array}
 */
export function jpegOfStrip(strip, tables, rgb) {
  const adobe = [0xff, APP14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, rgb ? 0 : 1];
  const between = tables.slice(2, -2); // without the marks of beginning and end
  return join([Uint8Array.of(0xff, SOI, ...adobe), Uint8Array.from(between), strip.subarray(2)]);
}

/**
 * The same JPEG with bytes without meaning before its end. A decoder that has all pixels passes over them; where pixels
 * are missing, which decoders fill up with grey, it takes them for pixels.
 *
 * @param {Uint8Array} plain
 * @returns {Uint8Array | null} Null for several scans, of which this is not known.
 */
export function withNoiseAtEnd(plain) {
  const marks = [];
  for (let place = plain.indexOf(0xff); place >= 0; place = plain.indexOf(0xff, place + 1)) {
    if (plain[place + 1] === SOS || plain[place + 1] === EOI) marks.push(place);
    if (plain[place + 1] === EOI) break;
  }
  if (marks.length !== 2) return null;
  const noise = Uint8Array.from({ length: 4096 }, (_, index) => (index * index * 31 + index * 17) % 251);
  return join([plain.subarray(0, marks[1]), noise, Uint8Array.of(0xff, EOI)]);
}

/**
 * @param {Uint8Array} scans All from the first one on: before it, the end of a preview may stand.
 * @returns {boolean} Whether they come to an end.
 */
function ends(scans) {
  for (let place = scans.indexOf(0xff); place >= 0; place = scans.indexOf(0xff, place + 1)) {
    if (scans[place + 1] === EOI) return true;
  }
  return false;
}

/**
 * A WebP without its transparency, and what it tells of its orientation.
 *
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {{width: number, height: number, plain: Uint8Array, exif: Uint8Array | null, xmp: Uint8Array | null}}
 */
export function readWebp(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {Record<string, Uint8Array>} */
  const chunks = {};
  for (let place = 12; place + 8 <= bytes.length;) {
    const kind = String.fromCharCode(...bytes.subarray(place, place + 4));
    const length = view.getUint32(place + 4, true);
    if (kind === "ANMF") throw new PageError("pages", { name, count: 2 });
    chunks[kind] ??= bytes.subarray(place + 8, place + 8 + length);
    place += 8 + length + (length & 1);
  }
  const lossy = chunks["VP8 "];
  const lossless = chunks.VP8L?.slice();
  if (!(lossy?.length >= 10) && !(lossless?.length >= 5)) throw new PageError("damaged", { name });
  let [width, height] = [0, 0];
  if (lossy) {
    width = (lossy[6] | (lossy[7] << 8)) & 0x3fff;
    height = (lossy[8] | (lossy[9] << 8)) & 0x3fff;
  } else {
    width = 1 + (lossless[1] | ((lossless[2] & 0x3f) << 8));
    height = 1 + ((lossless[2] >> 6) | (lossless[3] << 2) | ((lossless[4] & 15) << 10));
    lossless[4] &= ~16; // the note that there is transparency, which browsers would mix the colours with
  }
  const pixels = lossy ?? lossless;
  const padded = new Uint8Array(20 + pixels.length + (pixels.length & 1));
  const head = new DataView(padded.buffer);
  padded.set(new TextEncoder().encode("RIFF"), 0);
  head.setUint32(4, padded.length - 8, true);
  padded.set(new TextEncoder().encode(lossy ? "WEBPVP8 " : "WEBPVP8L"), 8);
  head.setUint32(16, pixels.length, true);
  padded.set(pixels, 20);
  const exif = chunks.EXIF && begins(chunks.EXIF, "Exif\0\0") ? chunks.EXIF.subarray(6) : chunks.EXIF ?? null;
  return { width, height, plain: padded, exif, xmp: chunks["XMP "] ?? null };
}

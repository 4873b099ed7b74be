/** The structure of a TIFF: its pages, their tags, and which of them is the image. */

import { PageError } from "./errors.js";

/** Tags by their numbers, as far as they are asked for. */
const TAGS = /** @type {Record<number, string>} */ ({
  254: "subfile", 256: "width", 257: "height", 258: "bits", 259: "compression", 262: "photometric", 266: "fillOrder",
  270: "text", 273: "offsets", 274: "orientation", 277: "samples", 278: "rows", 279: "counts", 282: "across",
  283: "down", 284: "planar", 296: "unit", 305: "software", 317: "predictor", 320: "colours", 322: "tileWidth",
  323: "tileHeight", 324: "offsets", 325: "counts", 338: "extra", 339: "format", 347: "tables", 32997: "depth",
});
/** Bytes of a value by its type. */
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const MOST_PAGES = 10_000;
/** Bits of tag 254: a preview, and the transparency of another page. */
const [REDUCED, MASK] = [1, 4];

/**
 * A page; of tags with several values all of them.
 *
 * @typedef {object} TiffPage
 * @property {boolean} little Whether the low byte comes first.
 * @property {Record<string, number[]>} tags By name.
 * @property {string} text
 * @property {string} software
 */

/**
 * @param {Uint8Array} bytes
 * @returns {boolean} Whether a file is a TIFF, a BigTIFF too.
 */
export function isTiff(bytes) {
  const order = String.fromCharCode(bytes[0], bytes[1]);
  const [low, high] = order === "II" ? [bytes[2], bytes[3]] : [bytes[3], bytes[2]];
  return (order === "II" || order === "MM") && (low === 42 || low === 43) && high === 0;
}

/**
 * The page of the only image.
 *
 * @param {Uint8Array} bytes
 * @param {string} name For errors.
 * @returns {TiffPage}
 */
export function onlyPage(bytes, name) {
  const all = readPages(bytes, name);
  const images = all.filter((page) => !(value(page, "subfile", 0) & (REDUCED | MASK)));
  const pages = images.length ? images : all.slice(0, 1);
  if (!pages.length) throw new PageError("damaged", { name });
  if (pages.length > 1) throw new PageError("pages", { name, count: pages.length });
  return pages[0];
}

/**
 * @param {TiffPage} page
 * @param {string} tag
 * @param {number} otherwise
 * @returns {number} The first value of a tag.
 */
export function value(page, tag, otherwise) {
  return page.tags[tag]?.[0] ?? otherwise;
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {TiffPage[]}
 */
function readPages(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const big = view.getUint16(2, little) === 43;
  /** @param {number} place */
  const pointer = (place) => (big ? Number(view.getBigUint64(place, little)) : view.getUint32(place, little));
  const pages = [];
  const seen = new Set();
  try {
    for (let place = pointer(big ? 8 : 4); place;) {
      if (seen.has(place) || seen.size === MOST_PAGES) throw new RangeError("pages");
      seen.add(place);
      const count = big ? Number(view.getBigUint64(place, little)) : view.getUint16(place, little);
      const start = place + (big ? 8 : 2);
      const length = big ? 20 : 12;
      pages.push(readPage(view, start, count, length, little, big));
      place = pointer(start + count * length);
    }
  } catch (error) {
    // A page that points beyond the end of the file ends the list, as it does for other readers.
    if (!(error instanceof RangeError) || !pages.length || error.message === "pages") {
      throw new PageError("damaged", { name });
    }
  }
  return pages;
}

/**
 * @param {DataView} view
 * @param {number} start
 * @param {number} count
 * @param {number} length Bytes of an entry.
 * @param {boolean} little
 * @param {boolean} big
 * @returns {TiffPage}
 */
function readPage(view, start, count, length, little, big) {
  const page = /** @type {TiffPage} */ ({ little, tags: {}, text: "", software: "" });
  for (let place = start; place < start + count * length; place += length) {
    const name = TAGS[view.getUint16(place, little)];
    if (!name || name in page.tags) continue; // of a tag that is there twice the first counts
    const type = view.getUint16(place + 2, little);
    const number = big ? Number(view.getBigUint64(place + 4, little)) : view.getUint32(place + 4, little);
    if (!SIZES[type]) continue;
    const size = number * SIZES[type];
    const inside = place + (big ? 12 : 8);
    const held = size <= (big ? 8 : 4);
    const far = big ? Number(view.getBigUint64(inside, little)) : view.getUint32(inside, little);
    const from = held ? inside : far;
    if (from + size > view.byteLength) continue; // as other readers do: what is needed is missed later
    if (name === "text" || name === "software") {
      const letters = new Uint8Array(view.buffer, view.byteOffset + from, size);
      page[name] = new TextDecoder().decode(letters).replace(/\0[^]*$/, "");
    } else {
      page.tags[name] = Array.from({ length: number }, (_, index) => readValue(view, from, type, index, little));
    }
  }
  return page;
}

/**
 * @param {DataView} view
 * @param {number} start
 * @param {number} type
 * @param {number} index
 * @param {boolean} little
 * @returns {number}
 */
function readValue(view, start, type, index, little) {
  const place = start + index * SIZES[type];
  switch (type) {
    case 3: return view.getUint16(place, little);
    case 4: case 13: return view.getUint32(place, little);
    case 5: return view.getUint32(place, little) / view.getUint32(place + 4, little);
    case 6: return view.getInt8(place);
    case 8: return view.getInt16(place, little);
    case 9: return view.getInt32(place, little);
    case 10: return view.getInt32(place, little) / view.getInt32(place + 4, little);
    case 11: return view.getFloat32(place, little);
    case 12: return view.getFloat64(place, little);
    case 16: case 18: return Number(view.getBigUint64(place, little));
    case 17: return Number(view.getBigInt64(place, little));
    default: return view.getUint8(place);
  }
}

/** Files to take away: mask, picture with its overlay, tables, objects for other programs, all masks at once. */

import { decode } from "./decode.js";
import { download } from "./dom.js";
import { geojson } from "./geojson.js";
import { imagejRois } from "./imagej_rois.js";
import { labelTiff } from "./label_tiff.js";
import { encodeMasks } from "./mask.js";
import { numbersOf } from "./objects.js";
import { Outlines } from "./outlines.js";
import { countRows, countsTable, objectRows, objectsTable } from "./table.js";
import { canvasOf } from "./view.js";
import { zip } from "./zip.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./images.js").Images} Images
 * @typedef {import("./types.js").Description} Description
 * @typedef {import("./types.js").Spacing} Spacing
 * @typedef {import("./table.js").Numbered} Numbered
 * @typedef {import("./table.js").Row} Row
 *
 * @typedef {object} About What the page knows of an image beside its prediction.
 * @property {Spacing | null} spacing
 * @property {string} check Why its mask is to be checked.
 */

/**
 * A file's name with another ending.
 * @param {string} name
 * @param {string} ending
 * @returns {string}
 */
export function named(name, ending) {
  return (name.replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|\0-\x1f]/g, "_") || "image") + ending;
}

/**
 * @param {Entry} entry
 * @param {Description} description
 */
export async function saveMask({ name, measured, prediction }, description) {
  if (measured?.labels && prediction) {
    const { width, height } = prediction;
    const masks = await encodeMasks(measured.labels, width, height, description, measured.separation);
    if (masks.length === 1) {
      download(/** @type {BlobPart} */ (masks[0].png), named(name, "_mask.png"), "image/png");
    } else {
      const files = masks.map(({ folder, png }) => ({ name: `${folder}/${named(name, ".png")}`, bytes: png }));
      download(zip(files), named(name, "_masks.zip"), "application/zip");
    }
  }
}

/**
 * The image as it is shown, at its own size.
 * @param {Entry} entry
 * @param {HTMLCanvasElement} image
 * @param {import("./view.js").Layers} layers
 */
export async function savePicture({ name }, image, layers) {
  const canvas = canvasOf(image.width, image.height, () => {});
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.drawImage(image, 0, 0);
  if (layers.picture) {
    pen.globalAlpha = layers.opacity;
    pen.drawImage(layers.picture, 0, 0);
    pen.globalAlpha = 1;
  }
  layers.outlines?.draw(pen, Math.max(1, Math.max(image.width, image.height) / 500));
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  download(/** @type {Blob} */ (blob), named(name, "_overlay.png"), "image/png");
}

/**
 * The table of the objects of all images, or of the images.
 * @param {Images} images
 * @param {"objects" | "counts"} kind
 * @param {string} network
 * @param {(entry: Entry) => About} about
 */
export async function saveTable(images, kind, network, about) {
  /** @type {Row[]} */
  const rows = [];
  for (const entry of images.entries.filter(({ state }) => state === "done")) {
    const { spacing, check } = about(entry);
    if (kind === "objects") {
      await images.restore(entry);
      const found = numbered(entry, spacing);
      const picture = await decode(new Uint8Array(await entry.file.arrayBuffer()), entry.name);
      rows.push(...objectRows(found, picture));
    } else if (entry.measured && entry.prediction) {
      const { width, height } = entry.prediction;
      rows.push(...countRows({ name: entry.name, width, height, measured: entry.measured, spacing }, check, network));
    }
  }
  download(kind === "objects" ? objectsTable(rows) : countsTable(rows), `${kind}.csv`, "text/csv");
}

/**
 * The objects of an image for another program: as regions of ImageJ, as GeoJSON of QuPath, as numbers in a TIFF.
 * @param {Entry} entry
 * @param {"rois" | "geojson" | "labels"} kind
 * @param {Spacing | null} spacing
 */
export async function saveObjects(entry, kind, spacing) {
  const found = numbered(entry, spacing);
  if (kind === "rois") {
    download(zip(imagejRois(found)), named(entry.name, "_rois.zip"), "application/zip");
  } else if (kind === "geojson") {
    download(geojson(found), named(entry.name, ".geojson"), "application/geo+json");
  } else {
    download(/** @type {BlobPart} */ (await labelTiff(found)), named(entry.name, "_labels.tif"), "image/tiff");
  }
}

/** @type {(entry: Entry, spacing: Spacing | null) => Numbered} */
function numbered({ name, measured, prediction }, spacing) {
  if (!measured?.labels || !prediction) {
    throw new TypeError("no mask to save");
  }
  const { width, height } = prediction;
  return { name, width, height, measured, spacing, numbers: numbersOf(measured.labels, width, height, measured.separation) };
}

/**
 * The masks of all images as one archive; two images of one name keep both masks.
 * @param {Images} images
 */
export async function saveMasks(images) {
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  for (const entry of images.entries.filter(({ state }) => state === "done")) {
    await images.restore(entry);
    if (entry.measured?.labels && entry.prediction) {
      const { width, height } = entry.prediction;
      const { labels, separation } = entry.measured;
      const masks = await encodeMasks(labels, width, height, images.engine.description, separation);
      for (const { folder, png } of masks) {
        const place = folder && `${folder}/`;
        let name = place + named(entry.name, ".png");
        for (let number = 2; files.has(name); number += 1) {
          name = place + named(entry.name, `_${number}.png`);
        }
        files.set(name, png);
      }
    }
  }
  download(zip([...files].map(([name, bytes]) => ({ name, bytes }))), "masks.zip", "application/zip");
}

/**
 * The outlines of a mask; along the threshold where there is one class.
 * @param {Entry} entry
 * @returns {Outlines | null}
 */
export function outlinesIn({ measured, prediction }) {
  if (!measured?.labels || !prediction) {
    return null;
  }
  const { width, height, probability, classes } = prediction;
  const { labels, separation, threshold } = measured;
  const foreground = classes.length === 2 ? probability.subarray(width * height) : null;
  const numbers = separation ? numbersOf(labels, width, height, separation) : labels;
  return new Outlines(labels, width, height, foreground, threshold ?? 0.5, numbers);
}

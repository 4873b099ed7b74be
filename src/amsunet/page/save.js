/** Files to take away: mask, picture with its overlay, tables, all masks at once. */

import { download } from "./dom.js";
import { encodeMasks } from "./mask.js";
import { Outlines } from "./outlines.js";
import { imagesTable, objectsTable } from "./table.js";
import { canvasOf } from "./view.js";
import { zip } from "./zip.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./images.js").Images} Images
 * @typedef {import("./types.js").Description} Description
 * @typedef {import("./table.js").Row} Row
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
    const { width, height, spacing } = prediction;
    const masks = await encodeMasks(measured.labels, width, height, description, spacing);
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
 * @param {Entry[]} entries
 * @param {"objects" | "images"} kind
 * @param {string} network
 * @param {(entry: Entry) => Pick<Row, "spacing" | "check">} about
 */
export function saveTable(entries, kind, network, about) {
  const rows = entries.flatMap((entry) => {
    const { name, measured, prediction, state } = entry;
    return measured && prediction && state === "done"
      ? [{ name, width: prediction.width, height: prediction.height, network, measured, ...about(entry) }]
      : [];
  });
  download(kind === "objects" ? objectsTable(rows) : imagesTable(rows), `${kind}.csv`, "text/csv");
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
      const { width, height, spacing } = entry.prediction;
      const masks = await encodeMasks(entry.measured.labels, width, height, images.engine.description, spacing);
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
  const foreground = classes.length === 2 ? probability.subarray(width * height) : null;
  return new Outlines(measured.labels, width, height, foreground, measured.threshold ?? 0.5);
}

/** The stage with all that stands on it: the image and its layers, progress, failures, legend, scale bar, readout. */

import { find, make } from "./dom.js";
import { paintDifferences, paintFill, paintUncertainty } from "./paint.js";
import { outlinesIn } from "./save.js";
import { sentenceOf } from "./sentences.js";
import { uncertaintyMap } from "./uncertainty.js";
import { canvasOf, Stage } from "./view.js";
import { duration, number, percent, t } from "./i18n.js";

/**
 * @typedef {import("./images.js").Entry} Entry
 * @typedef {import("./panel.js").Style} Style
 * @typedef {import("./types.js").Spacing} Spacing
 * @typedef {import("./view.js").Layers} Layers
 *
 * @typedef {object} Look How an image is shown.
 * @property {Style} style
 * @property {{fill: number, uncertainty: number}} opacity
 * @property {boolean} beside
 * @property {boolean} hidden Whether the mask is hidden for a moment.
 */

/** @type {Layers} */
const NOTHING = { picture: null, opacity: 1, outlines: null };
const DIFFERENCE = 0.6;
const BAR = 110;

export class Screen {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {Entry | null} */
    this.entry = null;
    /** @type {Spacing | null} */
    this.spacing = null;
    /** @type {Map<string, {source: unknown, value: any}>} */
    this.made = new Map();
    /** @type {Layers} */
    this.layers = NOTHING;
    this.stage = new Stage([...root.querySelectorAll(".pane")].map((pane) => /** @type {HTMLElement} */ (pane)), {
      onMove: () => this.showScale(),
      onPoint: (place) => this.showPoint(place),
    });
  }

  /**
   * What is made of something, once as long as it is the same.
   * @template T
   * @param {string} kind
   * @param {unknown} source
   * @param {() => T} work
   * @returns {T}
   */
  once(kind, source, work) {
    const before = this.made.get(kind);
    if (before && before.source === source) {
      return before.value;
    }
    const value = work();
    this.made.set(kind, { source, value });
    return value;
  }

  /** @returns {HTMLCanvasElement | null} The image that is shown. */
  get image() {
    const view = this.entry?.view;
    return view
      ? this.once("image", view, () =>
        canvasOf(view.width, view.height, (pixels) => pixels.set(new Uint32Array(view.rgba.buffer, view.rgba.byteOffset, pixels.length))))
      : null;
  }

  /**
   * @param {Entry | null} entry
   * @param {Look} look
   * @param {Spacing | null} spacing
   */
  show(entry, look, spacing) {
    this.entry = entry;
    this.spacing = spacing;
    const image = this.image;
    if (this.stage.image !== image) {
      this.stage.show(image);
    }
    const shown = image && entry?.measured?.labels ? entry : null;
    this.layers = shown ? this.layersOf(shown, look) : NOTHING;
    this.stage.cover(0, look.hidden ? NOTHING : this.layers);
    this.stage.cover(1, shown?.reference ? this.differencesIn(shown) : NOTHING);
    this.stage.open(look.beside);
    const second = find(".pane:last-child canvas", this.root);
    second.setAttribute("aria-label", t(shown?.reference ? "stage.reference" : "stage.plain"));
    this.showLegend(Boolean(shown?.reference) && look.beside);
    this.showWork();
    this.showScale();
  }

  /**
   * @param {Entry} entry
   * @param {Look} look
   * @returns {Layers}
   */
  layersOf(entry, { style, opacity }) {
    const { measured, prediction } = entry;
    if (style === "none" || !measured?.labels || !prediction) {
      return NOTHING;
    }
    const { labels } = measured;
    const { width, height, probability, classes } = prediction;
    const outlines = this.once("outlines", labels, () => outlinesIn(entry));
    if (style === "outline") {
      return { picture: null, opacity: 1, outlines };
    }
    const picture = style === "fill"
      ? this.once("fill", labels, () => canvasOf(width, height, (pixels) => paintFill(labels, pixels)))
      : this.once("uncertainty", probability, () =>
        canvasOf(width, height, (pixels) => paintUncertainty(uncertaintyMap(probability, classes.length), pixels)));
    return { picture, opacity: opacity[style], outlines: style === "fill" ? outlines : null };
  }

  /**
   * @param {Entry} entry
   * @returns {Layers}
   */
  differencesIn({ measured, reference, prediction }) {
    const labels = measured?.labels;
    if (!labels || !reference || !prediction) {
      return NOTHING;
    }
    const paint = (/** @type {Uint32Array} */ pixels) => paintDifferences(labels, reference.labels, pixels);
    const picture = this.once("differences", labels, () => canvasOf(prediction.width, prediction.height, paint));
    return { picture, opacity: DIFFERENCE, outlines: null };
  }

  /** Progress, the preview's mark, failures. */
  showWork() {
    const { entry, root } = this;
    const work = find(".work", root);
    const waiting = entry?.state === "waiting" || (entry?.state === "running" && !entry.view);
    work.hidden = !waiting && entry?.state !== "running";
    const bar = find("progress", work);
    if (waiting) {
      bar.removeAttribute("value");
    } else {
      bar.value = entry?.fraction ?? 0;
    }
    find("[role=status]", work).textContent = waiting ? t(entry?.state === "waiting" ? "state.waiting" : "reading") : progressText(entry);
    find(".chip", root).hidden = !entry?.prediction?.preview;
    const failure = find(".failure", root);
    failure.hidden = entry?.state !== "failed" && entry?.state !== "cancelled";
    find("span", failure).textContent =
      entry?.state === "failed" ? sentenceOf(entry.error, entry.name) : t("state.cancelled");
    root.classList.toggle("bare", !this.image);
  }

  /** @param {boolean} wanted */
  showLegend(wanted) {
    const legend = find(".legend", this.root);
    legend.hidden = !wanted;
    const keys = ["right", "missed", "extra"];
    legend.replaceChildren(...keys.map((key) => make("span", {}, make("i", { class: key }), t(key))));
  }

  /** The scale bar, where the size of a pixel is known, and the zoom in percent. */
  showScale() {
    const { spacing, root } = this;
    const { scale, image } = this.stage;
    find("output", root).textContent = image ? percent(scale) : "";
    const bar = find(".scale", root);
    bar.hidden = !spacing || !image;
    if (spacing && image) {
      const longest = (BAR * spacing.columns) / scale;
      const power = 10 ** Math.floor(Math.log10(longest));
      const length = power * (longest >= 5 * power ? 5 : longest >= 2 * power ? 2 : 1);
      find("i", bar).style.width = `${(length / spacing.columns) * scale}px`;
      find("span", bar).textContent = `${number(length, 6)} ${spacing.unit}`;
    }
  }

  /** @param {{x: number, y: number} | null} place In pixels of the image. */
  showPoint(place) {
    const prediction = this.entry?.prediction;
    const [x, y] = [Math.floor(place?.x ?? -1), Math.floor(place?.y ?? -1)];
    const inside = prediction && x >= 0 && y >= 0 && x < prediction.width && y < prediction.height;
    let text = "";
    if (inside && prediction.probability.length) {
      const size = prediction.width * prediction.height;
      const at = y * prediction.width + x;
      const chances = prediction.classes.map((_, index) => prediction.probability[index * size + at]);
      const likeliest = chances.length === 2 ? 1 : chances.indexOf(Math.max(...chances));
      const name = chances.length === 2 ? "" : `${prediction.classes[likeliest]} `;
      text = t("pixel", { x, y, percent: name + percent(chances[likeliest]) });
    }
    find(".readout", this.root).textContent = text;
  }
}

/**
 * @param {Entry | null} entry
 * @returns {string}
 */
function progressText(entry) {
  if (!entry?.fraction && entry?.left) {
    return t("estimate", { time: duration(entry.left) });
  }
  const values = { percent: percent(entry?.fraction ?? 0), time: duration(entry?.left ?? 0) };
  return t(entry?.left ? "progress.left" : "progress", values);
}

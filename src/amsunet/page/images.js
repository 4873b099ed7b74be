/**
 * The images of the page, and the work on them: one after the other, the one that is looked at first.
 *
 * @typedef {import("./types.js").View} View
 * @typedef {import("./types.js").Prediction} Prediction
 * @typedef {import("./measure.js").Measured} Measured
 * @typedef {import("./measure.js").Choice} Choice
 *
 * @typedef {object} Entry One image.
 * @property {string} name
 * @property {Blob} file
 * @property {"waiting" | "running" | "done" | "failed" | "cancelled"} state
 * @property {View | null} view
 * @property {HTMLCanvasElement | null} thumbnail
 * @property {Prediction | null} prediction
 * @property {Blob | null} stored The probabilities, where they were put away.
 * @property {Measured | null} measured
 * @property {{name: string, labels: Uint8Array} | null} reference
 * @property {unknown} error
 * @property {number} fraction Of the work that is done.
 * @property {number | null} left Seconds.
 */

import { measure } from "./measure.js";
import { thumbnailOf } from "./view.js";

/** Bytes of pictures and probabilities in memory; what is more is put away, or read again. */
const ROOM = 400_000_000;

export class Images {
  /** @param {(entry: Entry | null) => void} onChange Of an image; null where the list itself is another. */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {Entry | null} */
    this.selected = null;
    /** @type {any} */
    this.engine = null;
    /** @type {Choice} */
    this.choice = { threshold: null, smallest: null, separation: null };
    /** @type {AbortController | null} */
    this.controller = null;
    /** @type {Entry[]} Those in memory, the last one used last. */
    this.held = [];
    this.round = 0;
    this.room = ROOM;
  }

  /**
   * Add files, and show the first of them.
   * @param {{name: string, file: Blob}[]} files
   * @returns {Entry[]}
   */
  add(files) {
    const fresh = files.map(({ name, file }) => /** @type {Entry} */ ({
      name, file, state: "waiting", view: null, thumbnail: null, prediction: null, stored: null, measured: null,
      reference: null, error: null, fraction: 0, left: null,
    }));
    this.entries.push(...fresh);
    this.onChange(null);
    if (fresh.length) {
      this.select(fresh[0]);
    }
    return fresh;
  }

  /** @param {Entry | null} entry */
  async select(entry) {
    this.selected = entry;
    this.onChange(entry);
    this.work();
    if (entry?.state === "done") {
      await this.recall(entry);
      if (this.selected === entry) {
        this.onChange(entry);
      }
    } else if (entry && !entry.view && entry.state === "cancelled") {
      await this.look(entry).catch(() => {});
    }
  }

  /** @param {Entry} entry */
  remove(entry) {
    const at = this.entries.indexOf(entry);
    this.entries.splice(at, 1);
    this.held = this.held.filter((other) => other !== entry);
    if (entry.state === "running") {
      this.controller?.abort();
    }
    this.onChange(null);
    if (this.selected === entry) {
      this.select(this.entries[Math.min(at, this.entries.length - 1)] ?? null);
    }
  }

  clear() {
    this.controller?.abort();
    this.entries = [];
    this.held = [];
    this.onChange(null);
    this.select(null);
  }

  /** @param {any} engine What works on all images from now on. */
  use(engine) {
    this.controller?.abort();
    this.engine = engine;
    this.choice = { threshold: null, smallest: null, separation: null };
    this.held = [];
    for (const entry of this.entries) {
      const fresh = { state: "waiting", view: null, prediction: null, stored: null, measured: null, reference: null };
      Object.assign(entry, fresh, { error: null, fraction: 0, left: null });
    }
    this.onChange(null);
    this.work();
  }

  cancel() {
    this.controller?.abort();
    for (const entry of this.entries) {
      if (entry.state === "waiting") {
        entry.state = "cancelled";
      }
    }
    this.onChange(null);
  }

  /** @param {Entry} entry Whose work is to be done again. */
  again(entry) {
    entry.state = "waiting";
    this.onChange(entry);
    this.work();
  }

  /** Work until nothing waits; a second call while one works does nothing. */
  async work() {
    if (this.controller || !this.engine) {
      return;
    }
    const next = this.selected?.state === "waiting" ? this.selected : this.entries.find(({ state }) => state === "waiting");
    if (next) {
      this.controller = new AbortController();
      await this.predict(next, this.engine, this.controller.signal);
      this.controller = null;
      this.work();
    }
  }

  /**
   * @param {Entry} entry
   * @param {any} engine
   * @param {AbortSignal} signal
   */
  async predict(entry, engine, signal) {
    Object.assign(entry, { state: "running", fraction: 0, left: null, error: null });
    this.onChange(entry);
    /** @type {(prediction: Prediction) => void} */
    const take = (prediction) => {
      if (!signal.aborted) {
        entry.prediction = prediction;
        this.measure(entry);
      }
    };
    try {
      await this.look(entry, engine);
      signal.throwIfAborted();
      entry.left = engine.estimate(entry.view?.width, entry.view?.height);
      this.onChange(entry);
      const onProgress = (/** @type {number} */ fraction, /** @type {number | null} */ left) => {
        Object.assign(entry, { fraction, left });
        this.onChange(entry);
      };
      take(await engine.predict(await bytesOf(entry.file), entry.name, { onProgress, onPreview: take, signal }));
      signal.throwIfAborted();
      entry.state = "done";
    } catch (error) {
      if (engine !== this.engine) {
        return; // it waits for the other network
      }
      entry.state = signal.aborted ? "cancelled" : "failed";
      entry.error = signal.aborted ? null : error;
      Object.assign(entry, { prediction: null, measured: null });
    }
    if (this.entries.includes(entry)) {
      this.hold(entry);
      this.onChange(entry);
    }
  }

  /**
   * Read an image, to be seen.
   * @param {Entry} entry
   * @param {any} [engine]
   */
  async look(entry, engine = this.engine) {
    const view = /** @type {View} */ (await engine.look(await bytesOf(entry.file), entry.name));
    entry.view = view;
    entry.thumbnail ??= thumbnailOf(view);
    this.hold(entry);
    this.onChange(entry);
  }

  /** @param {Entry} entry Whose mask is made anew, as the settings are now. */
  measure(entry) {
    if (entry.prediction && !entry.stored) {
      entry.measured = measure(entry.prediction, this.engine.description, this.choice, entry.reference?.labels ?? null);
      this.onChange(entry);
    }
  }

  /**
   * @param {Entry} entry
   * @param {Entry["reference"]} reference What its mask is compared with from now on.
   */
  async compare(entry, reference) {
    entry.reference = reference;
    await this.restore(entry);
    this.measure(entry);
    this.onChange(entry);
  }

  /**
   * Choose a threshold or a smallest object: it holds for the image that is looked at now, for the others soon.
   * @param {Partial<Choice>} choice
   */
  choose(choice) {
    this.choice = { ...this.choice, ...choice };
    this.round += 1;
    if (this.selected) {
      this.measure(this.selected);
    }
    const round = this.round;
    setTimeout(() => round === this.round && this.settle(), 400);
  }

  /** Measure all images as the settings are now. */
  async settle() {
    const round = this.round;
    for (const entry of this.entries) {
      if (entry.state === "done" && entry !== this.selected && round === this.round) {
        await this.restore(entry);
        this.measure(entry);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
  }

  /** @param {Entry} entry Whose picture and probabilities are to be in memory again. */
  async recall(entry) {
    await this.restore(entry);
    if (!entry.view) {
      await this.look(entry);
    }
  }

  /** @param {Entry} entry Whose probabilities are to be in memory again. */
  async restore(entry) {
    if (entry.stored && entry.prediction) {
      const probability = new Float32Array(await entry.stored.arrayBuffer());
      Object.assign(entry.prediction, { probability });
      entry.stored = null;
      this.measure(entry);
    }
    this.hold(entry);
  }

  /** @param {Entry} entry The last one used; what was used longest ago is put away when there is too much. */
  hold(entry) {
    this.held = [...this.held.filter((other) => other !== entry), entry];
    let bytes = this.held.reduce((sum, other) => sum + bytesHeld(other), 0);
    while (bytes > this.room && this.held.length > 2) {
      const [oldest] = this.held.splice(this.held.findIndex((other) => other !== this.selected && other !== entry), 1);
      bytes -= bytesHeld(oldest);
      oldest.view = null;
      if (oldest.prediction && oldest.state === "done") {
        oldest.stored = new Blob([/** @type {BlobPart} */ (oldest.prediction.probability)]);
        oldest.prediction.probability = new Float32Array();
        if (oldest.measured) {
          oldest.measured.labels = null;
        }
      }
    }
  }
}

/** @type {(entry: Entry) => number} */
function bytesHeld({ view, prediction }) {
  return (view?.rgba.length ?? 0) + (prediction?.probability.byteLength ?? 0);
}

/** @type {(file: Blob) => Promise<Uint8Array>} */
async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

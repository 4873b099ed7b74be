/**
 * A network for the page: one worker runs it, one looks at images meanwhile.
 *
 * A network cannot be interrupted, so to cancel is to end its worker; another one is started at once.
 *
 * @import { Description, Network, Prediction, View } from "./types.js"
 * @import { WorkerEvent } from "./worker_queue.js"
 */

import { descriptionOf } from "./description.js";
import { Pace, Progress } from "./pace.js";
import { workingSize } from "./prepare.js";
import { load, openNetwork, unpack } from "./resources.js";
import { workOf } from "./tiles.js";
import { WorkerQueue } from "./worker_queue.js";

const RUNTIME = "vendor/ort-wasm-simd-threaded.wasm.gz";
/** More threads than these gain little. */
const MOST_THREADS = 8;
/** Pixels; a network that has seen more at once holds gigabytes, and WebAssembly gives no memory back while it lives. */
const KEPT = 2 ** 19;

/**
 * @typedef {object} PredictOptions
 * @property {(fraction: number, secondsLeft: number) => void} [onProgress]
 * @property {(preview: Prediction) => void} [onPreview] Gets a coarse prediction first, of images that take long.
 * @property {AbortSignal} [signal] Cancels: the prediction is rejected with the signal's reason.
 */

export class Engine {
  #runner;
  #looker;
  #pace;

  /**
   * Use `Engine.open`.
   *
   * @param {Network} network
   * @param {Description} description
   * @param {{ onnx: Uint8Array, runtime: Uint8Array }} parts
   * @param {number} threads
   */
  constructor(network, description, parts, threads) {
    this.network = network;
    this.description = description;
    this.threads = threads;
    this.#pace = new Pace(network.work, threads);
    this.#runner = new WorkerQueue({ name: network.name, description, threads, ...parts });
    this.#looker = new WorkerQueue({ name: network.name, description });
  }

  /**
   * @param {Network} network
   * @param {{ threads?: number, onProgress?: (fraction: number) => void }} [options]
   * @returns {Promise<Engine>}
   */
  static async open(network, { threads = defaultThreads(), onProgress = () => {} } = {}) {
    const loaded = [0, 0];
    /** @param {number} part */
    const report = (part) => (/** @type {number} */ fraction) => {
      loaded[part] = fraction;
      onProgress(0.9 * (0.7 * loaded[0] + 0.3 * loaded[1]));
    };
    const [onnx, packed] = await Promise.all([openNetwork(network, report(0)), load(RUNTIME, report(1))]);
    const parts = { onnx, runtime: await unpack(packed) };
    const engine = new Engine(network, descriptionOf(onnx, network.name), parts, threads);
    engine.#looker.open().catch(() => {}); // the first look tells why it does not start
    try {
      await engine.#runner.open();
    } catch (error) {
      engine.close();
      throw error;
    }
    onProgress(1);
    return engine;
  }

  /**
   * @param {Uint8Array} bytes Of a file.
   * @param {string} name
   * @returns {Promise<View>}
   */
  look(bytes, name) {
    return this.#looker.call("look", { bytes, name });
  }

  /**
   * @param {Uint8Array} bytes Of a file.
   * @param {string} name
   * @param {PredictOptions} [options]
   * @returns {Promise<Prediction>}
   */
  async predict(bytes, name, { onProgress = () => {}, onPreview = () => {}, signal } = {}) {
    const progress = new Progress(this.#pace, onProgress);
    let largest = 0;
    /** @param {WorkerEvent} message */
    const onEvent = ({ event, pixels, after, prediction }) => {
      if (event === "run") progress.run(pixels, after);
      else if (event === "ran") progress.ran();
      else onPreview(prediction);
      largest = Math.max(largest, pixels ?? 0);
    };
    try {
      const prediction = await this.#runner.call("predict", { bytes, name }, { signal, onEvent });
      if (largest > KEPT) this.#runner.renewWhenIdle();
      return prediction;
    } finally {
      progress.stop();
    }
  }

  /**
   * @param {number} width Of an image, in pixels.
   * @param {number} height Of an image, in pixels.
   * @returns {number} Seconds that a prediction is likely to take.
   */
  estimate(width, height) {
    const working = workingSize(this.description, height, width);
    return this.#pace.seconds(workOf(working.width, working.height).pixels);
  }

  close() {
    this.#runner.close();
    this.#looker.close();
  }
}

/** One, unless the page is isolated from other origins: browsers give shared memory to no other. */
function defaultThreads() {
  const processors = navigator.hardwareConcurrency || 1;
  return globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, Math.max(2, processors >> 1)) : 1;
}

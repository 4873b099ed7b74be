/**
 * What takes long, away from the page: decoding, preparing, the network, probabilities. One request at a time.
 *
 * The page sends `{ id, task, ...what the task takes }`; back go `{ id, event, ... }` while it works, and at the end
 * `{ id, result }` or `{ id, error: { code, values } }`.
 *
 * @import { Description, Prediction, View } from "./types.js"
 * @import { Planes, Run } from "./tiles.js"
 */

import { decode } from "./decode.js";
import { codeOf, PageError, refuseLarge } from "./errors.js";
import { areNumbers, toProbabilities } from "./finish.js";
import { RunningNetwork } from "./network.js";
import { byExpectedDice, prepare, workingSize } from "./prepare.js";
import { computeLogits, PREVIEW_SIDE, shrink, workOf } from "./tiles.js";
import { viewOf } from "./view_of.js";

/** @typedef {(event: string, values: object, transfer?: Transferable[]) => void} Report */

/** @type {Description} */
let description;
/** @type {RunningNetwork} */
let network;

/** @type {Record<string, (asked: any, report: Report) => Promise<any>>} */
const TASKS = { open, look, predict };

self.addEventListener("message", async ({ data: { id, task, ...asked } }) => {
  /** @type {Report} */
  const report = (event, values, transfer = []) => self.postMessage({ id, event, ...values }, { transfer });
  try {
    const result = await TASKS[task](asked, report);
    self.postMessage({ id, result }, { transfer: buffersOf(result) });
  } catch (error) {
    self.postMessage({ id, error: describe(error, asked.name ?? "") });
  }
});

/** @param {{ description: Description, onnx?: Uint8Array, runtime?: Uint8Array<ArrayBuffer>, threads: number }} asked */
async function open(asked) {
  description = asked.description;
  if (asked.onnx && asked.runtime) network = await RunningNetwork.open(asked.onnx, asked.runtime, asked.threads);
}

/**
 * @param {{ bytes: Uint8Array, name: string }} asked
 * @returns {Promise<View>}
 */
async function look({ bytes, name }) {
  return viewOf(await read(bytes, name), description);
}

/**
 * @param {{ bytes: Uint8Array, name: string }} asked
 * @param {Report} report
 * @returns {Promise<Prediction>}
 */
async function predict({ bytes, name }, report) {
  const begun = performance.now();
  const picture = await read(bytes, name);
  const { width, height, spacing } = picture;
  const size = workingSize(description, height, width, spacing);
  refuseLarge(size.width, size.height, name);
  const work = workOf(size.width, size.height);
  let after = work.pixels;
  /** @type {Run} */
  const run = async (planes) => {
    report("run", { pixels: planes.width * planes.height, after });
    const logits = await network.run(planes);
    report("ran", {});
    return logits;
  };
  const choose = byExpectedDice((planes) => computeLogits(run, planes), description);
  const prepared = await prepare(picture, description, choose);
  const image = { ...prepared, values: prepared.planes };
  /** @type {Run} */
  const counted = (planes) => {
    after -= planes.width * planes.height;
    return run(planes);
  };
  /** @type {(seen: Planes, preview: boolean) => Promise<Prediction>} */
  const finish = async (seen, preview) => {
    const logits = await computeLogits(counted, seen);
    if (!areNumbers(logits.values)) throw new PageError("no_numbers", { name });
    const probability = toProbabilities(logits.values, logits.channels, logits.height, logits.width, height, width);
    const { outOfDistribution, polarity } = prepared;
    const classes = description.convention.class_names;
    const seconds = (performance.now() - begun) / 1000;
    return { width, height, spacing, classes, probability, outOfDistribution, polarity, seconds, preview };
  };
  if (work.preview) {
    const preview = await finish(shrink(image, PREVIEW_SIDE), true);
    report("preview", { prediction: preview }, buffersOf(preview));
  }
  return finish(image, false);
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 */
async function read(bytes, name) {
  const picture = await decode(bytes, name);
  refuseLarge(picture.width, picture.height, name);
  return picture;
}

/**
 * What is given away, not copied.
 *
 * @param {any} result
 * @returns {Transferable[]}
 */
function buffersOf(result) {
  return Object.values(result ?? {}).flatMap((value) => (ArrayBuffer.isView(value) ? [value.buffer] : []));
}

/**
 * An error as it can be sent.
 *
 * @param {unknown} error
 * @param {string} name Of the image, or of the network that is to be opened.
 */
function describe(error, name) {
  if (codeOf(error)) return { code: codeOf(error), values: /** @type {PageError} */ (error).values };
  const reason = String(error instanceof Error ? error.message : error).split("\n")[0].slice(0, 200);
  const code = /memory|alloc|OOM|array length/i.test(reason) ? "out_of_memory" : "engine_failed";
  return { code, values: { name, reason } };
}

/**
 * A network at work in ONNX Runtime Web.
 *
 * @import { Planes } from "./tiles.js"
 */

import { env, InferenceSession, Tensor } from "./vendor/ort.wasm.bundle.min.mjs";

export class RunningNetwork {
  #session;

  /** @param {InferenceSession} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * @param {Uint8Array} onnx
   * @param {Uint8Array} runtime The runtime's WebAssembly.
   * @param {number} threads
   * @returns {Promise<RunningNetwork>}
   */
  static async open(onnx, runtime, threads) {
    env.wasm.wasmBinary = runtime.buffer;
    env.wasm.numThreads = threads;
    env.logLevel = "error";
    return new RunningNetwork(await InferenceSession.create(onnx, { executionProviders: ["wasm"] }));
  }

  /**
   * @param {Planes} image Values in 0 ... 255, normalised, at working size.
   * @returns {Promise<Planes>} Logits.
   */
  async run({ values, channels, width, height }) {
    const { logits } = await this.#session.run({ image: new Tensor("float32", values, [1, channels, height, width]) });
    return { values: logits.data, channels: logits.dims[1], width, height };
  }
}

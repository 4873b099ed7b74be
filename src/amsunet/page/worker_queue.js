/**
 * A worker that gets one request at a time, and is replaced where it fails or is to stop.
 *
 * What it gets and sends is in worker.js.
 */

import { codeOf, PageError } from "./errors.js";
import { startWorker } from "./resources.js";

/** @typedef {{ event: string } & Record<string, any>} WorkerEvent */

/** After these a worker may hold memory that it does not give back, or be of no use. */
const ENDING = ["out_of_memory", "engine_failed"];

export class WorkerQueue {
  #opening;
  /** @type {Promise<Channel> | null} */
  #channel = null;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** @param {Record<string, any>} opening What the worker's task `open` takes. */
  constructor(opening) {
    this.#opening = opening;
  }

  /**
   * Start the worker, if there is none.
   *
   * @returns {Promise<Channel>}
   */
  open() {
    this.#channel ??= this.#start();
    return this.#channel;
  }

  /**
   * @param {string} task
   * @param {Record<string, any>} values What the task takes: copied, not given away.
   * @param {{ onEvent?: (event: WorkerEvent) => void, signal?: AbortSignal }} [options]
   * @returns {Promise<any>} What the task gives.
   */
  call(task, values, { onEvent, signal } = {}) {
    const before = this.#last;
    this.#waiting += 1;
    const turn = (async () => {
      await untilAborted(before, signal);
      const channel = await untilAborted(this.open(), signal);
      try {
        return await untilAborted(channel.call(task, values, onEvent), signal);
      } catch (error) {
        if (signal?.aborted || ENDING.includes(codeOf(error))) this.#restart(channel);
        throw error;
      }
    })();
    // Without what came of them, which may be large.
    this.#last = Promise.allSettled([before, turn]).then(() => {
      this.#waiting -= 1;
    });
    return turn;
  }

  /** Put a new worker in the place of this one, if no call waits for it. */
  renewWhenIdle() {
    this.#last
      .then(() => this.#channel)
      .then((channel) => {
        if (channel && !this.#waiting) this.#restart(channel);
      })
      .catch(() => {}); // of a worker that did not start the next call tells
  }

  close() {
    this.#closed = true;
    void this.#channel?.then((channel) => channel.end()).catch(() => {});
  }

  async #start() {
    /** @type {Channel | null} */
    let channel = null;
    try {
      if (this.#closed) throw new DOMException("the network was closed", "AbortError");
      channel = new Channel(await startWorker());
      await channel.call("open", this.#opening);
      channel.onFailure = () => (this.#channel = null);
      return channel;
    } catch (error) {
      channel?.end();
      this.#channel = null;
      throw error;
    }
  }

  /** @param {Channel} channel */
  #restart(channel) {
    channel.end();
    this.#channel = null;
    if (!this.#closed) this.open().catch(() => {}); // the next call starts one again, and tells why it cannot
  }
}

/** Requests to one worker, and what comes back. */
class Channel {
  #worker;
  #next = 0;
  /** @type {unknown} */
  #ended = null;
  /** Called where the worker ends by itself. */
  onFailure = () => {};
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: unknown) => void, onEvent: (event: WorkerEvent) => void }>} */
  #waiting = new Map();

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const reason = event.message; // there is none if a module does not load
      this.end(new PageError(reason ? "engine_failed" : "resource_missing", { name: "", reason, path: "worker.js" }));
      this.onFailure();
    });
  }

  /**
   * @param {string} task
   * @param {Record<string, any>} values
   * @param {(event: WorkerEvent) => void} [onEvent]
   * @returns {Promise<any>}
   */
  call(task, values, onEvent = () => {}) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onEvent });
      this.#worker.postMessage({ ...values, id, task });
    });
  }

  /** @param {unknown} [reason] For those that wait. */
  end(reason = new DOMException("the network was closed", "AbortError")) {
    this.#ended = reason;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  /** @param {{ id: number, event?: string, error?: { code: string, values: Record<string, any> }, result?: any }} reply */
  #receive({ id, error, result, ...reported }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (reported.event) return waiting.onEvent(/** @type {WorkerEvent} */ (reported));
    this.#waiting.delete(id);
    if (error) waiting.reject(new PageError(error.code, error.values));
    else waiting.resolve(result);
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
function untilAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
